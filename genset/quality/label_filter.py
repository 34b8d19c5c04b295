"""Does an item belong to its label? Asked of classifiers trained on the real train part, kept beside a model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from genset.interfaces import Floats, Labels
from genset.quality.classifier import LAYERS, Classifier
from genset.quality.feature_space import Scale

SEEDS = (101, 102, 103)  # others than those of the classifiers that judge the result in the end
Rows = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LabelJudge:
    """Small classifiers whose probabilities are averaged; plain arrays, so that judging needs NumPy alone."""

    arrays: Mapping[str, npt.NDArray[Any]]

    @classmethod
    def learn(cls, features: Floats, labels: Labels, classes: int, *, shared_unit: bool = False) -> Self:
        """Learn from real train items: features (N, d), labels (N,), at least two classes.

        The features are brought to their units where they stand.
        """
        scale = Scale.of(features, shared=shared_unit)
        scaled = scale.within(features)
        arrays: dict[str, npt.NDArray[Any]] = {"mean": scale.mean, "deviation": scale.unit}
        for number, seed in enumerate(SEEDS):
            layers = Classifier.trained(scaled, labels, classes, seed).layers
            arrays |= {f"{number}_{name}": value for name, value in layers.items()}
        return cls(arrays)

    def probabilities(self, features: Floats) -> Rows:
        """(N, classes) mean probability of each label."""
        scaled = Scale(self.arrays["mean"], self.arrays["deviation"])(features)
        parts = [self._one(scaled, number) for number in range(len(SEEDS))]
        mean: Rows = np.mean(parts, axis=0)
        return mean

    def _one(self, scaled: Floats, number: int) -> Rows:
        logits = Classifier({name: self.arrays[f"{number}_{name}"] for name in LAYERS}).logits(scaled)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        out: Rows = odds / odds.sum(axis=1, keepdims=True)
        return out


def own(probabilities: Rows, labels: Labels) -> Rows:
    """(N,) probability of each item's own label."""
    out: Rows = probabilities[np.arange(len(labels)), labels]
    return out


def label_limit(made: Rows, made_labels: Labels, real: Rows, real_labels: Labels) -> float:
    """The probability of its own label below which a made item is refused.

    The least sure made items are refused until, among the rest, another label wins as rarely as among real held-out
    items: no rarer, for items that are hard and right must stay. 0 when it is so without refusing any.
    """
    # One error more than counted, as few held-out items without an error prove little
    error = (np.sum(real.argmax(axis=1) != real_labels) + 1) / (len(real) + 2)
    sure = own(made, made_labels)
    order = np.argsort(sure, kind="stable")
    wrong = (made.argmax(axis=1) != made_labels)[order]
    left = np.arange(len(order), 0, -1)
    share = np.cumsum(wrong[::-1])[::-1] / left  # of wrong ones when the first k are refused
    first = int(np.argmax(share <= error)) if (share <= error).any() else len(order) - 1
    return float(sure[order[first]]) if first else 0.0
