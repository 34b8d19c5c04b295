"""`genset inspect`: contents and problems of a dataset, model, item or config, and the quality of synthetic items."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genset.cli import completion
from genset.cli.command import common_options
from genset.cli.options import Rules

if TYPE_CHECKING:
    from genset.cli.session import Session

EXAMPLE = "genset inspect digits --report page.html"

Place = Annotated[
    str,
    typer.Argument(
        help="dataset, model, version, item, folder, dataset file (.npz, .parquet, .tar, ...) or config",
        metavar="PATH",
        show_default=False,
        autocompletion=completion.versions("datasets", "models"),
    ),
]
Against = Annotated[
    str | None,
    typer.Option(
        help="evaluate the synthetic items with this real dataset, or compare with this version or model",
        metavar="REAL",
        show_default=False,
    ),
]
OutlierModel = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="report items that this model reconstructs badly (outliers)",
        metavar="MODEL",
        show_default=False,
    ),
]
Gate = Annotated[
    list[str] | None,
    typer.Option(help='condition such as "cas_ratio >= 0.9"; exit code 1 if it fails', show_default=False),
]
Quick = Annotated[
    bool, typer.Option("--quick", help="with --against: faster and less exact, with at most 2,000 items of each set")
]
Report = Annotated[
    Path | None,
    typer.Option(help="write an HTML page with all figures, charts and items", metavar="FILE.html", show_default=False),
]
Summary = Annotated[
    Path | None,
    typer.Option(
        help="with --against: write the result as Markdown, for a CI report, such as GitHub Actions",
        metavar="FILE.md",
        show_default=False,
    ),
]


@common_options("output", "workers", "engine", "log_file", "json", "quiet", "debug")
def command(
    path: Place,
    overrides: Rules = None,
    against: Against = None,
    model: OutlierModel = None,
    gate: Gate = None,
    quick: Quick = False,
    report: Report = None,
    summary: Summary = None,
    *,
    session: "Session",
) -> int:
    """Show contents and problems of a dataset or model; with --against, evaluate its synthetic items."""
    from genset.cli.inspect_any import inspect_any
    from genset.cli.inspect_request import InspectRequest

    request = InspectRequest(path, against, model, gate or (), quick, report, summary, overrides or ())
    return inspect_any(request, session)
