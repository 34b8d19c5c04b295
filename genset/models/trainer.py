"""The one training loop, for every family and modality.

An interrupted training goes on, bit for bit, from its last checkpoint.
"""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from genset.errors import GensetError, Interrupt
from genset.interfaces import INFORMATION, Family, Items, Modality, Networks, Prior, Progress
from genset.models import checkpoint as checkpoints
from genset.models.checkpoint import HistoryRow, TrainingState
from genset.models.distributed import WorkerGroup
from genset.models.schedule import StagePlan, Train, TrainingPlan, plan
from genset.models.stage_steps import Examples, Judging, StageRun, Task
from genset.seeds import rng_for

CHECKPOINT_SECONDS = 10.0
_LOOKED_AT = 0.04  # of the time of a stage, after which its plan is compared with the clock again
_GO_ON = "Run the same command again to go on: what was trained so far is kept."
_START_KEPT = (
    "start_kept",
    "no step of the adversarial stage had better samples than what it started from, which is kept; give it longer, or "
    "a smaller model.family.warm_start",
)
# Weights that are drawn, with what draws them
_DRAWN = {
    "kernel": "kernel_initializer",
    "recurrent_kernel": "recurrent_initializer",
    "embeddings": "embeddings_initializer",
}
_IDLE = 0.05  # largest deviation of a value of the codes, below which they tell no item from another


@dataclass(frozen=True)
class Outcome:
    """What a training left behind, beside the weights in the nets."""

    plan: TrainingPlan
    family: Family  # with the shares of its stages fixed
    prior: Mapping[str, npt.NDArray[Any]]  # the fitted density on z
    history: list[HistoryRow]
    best_step: int  # of all stages together
    steps_done: int
    notes: Sequence[tuple[str, str]]
    stopped_early: bool
    frames: Sequence[tuple[int, Items]]  # steps, and what the same few codes became then


