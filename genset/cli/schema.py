"""`genset schema`: the JSON Schema of the config, or of the objects of --json."""

from typing import TYPE_CHECKING, Annotated

import typer

from genset.cli.command import common_options
from genset.errors import ExitCode

if TYPE_CHECKING:
    from genset.cli.session import Session

EXAMPLE = "genset schema > genset.schema.json"

OfOutput = Annotated[
    bool,
    typer.Option(
        "--output",
        help="print the schema of the JSON objects of --json (here, --output takes no value; elsewhere, "
        "it is a folder)",
    ),
]


@common_options("debug")
def command(output: OfOutput = False, *, session: "Session") -> int:
    """Print the JSON Schema of the config, which editors use to complete and check."""
    from genset.cli.json_output import output_schema
    from genset.config.json_schema import config_schema

    session.console.print_json(output_schema() if output else config_schema())
    return ExitCode.DONE
