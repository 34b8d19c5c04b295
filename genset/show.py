"""What a command says at its end: a table for a person, one object for a script, an exit code for both."""

from collections.abc import Iterator, Mapping, Sequence
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
from genset.pipeline.enlarge import Enlargement
from genset.pipeline.estimate import Estimate
from genset.pipeline.judge import SUSPECTS_LISTED, gated
from genset.pipeline.replay import Replayed
from genset.pipeline.run import Result
from genset.quality import gates
from genset.versions import Root, Version, open_version

_GROUPS = {
    "headline": "in short",
    "utility": "does it help?",
    "fidelity": "is it like real items?",
    "diversity": "is it as varied?",
    "privacy": "is it new?",
    "items": "the items themselves",
}
_OF_CLASSES = ("label_acc", "cas", "lift", "coverage", "density")
_MOST_CLASSES = 12
_MOST_SUSPECTS = 5


def run(result: Result, command: Command) -> int:
    """The end of `run`."""
    console, verdict = command.console, result.verdict
    if not result.made:
        console.say(f"up to date: {result.dataset.path}")
    console.counts("items by split", result.counts["split"])
    console.counts("items by source", result.counts["source"])
    console.problems(result.problems)
    _figures(console, verdict)
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
    *,
    quick: bool = False,
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
        judged = inspect.against(found, version, real_path, job, quick=quick)
        verdict = gated(judged, conditions, found.dataset.modality)
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
        _figures(console, verdict.as_dict())
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


def _figures(console: Console, verdict: Mapping[str, Any]) -> None:
    """All figures by group, the headline first; what was not computed, and why."""
    details = verdict.get("details", {})  # versions of before have none
    figures = verdict["figures"]
    _say_verdict(console, figures, verdict["n"])
    groups: dict[str, list[str]] = {"headline": [name for name in figures if EVERY_FIGURE[name].headline]}
    for name in figures:
        groups.setdefault(EVERY_FIGURE[name].group, []).append(name)
    for group in (name for name in _GROUPS if name in groups):
        rows = [_figure_row(name, figures[name], details.get(name, {})) for name in groups[group]]
        head = ("", "value", "95% interval", "real", "better", "")
        console.table(_GROUPS[group], rows, head, optional=(5, 4))
    _say_classes(console, details)
    for title, lines in (("not computed", _by_reason(verdict["skipped"])), ("note", verdict.get("notes", ()))):
        for line in lines:
            console.say(f"{title}: {line}")
    _say_suspicious(console, verdict.get("suspicious", ()))
    for line in _places(details, verdict.get("spaces", {})):
        console.say(line)


def _figure_row(name: str, value: float, told: Mapping[str, Any]) -> list[str]:
    figure, interval, real = EVERY_FIGURE[name], told.get("interval"), told.get("real")
    goal = f"near {figure.target:g}" if figure.goal == "target" else "" if figure.goal == "neutral" else figure.goal
    return [
        name,
        _number(value),
        f"{_number(interval[0])} to {_number(interval[1])}" if interval else "",
        "" if real is None else _number(real),
        goal,
        figure.what,
    ]


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:,.0f}"


def _by_reason(skipped: Mapping[str, str]) -> list[str]:
    """The names of what was skipped, together where the reason is the same."""
    reasons = dict.fromkeys(skipped.values())
    return [f"{', '.join(name for name in skipped if skipped[name] == reason)}: {reason}" for reason in reasons]


def _say_classes(console: Console, details: Mapping[str, Mapping[str, Any]]) -> None:
    """The classes with their own figures, those of the lowest coverage first where there are many."""
    rows: dict[str, list[str]] = {}
    columns = [name for name in _OF_CLASSES if details.get(name, {}).get("classes")]
    for label in dict.fromkeys(label for name in columns for label in details[name]["classes"]):
        values = [details[name]["classes"].get(label) for name in columns]
        rows[label] = [label, *("-" if value is None else _number(value) for value in values)]
    shown = list(rows.values())
    if len(shown) > _MOST_CLASSES:
        coverage = details.get("coverage", {}).get("classes", {})
        shown = [rows[label] for label in sorted(rows, key=lambda label: coverage.get(label, 2.0))][:_MOST_CLASSES]
    title = f"classes{', the least covered of ' + str(len(rows)) if len(rows) > len(shown) else ''}"
    if shown:
        console.table(title, shown, ("", *columns), optional=(4, 2))


def _say_suspicious(console: Console, suspicious: Sequence[Mapping[str, Any]]) -> None:
    if suspicious:
        rows = [[one["made"], one["real"], f"{one['distance']:.3g}"] for one in suspicious[:_MOST_SUSPECTS]]
        more = " or more" if len(suspicious) == SUSPECTS_LISTED else ""
        of = f"{len(suspicious):,}{more} made items are much like a train item; the first"
        console.table(of, rows, ("made", "train item", "distance"))


def _places(details: Mapping[str, Mapping[str, Any]], spaces: Mapping[str, str]) -> Iterator[str]:
    """Where each group of figures looks, and at how many items."""
    seen: dict[tuple[str, str], list[str]] = {}
    for name, told in details.items():
        n = ", ".join(f"{count:,} {part}" for part, count in told["n"].items())
        seen.setdefault((told["space"], n), []).append(name)
    for (space, n), names in seen.items():
        if n:
            yield f"{', '.join(names)}: of {n}; {spaces[space]}"


def _say_verdict(console: Console, figures: Mapping[str, float], sizes: Mapping[str, int]) -> None:
    if "lift" not in figures:
        return
    lift, low, high = (figures.get(name, figures["lift"]) for name in ("lift", "lift_low", "lift_high"))
    word = "helps" if low > 0 else "does not help: it harms" if high < 0 else "does not help that can be told"
    console.say(
        f"lift {lift:+.3f} ({low:+.3f} to {high:+.3f}, {sizes['test']:,} held-out items): "
        f"training on real and made items {word}"
    )
    if "augmented_acc" in figures:
        other = figures["augmented_acc"] - figures["real_acc"]
        console.say(f"ordinary transformed copies instead: {other:+.3f}")


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