class Trainer:
    """Trains the nets of one family on the train part; keeps the weights that do best on the validation part."""

    def __init__(
        self,
        family: Family,
        prior: Prior,
        nets: Networks,
        modality: Modality,
        train: Examples,
        validation: Examples,
        *,
        classes: int,
        latent_dim: int,
        seed: int,
        judging: Judging | None,
        workers: WorkerGroup = WorkerGroup(),  # noqa: B008 - frozen
    ) -> None:
        tf.config.experimental.enable_op_determinism()
        # It adds three and more terms in an order that differs from one compilation to the next.
        tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})
        _initialise(nets, seed)
        density = family.density(prior)
        self.task = Task(
            family,
            density,
            nets,
            modality,
            train,
            validation,
            classes,
            density.length(latent_dim, classes),
            seed,
            judging if len(validation) else None,
            workers,
        )
        self.stages = family.stages(modality, latent_dim, len(train))
        self.task.stages = len(self.stages)
        self.runs = [StageRun(self.task, stage) for stage in self.stages]
        self._fitted: dict[str, npt.NDArray[Any]] | None = None
        self._idle = False

    def fit(
        self,
        settings: Train,
        checkpoint: Path,
        key: str,
        *,
        resume: bool,
        progress: Progress,
        watch: Callable[[HistoryRow], None] | None = None,
    ) -> Outcome:
        """Train as the settings say; `watch` is shown each row of the history.

        Raises GensetError when the losses are no longer numbers.
        """
        self.task.watch = watch
        workers = self.task.workers
        saved = checkpoints.load(checkpoint, key) if resume else None
        _check_same(saved, checkpoint, workers)
        if saved is None:
            chosen = plan(settings, len(self.task.train), self.stages, self._measured)
            _check_shares(chosen, workers)
            state = TrainingState()
        else:
            chosen, state = saved.plan, saved.state
            progress.say(f"going on with the training at step {state.done + state.step} of {chosen.steps}")
        self._announce(chosen, progress)
        clock = _Clock(settings.budget_seconds, [leg.share for leg in chosen.legs], time.monotonic() - state.seconds)
        with _signals_held() as stop:
            for number in range(state.stage, len(self.stages)):
                run, leg = self.runs[number], chosen.legs[number]
                if saved is None:
                    density = self._density_arrays() if run.stage.samples else None
                    run.start(state, leg, density, progress, lambda: workers.any(stop.is_set()))
                    if workers.any(stop.is_set()):
                        raise Interrupt(_GO_ON)
                else:
                    run.resume(saved.groups, self._density_arrays, state)
                    saved = None
                chosen = _Loop(run, chosen, state, checkpoint, key, stop, progress, clock).go()
                state.stopped_early |= state.step < chosen.legs[number].steps
                run.keep_best()
                if run.stage.samples and state.history and state.best_step == 0:
                    state.notes.append(_START_KEPT)
                best_step, state = state.done + state.best_step, state.next()
        density, notes = self._density_arrays(), list(state.notes)
        kept = next((row for row in reversed(state.history) if row["step"] == best_step), None)
        notes += self.task.family.notes(kept or {}, self.task.modality)
        if not workers.all_equal(*(variable.numpy() for variable in self.task.variables())):
            raise AssertionError("the workers did not end with the same weights")
        if workers.replicas > 1:
            notes.append((INFORMATION, f"{workers.replicas} workers trained it together"))
        if self._idle:
            notes.append(("idle_codes", "the codes tell no item from another: made items will all look alike"))
        return Outcome(
            chosen,
            self.task.family.settled(chosen.shares, state.tuned),
            density,
            state.history,
            best_step,
            state.done,
            notes,
            state.stopped_early,
            list(zip(state.framed, self.task.frames, strict=True)),
        )

    def _measured(self, number: int, draft: StagePlan, seconds: float) -> tuple[int, int]:
        """(steps that the chief can make in so many seconds of a stage, evaluations among them)."""
        steps, evaluations = self.task.workers.from_chief(*self.runs[number].measure(draft, seconds))
        return int(steps), int(evaluations)

    def codes(self, items: Items) -> npt.NDArray[np.float64]:
        """(N, latent_dim) codes of items under the trained encoder."""
        return self.task.codes(items).astype(np.float64)

    def _density_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The density on z, fitted to the codes of the train items."""
        if self._fitted is None:  # asked for when the encoder has learned all it will, so once is enough
            task = self.task
            items, labels = task.train.items, task.train.labels
            codes = self.codes(items) if task.density.learns else np.zeros((len(items), task.latent_dim))
            self._idle = task.density.learns and float(codes.std(axis=0).max()) < _IDLE
            self._fitted = task.density.fit(codes, labels, task.classes, task.seed)
        return self._fitted

    def _announce(self, chosen: TrainingPlan, progress: Progress) -> None:
        items = len(self.task.train)
        for stage, leg in zip(self.stages, chosen.legs, strict=True):
            progress.say(f"{stage.name}: training for at most {leg.steps} steps of {leg.batch_size} items")
            if leg.steps * leg.batch_size < items:
                progress.say(
                    f"the budget allows {leg.steps} steps of {leg.batch_size} items: less than one pass over the "
                    f"{items} train items; give it longer, with train.seconds, epochs or steps"
                )


@dataclass(frozen=True)
class _Clock:
    """What has been used of a budget in seconds; without one, there is no end."""

    seconds: float | None  # None without such a budget
    shares: Sequence[float]  # of the stages
    started: float  # time.monotonic()

    def spent(self) -> float:
        """Seconds of training so far."""
        return time.monotonic() - self.started

    def end(self, stage: int) -> float:
        """When a stage should be done, in seconds of training: it may use what the ones before it have not."""
        return sum(self.shares[: stage + 1]) * (self.seconds or float("inf"))

    def due(self, stage: int, since: float) -> bool:
        """Whether so much of a stage's time has passed that its plan is looked at again."""
        return self.spent() - since > _LOOKED_AT * self.shares[stage] * (self.seconds or float("inf"))


