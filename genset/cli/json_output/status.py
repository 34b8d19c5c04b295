"""The JSON object of `genset status`."""

from typing import Literal

from genset.cli.json_output.parts import (
    CommandOutput,
    StateOutput,
)


class StatusOutput(CommandOutput):
    """`status`."""

    command: Literal["status"]
    up_to_date: bool
    model: StateOutput
    dataset: StateOutput
