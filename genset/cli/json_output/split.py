"""The JSON object of `genset split`."""

from typing import TYPE_CHECKING, Literal

from genset.cli.json_output.parts import (
    CommandOutput,
    Counts,
    ProblemOutput,
    VersionOutput,
)

if TYPE_CHECKING:
    from genset.pipeline.write.written_version import WrittenVersion


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
