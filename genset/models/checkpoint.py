"""An interrupted training as one file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from genset.atomic import write_atomically
from genset.models.npz import npz_bytes
from genset.models.schedule import StagePlan, TrainingPlan

Weights = list[npt.NDArray[Any]]
HistoryRow = dict[str, float]


@dataclass
class TrainingState:
    """How far a training is."""

    stage: int = 0  # index
    step: int = 0  # of the stage
    earlier_steps: int = 0  # of the stages before
    best_score: float = float("inf")
    best_step: int = 0  # of the stage
    history: list[HistoryRow] = field(default_factory=list)
    loss_sums: dict[str, float] = field(default_factory=dict)  # since the last validation
    summed_steps: int = 0  # since the last validation
    tuned_values: list[float] = field(default_factory=list)  # one for each stage so far
    stage_ended: bool = False  # before all its steps
    stopped_early: bool = False  # any stage
    seconds: float = 0.0  # of training so far, in all stages
    frame_steps: list[int] = field(default_factory=list)  # steps at which samples were taken to show the progress
    notes: list[tuple[str, str]] = field(default_factory=list)  # (kind, text) of problems and what was done about them

    @property
    def total_step(self) -> int:
        """Steps of all stages so far."""
        return self.earlier_steps + self.step

    def next_stage(self) -> Self:
        """The state at the start of the next stage."""
        return type(self)(
            self.stage + 1,
            earlier_steps=self.total_step,
            history=self.history,
            frame_steps=self.frame_steps,
            notes=self.notes,
            tuned_values=self.tuned_values,
            stopped_early=self.stopped_early,
            seconds=self.seconds,
        )


@dataclass(frozen=True)
class Checkpoint:
    """Everything that the rest of a training depends on."""

    plan: TrainingPlan
    state: TrainingState
    groups: Mapping[str, Weights]  # the variables by purpose: weights, optimizer, averages, ...


def save(
    path: Path,
    key: str,
    plan: TrainingPlan,
    state: TrainingState,
    groups: Mapping[str, Sequence[npt.NDArray[Any]]],
) -> None:
    """Write a checkpoint atomically."""
    meta = {"key": key, "plan": asdict(plan), "state": asdict(state), "groups": {n: len(g) for n, g in groups.items()}}
    arrays = {f"{name}{i}": value for name, group in groups.items() for i, value in enumerate(group)}
    write_atomically(path, npz_bytes({"meta": np.array(json.dumps(meta)), **arrays}))


def load(path: Path, key: str) -> Checkpoint | None:
    """The checkpoint of exactly this training, or None."""
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as arrays:
        meta: dict[str, Any] = json.loads(str(arrays["meta"]))
        if meta["key"] != key:
            return None
        groups = {name: [arrays[f"{name}{i}"] for i in range(count)] for name, count in meta["groups"].items()}
    stages = [
        StagePlan(**{**stage, "revisions": tuple((start, steps) for start, steps in stage["revisions"])})
        for stage in meta["plan"]["stages"]
    ]
    return Checkpoint(TrainingPlan(tuple(stages)), TrainingState(**meta["state"]), groups)
