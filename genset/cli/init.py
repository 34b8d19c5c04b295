"""`genset init`: propose a config for a folder, from its contents."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genset.cli.command import common_options
from genset.errors import ExitCode, GensetError

if TYPE_CHECKING:
    from genset.cli.console import Console
    from genset.cli.session import Session
    from genset.workflows.init import SuggestedConfig
    from genset.workflows.scan import ScanResult

EXAMPLE = "genset init samples/image"

Folder = Annotated[Path, typer.Argument(help="folder of your items", metavar="FOLDER", show_default=False)]
NewConfig = Annotated[
    Path | None,
    typer.Option(
        "--config", help="write the config to this file, which must not exist yet", metavar="FILE", show_default=False
    ),
]
ModalityName = Annotated[
    str | None,
    typer.Option("--modality", help="modality of the items (default: the modality of most files)", show_default=False),
]
Name = Annotated[
    str | None,
    typer.Option(help="value of `name` in the config (default: the name of the folder)", show_default=False),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="write NAME.yaml without asking")]


@common_options("workers", "engine", "json", "quiet", "debug")
def command(
    folder: Folder,
    config: NewConfig = None,
    modality: ModalityName = None,
    name: Name = None,
    yes: Yes = False,
    *,
    session: "Session",
) -> int:
    """Propose a config for a folder, with reasons. Print it or, with --config or --yes, write it to a file."""
    from genset.workflows.scan import scan

    console = session.console
    if not folder.exists():
        raise GensetError("no such folder", where=str(folder), hint="Give the folder of your items.")
    if config:
        _check_free(config)
    interactive = console.can_ask and not yes
    kind = _choose_modality(folder, modality, console, interactive=interactive)
    scanned = scan(folder, kind, session.job(session.root()))
    proposal, place = _propose(scanned, config, name, console, interactive=interactive, yes=yes)
    if not config and not yes:
        console.say(proposal.text.rstrip("\n"))
        if not interactive or place.exists() or not console.ask(f"Write it to {place}?", True):
            options = {"--config": "FILE" if place.exists() else place, "--modality": modality, "--name": name}
            given = "".join(f" {option} {value}" for option, value in options.items() if value)
            console.say(f"# next: genset init {folder}{given}")  # a comment, so that the output is a valid config
            return _finish(proposal, scanned, None, session)
    _write(proposal, place, console)
    return _finish(proposal, scanned, place, session)


def _propose(
    scanned: "ScanResult", config: Path | None, name: str | None, console: "Console", *, interactive: bool, yes: bool
) -> "tuple[SuggestedConfig, Path]":
    """The config, and the file that it may be written to."""
    from dataclasses import replace

    from genset.cli.flag_values import version_name
    from genset.workflows.init import suggest_config

    if name:
        scanned = replace(scanned, name=version_name(name, scanned.name))
    place = config or Path(f"{scanned.name}.yaml")
    if config is None and yes:
        _check_free(place)
    question = scanned.group and f"Files look like {scanned.group.why}. Keep each group together?"
    grouped = bool(interactive and question and console.ask(question, False))
    proposal = suggest_config(scanned, place.parent, grouped=grouped)
    proposal.read()  # a proposal must be valid
    return proposal, place


def _write(proposal: "SuggestedConfig", place: Path, console: "Console") -> None:
    from genset.atomic import write_new

    write_new(place, proposal.text.encode())
    console.say(f"config {place}\nnext: genset run {place}")


def _finish(proposal: "SuggestedConfig", scanned: "ScanResult", place: Path | None, session: "Session") -> int:
    from genset.cli.json_output.init import InitOutput
    from genset.pipeline.job import as_dicts

    session.finish(
        InitOutput,
        config=proposal.text,
        path=place and str(place),
        choices=list(proposal.settings),
        counts={"label": dict(scanned.classes), "split": dict(scanned.splits)},
        problems=as_dicts(scanned.problems),
    )
    return ExitCode.DONE


def _check_free(place: Path) -> None:
    if place.exists():
        raise GensetError(
            "a file of this name exists and is not replaced",
            where=str(place),
            hint="Choose another name with --config FILE.",
        )
    if not place.absolute().parent.is_dir():
        raise GensetError("no such folder", where=str(place), hint="Create the folder, or choose another place.")


def _choose_modality(folder: Path, requested: str | None, console: "Console", *, interactive: bool) -> str | None:
    """The modality that is requested or, for a folder with files of several, chosen; None for that of most files."""
    from genset.modalities import MODALITIES
    from genset.pipeline.reading import files_by_modality

    if requested is not None and requested not in MODALITIES:
        raise GensetError(
            f"unknown modality: {requested!r}", where="--modality", hint=f"Choose one of {', '.join(MODALITIES)}."
        )
    counts = {kind: count for kind, count in files_by_modality(folder, MODALITIES).items() if count}
    if requested or not interactive or len(counts) < 2:
        return requested
    most = max(counts, key=lambda kind: counts[kind])
    files = ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
    return console.choose(f"The folder has {files} files. Which are the items?", list(counts), most)
