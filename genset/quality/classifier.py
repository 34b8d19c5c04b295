"""The small classifier that judges: one hidden layer on fixed features, trained for a fixed number of steps."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from genset.interfaces import Floats, Labels
from genset.seeds import generator

STEPS = 600
BATCH = 64
HIDDEN = 64
_STEPS_AT_ONCE = 50  # a call of scikit-learn for each step would take longer than the step
_RATE = 2e-3


class Classifier:
    """A multilayer perceptron (scikit-learn's), deterministic for one seed.

    The number of steps is the same for any number of items, so that more data is not more training.
    """

    def __init__(self, features: Floats, labels: Labels, classes: int, seed: int) -> None:
        from sklearn.neural_network import MLPClassifier

        self._model = MLPClassifier(
            (HIDDEN,), batch_size=BATCH, learning_rate_init=_RATE, alpha=1e-3, shuffle=False, random_state=seed
        )
        everything = np.arange(classes)
        for rows in _rounds(len(labels), seed):
            self._model.partial_fit(features[rows], labels[rows], classes=everything)

    def right(self, features: Floats, labels: Labels) -> npt.NDArray[np.bool_]:
        """(N,) whether each item gets its own label."""
        right: npt.NDArray[np.bool_] = self._model.predict(features) == labels
        return right

    def layers(self) -> dict[str, npt.NDArray[np.float64]]:
        """Weights and biases: w0 (d, HIDDEN), b0, w1 (HIDDEN, classes), b1, for a softmax at the end."""
        (w0, w1), (b0, b1) = self._model.coefs_, self._model.intercepts_
        if w1.shape[1] == 1:  # two classes: scikit-learn has one logit, of the second class
            w1, b1 = np.hstack([np.zeros_like(w1), w1]), np.append(np.zeros_like(b1), b1)
        return {"w0": w0, "b0": b0, "w1": w1, "b1": b1}

    def hidden(self, features: Floats) -> Floats:
        """(N, HIDDEN) activations of the hidden layer: the space in which this classifier sees items."""
        activations: Floats = np.maximum(0, features @ self._model.coefs_[0] + self._model.intercepts_[0])
        return activations.astype(np.float32)


def _rounds(items: int, seed: int) -> Iterator[Labels]:
    """Row numbers for STEPS batches, a few batches at a time; each pass over the items is shuffled anew."""
    rng = generator(seed, "classifier")
    order = np.concatenate([rng.permutation(items) for _ in range(-(-STEPS * BATCH // items))])[: STEPS * BATCH]
    yield from np.split(order, STEPS // _STEPS_AT_ONCE)
