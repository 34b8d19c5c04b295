"""The command line: one module for each command, which reads its arguments and prints its result.

Only light modules are imported here, so that help and completion are fast: commands import the rest when they run.
"""

import os
import sys
from json import dumps
from typing import Annotated

import typer

from genset import __version__
from genset.cli import (
    augment,
    bench,
    generate,
    init,
    inspect,
    list,
    prune,
    publish,
    run,
    schema,
    split,
    status,
    train,
    verify,
)
from genset.cli.command import register

app = typer.Typer(
    name="genset",
    help="Expand a small, unbalanced or private dataset with synthetic items, and measure whether that helps.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
register(app, (init, list, status, prune, publish, schema, bench), panel="Configs and versions")
register(app, (run, train, generate, augment, split, inspect, verify))


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"genset {__version__}")
        raise typer.Exit


@app.callback()
def _genset(
    version: Annotated[
        bool, typer.Option("--version", help="print the version", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Options of genset itself."""


def main() -> None:
    """The console script."""
    if sys.stdout is None:  # closed by the caller
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open as long as the process lives
    try:
        app(prog_name="genset")
    except SystemExit as stop:
        message = getattr(stop.__context__, "format_message", None)  # of an invalid option, which Typer has printed
        if message and "--json" in sys.argv:
            typer.echo(dumps({"error": {"message": message()}, "exit_code": stop.code}))
        raise
