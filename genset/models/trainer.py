"""The one training loop, for every family and modality.

An interrupted training continues from its last checkpoint, bit for bit.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from genset.errors import GensetError, Interrupt
from genset.interfaces import INFORMATION, Family, Items, Networks, Progress
from genset.models import checkpoint as checkpoints
from genset.models.checkpoint import HistoryRow, TrainingState
from genset.models.distributed import WorkerGroup
from genset.models.schedule import StagePlan, Train, TrainingPlan, plan_training
from genset.models.stage_loop import CONTINUE, Budget, Saving, StageLoop, signals_held
from genset.models.stage_run import StageRun
from genset.models.training_task import TrainingTask
from genset.seeds import rng_for

_START_KEPT = (
    "start_kept",
    "the adversarial stage did not improve the samples, so the model from before this stage is kept: train for longer, "
    "or reduce model.family.warm_start",
)
# Weights that are drawn, with the attribute that holds their initialiser
_INITIALIZERS = {
    "kernel": "kernel_initializer",
    "recurrent_kernel": "recurrent_initializer",
    "embeddings": "embeddings_initializer",
}
_IDLE = 0.05  # codes whose values all have a smaller standard deviation do not distinguish items


@dataclass(frozen=True)
class TrainingResult:
    """What a training produced, beside the weights in the networks."""

    plan: TrainingPlan
    family: Family  # with the shares of its stages fixed
    prior: Mapping[str, npt.NDArray[Any]]  # the fitted density on z
    history: list[HistoryRow]
    best_step: int  # of all stages together
    steps_done: int
    notes: Sequence[tuple[str, str]]
    stopped_early: bool
    frames: Sequence[tuple[int, Items]]  # (step, samples of the same few codes)


@dataclass
class _Session:
    """One call of `fit`: where it is, and what it needs throughout."""

    plan: TrainingPlan
    state: TrainingState
    saving: Saving
    progress: Progress
    budget: Budget
    groups: Mapping[str, Any] | None = None  # of the checkpoint to continue from
    best_step: int = 0


class Trainer:
    """Trains the networks of a family on the training set; keeps the weights that are best on the validation set."""

    def __init__(self, task: TrainingTask) -> None:
        tf.config.experimental.enable_op_determinism()
        # This optimisation adds three and more terms in an order that differs from one compilation to the next.
        tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})
        _initialise(task.nets, task.seed)
        self.task = task
        self.stages = task.family.stages(task.modality, task.code_length, len(task.train))
        self.runs = [StageRun(task, stage, last=stage is self.stages[-1]) for stage in self.stages]
        self._fitted: dict[str, npt.NDArray[Any]] | None = None
        self._idle = False

    def fit(self, settings: Train, checkpoint: Path, key: str, *, resume: bool, progress: Progress) -> TrainingResult:
        """Train as the settings say, from the checkpoint of the same key if `resume` is set and it exists.

        Raises GensetError if the losses are not finite, and Interrupt, after a checkpoint, if the user stops it.
        """
        session = self._session(settings, Saving(checkpoint, key), progress, resume=resume)
        self._announce(session)
        self._run_stages(session)
        return self._result(session)

    def codes(self, items: Items) -> npt.NDArray[np.float64]:
        """(N, latent_dim) codes of items by the trained encoder."""
        return self.task.codes(items).astype(np.float64)

    def _session(self, settings: Train, saving: Saving, progress: Progress, *, resume: bool) -> _Session:
        """A new training, or the one of the checkpoint."""
        saved = checkpoints.load(saving.path, saving.key) if resume else None
        _check_same_checkpoint(saved, saving.path, self.task.workers)
        if saved is None:
            plan = plan_training(settings, len(self.task.train), self.stages, self._measured)
            _check_batch_size(plan, self.task.workers)
            state = TrainingState()
        else:
            plan, state = saved.plan, saved.state
            progress.say(f"continuing the training at step {state.total_step} of {plan.steps}")
        shares = [stage.share for stage in plan.stages]
        budget = Budget(settings.budget_seconds, shares, time.monotonic() - state.seconds)
        return _Session(plan, state, saving, progress, budget, saved.groups if saved else None)

    def _run_stages(self, session: _Session) -> None:
        with signals_held() as stop:
            for number in range(session.state.stage, len(self.stages)):
                run, state = self.runs[number], session.state
                self._start_stage(run, session, lambda: self.task.workers.any(stop.is_set()))
                loop = StageLoop(run, session.plan, state, session.saving, stop, session.progress, session.budget)
                session.plan = loop.run_steps()
                state.stopped_early |= state.step < session.plan.stages[number].steps
                run.restore_best()
                if run.stage.samples and state.history and state.best_step == 0:
                    state.notes.append(_START_KEPT)
                session.best_step, session.state = state.earlier_steps + state.best_step, state.next_stage()

    def _start_stage(self, run: StageRun, session: _Session, stopped: Callable[[], bool]) -> None:
        state = session.state
        if session.groups is not None:
            run.resume(session.groups, self._density_arrays, state)
            session.groups = None
            return
        density = self._density_arrays() if run.stage.samples else None
        run.start(state, session.plan.stages[state.stage], density, session.progress, stopped)
        if stopped():
            raise Interrupt(CONTINUE)

    def _result(self, session: _Session) -> TrainingResult:
        task, state, workers = self.task, session.state, self.task.workers
        density, notes = self._density_arrays(), list(state.notes)
        best_row = next((row for row in reversed(state.history) if row["step"] == session.best_step), None)
        notes += task.family.notes(best_row or {}, task.modality)
        if not workers.all_equal(*(variable.numpy() for variable in task.variables())):
            raise AssertionError("the workers ended with different weights")
        if workers.replicas > 1:
            notes.append((INFORMATION, f"trained by {workers.replicas} workers together"))
        if self._idle:
            notes.append(("idle_codes", "the codes do not distinguish items: all generated items will look alike"))
        return TrainingResult(
            session.plan,
            task.family.resolved(session.plan.shares, state.tuned_values),
            density,
            state.history,
            session.best_step,
            state.earlier_steps,
            notes,
            state.stopped_early,
            list(zip(state.frame_steps, task.frames, strict=True)),
        )

    def _measured(self, number: int, draft: StagePlan, seconds: float) -> tuple[int, int]:
        """(steps, validations) that the chief can make in so many seconds of a stage."""
        steps, validations = self.task.workers.from_chief(*self.runs[number].measure(draft, seconds))
        return int(steps), int(validations)

    def _density_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The density on z, fitted to the codes of the training items."""
        if self._fitted is None:  # first called when the encoder is fully trained, so it never changes
            task = self.task
            items, labels = task.train.items, task.train.labels
            codes = self.codes(items) if task.density.learns else np.zeros((len(items), task.latent_dim))
            self._idle = task.density.learns and float(codes.std(axis=0).max()) < _IDLE
            self._fitted = task.density.fit(codes, labels, task.classes, task.seed)
        return self._fitted

    def _announce(self, session: _Session) -> None:
        items, say = len(self.task.train), session.progress.say
        for stage, plan in zip(self.stages, session.plan.stages, strict=True):
            say(f"{stage.name}: training for at most {plan.steps} steps of {plan.batch_size} items")
            if plan.steps * plan.batch_size < items:
                say(
                    f"the budget allows {plan.steps} steps of {plan.batch_size} items: less than one pass over the "
                    f"{items} training items; increase train.seconds, epochs or steps"
                )


