"""The JSON objects that commands print with --json, as models, from which the schema for scripts is generated.

Each command builds the model of its object from its result. A wrong or unknown key is an error there, so it cannot
surprise a script. Optional keys without a value are left out.
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
    """The JSON Schema of all objects that commands print with --json."""
    places, shared = models_json_schema([(each, "validation") for each in _OBJECTS])
    return {**shared, "anyOf": [places[each, "validation"] for each in _OBJECTS]}
