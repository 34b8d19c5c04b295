"""What a command says at its end: a table for a person, one object for a script, an exit code for both."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from genset.cli.console import Console
from genset.cli.session import Command
from genset.config import EVERY_FIGURE
from genset.errors import ExitCode
from genset.models.distributed import Rank
from genset.pipeline import inspect
from genset.pipeline.build import REPORT
from genset.pipeline.comparison import judged_markdown
from genset.pipeline.derive import Derived
from genset.pipeline.enlarge import Enlargement
from genset.pipeline.estimate import Estimate
from genset.pipeline.job import as_dicts
from genset.pipeline.judge import SUSPECTS_LISTED
from genset.pipeline.replay import Replayed
from genset.pipeline.run import Result
from genset.pipeline.verify import Verified
from genset.report import formatting
from genset.versions import Version, write_atomically

_MOST_CLASSES = 12
_MOST_SUSPECTS = 5


def run(result: Result, command: Command, summary: Path | None = None) -> int:
    """The end of `run`; `summary` is a file for what is told, as Markdown."""
    console, verdict = command.console, result.verdict
    if summary:
        write_atomically(summary, judged_markdown(result.dataset.reference, verdict))
    if not result.made:
        console.say(f"up to date: {result.dataset.path}")
    console.counts("items by split", result.counts["split"])
    console.counts("items by source", result.counts["source"])
    console.problems(result.problems)
    figures(console, verdict, whole=False)
    if result.made:
        console.say(f"dataset {result.dataset.path}\nmodel   {result.model.path}")
    if (result.dataset.path / REPORT).is_file():  # versions of before, and other forms, have none
        console.say(f"report  {result.dataset.path / REPORT} (all figures, charts, items)")
    for sent in result.published:
        console.say(f"published {sent.url}")
    if result.made:
        console.say(f"next: genset inspect {result.dataset.path}")
    code = gates_failed(console, verdict["failed_gates"])
    if code:
        console.warn(f"{result.dataset.path} is marked as failed; latest stays where it was")
    command.finish(
        version=result.dataset.as_dict(),
        model=result.model.as_dict(),
        made=result.made,
        counts=result.counts,
        figures=verdict["figures"],
        skipped=verdict["skipped"],
        failed_gates=verdict["failed_gates"],
        problems=result.problems,
        redrawn=result.redrawn,
        published=[sent.as_dict() for sent in result.published],
    )
    return code


def model(version: Version, made: bool, command: Command, written: Mapping[str, Any] | None = None) -> int:
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
    command.finish(version=version.as_dict(), made=made, **facts, **(written or {}))
    damaged = any(problem["kind"] == "checksum" for problem in facts["problems"])
    return ExitCode.FAILED if damaged else ExitCode.DONE  # what training left out is told, and is no failure


def helped(made: bool, rank: Rank, command: Command) -> int:
    """The end of `train` for a worker that is not the chief."""
    done = "done: the chief writes the model" if made else "the model is up to date"
    command.console.say(f"worker {rank.index} of {rank.count}: {done}")
    command.finish(made=made, worker=rank.index, workers=rank.count)
    return ExitCode.DONE


def derived(made: Derived, command: Command) -> int:
    """The end of `generate`, `augment` and `split`."""
    console = command.console
    problems = as_dicts(made.problems)
    for title, key in (("items by split", "split"), ("items by source", "source"), ("items by class", "label")):
        console.counts(title, made.counts[key])
    console.problems(problems)
    for note in made.notes:
        console.say(f"note: {note}")
    if made.redrawn:
        console.say("drawn again: " + ", ".join(f"{count} as {reason}" for reason, count in made.redrawn.items()))
    console.say(f"dataset {made.version.path}\nnext: genset inspect {made.version.path}")
    told = {"notes": list(made.notes)} if made.notes else {}
    command.finish(version=made.version.as_dict(), counts=made.counts, problems=problems, redrawn=made.redrawn, **told)
    return ExitCode.DONE


def folded(made: Sequence[Derived], command: Command) -> int:
    """The end of `split --folds`."""
    console = command.console
    problems = as_dicts(made[0].problems)
    rows = [[fold.version.reference, *(f"{count:,}" for count in fold.counts["split"].values())] for fold in made]
    console.table("items by fold", rows, ["", *made[0].counts["split"]])
    console.problems(problems)
    for fold in made:
        console.say(f"dataset {fold.version.path}")
    told = [{**fold.version.as_dict(), "counts": fold.counts} for fold in made]
    command.finish(versions=told, problems=problems)
    return ExitCode.DONE


def plan(planned: Enlargement, estimate: Estimate, command: Command) -> int:
    """The end of `augment --dry-run`."""
    rows, console = planned.rows(), command.console
    shown = [[str(value) for value in row.values()] for row in rows]
    console.table("train items by class, as planned", shown, list(rows[0]))
    counts = planned.counts()
    console.counts("items by source, as planned", counts["source"])
    console.say(f"about {estimate.disk_bytes / 1e6:,.1f} MB on disk, {estimate.seconds:,.1f} s of one core to make it")
    told = as_dicts(planned.plan.problems)
    console.problems(told)
    command.finish(dry_run=True, counts=counts, plan=rows, estimate=estimate.as_dict(), problems=told)
    return ExitCode.DONE


def verified(found: Verified, command: Command) -> int:
    """The end of `verify`."""
    console = command.console
    problems, notes = as_dicts(found.problems), as_dicts(found.notes)
    for key, total in found.counts.items():
        console.counts(f"items by {key}", total)
    console.problems(problems)
    for note in notes:
        console.say(f"note: {note['path']}: {note['detail']}")
    if not problems:
        console.say(f"no problem was found among {sum(found.counts.get('split', {}).values()):,} items")
    told: dict[str, Any] = {"version": found.version.as_dict()} if found.version else {}
    command.finish(**told, counts=found.counts, problems=problems, notes=notes)
    return ExitCode.FAILED if problems else ExitCode.DONE


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


def figures(console: Console, verdict: Mapping[str, Any], *, whole: bool = True) -> None:
    """All figures by group, the headline first; what was not computed, and why. If not `whole`, what fits a screen."""
    details = verdict.get("details", {})  # versions of before have none
    figures = verdict["figures"]
    _say_verdict(console, figures, verdict["n"])
    groups = list(formatting.grouped(list(figures), EVERY_FIGURE).items())
    for group, names in groups if whole else groups[:1]:
        rows = [_figure_row(name, figures[name], details.get(name, {})) for name in names]
        head = ("", "value", "95% interval", "real", "better", "")
        console.table(formatting.GROUPS[group], rows, head, optional=(5, 4))
    _say_classes(console, details)
    for title, lines in (
        ("not computed", formatting.by_reason(verdict["skipped"])),
        ("note", verdict.get("notes", ())),
    ):
        for line in lines:
            console.say(f"{title}: {line}")
    _say_suspicious(console, verdict.get("suspicious", ()), _MOST_SUSPECTS if whole else 1)
    for line in formatting.measured_on(details, verdict.get("spaces", {})) if whole else ():
        console.say(line)


def _figure_row(name: str, value: float, told: Mapping[str, Any]) -> list[str]:
    figure, real = EVERY_FIGURE[name], told.get("real")
    reached = "" if real is None else formatting.number(real)
    ends = formatting.interval(told.get("interval"))
    return [name, formatting.number(value), ends, reached, formatting.goal(figure), figure.what]


def _say_classes(console: Console, details: Mapping[str, Mapping[str, Any]]) -> None:
    """The classes with their own figures, those of the lowest coverage first where there are many."""
    rows: dict[str, list[str]] = {}
    columns = formatting.class_columns(details)
    for label in dict.fromkeys(label for own in columns.values() for label in own):
        values = [own.get(label) for own in columns.values()]
        rows[label] = [label, *("-" if value is None else formatting.number(value) for value in values)]
    shown = list(rows.values())
    if len(shown) > _MOST_CLASSES:
        coverage = details.get("coverage", {}).get("classes", {})
        shown = [rows[label] for label in sorted(rows, key=lambda label: coverage.get(label, 2.0))][:_MOST_CLASSES]
    title = f"classes{', the least covered of ' + str(len(rows)) if len(rows) > len(shown) else ''}"
    if shown:
        console.table(title, shown, ("", *columns), optional=(4, 2))


def _say_suspicious(console: Console, suspicious: Sequence[Mapping[str, Any]], most: int) -> None:
    if suspicious:
        rows = [[one["made"], one["real"], f"{one['distance']:.3g}"] for one in suspicious[:most]]
        more = " or more" if len(suspicious) == SUSPECTS_LISTED else ""
        of = f"{len(suspicious):,}{more} made items are much like a train item; the first"
        console.table(of, rows, ("made", "train item", "distance"))


def _say_verdict(console: Console, figures: Mapping[str, float], sizes: Mapping[str, int]) -> None:
    told = formatting.lift_verdict(figures, sizes)
    if told:
        console.say(told.line)
        if "augmented_acc" in figures:
            console.say(formatting.augmented_lift(figures))


def gates_failed(console: Console, failed: Sequence[str]) -> ExitCode:
    """Say which gates failed; the exit code."""
    for reason in failed:
        console.warn(f"gate failed: {reason}")
    return ExitCode.FAILED if failed else ExitCode.DONE


def _text(value: Any) -> str:
    return (
        ", ".join(map(str, value))
        if isinstance(value, list)
        else f"{value:.5g}"
        if isinstance(value, float)
        else str(value)
    )
