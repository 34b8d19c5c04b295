"""The JSON object of `genset bench`."""

from typing import Annotated, Literal

import pydantic

from genset.cli.json_output.parts import (
    CommandOutput,
    OutputPart,
)


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
