"""The JSON objects that commands print with --json, as `genset schema --output` tells them to scripts.

A key that a command prints and that does not stand here is a fault, which a contract test over the commands finds.
"""

from typing import Any, Literal

import pydantic
from pydantic.json_schema import models_json_schema

Counts = dict[str, dict[str, int]]  # by split, label and source


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", use_attribute_docstrings=True)


class VersionOf(_Part):
    """A version that was made or read."""

    path: str
    name: str
    id: str


class Problem(_Part):
    """An item that was left out, or is only told of."""

    path: str
    kind: str
    detail: str
    score: float | None = None
    """How clear the case is, where the rule tells: its threshold is on the same scale."""


class _Done(_Part):
    """What every object has."""

    seconds: float
    """How long the command took."""


class _Judged(_Part):
    figures: dict[str, float]
    """The figures that were computed, by the names that gates use."""
    skipped: dict[str, str]
    """Why the others were not."""
    failed_gates: list[str]


class PublishedVersion(_Part):
    """Where a version stands in a store."""

    version: VersionOf
    url: str
    made: bool
    """Whether it was not there before."""
    files: int
    """Of the version."""
    sent: int
    """Those of them that were not there from a publishing that was cut off."""
    bytes: int
    """Sent."""


class Run(_Done, _Judged):
    """`run`."""

    command: Literal["run"]
    version: VersionOf
    model: VersionOf
    made: bool
    """Whether anything new was made."""
    counts: Counts
    problems: list[Problem]
    redrawn: dict[str, int]
    """Items that were drawn again, by reason."""
    published: list[PublishedVersion]
    """Where the config says so."""


class _Inspected(_Done):
    files: dict[str, str] = {}
    """The files that were asked for, by their option: report and summary."""


class AboutModel(_Inspected):
    """`train`, and `inspect` of a model."""

    command: Literal["train", "inspect"]
    version: VersionOf
    made: bool
    model: dict[str, Any]
    counts: Counts
    problems: list[Problem]


class Helped(_Done):
    """`train` as one of several workers that is not the chief."""

    command: Literal["train"]
    made: bool
    """Whether anything was trained."""
    worker: int
    """Which one this is, from 1; the chief, who writes the model, is 0."""
    workers: int


class Derived(_Done):
    """`generate`, `augment` and `split`."""

    command: Literal["generate", "augment", "split"]
    version: VersionOf
    counts: Counts
    problems: list[Problem]
    redrawn: dict[str, int]
    notes: list[str] = []
    """Which parts of a split are not as large as asked for, and why."""


class Fold(VersionOf):
    """One of the versions that `split --folds` makes."""

    counts: Counts


class Folded(_Done):
    """`split --folds`."""

    command: Literal["split"]
    versions: list[Fold]
    problems: list[Problem]


class Verified(_Done):
    """`verify`."""

    command: Literal["verify"]
    counts: Counts
    problems: list[Problem]
    notes: list[Problem]
    """What could not be looked at, or is only odd."""
    version: VersionOf | None = None


class Estimate(_Part):
    """What a plan takes."""

    bytes: int
    seconds: float


class PlanOfClass(_Part):
    """What is planned for the train items of a class."""

    label: str
    real: int
    augmented: int
    generated: int
    left_out: int
    total: int


class AugmentPlan(_Done):
    """`augment --dry-run`."""

    command: Literal["augment"]
    dry_run: Literal[True]
    counts: Counts
    plan: list[PlanOfClass]
    estimate: Estimate
    problems: list[Problem]


class RunEstimate(Estimate):
    """What a run takes, beside generating and judging."""

    training: str | None
    """The budget as the config says it; null where the model is up to date."""


class RunPlan(_Done):
    """`run --dry-run`."""

    command: Literal["run"]
    dry_run: Literal[True]
    config: dict[str, Any]
    """As the data settle it."""
    model: "State"
    dataset: "State"
    counts: Counts
    plan: list[PlanOfClass]
    estimate: RunEstimate
    problems: list[Problem]


class Replay(_Done):
    """`augment --replay`."""

    command: Literal["augment"]
    item: str
    path: str
    same: bool
    """Whether it has the bytes that the version has."""


class Contents(_Inspected):
    """`inspect` of a dataset."""

    command: Literal["inspect"]
    counts: Counts
    traits: dict[str, dict[str, int]]
    problems: list[Problem]
    version: VersionOf | None = None


