"""What several commands print: figures, failed gates, a model, a new dataset version and a plan, and sizes."""

from collections.abc import Mapping, Sequence
from typing import Any

from genset.cli.console import Console
from genset.cli.json_output.generate import DatasetOutput
from genset.cli.json_output.train import ModelOutput
from genset.cli.session import Session
from genset.config.by_modality import EVERY_FIGURE
from genset.dataset import SPLITS
from genset.errors import ExitCode
from genset.pipeline.evaluate.evaluator import SUSPECTS_LISTED
from genset.pipeline.job import as_dicts
from genset.pipeline.reading import model_facts
from genset.pipeline.write.written_version import WrittenVersion
from genset.report import formatting
from genset.versions.version import Version

_MAX_CLASSES = 12
_MAX_SUSPECTS = 5
_COUNTED_BY = {"label": "class"}  # words for the keys of JSON, and for their values
_COUNTED = {"split": {"": "not split"}, "source": {"collected": "real"}}
_UNITS = ("B", "kB", "MB", "GB", "TB")


def print_model(
    version: Version, session: Session, *, created: bool = False, more_fields: Mapping[str, Any] | None = None
) -> int:
    """Print a model, the result of `train` and of `inspect`. Returns the exit code.

    `more_fields` are further keys of the JSON object.
    """
    facts, console = model_facts(version), session.console
    model = facts["model"]
    rows = [[key, _cell(value)] for key, value in model.items() if not isinstance(value, dict)]
    rows += [[key, f"{value:.5g}"] for key, value in model["losses"].items()]
    console.table(f"model {version.reference}", rows)
    print_counts(console, {"split": facts["counts"]["split"]}, what="real items")
    console.problems(facts["problems"])
    console.say(f"curves  {version.path / 'curves.png'}\nsamples {version.path / model['samples']}")
    console.say(f"next: genset generate {version.path}")
    session.finish(ModelOutput, version=version, made=created, **facts, **(more_fields or {}))
    damaged = any(problem["kind"] == "checksum" for problem in facts["problems"])
    return ExitCode.FAILED if damaged else ExitCode.DONE  # items that training left out are not a failure


def print_dataset(result: WrittenVersion, session: Session) -> int:
    """Print a new dataset version, the result of `generate`, `augment` and `split`. Returns the exit code."""
    console = session.console
    print_counts(console, {key: result.counts[key] for key in ("split", "source", "label")})
    console.problems(as_dicts(result.problems))
    for note in result.notes:
        console.say(f"note: {note}")
    if result.redrawn:
        reasons = ", ".join(f"{count} as {reason}" for reason, count in result.redrawn.items())
        console.say(f"drawn again: {reasons}")
    console.say(f"dataset {result.version.path}\nnext: genset inspect {result.version.path}")
    session.finish(DatasetOutput, **result.as_dict())
    return ExitCode.DONE


def print_counts(
    console: Console, counts: Mapping[str, Mapping[str, int]], note: str = "", what: str = "items"
) -> None:
    """Print the number of items by split, source, class or another trait."""
    for key, numbers in counts.items():
        names = list(numbers)
        if key == "split":
            names.sort(key=lambda name: (*SPLITS, name).index(name))
        words = _COUNTED.get(key, {})
        title = f"{what} by {_COUNTED_BY.get(key, key)}{note}"
        console.counts(title, {words.get(name, name): numbers[name] for name in names})


def print_class_plan(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the plan for each class of the training set."""
    head = ["class", *(name.replace("_", " ") for name in list(rows[0])[1:])]
    cells = [[str(value) for value in row.values()] for row in rows]
    console.table("training items by class, as planned", cells, head)


def print_figures(console: Console, verdict: Mapping[str, Any], *, brief: bool = False) -> None:
    """All figures by group, the headline first, then those that were not computed, and why. If `brief`, only as much
    as fits a screen."""
    details, figures = verdict["details"], verdict["figures"]
    _print_lift(console, figures, verdict["n"])
    groups = list(formatting.grouped(list(figures), EVERY_FIGURE).items())
    for group, names in groups[:1] if brief else groups:
        rows = [_figure_row(name, figures[name], details.get(name, {})) for name in names]
        head = ("", "value", "95% interval", "real", "better", "")
        console.table(formatting.GROUPS[group], rows, head, optional=(5, 4))
    _print_classes(console, details)
    for line in formatting.not_computed(verdict["skipped"]):
        console.say(line)
    for line in verdict["notes"]:
        console.say(f"note: {line}")
    _print_suspicious(console, verdict["suspicious"], 1 if brief else _MAX_SUSPECTS)
    for line in () if brief else formatting.measured_on(details, verdict["spaces"]):
        console.say(line)


def _print_lift(console: Console, figures: Mapping[str, float], sizes: Mapping[str, int]) -> None:
    lift = formatting.lift_verdict(figures, sizes)
    if lift:
        console.say(lift.line)
        if "augmented_acc" in figures:
            console.say(formatting.augmented_lift(figures))


def _figure_row(name: str, value: float, detail: Mapping[str, Any]) -> list[str]:
    figure, real = EVERY_FIGURE[name], detail.get("real")
    of_real = "" if real is None else formatting.number(real)
    interval = formatting.interval(detail.get("interval"))
    return [name, formatting.number(value), interval, of_real, formatting.goal(figure), figure.what]


def _print_classes(console: Console, details: Mapping[str, Mapping[str, Any]]) -> None:
    """Print the classes with their figures; if there are many, those with the lowest coverage."""
    columns = formatting.class_columns(details)
    rows: dict[str, list[str]] = {}
    for label in dict.fromkeys(label for values in columns.values() for label in values):
        cells = [values.get(label) for values in columns.values()]
        rows[label] = [label, *("-" if value is None else formatting.number(value) for value in cells)]
    shown = list(rows.values())
    if len(shown) > _MAX_CLASSES:
        coverage = details.get("coverage", {}).get("classes", {})
        shown = [rows[label] for label in sorted(rows, key=lambda label: coverage.get(label, 2.0))][:_MAX_CLASSES]
    title = f"classes{', the least covered of ' + str(len(rows)) if len(rows) > len(shown) else ''}"
    if shown:
        console.table(title, shown, ("", *columns), optional=(4, 2))


def _print_suspicious(console: Console, suspicious: Sequence[Mapping[str, Any]], limit: int) -> None:
    if suspicious:
        rows = [[pair["made"], pair["real"], f"{pair['distance']:.3g}"] for pair in suspicious[:limit]]
        more = " or more" if len(suspicious) == SUSPECTS_LISTED else ""
        title = f"{len(suspicious):,}{more} synthetic items are very similar to a training item; the first"
        console.table(title, rows, ("synthetic", "training item", "distance"))


def print_failed_gates(console: Console, failed: Sequence[str]) -> ExitCode:
    """Print the gates that failed; returns the exit code."""
    for reason in failed:
        console.warn(f"gate failed: {reason}")
    return ExitCode.FAILED if failed else ExitCode.DONE


def format_bytes(count: float) -> str:
    """A number of bytes with a unit, such as 1.2 MB."""
    for unit in _UNITS:
        if count < 1000 or unit == _UNITS[-1]:
            break
        count /= 1000
    return f"{count:,.0f} {unit}" if unit == "B" else f"{count:,.1f} {unit}"


def kind_and_reference(version: Version) -> str:
    """A version in a sentence, such as "model digits@v0001"."""
    return f"{version.kind[:-1]} {version.reference}"


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:.5g}" if isinstance(value, float) else str(value)
