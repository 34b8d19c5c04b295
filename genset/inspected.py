"""`inspect` of whatever stands at a path: what is asked of the pipeline, and what is written and said of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genset import show
from genset.command import Command
from genset.config import EVERY_FIGURE, dump, load
from genset.engine import Local
from genset.errors import ExitCode, GensetError
from genset.modalities import MODALITIES
from genset.pipeline import inspect, lineage
from genset.pipeline.build import Verdict
from genset.pipeline.collect import guess_modality
from genset.pipeline.judge import gated
from genset.pipeline.page import Subject, dataset_page
from genset.quality import gates
from genset.versions import Root, Version, open_version, write_atomically


@dataclass(frozen=True)
class Asked:
    """What was asked of `inspect`."""

    path: str
    against: str | None = None
    model: str | None = None
    gates: Sequence[str] = ()
    quick: bool = False
    report: Path | None = None


def inspected(asked: Asked, command: Command, output: Path | None, workers: int | None) -> int:
    """`inspect` of whatever stands at a path."""
    path, root = Path(asked.path), command.root(output)
    for condition in asked.gates:
        _check_gate(condition, asked.against)
    if asked.report:
        _check_place(asked.report, "--report")
    if path.suffix in (".yaml", ".yml"):
        _no_page(asked, "a config")
        return _config(path, command)
    item = _item(path, root)
    if item:
        _no_page(asked, "an item")
        return _ancestry(item, root, command)
    if path.is_file() and not guess_modality(path, MODALITIES).rows:
        raise GensetError(
            "this is one file of no version: a dataset, a version, an item of one, or a .yaml config can be inspected",
            where=asked.path,
            hint="Give the folder it lies in.",
        )
    version = None if path.is_file() else open_version(path) if path.is_dir() else _named(asked.path, command, output)
    if version and version.kind == "models":
        if asked.against or asked.model:
            raise GensetError(
                f"--{'against' if asked.against else 'model'} is about a dataset, this is a model",
                where=asked.path,
                hint="Inspect a dataset, such as one that `genset generate` made.",
            )
        return show.model(version, False, command)
    return _dataset(asked, version, command, root, workers)


def _dataset(asked: Asked, version: Version | None, command: Command, root: Root, workers: int | None) -> int:
    """`inspect` of a dataset, alone or beside real items."""
    job = command.job(root, Local(workers=workers))
    found = inspect.contents(version.path if version else Path(asked.path), job)
    if asked.model:
        found = inspect.with_outliers(found, command.model(root, asked.model), job)
    verdict, judged = None, None
    if asked.against:
        real_path, _ = command.dataset(root, asked.against)
        judged = inspect.against(found, version, real_path, job, quick=asked.quick)
        verdict = gated(judged.verdict, asked.gates, found.dataset.modality)
    if asked.report:
        subject = _subject(asked, found, version, judged, verdict)
        write_atomically(asked.report, dataset_page(subject, job.engine))
    return _contents(found, verdict, version, asked.report, command)


def _subject(
    asked: Asked,
    found: inspect.Contents,
    version: Version | None,
    judged: inspect.Judged | None,
    verdict: Verdict | None,
) -> Subject:
    """What the page of a dataset is about: made items beside those they were judged by, or all that it holds."""
    records = found.dataset.records
    if judged:
        records = (*judged.real.records, *judged.made.records)
    return Subject(
        version.reference if version else Path(asked.path).resolve().name,
        judged.modality if judged else inspect.settled(found),
        records,
        verdict.as_dict() if verdict else inspect.stored_verdict(version),
        [problem.as_dict() for problem in found.problems],
        found.traits,
        version.manifest if version else {},
        asked.against or "",
    )


def _item(path: Path, root: Root) -> lineage.Found | None:
    """The item of a version that a path or an id stands for."""
    if path.is_file():
        return lineage.by_path(path)
    return lineage.by_id(str(path), root) if lineage.ITEM_ID.fullmatch(str(path)) and not path.exists() else None


def _ancestry(item: lineage.Found, root: Root, command: Command) -> int:
    tree = lineage.ancestry(item, root)
    command.console.say("\n".join(lineage.lines(tree)))
    command.finish(version=show.version_told(item.version), item=tree)
    return ExitCode.DONE


def _contents(
    found: inspect.Contents, verdict: Verdict | None, version: Version | None, report: Path | None, command: Command
) -> int:
    console = command.console
    for key, counts in {**found.counts, **found.traits}.items():
        console.counts(f"items by {key}", counts)
    problems = [problem.as_dict() for problem in found.problems]
    console.problems(problems)
    if not problems:
        console.say("no problem was found")
    told: dict[str, Any] = {"counts": found.counts, "traits": found.traits, "problems": problems}
    if version:
        told["version"] = show.version_told(version)
    if verdict:
        show.figures(console, verdict.as_dict())
        told |= verdict.as_dict()
    damaged = any(problem["kind"] == "checksum" for problem in problems)
    if report:
        console.say(f"report {report}")
        told["report"] = str(report)
    code = show.gates_failed(console, verdict.failed_gates) if verdict else ExitCode.DONE
    command.finish(**told)
    return ExitCode.FAILED if damaged else code


def _config(path: Path, command: Command) -> int:
    config = load(path)
    command.console.say(dump(config))
    command.finish(config=config.model_dump(mode="json"))
    return ExitCode.DONE


def _named(text: str, command: Command, output: Path | None) -> Version | None:
    """NAME or NAME@vNNNN: a dataset, or else a model."""
    root = command.root(output)
    if text.partition("@")[0] in root.names("models") and text.partition("@")[0] not in root.names("datasets"):
        return root.find("models", text)
    return root.find("datasets", text)


def _check_gate(condition: str, against: str | None) -> None:
    try:
        gates.parse(condition, EVERY_FIGURE)
    except ValueError as error:
        raise GensetError(str(error), where="--gate") from None
    if not against:
        raise GensetError("a gate needs figures to look at", where="--gate", hint="Add --against REAL.")


def _check_place(path: Path, option: str) -> None:
    """That a file can be written there, before any work is done. Raises GensetError."""
    folder = path.resolve().parent
    if path.is_dir() or not folder.is_dir():
        why = "this is a folder" if path.is_dir() else f"there is no folder {folder}"
        raise GensetError(why, where=f"{option} {path}", hint="Give the name of a file in a folder that is there.")
    inside = next((version for place in (folder, *folder.parents) if (version := open_version(place))), None)
    if inside:
        raise GensetError(
            f"this is inside the version {inside.reference}, and versions are never changed",
            where=f"{option} {path}",
            hint="Write it somewhere else.",
        )


def _no_page(asked: Asked, what: str) -> None:
    if asked.report:
        raise GensetError(
            f"there is no report of {what}", where="--report", hint="Give a dataset, a model or a version of one."
        )
