"""The JSON objects of `genset inspect`: contents, evaluations, comparisons, lineage, configs."""

from typing import Any, Literal

from genset.cli.json_output.parts import (
    CommandOutput,
    Counts,
    FiguresOutput,
    OutputPart,
    ProblemOutput,
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
