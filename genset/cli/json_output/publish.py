"""The JSON object of `genset publish`."""

from typing import Literal

from genset.cli.json_output.parts import (
    CommandOutput,
    PublishedPart,
)


class PublishOutput(CommandOutput, PublishedPart):
    """`publish`."""

    command: Literal["publish"]
