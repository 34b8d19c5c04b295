"""The JSON object of a command that failed."""

from genset.cli.json_output.parts import (
    ErrorPart,
    OutputPart,
)


class ErrorOutput(OutputPart):
    """Any command that failed."""

    command: str | None = None
    """Not known for invalid options."""
    error: ErrorPart
    exit_code: int
