"""The commands around the pipeline: to begin a config, and to keep house among versions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genset.options import Debug, Json, Name, Quiet, Workers, do

if TYPE_CHECKING:
    from genset.command import Command

_PANEL = "Configs and versions"


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    for command in (init,):
        app.command(rich_help_panel=_PANEL)(command)


def init(
    folder: Annotated[Path, typer.Argument(help="folder of your items", metavar="FOLDER", show_default=False)],
    config: Annotated[
        Path | None,
        typer.Option(
            help="write the config to this file, which must not be there yet", metavar="FILE", show_default=False
        ),
    ] = None,
    modality: Annotated[
        str | None, typer.Option(help="what the items are, where it is not what most files are", show_default=False)
    ] = None,
    name: Name = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="write NAME.yaml without asking anything")] = False,
    workers: Workers = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Look at a folder and begin a config for it, with the reason for each choice. Printed where it is not written."""

    def work(command: "Command") -> int:
        from genset import begin

        return begin.begin(folder, config, modality, name, command, workers, yes=yes)

    do("init", work, json, quiet, debug)
