"""One stage of a training: its compiled steps, what it sees of the items, how its progress is told.

With the training loop the only file that knows TensorFlow. Nothing here draws from a global generator: the order of
the items and the noise of each step come from the seed and the number of the step.
"""

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from genset.errors import GensetError
from genset.interfaces import Family, Items, Labels, LossContext, Modality, Networks, Prior, Progress, TrainingStage
from genset.models import checkpoint as checkpoints
from genset.models.checkpoint import Arrays, HistoryRow, TrainingState
from genset.models.distributed import WorkerGroup
from genset.models.schedule import StagePlan, TrainingPlan, steps_within
from genset.seeds import rng_for

_MEASURED_SHARE = 0.04  # of a budget in seconds, spent on measuring the first steps
_SCORED = (500, 1000)  # sampled items, at least and at most, that a score is taken from
_BANK = 20_000  # codes drawn beforehand for the steps to pick from
_HALF_LIFE = 500  # steps after which a weight counts half in the running mean, at most; a tenth of a short stage
# On a CPU, oneDNN's convolutions beat XLA's by a tenth and compile three times as fast: docs/experiments.md.
_XLA = bool(tf.config.list_physical_devices("GPU"))
_FRAMES, _FRAME = 4, 12  # moments of a stage at which a few codes are shown, and how many
_TRIAL_SHARE = 0.05  # of the steps of a stage, for each value that is tried
_COLLAPSED = 0.5  # share of the best coverage below which samples have collapsed, when three scores in a row say so
_MOST_KNOWN = 4000  # train items that samples are judged by
Judge = Callable[[Any, Labels], Mapping[str, float]]
"""Figures of the features (N, d) of samples, and their labels: the first is the score, lower is better."""
Judging = Callable[[Any, Any], Judge]
"""(features (N, d) of train items, those of validation items) to what judges samples."""


@dataclass(frozen=True)
class Examples:
    """Items and their class indices."""

    items: Items
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)


@dataclass
class Task:
    """What is trained on what: the same for all stages."""

    family: Family
    density: Prior
    nets: Networks
    modality: Modality
    train: Examples
    validation: Examples
    classes: int
    latent_dim: int  # length of what the density draws
    seed: int
    judging: Judging | None
    workers: WorkerGroup = field(default_factory=WorkerGroup)
    stages: int = 1
    watch: Callable[[HistoryRow], None] | None = None  # is shown each row of the history
    frames: list[Items] = field(default_factory=list)  # what a few codes became, from time to time

    def __post_init__(self) -> None:
        self.one_hot = np.eye(self.classes, dtype=np.float32)

    def variables(self) -> list[Any]:
        """All variables of all networks, in a fixed order."""
        return [variable for net in self.nets.models.values() for variable in net.variables]

    def codes(self, items: Items, batch_size: int = 256) -> npt.NDArray[np.float32]:
        """(N, latent_dim) codes of items under the encoder as it is."""
        encode = tf.function(lambda x: self.family.codes(self.nets, x), reduce_retracing=True)
        parts = [
            encode(tf.constant(self.modality.to_tensor(items[start : start + batch_size]))).numpy()
            for start in range(0, len(items), batch_size)
        ]
        return np.concatenate(parts)


