"""The JSON objects of all other commands, and of a command that failed."""

from typing import Annotated, Any, Literal

import pydantic

from genset.cli.json_output.parts import (
    CommandOutput,
    Counts,
    ErrorPart,
    FiguresOutput,
    ListedVersionOutput,
    OutputPart,
    ProblemOutput,
    PublishedPart,
    StateOutput,
    Text,
    VersionOutput,
    WithFilesOutput,
)


class ContentsOutput(WithFilesOutput):
    """`inspect` of a dataset."""

    command: Literal["inspect"]
    counts: Counts
    traits: Counts
    problems: list[ProblemOutput]
    version: VersionOutput | None = None


class EvaluationOutput(ContentsOutput, FiguresOutput):
    """`inspect --against`."""

    n: dict[str, int]
    """Number of items of each set."""
    space: str
    notes: list[Text]
    spaces: dict[str, str]
    details: dict[str, dict[str, Any]]
    """Of each figure: goal, range, source, space, N, interval, the value that real items reach, values of classes."""
    suspicious: list[dict[str, Any]]
    """Synthetic items that are very similar to a training item."""


class ChangeOutput(OutputPart):
    """A figure of two versions."""

    figure: str
    before: float
    after: float
    difference: float
    interval: list[float] | None
    """Of the difference, 95%."""
    verdict: str


class ComparisonOutput(WithFilesOutput, FiguresOutput):
    """`inspect --against` another version of the same dataset, or another model."""

    command: Literal["inspect"]
    version: VersionOutput
    against: Text
    summary: Text
    changes: list[ChangeOutput]
    settings: dict[str, list[Any]]
    """Other differences, before and after."""
    notes: list[Text]


class AncestryOutput(CommandOutput):
    """`inspect` of an item."""

    command: Literal["inspect"]
    version: VersionOutput
    item: dict[str, Any]


class ConfigOutput(CommandOutput):
    """`inspect` of a config."""

    command: Literal["inspect"]
    config: dict[str, Any]


class VerifyOutput(CommandOutput):
    """`verify`."""

    command: Literal["verify"]
    counts: Counts
    problems: list[ProblemOutput]
    notes: list[ProblemOutput]
    """What could not be checked, or is only unusual."""
    version: VersionOutput | None = None


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


class ListOutput(CommandOutput):
    """`list`."""

    command: Literal["list"]
    versions: list[ListedVersionOutput]


class StatusOutput(CommandOutput):
    """`status`."""

    command: Literal["status"]
    up_to_date: bool
    model: StateOutput
    dataset: StateOutput


class KeptVersionOutput(OutputPart):
    """An older version that is not removed."""

    kind: Literal["models", "datasets"]
    name: Text
    id: Text
    why: Text


class PruneOutput(CommandOutput):
    """`prune`."""

    command: Literal["prune"]
    dry_run: bool
    removed: list[ListedVersionOutput]
    needed: list[KeptVersionOutput]
    bytes: int
    """Size of the removed versions."""


class PublishOutput(CommandOutput, PublishedPart):
    """`publish`."""

    command: Literal["publish"]


class StageOutput(OutputPart):
    """The speed of a stage on this machine."""

    stage: str
    items: int
    seconds: Annotated[float, pydantic.AfterValidator(lambda seconds: round(seconds, 3))]
    items_per_second: float


class BenchOutput(CommandOutput):
    """`bench`."""

    command: Literal["bench"]
    stages: list[StageOutput]


class ErrorOutput(OutputPart):
    """Any command that failed."""

    command: str | None = None
    """Not known for invalid options."""
    error: ErrorPart
    exit_code: int
