"""One stage of a training: start, resume, time and validate it, and decide what to keep and when to stop."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from genset.errors import GensetError
from genset.interfaces import Progress, TrainingStage
from genset.models import checkpoint as checkpoints
from genset.models.checkpoint import HistoryRow, TrainingState, Weights
from genset.models.schedule import StagePlan, TrainingPlan, steps_within
from genset.models.stage_scores import StageScores
from genset.models.stage_steps import StageSteps
from genset.models.training_task import TrainingTask, assign
from genset.seeds import rng_for

_TIMED_SHARE = 0.04  # of a budget in seconds, spent on timing the first steps
_FRAMES = 4  # of a stage, at least
_TRIAL_SHARE = 0.05  # of the steps of a stage, for each value that is tried
_COLLAPSED = 0.5  # samples have collapsed if three scores in a row have less than this share of the best coverage

Density = Mapping[str, npt.NDArray[Any]]


class StageRun:
    """One stage of a training."""

    def __init__(self, task: TrainingTask, stage: TrainingStage, *, last: bool) -> None:
        self.task, self.stage, self.last = task, stage, last
        self.steps = StageSteps(task, stage)
        self.scores = StageScores(self.steps)
        self.best: Weights = []

    def start(
        self,
        state: TrainingState,
        plan: StagePlan,
        density: Density | None,
        progress: Progress,
        stopped: Callable[[], bool],
    ) -> None:
        """Begin the stage with the present weights; its short trials end when the user wants to stop."""
        self.prepare(density)
        self.best = self.steps.kept_weights()
        self.steps.tuned_value = self._best_value(plan, progress, stopped)
        state.tuned_values.append(self.steps.tuned_value)
        if density is not None and self.scores.scorer and self.task.density.learns:
            self._add_row(state, {**_position(state), **self.scores.sample_figures()})  # the start may be the best

    def prepare(self, density: Density | None) -> None:
        """Compile the steps, reset the optimisers, and draw codes if the stage needs them."""
        self.steps.compile()
        self.steps.reset()
        if density is not None:
            self._draw_codes(density)

    def resume(self, groups: Mapping[str, Weights], density: Callable[[], Density], state: TrainingState) -> None:
        """Continue from a checkpoint."""
        self.steps.compile()
        self.steps.tuned_value = state.tuned_values[-1]
        if self.stage.samples:
            # Encoders do not change in a stage that samples, so this is the density that the stage began with.
            assign(self.task.variables(), groups["weights"])
            self._draw_codes(density())
        for name, group in self.steps.groups().items():
            assign(group, groups[name])
        self.best, self.task.frames = list(groups["best"]), list(groups["frames"])

    def save(self, path: Path, key: str, plan: TrainingPlan, state: TrainingState) -> None:
        """Write a checkpoint."""
        groups = {name: [v.numpy() for v in group] for name, group in self.steps.groups().items()}
        checkpoints.save(path, key, plan, state, {**groups, "best": self.best, "frames": self.task.frames})

    def step(self, plan: StagePlan, step: int) -> Mapping[str, float]:
        """One step of all optimisers; the losses by name."""
        return self.steps.step(plan, step)

    def restore_best(self) -> None:
        """Set the weights to the best ones."""
        assign(self.task.variables(), self.best)

    def measure(self, draft: StagePlan, seconds: float) -> tuple[int, int]:
        """(steps, validations) that fit into a budget: times the first steps, then undoes them."""
        started = time.monotonic()
        initial = [variable.numpy().copy() for variable in self.task.variables()]
        self.steps.compile()
        if self.stage.samples:  # any codes take as long as the right ones
            self._draw_any_codes()
        cycle = self.stage.lazy_every
        for step in range(2 * cycle):  # compiles
            self.step(draft, step)
        self.scores.figures()
        count, before = 0, time.perf_counter()
        until = before + max(0.5, _TIMED_SHARE * seconds)
        from_chief = self.task.workers.from_chief  # clocks differ, and all workers must make the same steps
        while from_chief(count < 3 or time.perf_counter() < until or bool(count % cycle))[0]:
            self.step(draft, count)
            count += 1
        step_seconds = (time.perf_counter() - before) / count
        before = time.perf_counter()
        self.scores.figures()
        validation_seconds = time.perf_counter() - before
        assign(self.task.variables(), initial)
        self.steps.reset()
        remaining = seconds - (time.monotonic() - started)
        values = len(self.stage.tuned_values)
        trials = _TRIAL_SHARE * values if values > 1 else 0.0
        return steps_within(remaining / (1 + trials), step_seconds, validation_seconds, draft.validations)

    def validate(self, plan: StagePlan, state: TrainingState) -> bool:
        """Add a row to the history and remember the best weights; whether the stage should continue.

        Raises GensetError if a loss is not finite and there are no earlier weights to return to.
        """
        losses = {name: total / state.summed_steps for name, total in state.loss_sums.items()}
        state.loss_sums, state.summed_steps = {}, 0
        row = {**_position(state), "epoch": state.step * plan.batch_size / len(self.task.train)}
        row |= {"learning_rate": plan.rate(state.step - 1), **losses, **self.scores.figures()}
        if not all(np.isfinite(value) for value in row.values()):
            self._note_divergence(plan, state)
            return False
        self._add_row(state, row)
        validation = state.step // plan.validation_interval(state.step - 1)
        if self.steps.deterministic and validation % max(1, plan.validations // _FRAMES) == 0:
            state.frame_steps.append(state.total_step)
            self.task.frames.append(self.scores.frame())
        return not self._has_collapsed(state)

    def _draw_codes(self, density: Density) -> None:
        self.steps.draw_bank(density)
        self.scores.draw_codes(density)
        self.scores.prepare_reference()

    def _draw_any_codes(self) -> None:
        """Codes from N(0, I): good enough to time the steps."""
        task = self.task
        shape = (task.classes, 64, task.latent_dim)
        self.steps.bank = bank = rng_for(0, "measure").standard_normal(shape, dtype=np.float32)
        self.scores.choose_codes(lambda label, count: np.resize(bank[label], (count, task.latent_dim)))
        self.scores.prepare_reference()

    def _best_value(self, plan: StagePlan, progress: Progress, stopped: Callable[[], bool]) -> float:
        """The candidate of `tuned_values` with the best samples after a short trial of each."""
        values = self.stage.tuned_values
        if len(values) == 1 or not self.scores.scorer:
            return values[len(values) // 2]
        initial = [variable.numpy().copy() for variable in self.task.variables()]
        scores: dict[float, float] = {}
        # A short stage with a complete learning rate schedule, by the first plan: revisions are not known yet
        trial = replace(plan, first_steps=max(1, round(_TRIAL_SHARE * plan.first_steps)), revisions=())
        for value in values:
            self.steps.tuned_value = value
            for step in range(trial.steps):
                self.step(trial, step)
                if stopped():
                    return values[0]  # not used: the caller stops as well
            score = self.scores.sample_figures()["val_frechet"]
            scores[value] = score if np.isfinite(score) else float("inf")
            assign(self.task.variables(), initial)
            self.steps.reset()
        results = ", ".join(f"{value:g} gives {score:.4g}" for value, score in scores.items())
        progress.say(f"penalty by short trials, Frechet distance on validation: {results}")
        return min(scores, key=lambda value: scores[value])

    def _add_row(self, state: TrainingState, row: HistoryRow) -> None:
        state.history.append(row)
        if self.task.watch:
            self.task.watch(row)
        later_is_better = -float(state.step)  # without a validation set
        score = row.get("val_frechet" if self.stage.samples else "val_loss", later_is_better)
        if score < state.best_score:
            state.best_score, state.best_step, self.best = score, state.step, self.steps.kept_weights()

    def _note_divergence(self, plan: StagePlan, state: TrainingState) -> None:
        """Note that the stage diverged. Raises GensetError if there are no earlier weights to return to."""
        step, hint = state.total_step, f"Lower it, for example train.learning_rate={plan.learning_rate / 4:g}."
        if self.stage.samples and state.best_score < float("inf"):
            text = f"at step {step} a loss was not finite; kept step {state.earlier_steps + state.best_step}. {hint}"
            state.notes.append(("diverged", text))
            return
        first = "The autoencoder before the GAN has its own learning rate: set model.family.warm_start=0."
        raise GensetError(
            f"the training diverged: at step {step} a loss is not finite",
            where="train.learning_rate" if self.last else "model.family",
            hint=hint if self.last else first,
        )

    def _has_collapsed(self, state: TrainingState) -> bool:
        """Whether the samples lost their variety; if so, it is noted."""
        rows = [row for row in state.history if row["stage"] == state.stage + 1]
        coverage = [row["val_coverage"] for row in rows if "val_coverage" in row]
        if len(coverage) < 4 or max(coverage[-3:]) >= _COLLAPSED * max(coverage):
            return False
        text = (
            f"the samples covered {coverage[-1]:.2f} of the validation set, after {max(coverage):.2f}: stopped at step "
            f"{state.total_step}; kept step {state.earlier_steps + state.best_step}"
        )
        state.notes.append(("mode_collapse", text))
        return True


def _position(state: TrainingState) -> HistoryRow:
    return {"stage": float(state.stage + 1), "step": float(state.total_step)}
