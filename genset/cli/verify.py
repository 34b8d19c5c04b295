"""`genset verify`: whether a dataset or a model can be trusted."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from genset.cli import completion
from genset.cli.command import common_options
from genset.errors import ExitCode

if TYPE_CHECKING:
    from genset.cli.session import Session
    from genset.workflows.verify import VerifyResult

EXAMPLE = "genset verify digits"

Place = Annotated[
    str,
    typer.Argument(
        help="dataset, model, version or folder",
        metavar="PATH",
        show_default=False,
        autocompletion=completion.versions("datasets", "models"),
    ),
]
Rules = Annotated[
    list[str] | None,
    typer.Argument(
        help="settings of clean.near_duplicates; with clean.near_duplicates=off, only exact duplicates are found",
        metavar="KEY=VALUE",
    ),
]
GroupBy = Annotated[
    str | None,
    typer.Option(
        help="groups that must be in one split only: a metadata column, or a regex of the path, "
        "such as '(?P<group>[^/]+)_[0-9]+'",
        show_default=False,
    ),
]


@common_options("output", "workers", "engine", "log_file", "json", "quiet", "debug")
def command(path: Place, overrides: Rules = None, group_by: GroupBy = None, *, session: "Session") -> int:
    """Check any dataset: leaks between splits, checksums, labels, lineage; exit code 1 if there are problems."""
    from genset.cli.flag_values import group_from_flag, sections_from_flags
    from genset.cli.lookup import find_path
    from genset.workflows.verify import kind_at, verify

    root = session.root()
    place, group = find_path(root, path), group_from_flag(group_by)
    (section,) = sections_from_flags("verify", ("clean",), {}, overrides, kind_at(place) if overrides else None)
    return _print_result(verify(place, group, section, session.job(root)), session)


def _print_result(result: "VerifyResult", session: "Session") -> int:
    from genset.cli.json_output.verify import VerifyOutput
    from genset.cli.rendering import print_counts
    from genset.pipeline.job import as_dicts

    console = session.console
    problems, notes = as_dicts(result.problems), as_dicts(result.notes)
    print_counts(console, result.counts)
    console.problems(problems)
    for note in notes:
        console.say(f"note: {note['path']}: {note['detail']}")
    if not problems:
        items = sum(result.counts.get("split", {}).values())
        outcome = f"no leaks, damaged files or invalid labels in {items:,} items"
        console.say(outcome if result.reads_items else "no damaged or missing files")
    fields: dict[str, Any] = {"version": result.version} if result.version else {}
    session.finish(VerifyOutput, **fields, counts=result.counts, problems=problems, notes=notes)
    return ExitCode.FAILED if problems else ExitCode.DONE
