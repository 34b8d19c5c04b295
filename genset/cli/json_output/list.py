"""The JSON object of `genset list`."""

from typing import Literal

from genset.cli.json_output.parts import (
    CommandOutput,
    ListedVersionOutput,
)


class ListOutput(CommandOutput):
    """`list`."""

    command: Literal["list"]
    versions: list[ListedVersionOutput]
