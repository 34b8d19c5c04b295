"""What `list`, `status`, `prune` and `run --dry-run` say at their end."""

from collections.abc import Sequence
from typing import Any

from genset.cli.session import Command
from genset.config import dump
from genset.dataset import SPLITS
from genset.errors import ExitCode
from genset.pipeline.bench import Timed, rates
from genset.pipeline.dry import DryRun
from genset.pipeline.job import as_dicts
from genset.pipeline.publish import Published
from genset.pipeline.shelf import Kept, Pruning
from genset.pipeline.status import State
from genset.versions import Version

_UNITS = ("B", "kB", "MB", "GB", "TB")


def versions(shelf: Sequence[Kept], command: Command) -> int:
    """The end of `list`."""
    console = command.console
    for kind in dict.fromkeys(each.version.kind for each in shelf):
        rows = [_row(each) for each in shelf if each.version.kind == kind]
        head = ("", "", "size", *SPLITS, "figures", "made from", "made")
        console.table(kind, rows, head, optional=(8, 6))
    for each in shelf:
        if each.fault:
            console.say(f"damaged: {_named(each.version)}: {each.fault}")
    if not shelf:
        console.say("no versions yet\nnext: genset init FOLDER")
    command.finish(versions=[each.as_dict() for each in shelf])
    return ExitCode.DONE


def _row(each: Kept) -> list[str]:
    told = each.as_dict()
    split = told["counts"].get("split", {})
    mark = told["status"] if told["status"] != "ok" else "latest" if each.latest else ""
    return [
        each.version.reference,
        mark,
        size(each.size_bytes),
        *(f"{split.get(name, 0):,}" for name in SPLITS),
        ", ".join(f"{name} {value:.3f}" for name, value in each.figures.items()),
        ", ".join(told["parents"]),
        told["made"][:16].replace("T", " "),
    ]


def benched(timed: Sequence[Timed], command: Command) -> int:
    """The end of `bench`."""
    told = rates(timed)
    rows = [
        [each["stage"], f"{each['items']:,}", f"{each['seconds']:.2f}", f"{each['items_per_second']:,.0f}"]
        for each in told
    ]
    command.console.table("this machine", rows, ("", "items", "seconds", "items/s"))
    command.console.say("compare with another machine or version by the same command, with nothing else running")
    command.finish(stages=told)
    return ExitCode.DONE


def size(count: float) -> str:
    """Bytes as people read them."""
    for unit in _UNITS:
        if count < 1000 or unit == _UNITS[-1]:
            break
        count /= 1000
    return f"{count:,.0f} {unit}" if unit == "B" else f"{count:,.1f} {unit}"


def status(model: State, dataset: State, command: Command) -> int:
    """The end of `status`."""
    states = {"model": model, "dataset": dataset}
    stale = False
    for what, state in states.items():
        there = f" {state.version.path}" if state.version else ""
        command.console.say(f"{what}{there}: {'not up to date' if state.reasons else 'up to date'}")
        for reason in state.reasons:
            stale = True
            command.console.say(f"  {reason.key + ': ' if reason.key else ''}{reason.detail}")
    if stale:
        command.console.say("next: genset run CONFIG")
    command.finish(up_to_date=not stale, **{what: _state(state) for what, state in states.items()})
    return ExitCode.FAILED if stale else ExitCode.DONE


def _state(state: State) -> dict[str, Any]:
    return {
        "version": state.version and state.version.as_dict(),
        "reasons": [reason.as_dict() for reason in state.reasons],
    }


def dry_run(planned: DryRun, command: Command) -> int:
    """The end of `run --dry-run`."""
    console, config = command.console, planned.config
    console.say(dump(config).rstrip("\n") + "\n")
    for what, state in (("model", planned.model), ("dataset", planned.dataset)):
        console.say(f"{what}: {'would be made' if state.reasons else f'up to date, {_path(state)}'}")
    rows = [[str(value) for value in row.values()] for row in planned.rows]
    console.table("train items by class, as planned", rows, list(planned.rows[0]))
    for key in ("split", "source"):
        console.counts(f"items by {key}, as planned", planned.counts[key])
    told = as_dicts(planned.problems)
    console.problems(told)
    budget = f"{planned.budget} of training, " if planned.learns else ""
    seconds = f"{planned.estimate.seconds:,.1f} s of one core to read and write, beside generating and judging"
    console.say(f"about {size(planned.estimate.disk_bytes)} on disk beside the model; {budget}{seconds}")
    console.say("nothing was written")
    command.finish(
        dry_run=True,
        config=config.model_dump(mode="json"),
        model=_state(planned.model),
        dataset=_state(planned.dataset),
        counts=planned.counts,
        plan=planned.rows,
        estimate={**planned.estimate.as_dict(), "training": planned.budget if planned.learns else None},
        problems=told,
    )
    return ExitCode.DONE


def _path(state: State) -> str:
    return str(state.version.path) if state.version else ""


def pruned(pruning: Pruning, command: Command, *, dry_run: bool) -> int:
    """The end of `prune`."""
    console = command.console
    for each in pruning.removed:
        console.say(f"{'would remove' if dry_run else 'removed'} {_named(each.version)}, {size(each.size_bytes)}")
    for version, why in pruning.needed.items():
        console.say(f"stays: {_named(version)}: {why}")
    freed = sum(each.size_bytes for each in pruning.removed)
    console.say(f"{size(freed)} {'would be' if dry_run else 'are'} free" if freed else "nothing to remove")
    command.finish(
        dry_run=dry_run,
        removed=[each.as_dict() for each in pruning.removed],
        needed=[{"kind": v.kind, "name": v.name, "id": v.id, "why": why} for v, why in pruning.needed.items()],
        bytes=freed,
    )
    return ExitCode.DONE


def published(made: Published, command: Command) -> int:
    """The end of `publish`."""
    version, console = made.version, command.console
    if made.made:
        console.say(f"{made.sent:,} of {made.files:,} files sent, {size(made.bytes)}")
    console.say(f"{'published' if made.made else 'was there already'}: {_named(version)}\n{made.url}")
    command.finish(**made.as_dict())
    return ExitCode.DONE


def _named(version: Version) -> str:
    return f"{version.kind[:-1]} {version.reference}"