def _check_same_checkpoint(saved: checkpoints.Checkpoint | None, path: Path, workers: WorkerGroup) -> None:
    """Check that all workers continue from one checkpoint. Raises GensetError."""
    own = saved.state.total_step if saved else -1
    chiefs = int(workers.from_chief(own)[0])
    if workers.any(own != chiefs):
        raise GensetError(
            "the workers do not see the same checkpoint, so they cannot continue from one step",
            where=str(path),
            hint="Give all of them one output root on a shared file system, or add --no-resume.",
        )


def _check_batch_size(plan: TrainingPlan, workers: WorkerGroup) -> None:
    """Check that every worker gets items of each batch. Raises GensetError."""
    smallest = min(stage.batch_size for stage in plan.stages)
    if smallest < workers.replicas:
        raise GensetError(
            f"cannot split a batch of {smallest} items between {workers.replicas} workers",
            where="train.batch_size",
            hint="Use fewer workers or a larger batch size.",
        )


def _initialise(nets: Networks, seed: int) -> None:
    """Draw all weights from the seed by the initialisers of their layers: keras would draw from global state."""
    for role, net in nets.models.items():
        rng = rng_for(seed, "weights", role)
        # Including the cells of recurrent layers
        for layer in (inner for outer in net.layers for inner in outer._flatten_layers()):
            for name, attribute in _INITIALIZERS.items():
                weight, initializer = getattr(layer, name, None), getattr(layer, attribute, None)
                if weight is not None and initializer is not None:
                    settings = {**initializer.get_config(), "seed": int(rng.integers(2**31))}
                    weight.assign(type(initializer).from_config(settings)(weight.shape))
        for variable in net.non_trainable_variables:
            if variable.name == "seed_generator_state":  # of keras's own generator, which is never used
                variable.assign(np.zeros(variable.shape, variable.dtype))
