"""The JSON object of `genset run --sweep`."""

from typing import Literal

import pydantic

from genset.cli.json_output.parts import (
    CommandOutput,
    ErrorPart,
    OutputPart,
    Text,
    VersionOutput,
)


class SweepRunOutput(OutputPart):
    """One of the runs of a sweep."""

    settings: dict[Text, Text]
    """The settings that vary, as written."""
    exit_code: int
    version: VersionOutput | None = None
    made: bool | None = None
    figures: dict[str, float] = pydantic.Field(default_factory=dict)
    failed_gates: list[Text] = pydantic.Field(default_factory=list)
    seconds: float | None = None
    error: ErrorPart | None = None


class SweepOutput(CommandOutput):
    """`run --sweep`."""

    command: Literal["run"]
    sweep: list[SweepRunOutput]
