"""The arguments and options that several commands share, each declared once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from genset.cli import completion

_PANEL = "Common options"

Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        help="change settings of the config, such as train.steps=500",
        metavar="KEY=VALUE",
        autocompletion=completion.keys(),
    ),
]
Rules = Annotated[
    list[str] | None,
    typer.Argument(
        help="cleaning rules to change, such as clean.blurred=off or clean.near_duplicates=quarantine",
        metavar="KEY=VALUE",
        autocompletion=completion.keys("clean"),
    ),
]
ConfigFile = Annotated[
    Path,
    typer.Argument(
        help="YAML config",
        metavar="CONFIG",
        show_default=False,
        autocompletion=completion.files_of(".yaml", ".yml"),
    ),
]
Dataset = Annotated[
    str,
    typer.Argument(
        help="folder, dataset file (.npz, .parquet, .tar, ...), version folder, NAME or NAME@vNNNN",
        metavar="DATASET",
        show_default=False,
        autocompletion=completion.versions("datasets"),
    ),
]
OneName = Annotated[
    str | None,
    typer.Argument(
        help="only versions of this name",
        metavar="[NAME]",
        show_default=False,
        autocompletion=completion.versions("datasets", "models"),
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume/--no-resume", help="continue an interrupted training of the same config")
]
Force = Annotated[bool, typer.Option("--force", help="create new versions even if nothing has changed")]
Name = Annotated[str | None, typer.Option(help="name of the new version", show_default=False)]

OutputRoot = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="folder for all results (default: out)",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        help="number of items processed in parallel (default: CPU cores)",
        min=1,
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
EngineName = Annotated[
    str | None,
    typer.Option(
        "--engine",
        help="where items are processed: local, ray, or ray=ADDRESS of a cluster",
        metavar="ENGINE",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
LockTimeout = Annotated[
    float,
    typer.Option(
        help="seconds to wait for another run that writes to the same folder for results", min=0, rich_help_panel=_PANEL
    ),
]
LogFile = Annotated[
    Path | None,
    typer.Option(
        "--log-file",
        help="append a machine-readable log (JSON Lines) to this file",
        metavar="FILE",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="print one JSON object to stdout, all else to stderr", rich_help_panel=_PANEL)
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="print errors only", rich_help_panel=_PANEL)]
Debug = Annotated[bool, typer.Option("--debug", help="show the traceback of an error", rich_help_panel=_PANEL)]


@dataclass(frozen=True)
class Common:
    """The values of the common options, in the order in which help lists them."""

    output: OutputRoot = None
    workers: Workers = None
    engine: EngineName = None
    lock_timeout: LockTimeout = 600.0
    log_file: LogFile = None
    json: Json = False
    quiet: Quiet = False
    debug: Debug = False
