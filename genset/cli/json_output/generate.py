"""The JSON object of commands that write a dataset version: generate, augment, split."""

from typing import Literal

import pydantic

from genset.cli.json_output.parts import (
    CommandOutput,
    Counts,
    ProblemOutput,
    Text,
    VersionOutput,
)


class DatasetOutput(CommandOutput):
    """`generate`, `augment` and `split`."""

    command: Literal["generate", "augment", "split"]
    version: VersionOutput
    counts: Counts
    problems: list[ProblemOutput]
    redrawn: dict[str, int]
    notes: list[Text] = pydantic.Field(default_factory=list)
    """Splits whose size is not the requested one, with the reason."""
