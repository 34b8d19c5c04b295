"""A training that was interrupted, as one file."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from genset.models.schedule import StagePlan, TrainingPlan
from genset.versions import write_atomically

Arrays = list[npt.NDArray[Any]]
HistoryRow = dict[str, float]


@dataclass
class TrainingState:
    """Where a training stands."""

    stage: int = 0
    step: int = 0  # of the stage
    done: int = 0  # steps of the stages before
    best_score: float = float("inf")
    best_step: int = 0  # of the stage
    history: list[HistoryRow] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=dict)  # of the losses since the last evaluation
    since: int = 0  # steps
    tuned: list[float] = field(default_factory=list)  # the values that the stages so far were given

    ended: bool = False  # the stage, before its steps were done
    stopped_early: bool = False  # any stage

    def next(self) -> Self:
        """The state at the start of the next stage."""
        return type(self)(
            self.stage + 1,
            done=self.done + self.step,
            history=self.history,
            framed=self.framed,
            notes=self.notes,
            tuned=self.tuned,
            stopped_early=self.stopped_early,
            seconds=self.seconds,
        )

    seconds: float = 0.0  # of training so far, in all stages
    framed: list[int] = field(default_factory=list)  # steps at which samples were taken for the user to see
    notes: list[tuple[str, str]] = field(default_factory=list)  # (kind, text) of what went wrong and was mended


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds: everything that the rest of the training depends on."""

    plan: TrainingPlan
    state: TrainingState
    groups: Mapping[str, Arrays]  # the variables, by what they are


def save(
    path: Path, key: str, plan: TrainingPlan, state: TrainingState, groups: Mapping[str, Sequence[npt.NDArray[Any]]]
) -> None:
    """Write a checkpoint, whole or not at all."""
    meta = {"key": key, "plan": asdict(plan), "state": asdict(state), "groups": {n: len(g) for n, g in groups.items()}}
    arrays = {f"{name}{i}": value for name, group in groups.items() for i, value in enumerate(group)}
    buffer = io.BytesIO()
    np.savez(buffer, meta=np.array(json.dumps(meta)), **arrays)  # type: ignore[arg-type]
    write_atomically(path, buffer.getvalue())


def load(path: Path, key: str) -> Checkpoint | None:
    """The checkpoint of exactly this training, or None."""
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as arrays:
        meta: dict[str, Any] = json.loads(str(arrays["meta"]))
        if meta["key"] != key:
            return None
        groups = {name: [arrays[f"{name}{i}"] for i in range(count)] for name, count in meta["groups"].items()}
    legs = [
        StagePlan(**{**leg, "revisions": tuple((start, steps) for start, steps in leg["revisions"])})
        for leg in meta["plan"]["legs"]
    ]
    plan = TrainingPlan(tuple(legs))
    return Checkpoint(plan, TrainingState(**meta["state"]), groups)
