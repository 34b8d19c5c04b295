"""What a command says at its end: a table for a person, one object for a script, an exit code for both."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from genset.command import Command
from genset.config import EVERY_FIGURE, dump, load
from genset.console import Console
from genset.engine import Local
from genset.errors import ExitCode, GensetError
from genset.modalities import MODALITIES
from genset.pipeline import inspect, lineage
from genset.pipeline.build import Verdict
from genset.pipeline.collect import guess_modality
from genset.pipeline.derive import Derived
from genset.pipeline.enlarge import Enlargement, Estimate
from genset.pipeline.replay import Replayed
from genset.pipeline.run import Result
from genset.quality import gates
from genset.versions import Root, Version, open_version


def run(result: Result, command: Command) -> int:
    """The end of `run`."""
    console, verdict = command.console, result.verdict
    if not result.made:
        console.say(f"up to date: {result.dataset.path}")
    console.counts("items by split", result.counts["split"])
    console.counts("items by source", result.counts["source"])
    console.problems(result.problems)
    _figures(console, verdict["figures"], verdict["skipped"])
    _say_verdict(console, verdict["figures"], verdict["n"])
    if result.made:
        console.say(f"dataset {result.dataset.path}\nmodel   {result.model.path}")
        console.say(f"next: genset inspect {result.dataset.path}")
    code = _gates(console, verdict["failed_gates"])
    if code:
        console.warn(f"{result.dataset.path} is marked as failed; latest stays where it was")
    command.finish(
        version=_version(result.dataset),
        model=_version(result.model),
        made=result.made,
        counts=result.counts,
        figures=verdict["figures"],
        skipped=verdict["skipped"],
        failed_gates=verdict["failed_gates"],
        problems=result.problems,
        redrawn=result.redrawn,
    )
    return code


def model(version: Version, made: bool, command: Command) -> int:
    """The end of `train`, and `inspect` of a model."""
    facts = inspect.model_facts(version)
    console = command.console
    if not made and command.name == "train":
        console.say(f"up to date: {version.path}")
    about = facts["model"]
    plain = [[key, _text(value)] for key, value in about.items() if not isinstance(value, dict)]
    console.table(
        f"model {version.reference}", [*plain, *([key, f"{value:.5g}"] for key, value in about["losses"].items())]
    )
    console.counts("real items by split", facts["counts"]["split"])
    console.problems(facts["problems"])
    console.say(f"curves  {version.path / 'curves.png'}\nsamples {version.path / about['samples']}")
    console.say(f"next: genset generate {version.path}")
    command.finish(version=_version(version), made=made, **facts)
    damaged = any(problem["kind"] == "checksum" for problem in facts["problems"])
    return ExitCode.FAILED if damaged else ExitCode.DONE  # what training left out is told, and is no failure


def derived(made: Derived, command: Command) -> int:
    """The end of `generate`, `augment` and `split`."""
    console = command.console
    problems = [problem.as_dict() for problem in made.problems]
    for title, key in (("items by split", "split"), ("items by source", "source"), ("items by class", "label")):
        console.counts(title, made.counts[key])
    console.problems(problems)
    if made.redrawn:
        console.say("drawn again: " + ", ".join(f"{count} as {reason}" for reason, count in made.redrawn.items()))
    console.say(f"dataset {made.version.path}\nnext: genset inspect {made.version.path}")
    command.finish(version=_version(made.version), counts=made.counts, problems=problems, redrawn=made.redrawn)
    return ExitCode.DONE


def plan(planned: Enlargement, estimate: Estimate, command: Command) -> int:
    """The end of `augment --dry-run`."""
    rows, console = planned.rows(), command.console
    shown = [[str(value) for value in row.values()] for row in rows]
    console.table("train items by class, as planned", shown, list(rows[0]))
    counts = planned.counts()
    console.counts("items by source, as planned", counts["source"])
    console.say(f"about {estimate.disk_bytes / 1e6:,.1f} MB on disk, {estimate.seconds:,.1f} s of one core to make it")
    told = [problem.as_dict() for problem in planned.plan.problems]
    console.problems(told)
    command.finish(dry_run=True, counts=counts, plan=rows, estimate=estimate.as_dict(), problems=told)
    return ExitCode.DONE


def inspected(
    text: str,
    against: str | None,
    by_model: str | None,
    conditions: Sequence[str],
    command: Command,
    output: Path | None,
    workers: int | None,
) -> int:
    """`inspect` of whatever stands at a path."""
    path, root = Path(text), command.root(output)
    for condition in conditions:
        _check_gate(condition, against)
    if path.suffix in (".yaml", ".yml"):
        return _config(path, command)
    item = _item(path, root)
    if item:
        return _ancestry(item, root, command)
    if path.is_file() and not guess_modality(path, MODALITIES).rows:
        raise GensetError(
            "this is one file of no version: a dataset, a version, an item of one, or a .yaml config can be inspected",
            where=text,
            hint="Give the folder it lies in.",
        )
    version = None if path.is_file() else open_version(path) if path.is_dir() else _named(text, command, output)
    if version and version.kind == "models":
        if against or by_model:
            raise GensetError(
                f"--{'against' if against else 'model'} is about a dataset, this is a model",
                where=text,
                hint="Inspect a dataset, such as one that `genset generate` made.",
            )
        return model(version, False, command)
    job = command.job(root, Local(workers=workers))
    found = inspect.contents(version.path if version else path, job)
    if by_model:
        found = inspect.with_outliers(found, command.model(root, by_model), job)
    verdict = None
    if against:
        real_path, _ = command.dataset(root, against)
        verdict = inspect.gated(inspect.against(found, version, real_path, job), conditions)
    return _contents(found, verdict, version, command)


def _item(path: Path, root: Root) -> lineage.Found | None:
    """The item of a version that a path or an id stands for."""
    if path.is_file():
        return lineage.by_path(path)
    return lineage.by_id(str(path), root) if lineage.ITEM_ID.fullmatch(str(path)) and not path.exists() else None


def _ancestry(item: lineage.Found, root: Root, command: Command) -> int:
    tree = lineage.ancestry(item, root)
    command.console.say("\n".join(lineage.lines(tree)))
    command.finish(version=_version(item.version), item=tree)
    return ExitCode.DONE


def replayed(made: Replayed, command: Command) -> int:
    """The end of `augment --replay`."""
    console = command.console
    console.say(f"{made.record.id} made again: {made.path}")
    if made.same:
        console.say("the same bytes as in the version")
    else:
        console.warn("it differs from the version: other library versions, another processor, or an edited file")
    command.finish(item=made.record.id, path=str(made.path), same=made.same)
    return ExitCode.DONE if made.same else ExitCode.FAILED


def _contents(found: inspect.Contents, verdict: Verdict | None, version: Version | None, command: Command) -> int:
    console = command.console
    for key, counts in {**found.counts, **found.traits}.items():
        console.counts(f"items by {key}", counts)
    problems = [problem.as_dict() for problem in found.problems]
    console.problems(problems)
    if not problems:
        console.say("no problem was found")
    told: dict[str, Any] = {"counts": found.counts, "traits": found.traits, "problems": problems}
    if version:
        told["version"] = _version(version)
    if verdict:
        _figures(console, verdict.figures, verdict.skipped)
        console.say(f"compared in: {verdict.space}; items: {json.dumps(dict(verdict.sizes))}")
        _say_verdict(console, verdict.figures, verdict.sizes)
        told |= verdict.as_dict()
    damaged = any(problem["kind"] == "checksum" for problem in problems)
    code = _gates(console, verdict.failed_gates) if verdict else ExitCode.DONE
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


def _figures(console: Console, figures: Mapping[str, float], skipped: Mapping[str, str]) -> None:
    rows = [
        [("* " if EVERY_FIGURE[name].headline else "  ") + name, f"{value:.3f}", what]
        for name, value, what in inspect.in_order(figures)
    ]
    console.table("figures", rows)
    reasons = sorted(set(skipped.values()))
    for reason in reasons:
        console.say(f"not computed: {', '.join(name for name in skipped if skipped[name] == reason)}: {reason}")


def _say_verdict(console: Console, figures: Mapping[str, float], sizes: Mapping[str, int]) -> None:
    lift = figures.get("lift")
    if lift is None:
        return
    noise = figures["lift_noise"]
    word = "makes no clear difference to" if abs(lift) <= noise else "beats" if lift > 0 else "is worse than"
    console.say(
        f"lift {lift:+.3f} (up to {noise:.3f} either way is noise with {sizes['test']} held-out items): "
        f"training on real and made items {word} training on real items alone"
    )


def _gates(console: Console, failed: Sequence[str]) -> ExitCode:
    for reason in failed:
        console.warn(f"gate failed: {reason}")
    return ExitCode.FAILED if failed else ExitCode.DONE


def _version(version: Version) -> dict[str, str]:
    return {"path": str(version.path), "name": version.name, "id": version.id}


def _text(value: Any) -> str:
    return (
        ", ".join(map(str, value))
        if isinstance(value, list)
        else f"{value:.5g}"
        if isinstance(value, float)
        else str(value)
    )