@dataclass
class _Loop:
    """The steps of one stage, with evaluations and checkpoints among them."""

    run: StageRun
    plan: TrainingPlan
    state: TrainingState
    checkpoint: Path
    key: str
    stop: threading.Event
    progress: Progress
    clock: _Clock

    @property
    def leg(self) -> StagePlan:
        """The stage as it is planned now."""
        return self.plan.legs[self.state.stage]

    def go(self) -> TrainingPlan:
        """The plan as it was in the end. Raises Interrupt, after a checkpoint, when the user wants to stop."""
        state, saved_at, workers = self.state, time.monotonic(), self.run.task.workers
        # The first steps after a start may compile: they tell nothing.
        since, started = state.step + 2 * self.run.stage.lazy_every, 0.0
        while not state.ended and state.step < self.leg.steps and not self._out_of_patience():
            losses = self.run.step(self.leg, state.step)
            state.sums = {name: state.sums.get(name, 0.0) + value for name, value in losses.items()}
            state.step += 1
            state.since += 1
            note = ""
            if self.leg.evaluated(state.step):
                state.ended = not self.run.evaluate(self.leg, state)
                note = _note(state.history[-1])
            if state.step == since:
                started = self.clock.spent()
            elif state.step > since and self._due(started):
                self._plan_anew(since, started)
                since, started = state.step, self.clock.spent()
            self.progress.tick("train", state.done + state.step, self.plan.steps, note)
            stopped = workers.any(self.stop.is_set())
            if workers.rank.chief and (stopped or time.monotonic() - saved_at > CHECKPOINT_SECONDS):
                state.seconds = self.clock.spent()
                self.run.save(self.checkpoint, self.key, self.plan, state)
                saved_at = time.monotonic()
            if stopped:
                raise Interrupt(_GO_ON)
        return self.plan

    def _due(self, started: float) -> bool:
        """Whether the plan is looked at again, by the chief's clock; without a budget in seconds there is none."""
        due = self.clock.seconds is not None
        return due and bool(self.run.task.workers.from_chief(self.clock.due(self.state.stage, started))[0])

    def _plan_anew(self, since: int, started: float) -> None:
        """Fit what is left of the stage to what is left of its time, by how long the steps from `since` on took."""
        spent = self.clock.spent()
        step_seconds = (spent - started) / (self.state.step - since)
        left = self.clock.end(self.state.stage) - spent
        leg = self.leg.revised(self.state.step, *self.run.task.workers.from_chief(step_seconds, left))
        if leg is not self.leg:
            self.progress.say(
                f"steps take {1000 * step_seconds:.0f} ms now: at most {leg.steps} instead of {self.leg.steps}"
            )
            self.plan = self.plan.with_leg(self.state.stage, leg)

    def _out_of_patience(self) -> bool:
        waited = self.state.step - self.state.best_step
        return waited >= self.leg.patience * self.leg.evaluate_every(self.state.step)


def _check_same(saved: checkpoints.Checkpoint | None, path: Path, workers: WorkerGroup) -> None:
    """That all go on from one checkpoint. Raises GensetError."""
    own = saved.state.done + saved.state.step if saved else -1
    theirs = int(workers.from_chief(own)[0])
    if workers.any(own != theirs):
        raise GensetError(
            "the workers do not see the same checkpoint: they could not go on from one step",
            where=str(path),
            hint="Give them one output root on a file system that all share, or --no-resume.",
        )


def _check_shares(chosen: TrainingPlan, workers: WorkerGroup) -> None:
    """That nobody's share of a batch is empty. Raises GensetError."""
    smallest = min(leg.batch_size for leg in chosen.legs)
    if smallest < workers.replicas:
        raise GensetError(
            f"a batch of {smallest} items cannot be shared by {workers.replicas} workers",
            where="train.batch_size",
            hint="Take fewer workers, or larger batches.",
        )


def _initialise(nets: Networks, seed: int) -> None:
    """Draw every kernel anew by its own layer's rule, from the seed: keras would draw from global state."""
    for role, net in nets.models.items():
        rng = rng_for(seed, "weights", role)
        # With the cells inside recurrent layers
        for layer in (part for whole in net.layers for part in whole._flatten_layers()):
            for name, by in _DRAWN.items():
                weight, rule = getattr(layer, name, None), getattr(layer, by, None)
                if weight is not None and rule is not None:
                    rule = type(rule).from_config({**rule.get_config(), "seed": int(rng.integers(2**31))})
                    weight.assign(rule(weight.shape))
        for variable in net.non_trainable_variables:
            if (
                variable.name == "seed_generator_state"
            ):  # the state of a generator of keras's own, which nothing here asks
                variable.assign(np.zeros(variable.shape, variable.dtype))


@contextlib.contextmanager
def _signals_held() -> Iterator[threading.Event]:
    """Turn SIGINT and SIGTERM into a flag that is looked at between steps, when all variables agree."""
    stop = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _note(row: Mapping[str, float]) -> str:
    """The losses in few words: "reconstruction" is reconstruction_loss, "val" is val_loss."""
    names = [name for name in row if (name.endswith("_loss") and not name.startswith("val_")) or name == "val_loss"]
    names += [name for name in row if name in ("val_frechet", "val_coverage")]
    return "  ".join(f"{name.removesuffix('_loss')} {row[name]:.4g}" for name in names)
