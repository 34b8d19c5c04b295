"""The JSON objects that commands print with --json, as models: the schema for scripts is made of the same classes.

Each command builds the model of its object, so that a wrong or unknown key is an error and not a surprise for a script.
Keys that are not given do not appear.
"""

from typing import Any

from pydantic.json_schema import models_json_schema

from genset.cli.json_output.other_commands import (
    AncestryOutput,
    BenchOutput,
    ComparisonOutput,
    ConfigOutput,
    ContentsOutput,
    ErrorOutput,
    EvaluationOutput,
    InitOutput,
    ListOutput,
    PruneOutput,
    PublishOutput,
    StatusOutput,
    VerifyOutput,
)
from genset.cli.json_output.parts import OutputPart
from genset.cli.json_output.pipeline_commands import (
    AugmentPlanOutput,
    DatasetOutput,
    FoldsOutput,
    ModelOutput,
    ReplayOutput,
    RunOutput,
    RunPlanOutput,
    SweepOutput,
    WorkerOutput,
)

_OBJECTS: tuple[type[OutputPart], ...] = (
    *(RunOutput, RunPlanOutput, SweepOutput, ModelOutput, WorkerOutput, DatasetOutput, FoldsOutput),
    *(AugmentPlanOutput, ReplayOutput, ContentsOutput, EvaluationOutput, ComparisonOutput, AncestryOutput),
    *(ConfigOutput, VerifyOutput, InitOutput, ListOutput, StatusOutput, PruneOutput, PublishOutput, BenchOutput),
    ErrorOutput,
)


def output_schema() -> dict[str, Any]:
    """JSON Schema of all that commands print with --json."""
    places, shared = models_json_schema([(each, "validation") for each in _OBJECTS])
    return {**shared, "anyOf": [places[each, "validation"] for each in _OBJECTS]}
