"""The JSON objects that commands print with --json, as models, from which the schema for scripts is generated.

Each command builds the model of its object from its result. A wrong or unknown key is an error there, so it cannot
surprise a script. Optional keys without a value are left out.
"""

from typing import Any

from pydantic.json_schema import models_json_schema

from genset.cli.json_output.augment import AugmentPlanOutput, ReplayOutput
from genset.cli.json_output.bench import BenchOutput
from genset.cli.json_output.errors import ErrorOutput
from genset.cli.json_output.generate import DatasetOutput
from genset.cli.json_output.init import InitOutput
from genset.cli.json_output.inspect import (
    AncestryOutput,
    ComparisonOutput,
    ConfigOutput,
    ContentsOutput,
    EvaluationOutput,
)
from genset.cli.json_output.list import ListOutput
from genset.cli.json_output.parts import OutputPart
from genset.cli.json_output.prune import PruneOutput
from genset.cli.json_output.publish import PublishOutput
from genset.cli.json_output.run import RunOutput, RunPlanOutput
from genset.cli.json_output.split import FoldsOutput
from genset.cli.json_output.status import StatusOutput
from genset.cli.json_output.sweep import SweepOutput
from genset.cli.json_output.train import ModelOutput, WorkerOutput
from genset.cli.json_output.verify import VerifyOutput

_OBJECTS: tuple[type[OutputPart], ...] = (
    *(RunOutput, RunPlanOutput, SweepOutput, ModelOutput, WorkerOutput, DatasetOutput, FoldsOutput),
    *(AugmentPlanOutput, ReplayOutput, ContentsOutput, EvaluationOutput, ComparisonOutput, AncestryOutput),
    *(ConfigOutput, VerifyOutput, InitOutput, ListOutput, StatusOutput, PruneOutput, PublishOutput, BenchOutput),
    ErrorOutput,
)


def output_schema() -> dict[str, Any]:
    """The JSON Schema of all objects that commands print with --json."""
    places, shared = models_json_schema([(each, "validation") for each in _OBJECTS])
    return {**shared, "anyOf": [places[each, "validation"] for each in _OBJECTS]}
