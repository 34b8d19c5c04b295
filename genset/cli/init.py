"""`init`: what is asked on a terminal, and where the config goes."""

from dataclasses import replace
from pathlib import Path

from genset.cli.session import Command
from genset.engine import Engine
from genset.errors import ExitCode, GensetError
from genset.modalities import MODALITIES
from genset.pipeline.collect import files_by_modality
from genset.pipeline.first_config import FirstConfig, first_config
from genset.pipeline.job import as_dicts
from genset.pipeline.look import Seen, look
from genset.versions import write_new


def begin(
    folder: Path,
    config: Path | None,
    modality: str | None,
    name: str | None,
    command: Command,
    engine: Engine,
    *,
    yes: bool,
) -> int:
    """Look at a folder, and print or write a config for it."""
    if not folder.exists():
        raise GensetError("there is no such folder", where=str(folder), hint="Give the folder of your items.")
    if config:
        _check_free(config)
    asks = command.console.can_ask and not yes
    kind = _modality(folder, modality, command, asks=asks)
    seen = look(folder, kind, command.job(command.root(None), engine))
    if name:
        seen = replace(seen, name=command.version_name(name, seen.name))
    place = config or Path(f"{seen.name}.yaml")
    if config is None and yes:
        _check_free(place)
    grouped = bool(
        asks and seen.group and command.console.ask(f"Files look like {seen.group.why}. Keep each together?", False)
    )
    made = first_config(seen, place.parent, grouped=grouped)
    made.read()  # what is begun for a user must be valid
    if not config and not yes:
        command.console.say(made.text.rstrip("\n"))
        if not asks or place.exists() or not command.console.ask(f"Write it to {place}?", True):
            return _end(made, seen, None, command)
    write_new(place, made.text.encode())
    command.console.say(f"config {place}\nnext: genset run {place}")
    return _end(made, seen, place, command)


def _end(made: FirstConfig, seen: Seen, place: Path | None, command: Command) -> int:
    command.finish(
        config=made.text,
        path=place and str(place),
        choices=made.as_dicts(),
        counts={"label": dict(seen.classes), "split": dict(seen.splits)},
        problems=as_dicts(seen.problems),
    )
    return ExitCode.DONE


def _check_free(place: Path) -> None:
    if place.exists():
        raise GensetError(
            "there is a file of this name already, and it stays as it is",
            where=str(place),
            hint="Choose another name with --config FILE.",
        )
    if not place.absolute().parent.is_dir():
        raise GensetError("its folder is not there", where=str(place), hint="Make the folder, or choose another place.")


def _modality(folder: Path, given: str | None, command: Command, *, asks: bool) -> str | None:
    """The modality that was given or, of a folder with files of several, that was chosen; None for that of most."""
    if given is not None and given not in MODALITIES:
        raise GensetError(
            f"no such modality: {given!r}", where="--modality", hint=f"There are {', '.join(MODALITIES)}."
        )
    found = {kind: count for kind, count in files_by_modality(folder, MODALITIES).items() if count}
    if given or not asks or len(found) < 2:
        return given
    best = max(found, key=lambda kind: found[kind])
    told = ", ".join(f"{count:,} {kind}" for kind, count in found.items())
    return command.console.choose(f"The folder has {told} files. Which are the items?", list(found), best)
