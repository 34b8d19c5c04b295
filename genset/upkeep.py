"""What `list`, `status`, `prune` and `schema` say at their end."""

from collections.abc import Sequence
from typing import Any

from genset.command import Command
from genset.dataset import SPLITS
from genset.errors import ExitCode
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
    if not shelf:
        console.say("no versions yet\nnext: genset init FOLDER")
    command.finish(versions=[each.as_dict() for each in shelf])
    return ExitCode.DONE


def _row(each: Kept) -> list[str]:
    split = each.manifest["counts"]["split"]
    mark = "failed" if each.manifest["status"] == "failed" else "latest" if each.latest else ""
    return [
        each.version.reference,
        mark,
        size(each.size_bytes),
        *(f"{split.get(name, 0):,}" for name in SPLITS),
        ", ".join(f"{name} {value:.3f}" for name, value in each.figures.items()),
        ", ".join(each.manifest["parents"]),
        each.manifest["ended"][:16].replace("T", " "),
    ]


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
    version = state.version
    return {
        "version": version and {"path": str(version.path), "name": version.name, "id": version.id},
        "reasons": [reason.as_dict() for reason in state.reasons],
    }


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


def _named(version: Version) -> str:
    return f"{version.kind[:-1]} {version.reference}"
