"""The JSON object of `genset prune`."""

from typing import Literal

from genset.cli.json_output.parts import (
    CommandOutput,
    ListedVersionOutput,
    OutputPart,
    Text,
)


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
