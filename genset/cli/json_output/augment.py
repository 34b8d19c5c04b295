"""The JSON object of `genset augment`."""

from typing import Literal

from genset.cli.json_output.parts import (
    ClassPlanOutput,
    CommandOutput,
    Counts,
    EstimateOutput,
    ProblemOutput,
    Text,
)


class AugmentPlanOutput(CommandOutput):
    """`augment --dry-run`."""

    command: Literal["augment"]
    dry_run: Literal[True]
    counts: Counts
    plan: list[ClassPlanOutput]
    estimate: EstimateOutput
    problems: list[ProblemOutput]


class ReplayOutput(CommandOutput):
    """`augment --replay`."""

    command: Literal["augment"]
    item: Text
    path: Text
    same: bool
    """Whether its bytes equal those in the version."""
