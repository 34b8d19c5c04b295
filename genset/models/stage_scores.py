"""How good a stage is at a moment: losses on the validation set, scores of samples, and frames to show the progress."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from genset.interfaces import Items
from genset.models.stage_steps import StageSteps, draw_codes
from genset.models.training_task import Scorer
from genset.seeds import rng_for

_MIN_SAMPLES, _MAX_SAMPLES = 500, 1000  # that a score is computed from
_MAX_REFERENCE = 4000  # training items that samples are compared with
_FRAME_ITEMS = 12


class StageScores:
    """Evaluates the present weights of one stage."""

    def __init__(self, steps: StageSteps) -> None:
        self.steps, self.task, self.stage = steps, steps.task, steps.stage
        self.codes = np.zeros((0, 0), np.float32)  # (N, latent_dim) to score by
        self.labels = np.zeros(0, np.int64)
        self.scorer: Scorer | None = None

    def draw_codes(self, density: Mapping[str, npt.NDArray[Any]]) -> None:
        """Draw the codes to score by."""
        self.choose_codes(lambda label, count: draw_codes(self.task, density, "score", label, count))

    def choose_codes(self, draw: Callable[[int, int], npt.NDArray[np.float32]]) -> None:
        """One code (of `draw`: label, count) for each validation item and of its class, repeated if they are few."""
        labels = self.task.validation.labels
        if not len(labels):
            return
        rng = rng_for(self.task.seed, "scored")
        times = -(-_MIN_SAMPLES // len(labels))
        self.labels = rng.permutation(np.tile(labels, times))[:_MAX_SAMPLES]
        self.codes = np.zeros((len(self.labels), self.task.latent_dim), np.float32)
        for label in np.unique(self.labels):
            rows = np.flatnonzero(self.labels == label)
            self.codes[rows] = draw(int(label), len(rows))

    def prepare_reference(self) -> None:
        """Compute the features of real items that samples are compared with; in a stage on codes, their codes."""
        task = self.task
        if self.stage.space == "codes":
            self.steps.real_codes = task.codes(task.train.items)
            if task.make_scorer:
                some = self.steps.real_codes[:: -(-len(self.steps.real_codes) // _MAX_REFERENCE)]
                self.scorer = task.make_scorer(some, task.codes(task.validation.items))
        elif task.make_scorer and self.scorer is None:
            features, items = task.modality.features, task.train.items
            some = features(items[:: -(-len(items) // _MAX_REFERENCE)])
            self.scorer = task.make_scorer(some, features(task.validation.items))

    def figures(self) -> dict[str, float]:
        """Scores of samples, or losses on the validation set; none without one."""
        if self.stage.samples:
            return self.sample_figures()
        return {f"val_{name}": value for name, value in self._validation_losses().items()}

    def sample_figures(self, batch_size: int = 250) -> dict[str, float]:
        """The scorer's figures of samples by the weights that would be kept now."""
        if self.scorer is None:
            return {}
        with self.steps.averaged():
            starts = range(0, len(self.codes), batch_size)
            samples = np.concatenate([self.steps.sample(self._batch(start, batch_size)).numpy() for start in starts])
        if self.stage.space == "items":
            samples = self.task.modality.tensor_features(samples)
        figures = self.task.workers.figures_from_chief(self.scorer(samples, self.labels))
        return {f"val_{name}": value for name, value in figures.items()}

    def frame(self) -> Items:
        """Items of a few codes by the present weights: the same codes each time in this stage."""
        task, bank = self.task, self.steps.bank
        z = rng_for(task.seed, "frames").standard_normal((_FRAME_ITEMS, task.latent_dim), dtype=np.float32)
        if self.stage.samples:
            z = bank[np.arange(_FRAME_ITEMS) % len(bank), np.arange(_FRAME_ITEMS) // len(bank)]
        with self.steps.averaged():
            return task.modality.from_tensor(self.steps.sample({"z": tf.constant(z)}).numpy())

    def _validation_losses(self, batch_size: int = 256) -> dict[str, float]:
        validation, totals = self.task.validation, dict[str, float]()
        for start in range(0, len(validation), batch_size):
            index = np.arange(start, min(start + batch_size, len(validation)))
            batch = self.steps.tensors(validation, index, rng_for(self.task.seed, "validation", start))
            for name, value in self.steps.losses(batch).items():
                totals[name] = totals.get(name, 0.0) + float(value) * len(index) / len(validation)
        return self.task.workers.figures_from_chief(totals)

    def _batch(self, start: int, size: int) -> Mapping[str, Any]:
        """Codes to score by, with their labels and always the same noise."""
        z, labels = (rows[start : start + size] for rows in (self.codes, self.labels))
        noise = self.stage.draw(rng_for(self.task.seed, "score noise", start), len(z))
        batch = {**noise, "z": z, "label": self.task.one_hot[labels]}
        return {name: tf.constant(value) for name, value in batch.items()}
