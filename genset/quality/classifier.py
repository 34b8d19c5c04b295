"""The small classifier behind the figures: one hidden layer on fixed features, trained for a fixed number of steps."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from genset.interfaces import Floats, Labels
from genset.seeds import rng_for

STEPS = 600
BATCH = 64
HIDDEN = 64
LAYERS = ("w0", "b0", "w1", "b1")
_STEPS_PER_CALL = 50  # a call of scikit-learn for each step would take longer than the step
_LEARNING_RATE = 2e-3


@dataclass(frozen=True)
class Classifier:
    """A multilayer perceptron, trained by scikit-learn; predictions need only NumPy."""

    layers: Mapping[str, npt.NDArray[np.floating[Any]]]
    """Weights and biases: w0 (d, HIDDEN), b0, w1 (HIDDEN, classes), b1, followed by a softmax."""

    @classmethod
    def train(cls, features: "Floats | StackedRows", labels: Labels, classes: int, seed: int) -> Self:
        """Train on features (N, d) and labels (N,); deterministic for one seed.

        The number of steps is the same for any number of items, so that more data does not mean more training.
        """
        from sklearn.neural_network import MLPClassifier
        from threadpoolctl import threadpool_limits

        model = MLPClassifier(
            (HIDDEN,), batch_size=BATCH, learning_rate_init=_LEARNING_RATE, alpha=1e-3, shuffle=False, random_state=seed
        )
        # The products of a batch are too small for threads: on a busy machine, waiting for each other takes minutes.
        with threadpool_limits(1, "blas"):
            for rows in _batches(len(labels), seed):
                model.partial_fit(features[rows], labels[rows], classes=np.arange(classes))
        (w0, w1), (b0, b1) = model.coefs_, model.intercepts_
        if w1.shape[1] == 1:  # for two classes scikit-learn has one logit, that of the second
            w1, b1 = np.hstack([np.zeros_like(w1), w1]), np.append(np.zeros_like(b1), b1)
        return cls({"w0": w0, "b0": b0, "w1": w1, "b1": b1})

    def correct(self, features: Floats, labels: Labels) -> npt.NDArray[np.bool_]:
        """(N,) whether each item gets its own label."""
        correct: npt.NDArray[np.bool_] = self.logits(features).argmax(axis=1) == labels
        return correct

    def logits(self, features: Floats) -> npt.NDArray[np.float64]:
        """(N, classes) before the softmax."""
        out: npt.NDArray[np.float64] = self.hidden(features).astype(np.float64) @ self.layers["w1"] + self.layers["b1"]
        return out

    def hidden(self, features: Floats) -> Floats:
        """(N, HIDDEN) activations of the hidden layer."""
        activations: Floats = np.maximum(0, features @ self.layers["w0"] + self.layers["b0"])
        return activations.astype(np.float32)


class StackedRows:
    """The rows (N, d) of several arrays as one, without a copy of all of them."""

    def __init__(self, parts: Sequence[Floats]) -> None:
        self._parts = parts
        self._ends = np.cumsum([len(part) for part in parts])

    def __getitem__(self, rows: Labels) -> Floats:
        """(M, d) rows by their numbers (M,)."""
        out = np.empty((len(rows), self._parts[0].shape[1]), self._parts[0].dtype)
        numbers = np.searchsorted(self._ends, rows, "right")
        for number, (part, end) in enumerate(zip(self._parts, self._ends, strict=True)):
            within = numbers == number
            out[within] = part[rows[within] - end + len(part)]
        return out


def softmax(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(N, classes) probabilities of logits (N, classes); scipy.special has the same, but takes long to import."""
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: npt.NDArray[np.float64] = odds / odds.sum(axis=1, keepdims=True)
    return probabilities


def _batches(items: int, seed: int) -> Iterator[Labels]:
    """Row numbers of STEPS batches, a few batches at a time; each pass over the items is shuffled again."""
    rng = rng_for(seed, "classifier")
    order = np.concatenate([rng.permutation(items) for _ in range(-(-STEPS * BATCH // items))])[: STEPS * BATCH]
    yield from np.split(order, STEPS // _STEPS_PER_CALL)
