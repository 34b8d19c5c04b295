"""What a training is about: family, networks, items, and how samples are scored. The same for all its stages."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from genset.interfaces import Family, Items, Labels, Modality, Networks, Prior
from genset.models.checkpoint import HistoryRow
from genset.models.distributed import WorkerGroup

Scorer = Callable[[Any, Labels], Mapping[str, float]]
"""Figures of the features (N, d) of samples and their labels: "frechet" is the score, lower is better."""
MakeScorer = Callable[[Any, Any], Scorer]
"""(features (N, d) of training items, those of validation items) to a scorer of samples."""


@dataclass(frozen=True)
class Examples:
    """Items and their class indices."""

    items: Items
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)


@dataclass
class TrainingTask:
    """What is trained on what."""

    family: Family
    prior: Prior  # of the config; the family may replace it: see `density`
    nets: Networks
    modality: Modality
    train: Examples
    validation: Examples
    classes: int
    code_length: int  # of the autoencoder, (B, code_length)
    seed: int
    make_scorer: MakeScorer | None = None  # None: samples are not scored
    workers: WorkerGroup = field(default_factory=WorkerGroup)
    watch: Callable[[HistoryRow], None] | None = None  # called with each row of the history
    frames: list[Items] = field(default_factory=list)  # samples of the same few codes, taken from time to time

    def __post_init__(self) -> None:
        self.one_hot = np.eye(self.classes, dtype=np.float32)
        self.density = self.family.density(self.prior)
        self.latent_dim = self.density.length(self.code_length, self.classes)  # length of a draw of the density
        self.make_scorer = self.make_scorer if len(self.validation) else None

    def variables(self) -> list[Any]:
        """All variables of all networks, in a fixed order."""
        return [variable for net in self.nets.models.values() for variable in net.variables]

    def trainable(self, roles: tuple[str, ...]) -> list[Any]:
        """The trainable variables of some networks, in a fixed order."""
        return [variable for role in roles for variable in self.nets[role].trainable_variables]

    def codes(self, items: Items, batch_size: int = 256) -> npt.NDArray[np.float32]:
        """(N, latent_dim) codes of items by the encoder in its present state."""
        encode = tf.function(lambda x: self.family.codes(self.nets, x), reduce_retracing=True)
        parts = [
            encode(tf.constant(self.modality.to_tensor(items[start : start + batch_size]))).numpy()
            for start in range(0, len(items), batch_size)
        ]
        return np.concatenate(parts)


def assign(variables: Sequence[Any], values: Sequence[Any]) -> None:
    """Set each variable to its value."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
