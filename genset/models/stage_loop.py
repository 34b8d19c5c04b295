"""The steps of one stage, with validations, checkpoints and revisions of the plan between them."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from genset.errors import Interrupt
from genset.interfaces import Progress
from genset.models.checkpoint import TrainingState
from genset.models.schedule import StagePlan, TrainingPlan
from genset.models.stage_run import StageRun

CHECKPOINT_SECONDS = 10.0
CONTINUE = "Run the same command again to continue: the training so far is saved."
_REVISION_INTERVAL = 0.04  # of the time of a stage, after which its plan is compared with the clock again


@dataclass(frozen=True)
class Saving:
    """Where checkpoints are written, and the key of the training that they belong to."""

    path: Path
    key: str


@dataclass(frozen=True)
class Budget:
    """How much of a budget in seconds has been used; without one it never ends."""

    seconds: float | None  # None without a budget in seconds
    shares: Sequence[float]  # of the stages
    started: float  # time.monotonic()

    def used(self) -> float:
        """Seconds of training so far."""
        return time.monotonic() - self.started

    def end(self, stage: int) -> float:
        """When a stage should end, in seconds of training: it may use time left over by earlier stages."""
        return sum(self.shares[: stage + 1]) * (self.seconds or float("inf"))

    def revision_due(self, stage: int, since: float) -> bool:
        """Whether so much of the stage's time has passed since a moment that its plan should be revised."""
        return self.used() - since > _REVISION_INTERVAL * self.shares[stage] * (self.seconds or float("inf"))


@dataclass
class StageLoop:
    """Runs the steps of one stage."""

    run: StageRun
    plan: TrainingPlan
    state: TrainingState
    saving: Saving
    stop: threading.Event
    progress: Progress
    budget: Budget

    @property
    def stage_plan(self) -> StagePlan:
        """The present plan of the stage."""
        return self.plan.stages[self.state.stage]

    def run_steps(self) -> TrainingPlan:
        """Run the stage to its end; returns the final plan. Raises Interrupt, after a checkpoint, on a signal."""
        state, saved_at, workers = self.state, time.monotonic(), self.run.task.workers
        # The first steps after a start may compile, so they are not timed.
        timed_from, timed_since = state.step + 2 * self.run.stage.lazy_every, 0.0
        while not state.stage_ended and state.step < self.stage_plan.steps and not self._out_of_patience():
            note = self._step()
            if state.step == timed_from:
                timed_since = self.budget.used()
            elif state.step > timed_from and self._revision_due(timed_since):
                self._revise(timed_from, timed_since)
                timed_from, timed_since = state.step, self.budget.used()
            self.progress.tick("train", state.total_step, self.plan.steps, note)
            stopped = workers.any(self.stop.is_set())
            if workers.rank.chief and (stopped or time.monotonic() - saved_at > CHECKPOINT_SECONDS):
                state.seconds = self.budget.used()
                self.run.save(self.saving.path, self.saving.key, self.plan, state)
                saved_at = time.monotonic()
            if stopped:
                raise Interrupt(CONTINUE)
        return self.plan

    def _step(self) -> str:
        """One step, and a validation if it is due; the losses of the validation in a few words."""
        state = self.state
        losses = self.run.step(self.stage_plan, state.step)
        state.loss_sums = {name: state.loss_sums.get(name, 0.0) + value for name, value in losses.items()}
        state.step += 1
        state.summed_steps += 1
        if not self.stage_plan.validates_after(state.step):
            return ""
        state.stage_ended = not self.run.validate(self.stage_plan, state)
        return _summary(state.history[-1]) if state.history else ""

    def _revision_due(self, timed_since: float) -> bool:
        """Whether the plan should be revised, by the chief's clock; never without a budget in seconds."""
        if self.budget.seconds is None:
            return False
        return bool(self.run.task.workers.from_chief(self.budget.revision_due(self.state.stage, timed_since))[0])

    def _revise(self, timed_from: int, timed_since: float) -> None:
        """Fit the remaining steps to the remaining time, by the duration of the steps from `timed_from` on."""
        used = self.budget.used()
        step_seconds = (used - timed_since) / (self.state.step - timed_from)
        left = self.budget.end(self.state.stage) - used
        before = self.stage_plan
        revised = before.revised(self.state.step, *self.run.task.workers.from_chief(step_seconds, left))
        if revised is not before:
            duration = f"{1000 * step_seconds:.0f} ms"
            self.progress.say(
                f"each step takes {duration} now: {revised.steps} steps are planned instead of {before.steps}"
            )
            self.plan = self.plan.with_stage(self.state.stage, revised)

    def _out_of_patience(self) -> bool:
        waited = self.state.step - self.state.best_step
        return waited >= self.stage_plan.patience * self.stage_plan.validation_interval(self.state.step)


@contextlib.contextmanager
def signals_held() -> Iterator[threading.Event]:
    """Turn SIGINT and SIGTERM into an event that is checked between steps, when all variables are consistent."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _summary(row: Mapping[str, float]) -> str:
    """The losses in a few words: "reconstruction" is reconstruction_loss, "val" is val_loss."""
    names = [name for name in row if (name.endswith("_loss") and not name.startswith("val_")) or name == "val_loss"]
    names += [name for name in row if name in ("val_frechet", "val_coverage")]
    return "  ".join(f"{name.removesuffix('_loss')} {row[name]:.4g}" for name in names)
