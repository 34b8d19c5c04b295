"""Whether items belong to their labels, by classifiers trained on real training items and kept beside a model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from genset.interfaces import Floats, Labels
from genset.quality.classifier import LAYERS, Classifier, softmax
from genset.quality.feature_space import Scale

SEEDS = (101, 102, 103)  # not those of the classifiers that evaluate the result in the end
Rows = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LabelFilter:
    """Small classifiers whose probabilities are averaged; predictions need only NumPy."""

    arrays: Mapping[str, npt.NDArray[Any]]

    @classmethod
    def train(
        cls,
        features: Floats,
        labels: Labels,
        classes: int,
        *,
        shared_unit: bool = False,
        overwrite_features: bool = False,
    ) -> Self:
        """Train on real items: features (N, d), labels (N,), at least two classes.

        `overwrite_features`: standardise the array in place, as memory may not hold a copy of very many items.
        """
        scale = Scale.from_features(features, shared=shared_unit)
        scaled = scale.apply_in_place(features) if overwrite_features else scale(features)
        arrays: dict[str, npt.NDArray[Any]] = {"mean": scale.mean, "deviation": scale.unit}
        for number, seed in enumerate(SEEDS):
            layers = Classifier.train(scaled, labels, classes, seed).layers
            arrays |= {f"{number}_{name}": value for name, value in layers.items()}
        return cls(arrays)

    def probabilities(self, features: Floats) -> Rows:
        """(N, classes) mean probability of each label for features (N, d)."""
        scaled = Scale(self.arrays["mean"], self.arrays["deviation"])(features)
        layers = [{name: self.arrays[f"{number}_{name}"] for name in LAYERS} for number in range(len(SEEDS))]
        mean: Rows = np.mean([softmax(Classifier(own).logits(scaled)) for own in layers], axis=0)
        return mean


def own_probability(probabilities: Rows, labels: Labels) -> Rows:
    """(N,) probability of each item's own label."""
    out: Rows = probabilities[np.arange(len(labels)), labels]
    return out


def label_limit(synthetic: Rows, synthetic_labels: Labels, real: Rows, real_labels: Labels) -> float:
    """The probability of its own label below which a synthetic item is rejected.

    The least certain synthetic items are rejected until, among the rest, another label wins as rarely as among real
    held-out items: not more rarely, as items that are hard but correct must stay. 0 when nothing must be rejected.
    """
    # One error more than counted, as few held-out items without an error prove little
    error = (np.sum(real.argmax(axis=1) != real_labels) + 1) / (len(real) + 2)
    certainty = own_probability(synthetic, synthetic_labels)
    order = np.argsort(certainty, kind="stable")
    wrong = (synthetic.argmax(axis=1) != synthetic_labels)[order]
    remaining = np.arange(len(order), 0, -1)
    share = np.cumsum(wrong[::-1])[::-1] / remaining  # of wrong ones when the first k are rejected
    first = int(np.argmax(share <= error)) if (share <= error).any() else len(order) - 1
    return float(certainty[order[first]]) if first else 0.0