class StageRun:
    """One stage of a training: its optimisers, its compiled steps, its codes to pick from."""

    def __init__(self, task: Task, stage: TrainingStage) -> None:
        self.task, self.stage = task, stage
        self.optimizers: list[Any] = []
        self.averages: list[Any] = []
        self.best: Arrays = []
        self.tuned = stage.tuned[0]
        self.bank = np.zeros((0, 0, 0), np.float32)  # (classes, K, latent_dim) codes to train with
        self.scored = np.zeros((0, 0), np.float32)  # (N, latent_dim) codes to score by
        self.scored_labels = np.zeros(0, np.int64)
        self.real_codes = np.zeros((0, 0), np.float32)  # (N, latent_dim) of the train items, where samples are codes
        self.judge: Judge | None = None
        self._order = -1, np.zeros(0, np.int64)  # an epoch, and the order in which it shows the items

    def start(
        self,
        state: TrainingState,
        leg: StagePlan,
        density: Mapping[str, npt.NDArray[Any]] | None,
        progress: Progress,
        stopped: Callable[[], bool],
    ) -> None:
        """Begin the stage with the networks as they are; short trials end when the user wants to stop."""
        self.prepare(density)
        self.best = self.kept_weights()
        self.tuned = self._chosen(leg, progress, stopped)
        state.tuned.append(self.tuned)
        if density is not None and self.judge and self.task.density.learns:
            self._note_score(state, {**self._place(state), **self._samples_figures()})  # the start is a candidate

    def prepare(self, density: Mapping[str, npt.NDArray[Any]] | None) -> None:
        """Be ready to step: compiled, from fresh optimisers, with codes drawn where the stage needs them."""
        self._compile()
        self._reset()
        if density is not None:
            self._draw_codes(density)
            self._see_real()

    def _chosen(self, leg: StagePlan, progress: Progress, stopped: Callable[[], bool]) -> float:
        """The value that leads to the best samples after a short trial of each."""
        values = self.stage.tuned
        if len(values) == 1 or not self.judge:
            return values[len(values) // 2]
        initial = [variable.numpy().copy() for variable in self.task.variables()]
        scores: dict[float, float] = {}
        # A short stage, with all it has, by the first plan: what was planned later is not known yet
        trial = replace(leg, first_steps=max(1, round(_TRIAL_SHARE * leg.first_steps)), revisions=())
        for value in values:
            self.tuned = value
            for step in range(trial.steps):
                self.step(trial, step)
                if stopped():
                    return values[0]  # nothing is made of it
            score = self._samples_figures()["val_frechet"]
            scores[value] = score if np.isfinite(score) else float("inf")
            assign(self.task.variables(), initial)
            self._reset()
        told = ", ".join(f"{value:g} gives {score:.4g}" for value, score in scores.items())
        progress.say(f"penalty by short trials, Frechet distance on validation: {told}")
        return min(scores, key=lambda value: scores[value])

    def resume(self, groups: Mapping[str, Arrays], density: Callable[[], Any], state: TrainingState) -> None:
        """Go on where a checkpoint stands."""
        self._compile()
        self.tuned = state.tuned[-1]
        if self.stage.samples:
            # Encoders do not change in a stage that samples, so the density is the one that the stage began with.
            assign(self.task.variables(), groups["weights"])
            self._draw_codes(density())
            self._see_real()
        for name, group in self._groups().items():
            assign(group, groups[name])
        self.best, self.task.frames = list(groups["best"]), list(groups["frames"])

    def save(self, path: Path, key: str, plan: TrainingPlan, state: TrainingState) -> None:
        """Write a checkpoint."""
        groups = {name: [v.numpy() for v in group] for name, group in self._groups().items()}
        checkpoints.save(path, key, plan, state, {**groups, "best": self.best, "frames": self.task.frames})

    def keep_best(self) -> None:
        """Take the weights that did best."""
        assign(self.task.variables(), self.best)

    def measure(self, draft: StagePlan, seconds: float) -> tuple[int, int]:
        """The steps that a budget allows, and the evaluations among them: time the first ones, then forget them."""
        started = time.monotonic()
        initial = [variable.numpy().copy() for variable in self.task.variables()]
        self._compile()
        if self.stage.samples:  # any codes take as long as the right ones
            shape = (self.task.classes, 64, self.task.latent_dim)
            self.bank = rng_for(0, "measure").standard_normal(shape, dtype=np.float32)
            self._choose_scored(lambda label, count: np.resize(self.bank[label], (count, self.task.latent_dim)))
            self._see_real()
        cycle = self.stage.lazy_every
        for step in range(2 * cycle):  # compiles
            self.step(draft, step)
        self.figures()
        count, before = 0, time.perf_counter()
        until = before + max(0.5, _MEASURED_SHARE * seconds)
        agree = self.task.workers.from_chief  # clocks differ, and all must make the same steps
        while agree(count < 3 or time.perf_counter() < until or bool(count % cycle))[0]:
            self.step(draft, count)
            count += 1
        step_seconds = (time.perf_counter() - before) / count
        before = time.perf_counter()
        self.figures()
        evaluation = time.perf_counter() - before
        assign(self.task.variables(), initial)
        self._reset()
        spent = time.monotonic() - started
        trials = 1 + _TRIAL_SHARE * len(self.stage.tuned) * (len(self.stage.tuned) > 1)
        return steps_within((seconds - spent) / trials, step_seconds, evaluation, draft.evaluations)

    def step(self, leg: StagePlan, step: int) -> Mapping[str, float]:
        """One step of all optimisers; the losses."""
        decay = 0.5 ** (1 / max(1.0, min(_HALF_LIFE, leg.planned(step)[1] / 10)))
        rate = leg.rate(step)
        for optimizer, update in zip(self.optimizers, self.stage.updates, strict=True):
            optimizer.learning_rate.assign(update.rate * rate)
        batch = self.task.workers.split_batch(self._batch(leg, step))
        compiled = self._steps[step % self.stage.lazy_every == 0]
        numbers = [tf.constant(value, tf.float32) for value in (leg.progress(step), decay, self.tuned)]
        losses = compiled(*batch, *numbers)
        return {name: float(value) for name, value in losses.items()}

    def evaluate(self, leg: StagePlan, state: TrainingState) -> bool:
        """Add a row to the history and remember the best weights; whether the stage shall go on."""
        losses = {name: value / state.since for name, value in state.sums.items()}
        state.sums, state.since = {}, 0
        row = {**self._place(state), "epoch": state.step * leg.batch_size / len(self.task.train)}
        row |= {"learning_rate": leg.rate(state.step - 1), **losses, **self.figures()}
        if not all(np.isfinite(value) for value in row.values()):
            return self._diverged(leg, state)
        self._note_score(state, row)
        if self._framed and state.step // leg.evaluate_every(state.step - 1) % max(1, leg.evaluations // _FRAMES) == 0:
            state.framed.append(state.done + state.step)
            self.task.frames.append(self._frame())
        return not self._collapsed(state)

    def _frame(self) -> Items:
        """What a few codes become now: the same codes whenever it is asked for in this stage."""
        z = rng_for(self.task.seed, "frames").standard_normal((_FRAME, self.task.latent_dim), dtype=np.float32)
        if self.stage.samples:
            classes = np.arange(_FRAME) % len(self.bank)
            z = self.bank[classes, np.arange(_FRAME) // len(self.bank)]
        with self._averaged():
            return self.task.modality.from_tensor(self._sample({"z": tf.constant(z)}).numpy())

    def figures(self) -> dict[str, float]:
        """What the validation part says of the weights now."""
        if self.stage.samples:
            return self._samples_figures()
        return {f"val_{name}": value for name, value in self._validation_losses().items()}

    def kept_weights(self) -> Arrays:
        """The weights that would be kept now: running means where the stage has them."""
        with self._averaged():
            return [variable.numpy().copy() for variable in self.task.variables()]

    def _note_score(self, state: TrainingState, row: HistoryRow) -> None:
        state.history.append(row)
        if self.task.watch:
            self.task.watch(row)
        if self.stage.samples:
            score = row.get("val_frechet", -float(state.step))
        else:
            score = row.get("val_loss", -float(state.step))  # without a validation part, later is better
        if score < state.best_score:
            state.best_score, state.best_step, self.best = score, state.step, self.kept_weights()

    def _place(self, state: TrainingState) -> HistoryRow:
        return {"stage": float(state.stage + 1), "step": float(state.done + state.step)}

    def _diverged(self, leg: StagePlan, state: TrainingState) -> bool:
        hint = f"Lower it, for example train.learning_rate={leg.learning_rate / 4:g}."
        at = state.done + state.step
        if not self.stage.samples or state.best_score == float("inf"):
            first = "The autoencoder that a GAN starts from has a rate of its own: try model.family.warm_start=0."
            last = state.stage == self.task.stages - 1
            raise GensetError(
                f"the training diverged: at step {at} a loss is no longer a number",
                where="train.learning_rate" if last else "model.family",
                hint=hint if last else first,
            )
        kept = state.done + state.best_step
        state.notes.append(("diverged", f"at step {at} a loss was no longer a number; kept is step {kept}. {hint}"))
        return False

    def _collapsed(self, state: TrainingState) -> bool:
        rows = [row for row in state.history if row["stage"] == state.stage + 1]
        told = [row["val_coverage"] for row in rows if "val_coverage" in row]
        if len(told) < 4 or max(told[-3:]) >= _COLLAPSED * max(told):
            return False
        kept = state.done + state.best_step
        state.notes.append(
            (
                "mode_collapse",
                f"the samples covered {told[-1]:.2f} of the validation part, after {max(told):.2f}: stopped at step "
                f"{state.done + state.step}; kept is step {kept}",
            )
        )
        return True

    def _compile(self) -> None:
        if self.optimizers:
            return
        task, stage = self.task, self.stage
        averaged = self._trainable(stage.average)
        with task.workers.scope():
            for update in stage.updates:
                optimizer = keras.optimizers.Adam(1e-3, beta_1=update.beta_1, beta_2=update.beta_2)
                optimizer.build(self._trainable(update.roles))
                self.optimizers.append(optimizer)
            self.averages = [keras.Variable(variable.numpy(), trainable=False) for variable in averaged]
        self._start = [[v.numpy().copy() for v in optimizer.variables] for optimizer in self.optimizers]

        def step(
            batch: Mapping[str, Any], weight: Any, progress: Any, decay: Any, tuned: Any, lazy: bool
        ) -> Mapping[str, Any]:
            losses: dict[str, Any] = {}
            for update, optimizer in zip(stage.updates, self.optimizers, strict=True):
                variables = self._trainable(update.roles)
                with tf.GradientTape() as tape:
                    named = update.loss(task.nets, batch, LossContext(progress, lazy, True, tuned, _gradient))
                    if weight is not None:
                        named = {name: weight * value for name, value in named.items()}
                    minimised = next(iter(named.values()))
                optimizer.apply(tape.gradient(minimised, variables), variables)
                losses |= named
            for average, variable in zip(self.averages, averaged, strict=True):
                average.assign(decay * average + (1 - decay) * variable)
            return losses

        def losses(batch: Mapping[str, Any]) -> Mapping[str, Any]:
            moment = LossContext(tf.constant(1.0), True, False, tf.constant(0.0), _gradient)
            named = [update.loss(task.nets, batch, moment) for update in stage.updates]
            return {name: value for part in named for name, value in part.items()}

        def compiled(lazy: bool) -> Any:
            return tf.function(task.workers.distributed(functools.partial(step, lazy=lazy)), jit_compile=_XLA)

        self._steps = {True: compiled(True), False: compiled(False)}
        self._losses = tf.function(losses, reduce_retracing=True)
        networks = task.family.sampler(task.nets, task.modality)
        self._framed = set(networks) == {"generator"}  # an item is all that its code says, and nothing is drawn
        network = task.nets.network

        def sample(batch: Mapping[str, Any]) -> Any:
            if stage.space == "codes":
                return networks["codes"](batch["z"])
            return network.items(network.made(task.nets, batch))

        self._sample = tf.function(sample, reduce_retracing=True)

    def _reset(self) -> None:
        """Optimisers and running means as at the start of the stage."""
        for optimizer, values in zip(self.optimizers, self._start, strict=True):
            assign(optimizer.variables, values)
        assign(self.averages, [variable.numpy() for variable in self._trainable(self.stage.average)])

    def _draw_codes(self, density: Mapping[str, npt.NDArray[Any]]) -> None:
        """Codes of every class to train with, and others to score by."""
        task, each = self.task, max(64, _BANK // self.task.classes)

        def draw(purpose: str, label: int, count: int) -> Any:
            rngs = [rng_for(task.seed, purpose, label, number) for number in range(count)]
            return task.density.draw(density, label, rngs)

        self.bank = np.stack([draw("bank", label, each) for label in range(task.classes)])
        self._choose_scored(lambda label, count: draw("score", label, count))

    def _see_real(self) -> None:
        """Be ready to show and to judge what samples are compared with."""
        task = self.task
        if self.stage.space == "codes":
            self.real_codes = task.codes(task.train.items)
            if task.judging:
                some = self.real_codes[:: -(-len(self.real_codes) // _MOST_KNOWN)]
                self.judge = task.judging(some, task.codes(task.validation.items))
        elif task.judging and self.judge is None:
            features, known = task.modality.features, task.train.items
            self.judge = task.judging(
                features(known[:: -(-len(known) // _MOST_KNOWN)]), features(task.validation.items)
            )

    def _choose_scored(self, draw: Callable[[int, int], npt.NDArray[np.float32]]) -> None:
        """One code for each validation item and of its class, (N, latent_dim), repeated when they are few."""
        labels = self.task.validation.labels
        if not len(labels):
            return
        rng = rng_for(self.task.seed, "scored")
        times = -(-_SCORED[0] // len(labels))
        self.scored_labels = rng.permutation(np.tile(labels, times))[: _SCORED[1]]
        self.scored = np.zeros((len(self.scored_labels), self.task.latent_dim), np.float32)
        for label in np.unique(self.scored_labels):
            rows = np.flatnonzero(self.scored_labels == label)
            self.scored[rows] = draw(int(label), len(rows))

    def _batch(self, leg: StagePlan, step: int) -> Mapping[str, Any]:
        """What one step sees: a pure function of seed and step."""
        task, name, size = self.task, self.stage.name, leg.batch_size
        epoch, place = divmod(step, len(task.train) // size)
        if self._order[0] != epoch:
            self._order = epoch, shown(task.train.labels, rng_for(task.seed, "order", name, epoch))
        index = np.sort(self._order[1][place * size : (place + 1) * size])
        return self._tensors(task.train, index, rng_for(task.seed, "noise", name, step))

    def _tensors(self, examples: Examples, index: Labels, rng: np.random.Generator) -> Mapping[str, Any]:
        labels = examples.labels[index]
        batch = {
            "x": self.task.modality.to_tensor(examples.items[index]),
            "label": self.task.one_hot[labels],
            **self.stage.draw(rng, len(index)),
        }
        if self.stage.samples:
            batch["z"] = self.bank[labels, rng.integers(self.bank.shape[1], size=len(index))]
        if len(self.real_codes):
            batch["code"] = self.real_codes[index]
        return {name: tf.constant(value) for name, value in batch.items()}

    def _validation_losses(self, batch_size: int = 256) -> dict[str, float]:
        validation, totals = self.task.validation, dict[str, float]()
        for start in range(0, len(validation), batch_size):
            index = np.arange(start, min(start + batch_size, len(validation)))
            batch = self._tensors(validation, index, rng_for(self.task.seed, "validation", start))
            for name, value in self._losses(batch).items():
                totals[name] = totals.get(name, 0.0) + float(value) * len(index) / len(validation)
        return self.task.workers.figures_from_chief(totals)

    def _samples_figures(self, batch_size: int = 250) -> dict[str, float]:
        if self.judge is None:
            return {}
        with self._averaged():
            parts = [
                self._sample(self._scored_batch(start, batch_size)).numpy()
                for start in range(0, len(self.scored), batch_size)
            ]
        made = np.concatenate(parts)
        if self.stage.space == "items":
            made = self.task.modality.tensor_features(made)
        figures = self.task.workers.figures_from_chief(self.judge(made, self.scored_labels))
        return {f"val_{name}": value for name, value in figures.items()}

    def _scored_batch(self, start: int, size: int) -> Mapping[str, Any]:
        """Codes to score by, with their labels and always the same noise."""
        z, labels = (rows[start : start + size] for rows in (self.scored, self.scored_labels))
        noise = self.stage.draw(rng_for(self.task.seed, "score noise", start), len(z))
        batch = {**noise, "z": z, "label": self.task.one_hot[labels]}
        return {name: tf.constant(value) for name, value in batch.items()}

    @contextlib.contextmanager
    def _averaged(self) -> Iterator[None]:
        """Running means in place of the last weights, for a moment."""
        variables = self._trainable(self.stage.average)
        last = [variable.numpy().copy() for variable in variables]
        assign(variables, [average.numpy() for average in self.averages])
        try:
            yield
        finally:
            assign(variables, last)

    def _trainable(self, roles: tuple[str, ...]) -> list[Any]:
        return [variable for role in roles for variable in self.task.nets[role].trainable_variables]

    def _groups(self) -> dict[str, list[Any]]:
        """The variables of a checkpoint."""
        optimizer = [variable for optimizer in self.optimizers for variable in optimizer.variables]
        return {"weights": self.task.variables(), "optimizer": optimizer, "averages": self.averages}


def _gradient(function: Callable[[Any], Any], x: Any) -> Any:
    """d sum(function(x)) / dx, inside a step that is itself differentiated."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return tape.gradient(y, x)


def shown(labels: Labels, rng: np.random.Generator) -> Labels:
    """(N,) rows of one epoch, in random order.

    A class is shown in proportion to the root of its items (Mahajan et al. 2018, arXiv:1805.00932): between how often
    it occurs, which hardly teaches a rare one, and equally often, which teaches its few items by heart.
    """
    counts = np.bincount(labels)
    share = np.sqrt(counts) / np.sqrt(counts).sum()
    times = len(labels) * (share / np.maximum(1, counts))[labels]  # 1 for all when the classes are equally large
    order = rng.permutation(len(labels))
    # Systematic sampling: an item that is due 2.3 times comes twice or three times
    places = np.searchsorted(np.cumsum(times[order]), np.arange(len(labels)) + rng.random())
    rows: Labels = rng.permutation(order[np.minimum(places, len(labels) - 1)])
    return rows


def assign(variables: Sequence[Any], values: Sequence[Any]) -> None:
    """Give variables their values, one by one."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
