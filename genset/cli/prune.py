"""`genset prune`: remove old versions that no other version is based on."""

from typing import TYPE_CHECKING, Annotated

import typer

from genset.cli.command import common_options
from genset.cli.options import OneName
from genset.errors import ExitCode

if TYPE_CHECKING:
    from genset.cli.session import Session
    from genset.workflows.prune import Pruning

EXAMPLE = "genset prune --keep 3 --dry-run"

Keep = Annotated[int, typer.Option(help="number of newest versions of each name to keep", min=1)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="list the versions that would be removed; remove nothing")]


@common_options("output", "lock_timeout", "json", "quiet", "debug")
def command(name: OneName = None, keep: Keep = 3, dry_run: DryRun = False, *, session: "Session") -> int:
    """Remove old versions. `latest` and the parents of versions that are kept are never removed."""
    from genset.workflows.prune import prune, remove

    root = session.root()
    if dry_run:
        return _print_pruning(prune(root, name, keep), session, dry_run=True)
    with session.locked(root) as job:
        pruning = prune(root, name, keep)
        remove(pruning, job)
    return _print_pruning(pruning, session, dry_run=False)


def _print_pruning(pruning: "Pruning", session: "Session", *, dry_run: bool) -> int:
    from genset.cli.json_output.parts import ListedVersionOutput
    from genset.cli.json_output.prune import PruneOutput
    from genset.cli.rendering import format_bytes, kind_and_reference

    console = session.console
    for each in pruning.removed:
        size = format_bytes(each.size_bytes)
        console.say(f"{'would remove' if dry_run else 'removed'} {kind_and_reference(each.version)}, {size}")
    for version, why in pruning.needed.items():
        console.say(f"kept: {kind_and_reference(version)}: {why}")
    freed = sum(each.size_bytes for each in pruning.removed)
    console.say(f"{format_bytes(freed)} {'would be freed' if dry_run else 'freed'}" if freed else "nothing to remove")
    session.finish(
        PruneOutput,
        dry_run=dry_run,
        removed=[ListedVersionOutput.from_listed(each) for each in pruning.removed],
        needed=[{"kind": v.kind, "name": v.name, "id": v.id, "why": why} for v, why in pruning.needed.items()],
        bytes=freed,
    )
    return ExitCode.DONE
