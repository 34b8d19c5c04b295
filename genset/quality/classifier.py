"""The small classifier that judges: one hidden layer on fixed features, trained for a fixed number of steps."""

import numpy as np

from genset.interfaces import Floats, Labels
from genset.seeds import generator

STEPS = 600
BATCH = 64
HIDDEN = 64
_RATE = 2e-3


class Classifier:
    """A multilayer perceptron (scikit-learn's), deterministic for one seed.

    The number of steps is the same for any number of items, so that more data is not more training.
    """

    def __init__(self, features: Floats, labels: Labels, classes: int, seed: int) -> None:
        import sklearn
        from sklearn.neural_network import MLPClassifier

        self._model = MLPClassifier(
            (HIDDEN,), batch_size=BATCH, learning_rate_init=_RATE, alpha=1e-3, random_state=seed
        )
        everything = np.arange(classes)
        # The features are ours: checking each small batch anew would take longer than learning from it.
        with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
            for index in _batches(len(labels), seed):
                self._model.partial_fit(features[index], labels[index], classes=everything)

    def accuracy(self, features: Floats, labels: Labels) -> float:
        """Share of items that get their own label."""
        return float((self._model.predict(features) == labels).mean())

    def hidden(self, features: Floats) -> Floats:
        """(N, HIDDEN) activations of the hidden layer: the space in which this classifier sees items."""
        activations: Floats = np.maximum(0, features @ self._model.coefs_[0] + self._model.intercepts_[0])
        return activations.astype(np.float32)


def _batches(items: int, seed: int) -> list[Labels]:
    """STEPS batches of indices; each pass over the items is shuffled anew."""
    rng = generator(seed, "classifier")
    passes = -(-STEPS * BATCH // items)
    order = np.concatenate([rng.permutation(items) for _ in range(passes)])
    return [order[step * BATCH : (step + 1) * BATCH] for step in range(STEPS)]
