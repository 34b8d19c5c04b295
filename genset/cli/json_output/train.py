"""The JSON object of `genset train`."""

from typing import Any, Literal

from genset.cli.json_output.parts import (
    CommandOutput,
    Counts,
    ProblemOutput,
    VersionOutput,
    WithFilesOutput,
)


class ModelOutput(WithFilesOutput):
    """`train`, and `inspect` of a model."""

    command: Literal["train", "inspect"]
    version: VersionOutput
    made: bool
    model: dict[str, Any]
    counts: Counts
    problems: list[ProblemOutput]


class WorkerOutput(CommandOutput):
    """`train` as one of several workers that is not the chief."""

    command: Literal["train"]
    made: bool
    """Whether anything was trained."""
    worker: int
    """Number of this worker, from 1; the chief, which writes the model, is 0."""
    workers: int
