"""How features are compared: the unit of each feature, and the space in which distributions are compared."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from genset.interfaces import Floats, Labels
from genset.memory import fill_arrays
from genset.quality.classifier import Classifier
from genset.seeds import rng_for

COMPONENTS = 32  # principal components of a space
_COLUMNS = 32  # columns whose deviation is computed at once, as it takes a copy of them
_ROWS = 8192  # rows embedded at once, for the same reason
_MIN_UNIT = 0.2  # relative to the root mean square of all deviations
_TINY = np.float32(1e-6)  # below any deviation: constant features are divided by it
Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Scale:
    """Centre and unit of each feature."""

    mean: npt.NDArray[Any]  # (d,)
    unit: npt.NDArray[Any]  # (d,)

    @classmethod
    def from_features(cls, features: Floats, *, shared: bool = False) -> Self:
        """Mean and standard deviation of features (N, d), N > 0; `shared`: one unit for all features.

        A feature that hardly varies, such as a corner that is nearly always black, has a tiny deviation, so that one
        item with another value there would outweigh all others: no unit is below a share of the usual one.
        """
        starts = range(0, features.shape[1], _COLUMNS)
        deviation = np.concatenate([features[:, start : start + _COLUMNS].std(axis=0) for start in starts])
        mean = features.mean(axis=0)
        usual = np.sqrt(np.square(deviation).mean())
        unit = np.full_like(deviation, usual) if shared else np.maximum(deviation, _MIN_UNIT * usual)
        return cls(mean, unit + _TINY)

    def __call__(self, features: Floats) -> Floats:
        """A standardised copy of features (N, d)."""
        return self.apply_in_place(features.copy())

    def apply_in_place(self, features: Floats) -> Floats:
        """Standardise features (N, d), overwriting the array, and return it."""
        features -= self.mean
        features /= self.unit
        return features


def unseen_rows(items: int) -> Labels:
    """The rows of so many real training items that a space is not learned on.

    A space separates memorised items from new ones: a floor measured with them would be too lenient towards synthetic
    items.
    """
    return np.sort(rng_for(0, "spaces").permutation(items)[max(1, items // 2) :])


@dataclass(frozen=True)
class Embedding:
    """Maps features to points (N, e): a classifier's hidden layer and principal components, with equal weight."""

    classifier: Classifier | None  # its hidden layer is one half; None where there are fewer than two classes
    axes: npt.NDArray[Any]  # (d, COMPONENTS) principal axes
    sizes: npt.NDArray[Any]  # (2,) of the halves: root mean squared distance to the mean

    @classmethod
    def learn(cls, scaled: Floats, labels: Labels, classes: int) -> Self:
        """Learn from half of the standardised features (N, d) of real training items with labels (N,)."""
        rows = np.setdiff1d(np.arange(len(labels)), unseen_rows(len(labels)))
        seen, seen_labels = scaled[rows], labels[rows]
        several = len(set(seen_labels.tolist())) > 1
        classifier = Classifier.train(seen, seen_labels, classes, 0) if several else None
        _, vectors = np.linalg.eigh(_products(seen))
        plain = cls(classifier, vectors[:, ::-1][:, :COMPONENTS].astype(np.float32), np.ones(2, np.float32))
        sizes = [
            float(np.sqrt(half.var(axis=0).sum())) for half in fill_arrays(len(seen), map(plain._halves, _blocks(seen)))
        ]
        return cls(classifier, plain.axes, np.array(sizes, np.float32) + _TINY)

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The embedding that `arrays` describes."""
        layers = {name: array for name, array in arrays.items() if name not in ("axes", "sizes")}
        return cls(Classifier(layers) if layers else None, arrays["axes"], arrays["sizes"])

    @property
    def arrays(self) -> Arrays:
        """Its complete state, for `from_arrays`."""
        return {"axes": self.axes, "sizes": self.sizes, **(self.classifier.layers if self.classifier else {})}

    def __call__(self, scaled: Floats) -> Floats:
        """(N, e) points of standardised features (N, d)."""
        (points,) = fill_arrays(len(scaled), ([self._points(part)] for part in _blocks(scaled)))
        return points

    def _points(self, scaled: Floats) -> Floats:
        halves = [half / size for half, size in zip(self._halves(scaled), self.sizes, strict=False)]
        points: Floats = np.hstack(halves).astype(np.float32)
        return points

    def _halves(self, scaled: Floats) -> list[Floats]:
        return [scaled @ self.axes, *([self.classifier.hidden(scaled)] if self.classifier else [])]

    def description(self, items: int) -> str:
        """A description in words, where half of `items` real training items were learned from."""
        learned = f"half of {items} real training items"
        components = self.axes.shape[1]
        if self.classifier is None:
            return f"{components} principal components, learned from {learned}"
        outputs = self.classifier.layers["b0"].shape[0]
        return (
            f"{outputs + components} values: {outputs} from the hidden layer of a classifier and {components} "
            f"principal components, both learned from {learned}"
        )


def _products(rows: Floats) -> npt.NDArray[np.float64]:
    """(d, d) products of centred rows (N, d) in double precision, without a copy of all rows."""
    mean, total = rows.mean(axis=0), np.zeros((rows.shape[1], rows.shape[1]))
    for part in _blocks(rows):
        centred = (part - mean).astype(np.float64)
        total += centred.T @ centred
    return total


def _blocks(rows: Floats) -> Iterator[Floats]:
    """Rows (N, d) in blocks; one empty block where there are none."""
    return (rows[start : start + _ROWS] for start in range(0, max(1, len(rows)), _ROWS))
