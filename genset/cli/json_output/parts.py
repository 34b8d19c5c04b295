"""Parts that the JSON objects of several commands share."""

from typing import TYPE_CHECKING, Annotated, Literal

import pydantic
from pydantic import SkipValidation

if TYPE_CHECKING:
    from genset.workflows.list import ListedVersion

Text = SkipValidation[str]  # unchecked, as a path may hold bytes that are not UTF-8
PathText = Annotated[Text, pydantic.BeforeValidator(str)]
Counts = dict[Text, dict[Text, int]]  # by split, label and source


class OutputPart(pydantic.BaseModel):
    """An object of known keys, or a part of one; also built from a result that has attributes of these names."""

    model_config = pydantic.ConfigDict(extra="forbid", from_attributes=True, use_attribute_docstrings=True)


class CommandOutput(OutputPart):
    """The keys of every object except errors."""

    command: str
    seconds: float
    """Duration of the command."""


class VersionOutput(OutputPart):
    """A version that was created or read."""

    path: PathText
    name: Text
    id: Text


class ProblemOutput(OutputPart):
    """An item that was left out, or only reported."""

    path: Text
    kind: str
    detail: Text
    score: float | None = None
    """How clear the case is, for rules with a threshold, on the same scale."""


class FiguresOutput(OutputPart):
    """The outcome of an evaluation."""

    figures: dict[str, float]
    """The figures that were computed, by the names that gates use."""
    skipped: dict[str, Text]
    """Why the others were not computed."""
    failed_gates: list[Text]


class WithFilesOutput(CommandOutput):
    """A command that can also write a report and a summary."""

    files: dict[str, Text] = pydantic.Field(default_factory=dict)
    """The files that were written, by option: report and summary."""


class PublishedPart(OutputPart):
    """A version in a store."""

    version: VersionOutput
    url: Text
    made: bool
    """Whether it is new there."""
    files: int
    """Number of files of the version."""
    sent: int
    """Number of files that were uploaded now; the others were there from an interrupted upload."""
    bytes: int
    """Size of the files that were uploaded now."""


class EstimateOutput(OutputPart):
    """The cost of a plan."""

    bytes: int
    seconds: float


class ClassPlanOutput(OutputPart):
    """What is planned for the training items of a class."""

    label: Text
    real: int
    augmented: int
    generated: int
    left_out: int
    total: int


class ReasonOutput(OutputPart):
    """Why a version is out of date."""

    kind: Literal["missing", "genset", "inputs", "config", "model"]
    key: Text
    detail: Text


class StateOutput(OutputPart):
    """The up-to-date version of a config; or its newest version, with the reasons why that is out of date."""

    version: VersionOutput | None
    reasons: list[ReasonOutput]


class ListedVersionOutput(VersionOutput):
    """A version in a list."""

    kind: Literal["models", "datasets"]
    status: Literal["ok", "failed", "damaged"]
    """If it is damaged, values that cannot be read are empty; `genset verify` reports the damage."""
    latest: bool
    made: str
    bytes: int
    counts: Counts
    figures: dict[str, float]
    """The headline figures."""
    parents: list[Text]

    @classmethod
    def from_listed(cls, listed: "ListedVersion") -> "ListedVersionOutput":
        """The object of a version that `list` or `prune` shows."""
        values = {name: getattr(listed, name) for name in ("status", "latest", "counts", "figures", "parents")}
        version = VersionOutput.model_validate(listed.version).model_dump()
        return cls(**version, kind=listed.version.kind, made=listed.created, bytes=listed.size_bytes, **values)


class ErrorPart(OutputPart):
    """What went wrong, and what to do."""

    message: Text
    where: Text = ""
    hint: Text = ""