class Against(Contents, _Judged):
    """`inspect --against`."""

    n: dict[str, int]
    """Items of each part."""
    space: str
    notes: list[str]
    spaces: dict[str, str]
    details: dict[str, dict[str, Any]]
    """Of each figure: goal, range, source, space, N, interval, what real items reach, values of classes."""
    suspicious: list[dict[str, Any]]
    """Made items that are much like a train item."""


class Change(_Part):
    """A figure of two versions."""

    figure: str
    before: float
    after: float
    difference: float
    interval: list[float] | None
    """Of the difference, 95%."""
    verdict: str


class Compared(_Inspected, _Judged):
    """`inspect --against` another version of the same dataset, or another model."""

    command: Literal["inspect"]
    version: VersionOf
    against: str
    summary: str
    changes: list[Change]
    settings: dict[str, list[Any]]
    """What else differs, before and after."""
    notes: list[str]


class Ancestry(_Done):
    """`inspect` of an item."""

    command: Literal["inspect"]
    version: VersionOf
    item: dict[str, Any]


class OfConfig(_Done):
    """`inspect` of a config."""

    command: Literal["inspect"]
    config: dict[str, Any]


class Chosen(_Part):
    """A key of a config that was begun."""

    key: str
    value: Any
    why: str
    sure: bool
    """Whether it stands in the config; what is only suggested is a comment."""


class Init(_Done):
    """`init`."""

    command: Literal["init"]
    config: str
    """The text of the config."""
    path: str | None
    """Where it was written."""
    choices: list[Chosen]
    counts: Counts
    problems: list[Problem]


class Shelved(VersionOf):
    """A version in a list."""

    kind: Literal["models", "datasets"]
    status: Literal["ok", "failed", "damaged"]
    """Of a damaged one only what its files still tell is known: `genset verify` says what is wrong."""
    latest: bool
    made: str
    bytes: int
    counts: Counts
    figures: dict[str, float]
    """The headline figures."""
    parents: list[str]


class Listed(_Done):
    """`list`."""

    command: Literal["list"]
    versions: list[Shelved]


class Reason(_Part):
    """Why a version is not what a config leads to."""

    kind: Literal["missing", "genset", "inputs", "config", "model"]
    key: str
    detail: str


class State(_Part):
    """The version that a config leads to; or the newest one, with what has changed since."""

    version: VersionOf | None
    reasons: list[Reason]


class Status(_Done):
    """`status`."""

    command: Literal["status"]
    up_to_date: bool
    model: State
    dataset: State


class Stage(_Part):
    """How fast a stage is on this machine."""

    stage: str
    items: int
    seconds: float
    items_per_second: float


class Benched(_Done):
    """`bench`."""

    command: Literal["bench"]
    stages: list[Stage]


class Needed(_Part):
    """A version that stays beyond the number asked for."""

    kind: Literal["models", "datasets"]
    name: str
    id: str
    why: str


class Pruned(_Done):
    """`prune`."""

    command: Literal["prune"]
    dry_run: bool
    removed: list[Shelved]
    needed: list[Needed]
    bytes: int
    """What the removed versions took."""


class Publish(_Done, PublishedVersion):
    """`publish`."""

    command: Literal["publish"]


class Failure(_Part):
    """What went wrong, and the cure."""

    message: str
    where: str = ""
    hint: str = ""


class Failed(_Part):
    """Any command that could not do its work."""

    command: str | None = None
    """Not known for wrong options."""
    error: Failure
    exit_code: int


class SweptRun(_Part):
    """One of the runs of a sweep."""

    settings: dict[str, str]
    """Those that were swept, as they were written."""
    exit_code: int
    version: VersionOf | None = None
    made: bool | None = None
    figures: dict[str, float] = {}
    failed_gates: list[str] = []
    seconds: float | None = None
    error: Failure | None = None


class Sweep(_Done):
    """`run --sweep`."""

    command: Literal["run"]
    sweep: list[SweptRun]


_OBJECTS = (
    *(
        Run,
        RunPlan,
        Sweep,
        AboutModel,
        Helped,
        Derived,
        Folded,
        AugmentPlan,
        Replay,
        Contents,
        Against,
        Compared,
        Ancestry,
        OfConfig,
    ),
    *(Verified, Init, Listed, Status, Pruned, Publish, Benched, Failed),
)


def output_schema() -> dict[str, Any]:
    """JSON Schema of what any command prints with --json."""
    places, shared = models_json_schema([(each, "validation") for each in _OBJECTS])
    return {**shared, "anyOf": [places[each, "validation"] for each in _OBJECTS]}
