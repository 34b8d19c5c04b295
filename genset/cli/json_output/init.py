"""The JSON object of `genset init`."""

from typing import Any, Literal

from genset.cli.json_output.parts import (
    CommandOutput,
    Counts,
    OutputPart,
    ProblemOutput,
    Text,
)


class SettingOutput(OutputPart):
    """A key of a proposed config."""

    key: str
    value: Any
    why: Text
    sure: bool
    """Whether the config sets it; a key that is only suggested is a comment."""


class InitOutput(CommandOutput):
    """`init`."""

    command: Literal["init"]
    config: Text
    """The text of the config."""
    path: Text | None
    """The file that was written."""
    choices: list[SettingOutput]
    counts: Counts
    problems: list[ProblemOutput]
