"""The JSON object of `genset run`."""

from typing import Any, Literal

from genset.cli.json_output.parts import (
    ClassPlanOutput,
    CommandOutput,
    Counts,
    EstimateOutput,
    FiguresOutput,
    ProblemOutput,
    PublishedPart,
    StateOutput,
    VersionOutput,
)


class RunOutput(CommandOutput, FiguresOutput):
    """`run`."""

    command: Literal["run"]
    version: VersionOutput
    model: VersionOutput
    made: bool
    """Whether anything new was created."""
    counts: Counts
    problems: list[ProblemOutput]
    redrawn: dict[str, int]
    """Number of items that were drawn again, by reason."""
    published: list[PublishedPart]
    """Uploaded versions, if the config has `output.publish`."""


class RunEstimateOutput(EstimateOutput):
    """The cost of a run, without generating and evaluating."""

    training: str | None
    """The training budget of the config; null if the model is up to date."""


class RunPlanOutput(CommandOutput):
    """`run --dry-run`."""

    command: Literal["run"]
    dry_run: Literal[True]
    config: dict[str, Any]
    """With the settings that the data determine."""
    model: StateOutput
    dataset: StateOutput
    counts: Counts
    plan: list[ClassPlanOutput]
    estimate: RunEstimateOutput
    problems: list[ProblemOutput]
