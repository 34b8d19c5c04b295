"""The JSON object of `genset verify`."""

from typing import Literal

from genset.cli.json_output.parts import (
    CommandOutput,
    Counts,
    ProblemOutput,
    VersionOutput,
)


class VerifyOutput(CommandOutput):
    """`verify`."""

    command: Literal["verify"]
    counts: Counts
    problems: list[ProblemOutput]
    notes: list[ProblemOutput]
    """What could not be checked, or is only unusual."""
    version: VersionOutput | None = None
