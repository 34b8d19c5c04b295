"""The optimiser steps of one stage: batches, compiled training step, running means of the weights.

Nothing here draws from a global generator: the order of the items and the noise of each step depend on the seed and the
number of the step alone.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from genset.interfaces import Labels, LossContext, TrainingStage
from genset.models.checkpoint import Weights
from genset.models.schedule import StagePlan
from genset.models.training_task import Examples, TrainingTask, assign
from genset.seeds import rng_for

_MIN_BANK, _BANK = 64, 20_000  # codes drawn in advance for the steps to choose from: at least per class, and in all
_HALF_LIFE = 500  # steps after which a weight counts half in the running mean, at most; a tenth of a short stage
# On a CPU, oneDNN's convolutions are a tenth faster than XLA's and compile three times as fast: docs/experiments.md.
_XLA = bool(tf.config.list_physical_devices("GPU"))


class StageSteps:
    """Optimisers, compiled steps and batches of one stage."""

    def __init__(self, task: TrainingTask, stage: TrainingStage) -> None:
        self.task, self.stage = task, stage
        self.optimizers: list[Any] = []
        self.averages: list[Any] = []
        self.tuned_value = stage.tuned_values[0]
        self.bank = np.zeros((0, 0, 0), np.float32)  # (classes, K, latent_dim) codes to train with
        self.real_codes = np.zeros((0, 0), np.float32)  # (N, latent_dim) of the training items, if samples are codes
        self._epoch_order = -1, np.zeros(0, np.int64)  # an epoch, and the order of its items

    def compile(self) -> None:
        """Create the optimisers and the functions of the stage, once."""
        if self.optimizers:
            return
        with self.task.workers.scope():
            for update in self.stage.updates:
                optimizer = keras.optimizers.Adam(1e-3, beta_1=update.beta_1, beta_2=update.beta_2)
                optimizer.build(self.task.trainable(update.roles))
                self.optimizers.append(optimizer)
            averaged = self.task.trainable(self.stage.average)
            self.averages = [keras.Variable(variable.numpy(), trainable=False) for variable in averaged]
        self._initial = [[v.numpy().copy() for v in optimizer.variables] for optimizer in self.optimizers]
        self._steps = {lazy_due: self._compiled(lazy_due) for lazy_due in (True, False)}
        self.losses = tf.function(self._losses, reduce_retracing=True)
        """A batch to the named losses, without an update."""
        self._exported = self.task.family.sampler(self.task.nets, self.task.modality)
        self.sample = tf.function(self._sample, reduce_retracing=True)
        """A batch with "z" to samples: items (B, *tensor_shape), or codes."""
        self.deterministic = set(self._exported) == {"generator"}
        """Whether an item depends on its code alone, so that nothing is drawn to decode it."""

    def reset(self) -> None:
        """Reset optimisers and running means to the start of the stage."""
        for optimizer, values in zip(self.optimizers, self._initial, strict=True):
            assign(optimizer.variables, values)
        assign(self.averages, [variable.numpy() for variable in self.task.trainable(self.stage.average)])

    def step(self, plan: StagePlan, step: int) -> Mapping[str, float]:
        """One step of all optimisers; the losses by name."""
        decay = 0.5 ** (1 / max(1.0, min(_HALF_LIFE, plan.plan_at(step)[1] / 10)))
        rate = plan.rate(step)
        for optimizer, update in zip(self.optimizers, self.stage.updates, strict=True):
            optimizer.learning_rate.assign(update.rate * rate)
        batch = self.task.workers.split_batch(self._batch(plan, step))
        compiled = self._steps[step % self.stage.lazy_every == 0]
        numbers = [tf.constant(value, tf.float32) for value in (plan.progress(step), decay, self.tuned_value)]
        losses = compiled(*batch, *numbers)
        return {name: float(value) for name, value in losses.items()}

    def draw_bank(self, density: Mapping[str, npt.NDArray[Any]]) -> None:
        """Draw codes of every class to train with."""
        count = max(_MIN_BANK, _BANK // self.task.classes)
        self.bank = np.stack(
            [draw_codes(self.task, density, "bank", label, count) for label in range(self.task.classes)]
        )

    def tensors(self, examples: Examples, index: Labels, rng: np.random.Generator) -> Mapping[str, Any]:
        """The batch of some rows of the examples, with random inputs from `rng`."""
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

    def kept_weights(self) -> Weights:
        """The weights that would be kept now: running means if the stage has them."""
        with self.averaged():
            return [variable.numpy().copy() for variable in self.task.variables()]

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Use the running means instead of the last weights in this context."""
        variables = self.task.trainable(self.stage.average)
        last = [variable.numpy().copy() for variable in variables]
        assign(variables, [average.numpy() for average in self.averages])
        try:
            yield
        finally:
            assign(variables, last)

    def groups(self) -> dict[str, list[Any]]:
        """The variables of a checkpoint."""
        optimizer = [variable for optimizer in self.optimizers for variable in optimizer.variables]
        return {"weights": self.task.variables(), "optimizer": optimizer, "averages": self.averages}

    def _batch(self, plan: StagePlan, step: int) -> Mapping[str, Any]:
        """The batch of one step: a pure function of seed and step."""
        task, name, size = self.task, self.stage.name, plan.batch_size
        epoch, place = divmod(step, len(task.train) // size)
        if self._epoch_order[0] != epoch:
            self._epoch_order = epoch, epoch_order(task.train.labels, rng_for(task.seed, "order", name, epoch))
        index = np.sort(self._epoch_order[1][place * size : (place + 1) * size])
        return self.tensors(task.train, index, rng_for(task.seed, "noise", name, step))

    def _compiled(self, lazy_due: bool) -> Any:
        step = self.task.workers.distributed(functools.partial(self._train_step, lazy_due=lazy_due))
        return tf.function(step, jit_compile=_XLA)

    def _train_step(
        self, batch: Mapping[str, Any], weight: Any, progress: Any, decay: Any, tuned_value: Any, lazy_due: bool
    ) -> Mapping[str, Any]:
        losses: dict[str, Any] = {}
        for update, optimizer in zip(self.stage.updates, self.optimizers, strict=True):
            variables = self.task.trainable(update.roles)
            with tf.GradientTape() as tape:
                context = LossContext(progress, lazy_due, True, tuned_value, _gradient)
                named = update.loss(self.task.nets, batch, context)
                if weight is not None:
                    named = {name: weight * value for name, value in named.items()}
                minimised = next(iter(named.values()))
            optimizer.apply(tape.gradient(minimised, variables), variables)
            losses |= named
        for average, variable in zip(self.averages, self.task.trainable(self.stage.average), strict=True):
            average.assign(decay * average + (1 - decay) * variable)
        return losses

    def _losses(self, batch: Mapping[str, Any]) -> Mapping[str, Any]:
        context = LossContext(tf.constant(1.0), True, False, tf.constant(0.0), _gradient)
        named = [update.loss(self.task.nets, batch, context) for update in self.stage.updates]
        return {name: value for part in named for name, value in part.items()}

    def _sample(self, batch: Mapping[str, Any]) -> Any:
        if self.stage.space == "codes":
            return self._exported["codes"](batch["z"])
        network = self.task.nets.network
        return network.items(network.generate(self.task.nets, batch))


def draw_codes(
    task: TrainingTask, density: Mapping[str, npt.NDArray[Any]], purpose: str, label: int, count: int
) -> npt.NDArray[np.float32]:
    """(count, latent_dim) codes of one class from the density, each from its own generator."""
    return task.density.draw(density, label, [rng_for(task.seed, purpose, label, number) for number in range(count)])


def _gradient(function: Callable[[Any], Any], x: Any) -> Any:
    """d sum(function(x)) / dx, inside a step that is itself differentiated."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return tape.gradient(y, x)


def epoch_order(labels: Labels, rng: np.random.Generator) -> Labels:
    """(N,) rows of one epoch, in random order.

    The frequency of a class is proportional to the square root of its size (Mahajan et al. 2018, arXiv:1805.00932): a
    compromise between its size, with which a rare class is hardly learned, and equal frequencies, with which its few
    items are memorised.
    """
    counts = np.bincount(labels)
    share = np.sqrt(counts) / np.sqrt(counts).sum()
    times = len(labels) * (share / np.maximum(1, counts))[labels]  # 1 for all items if the classes are equally large
    order = rng.permutation(len(labels))
    # Systematic sampling: an item that is due 2.3 times appears twice or three times
    places = np.searchsorted(np.cumsum(times[order]), np.arange(len(labels)) + rng.random())
    rows: Labels = rng.permutation(order[np.minimum(places, len(labels) - 1)])
    return rows
