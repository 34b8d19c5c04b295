"""`inspect` of whatever stands at a path: what is asked of the pipeline, and what is written and said of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from genset.cli import rendering as show
from genset.cli.session import Command, check_place
from genset.config import EVERY_FIGURE, dump, load
from genset.engine import Engine
from genset.errors import ExitCode, GensetError
from genset.modalities import MODALITIES
from genset.pipeline import compare, comparison, inspect, lineage
from genset.pipeline.build import Verdict
from genset.pipeline.collect import guess_modality, kind_of
from genset.pipeline.job import as_dicts
from genset.pipeline.judge import gated
from genset.pipeline.model_page import model_page
from genset.pipeline.page import Subject, dataset_page
from genset.pipeline.unpack import containers_at
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
    summary: Path | None = None
    rules: Sequence[str] = ()  # overrides of cleaning and evaluation

    @property
    def files(self) -> dict[str, Path]:
        """What is to be written, by its option."""
        return {name: path for name, path in (("--report", self.report), ("--summary", self.summary)) if path}


def inspected(asked: Asked, command: Command, output: Path | None, engine: Engine) -> int:
    """`inspect` of whatever stands at a path."""
    path, root = Path(asked.path), command.root(output)
    for condition in asked.gates:
        _check_gate(condition, asked.against)
    for option, place in asked.files.items():
        check_place(place, option)
    if path.suffix in (".yaml", ".yml"):
        _no_files(asked, "a config")
        _no_rules(asked)
        return _config(path, command)
    item = _item(path, root)
    if item:
        _no_files(asked, "an item")
        _no_rules(asked)
        return _ancestry(item, root, command)
    if path.is_file() and not guess_modality(path, MODALITIES).rows and not containers_at(path):
        raise GensetError(
            "this is one file of no version: a dataset, a version, an item of one, or a .yaml config can be inspected",
            where=asked.path,
            hint="Give the folder it lies in.",
        )
    version = None if path.is_file() else open_version(path) if path.is_dir() else command.version(root, asked.path)
    if version and version.kind == "models":
        _no_rules(asked)
        return _model(asked, version, command, root, engine)
    return _dataset(asked, version, command, root, engine)


def _no_rules(asked: Asked) -> None:
    if asked.rules:
        raise GensetError(f"{asked.rules[0]} is about the items of a dataset, and this is none", where=asked.path)


def _only_compared(asked: Asked) -> None:
    """That nothing was asked which would say nothing about two versions. Raises GensetError."""
    given = {"--quick": asked.quick, "--model": asked.model, **dict.fromkeys(asked.rules[:1], True)}
    for option in (name for name, told in given.items() if told):
        raise GensetError(
            f"{option} does nothing where two versions are compared",
            where=f"--against {asked.against}",
            hint="Leave it out; to judge made items by real ones, give --against the folder of the real ones.",
        )


def _model(asked: Asked, version: Version, command: Command, root: Root, engine: Engine) -> int:
    """`inspect` of a model, alone or beside another."""
    if asked.model:
        raise GensetError(
            "--model is about a dataset, this is a model",
            where=asked.path,
            hint="Inspect a dataset, such as one that `genset generate` made.",
        )
    job = command.job(root, engine)
    if asked.against:
        _only_compared(asked)
        before = command.model(root, asked.against)
        if not compare.comparable(version, before):
            raise GensetError(f"{version.reference} is the same version", where=f"--against {asked.against}")
        return _compared(asked, version, compare.models(version, before, job), command)
    if asked.summary:
        raise GensetError("a summary needs figures", where="--summary", hint="Add --against and another model.")
    if asked.report:
        write_atomically(asked.report, model_page(version, job))
    return show.model(version, False, command, _written(asked, command))


def _compared(asked: Asked, version: Version, found: comparison.Comparison, command: Command) -> int:
    """The end of `inspect` of one version against another of its kind."""
    failed = gates.failures(
        [gates.parse(text, EVERY_FIGURE) for text in asked.gates],
        found.verdict.get("figures", {}),
        found.verdict.get("skipped", {}),
    )
    if asked.report:
        write_atomically(asked.report, comparison.page(found, failed))
    if asked.summary:
        write_atomically(asked.summary, comparison.markdown(found, failed))
    console = command.console
    console.say(found.line)
    if found.changes:
        console.table("figures", comparison.rows(found), comparison.HEAD)
    if found.settings:
        rows = [[name, *pair] for name, pair in found.settings.items()]
        console.table("what else differs", rows, ("", "before", "after"))
    for note in found.notes:
        console.say(f"note: {note}")
    code = show.gates_failed(console, failed)
    written = _written(asked, command)
    command.finish(version=version.as_dict(), **found.as_dict(), failed_gates=failed, **written)
    return code


def _written(asked: Asked, command: Command) -> dict[str, dict[str, str]]:
    """Say which files were written; the same for JSON."""
    for option, path in asked.files.items():
        command.console.say(f"{option[2:]} {path}")
    told = {option[2:]: str(path) for option, path in asked.files.items()}
    return {"files": told} if told else {}


def _dataset(asked: Asked, version: Version | None, command: Command, root: Root, engine: Engine) -> int:
    """`inspect` of a dataset, alone or beside real items."""
    job = command.job(root, engine)
    other = _version_at(asked.against, root) if version and asked.against else None
    if version and other and compare.comparable(version, other):
        _only_compared(asked)
        return _compared(asked, version, compare.datasets(version, other), command)
    if asked.summary and not asked.against:
        raise GensetError("a summary needs figures", where="--summary", hint="Add --against REAL.")
    kind = kind_of(Path(asked.path), version)
    flags = {"clean.exact_duplicates": "report"}
    rules, quality = command.sections(("clean", "quality"), flags, list(asked.rules), kind)
    for condition in quality.gates:
        _check_gate(condition, asked.against)
    found = inspect.contents(version.path if version else Path(asked.path), job, rules)
    if asked.model:
        found = inspect.with_outliers(found, command.model(root, asked.model), job)
    verdict, judged = None, None
    if asked.against:
        real_path, _ = command.dataset(root, asked.against)
        judged = inspect.against(found, version, real_path, job, quick=asked.quick, seeds=quality.seeds)
        verdict = gated(judged.verdict, [*asked.gates, *quality.gates], found.dataset.modality)
        if asked.quick:
            verdict = replace(verdict, notes=[*verdict.notes, _quick(judged)])
    if asked.report:
        subject = _subject(asked, found, version, judged, verdict)
        write_atomically(asked.report, dataset_page(subject, job.engine))
    if asked.summary and verdict:
        name = version.reference if version else asked.path
        write_atomically(asked.summary, comparison.judged_markdown(name, verdict.as_dict()))
    return _contents(asked, found, verdict, version, command)


def _quick(judged: inspect.Judged) -> str:
    """How little a quick look takes in."""
    sizes = {part: len(judged.real.where(split=part)) for part in ("train", "test")} | {"made": len(judged.made)}
    parts = [f"{judged.verdict.sizes[part]:,} of {size:,} {part} items" for part, size in sizes.items()]
    judges = [f"{judged.seeds} classifiers"] if "real_acc" in judged.verdict.figures else []
    return f"a quick look: {', '.join([*parts, *judges])}"


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
        as_dicts(found.problems),
        found.traits,
        version.manifest if version else {},
        asked.against or "",
        _quick(judged) if judged and asked.quick else "",
    )


def _item(path: Path, root: Root) -> lineage.Found | None:
    """The item of a version that a path or an id stands for."""
    if path.is_file():
        return lineage.by_path(path)
    return lineage.by_id(str(path), root) if lineage.ITEM_ID.fullmatch(str(path)) and not path.exists() else None


def _ancestry(item: lineage.Found, root: Root, command: Command) -> int:
    tree = lineage.ancestry(item, root)
    command.console.say("\n".join(lineage.lines(tree)))
    command.finish(version=item.version.as_dict(), item=tree)
    return ExitCode.DONE


def _contents(
    asked: Asked, found: inspect.Contents, verdict: Verdict | None, version: Version | None, command: Command
) -> int:
    console = command.console
    for key, counts in {**found.counts, **found.traits}.items():
        console.counts(f"items by {key}", counts)
    problems = as_dicts(found.problems)
    console.problems(problems)
    if not problems:
        console.say("no problem was found")
    told: dict[str, Any] = {"counts": found.counts, "traits": found.traits, "problems": problems}
    if version:
        told["version"] = version.as_dict()
    if verdict:
        show.figures(console, verdict.as_dict())
        told |= verdict.as_dict()
    damaged = any(problem["kind"] == "checksum" for problem in problems)
    told |= _written(asked, command)
    code = show.gates_failed(console, verdict.failed_gates) if verdict else ExitCode.DONE
    command.finish(**told)
    return ExitCode.FAILED if damaged else code


def _config(path: Path, command: Command) -> int:
    config = load(path)
    command.console.say(dump(config))
    command.finish(config=config.model_dump(mode="json"))
    return ExitCode.DONE


def _check_gate(condition: str, against: str | None) -> None:
    try:
        gates.parse(condition, EVERY_FIGURE)
    except ValueError as error:
        raise GensetError(str(error), where="--gate") from None
    if not against:
        raise GensetError("a gate needs figures to look at", where="--gate", hint="Add --against REAL.")


def _no_files(asked: Asked, what: str) -> None:
    for option in asked.files:
        raise GensetError(
            f"there is no {option[2:]} of {what}", where=option, hint="Give a dataset, a model or a version of one."
        )


def _version_at(text: str, root: Root) -> Version | None:
    """The dataset version that is meant, None for a folder of the user's."""
    return None if Path(text).is_file() else root.find("datasets", text)
