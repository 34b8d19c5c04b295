"""The JSON objects of the commands that create models and datasets: run, train, generate, augment and split."""

from typing import TYPE_CHECKING, Any, Literal

import pydantic

from genset.cli.json_output.parts import (
    ClassPlanOutput,
    CommandOutput,
    Counts,
    ErrorPart,
    EstimateOutput,
    FiguresOutput,
    OutputPart,
    ProblemOutput,
    PublishedPart,
    StateOutput,
    Text,
    VersionOutput,
    WithFilesOutput,
)

if TYPE_CHECKING:
    from genset.workflows.open_dataset import WrittenVersion


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


class DatasetOutput(CommandOutput):
    """`generate`, `augment` and `split`."""

    command: Literal["generate", "augment", "split"]
    version: VersionOutput
    counts: Counts
    problems: list[ProblemOutput]
    redrawn: dict[str, int]
    notes: list[Text] = pydantic.Field(default_factory=list)
    """Splits whose size is not the requested one, with the reason."""


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


class FoldOutput(VersionOutput):
    """One of the versions that `split --folds` creates."""

    counts: Counts

    @classmethod
    def from_written(cls, fold: "WrittenVersion") -> "FoldOutput":
        """The object of one fold."""
        return cls(**VersionOutput.model_validate(fold.version).model_dump(), counts=fold.counts)


class FoldsOutput(CommandOutput):
    """`split --folds`."""

    command: Literal["split"]
    versions: list[FoldOutput]
    problems: list[ProblemOutput]
