"""`genset list`: the versions under the output root."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from genset.cli.command import common_options
from genset.cli.options import OneName
from genset.errors import ExitCode

if TYPE_CHECKING:
    from genset.cli.session import Session
    from genset.workflows.list import ListedVersion

EXAMPLE = "genset list digits"


@common_options("output", "json", "quiet", "debug")
def command(name: OneName = None, *, session: "Session") -> int:
    """List all versions with size, counts, figures and parents."""
    from genset.workflows.list import list_versions

    return _print_versions(list_versions(session.root(), name), session)


def _print_versions(versions: "Sequence[ListedVersion]", session: "Session") -> int:
    from genset.cli.json_output.list import ListOutput
    from genset.cli.json_output.parts import ListedVersionOutput
    from genset.cli.rendering import kind_and_reference
    from genset.dataset import SPLITS

    console = session.console
    for kind in dict.fromkeys(each.version.kind for each in versions):
        rows = [_row(each) for each in versions if each.version.kind == kind]
        head = ("", "", "size", *SPLITS, "figures", "parents", "created")
        console.table(kind, rows, head, optional=(8, 6))
    for each in versions:
        if each.fault:
            console.say(f"damaged: {kind_and_reference(each.version)}: {each.fault}")
    if not versions:
        console.say("no versions yet\nnext: genset init FOLDER")
    session.finish(ListOutput, versions=[ListedVersionOutput.from_listed(each) for each in versions])
    return ExitCode.DONE


def _row(listed: "ListedVersion") -> list[str]:
    from genset.cli.rendering import format_bytes
    from genset.dataset import SPLITS

    split = listed.counts.get("split", {})
    mark = listed.status if listed.status != "ok" else "latest" if listed.latest else ""
    return [
        listed.version.reference,
        mark,
        format_bytes(listed.size_bytes),
        *(f"{split.get(name, 0):,}" for name in SPLITS),
        ", ".join(f"{name} {value:.3f}" for name, value in listed.figures.items()) or "-",
        ", ".join(listed.parents) or "-",
        listed.created[:16].replace("T", " ") or "-",
    ]
