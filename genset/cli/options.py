"""The arguments and options that commands share, and how a command's work is run."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genset.cli import completion

if TYPE_CHECKING:
    from genset.cli.session import Command

DEFAULT_LOCK_TIMEOUT = 600.0
_HERE = "Common options"
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        help="key=value laid over the config, such as train.steps=500",
        metavar="KEY=VALUE",
        autocompletion=completion.keys(),
    ),
]
Rules = Annotated[
    list[str] | None,
    typer.Argument(
        help="what is looked for, such as clean.blurred=off or clean.near_duplicates=quarantine",
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
OutputRoot = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="output root  [default: out]", rich_help_panel=_HERE, show_default=False),
]
Json = Annotated[
    bool, typer.Option("--json", help="one JSON object on stdout, all else on stderr", rich_help_panel=_HERE)
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="say nothing but errors", rich_help_panel=_HERE)]
Debug = Annotated[bool, typer.Option("--debug", help="show the traceback of an error", rich_help_panel=_HERE)]
LockTimeout = Annotated[
    float, typer.Option(help="seconds to wait for another run on the same output root", min=0, rich_help_panel=_HERE)
]
Workers = Annotated[
    int | None,
    typer.Option(
        help="how many items are at work at once; as many as cores by default",
        min=1,
        rich_help_panel=_HERE,
        show_default=False,
    ),
]
EngineName = Annotated[
    str | None,
    typer.Option(
        "--engine",
        help="where items are worked on: local, ray, or ray=ADDRESS of a cluster",
        metavar="ENGINE",
        rich_help_panel=_HERE,
        show_default=False,
    ),
]
LogFile = Annotated[
    Path | None,
    typer.Option(
        "--log-file",
        help="append what is done to this file, for machines: a JSON object a line",
        metavar="FILE",
        rich_help_panel=_HERE,
        show_default=False,
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume/--no-resume", help="go on with an interrupted training of the same config")
]
Force = Annotated[bool, typer.Option("--force", help="make new versions even when they are up to date")]
Name = Annotated[str | None, typer.Option(help="name of the version that is written", show_default=False)]
Dataset = Annotated[
    str,
    typer.Argument(
        help="folder, container, version folder, NAME or NAME@vNNNN",
        metavar="DATASET",
        show_default=False,
        autocompletion=completion.versions("datasets"),
    ),
]


def example(command: str) -> str:
    """What stands under the help of a command."""
    return f"Example: {command}"


def do(
    name: str,
    work: Callable[["Command"], int],
    json: bool,
    quiet: bool,
    debug: bool,
    lock_timeout: float = DEFAULT_LOCK_TIMEOUT,
    log_file: Path | None = None,
) -> None:
    """Run a command's work and leave with its exit code."""
    from genset.cli.session import Command, execute

    raise typer.Exit(execute(Command(name, json, quiet, lock_timeout), work, debug, log_file))
