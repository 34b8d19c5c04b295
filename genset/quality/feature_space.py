"""In what features are compared: units for each of them, and the space in which distributions are told apart."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from genset.interfaces import Floats, Labels
from genset.memory import fill_arrays
from genset.quality.classifier import Classifier
from genset.seeds import rng_for

COMPONENTS = 32  # principal components that a space has
_COLUMNS = 32  # whose spread is taken at once, as it takes a copy of them
_ROWS = 8192  # that are made points at once, for the same reason
_LEAST_UNIT = 0.2  # of the root mean square of all deviations
_TINY = np.float32(1e-6)  # below any spread: what never varies is divided by it
Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Scale:
    """Centre and unit of each feature."""

    mean: npt.NDArray[Any]  # (d,)
    unit: npt.NDArray[Any]  # (d,)

    @classmethod
    def of(cls, features: Floats, *, shared: bool = False) -> Self:
        """The mean and the spread of features (N, d), N > 0; `shared`: one unit for all, as they are in one already.

        Of a feature that hardly varies, such as a corner that is nearly always black, the spread is next to nothing,
        and one item that differs there would count for more than all others: no unit is below a share of the usual one.
        """
        some = range(0, features.shape[1], _COLUMNS)
        deviation = np.concatenate([features[:, start : start + _COLUMNS].std(axis=0) for start in some])
        mean = features.mean(axis=0)
        usual = np.sqrt(np.square(deviation).mean())
        return cls(
            mean, (np.full_like(deviation, usual) if shared else np.maximum(deviation, _LEAST_UNIT * usual)) + _TINY
        )

    def __call__(self, features: Floats) -> Floats:
        """Features (N, d) in these units."""
        return self.within(features.copy())

    def within(self, features: Floats) -> Floats:
        """Bring features (N, d) to these units where they stand; the same array."""
        features -= self.mean
        features /= self.unit
        return features


def unseen(items: int) -> Labels:
    """The rows of so many real train items that a space is not learned on: what was learned by heart is seen as what it
    is not, and a floor taken from it would be too kind to made items."""
    return np.sort(rng_for(0, "spaces").permutation(items)[max(1, items // 2) :])


@dataclass(frozen=True)
class Embedding:
    """Features as points (N, e): what tells classes apart beside what varies most, both of the same weight."""

    classifier: Classifier | None  # whose hidden layer is one half; none where there are no two classes
    axes: npt.NDArray[Any]  # (d, COMPONENTS) principal ones
    sizes: npt.NDArray[Any]  # of the halves: root mean squared distance to the mean

    @classmethod
    def learned(cls, scaled: Floats, labels: Labels, classes: int) -> Self:
        """Learn from half of the scaled features (N, d) of real train items with labels (N,)."""
        rows = np.setdiff1d(np.arange(len(labels)), unseen(len(labels)))
        some, own = scaled[rows], labels[rows]
        classifier = Classifier.trained(some, own, classes, 0) if len(set(own.tolist())) > 1 else None
        _, vectors = np.linalg.eigh(_products(some))
        plain = cls(classifier, vectors[:, ::-1][:, :COMPONENTS].astype(np.float32), np.ones(2, np.float32))
        sizes = [
            float(np.sqrt(half.var(axis=0).sum())) for half in fill_arrays(len(some), map(plain._halves, _parts(some)))
        ]
        return cls(classifier, plain.axes, np.array(sizes, np.float32) + _TINY)

    @classmethod
    def of(cls, arrays: Arrays) -> Self:
        """As `arrays` gave it."""
        layers = {name: array for name, array in arrays.items() if name not in ("axes", "sizes")}
        return cls(Classifier(layers) if layers else None, arrays["axes"], arrays["sizes"])

    @property
    def arrays(self) -> Arrays:
        """All that it is, to be kept."""
        return {"axes": self.axes, "sizes": self.sizes, **(self.classifier.layers if self.classifier else {})}

    def __call__(self, scaled: Floats) -> Floats:
        """(N, e) points of scaled features (N, d)."""
        (points,) = fill_arrays(len(scaled), ([self._points(part)] for part in _parts(scaled)))
        return points

    def _points(self, scaled: Floats) -> Floats:
        halves = [half / size for half, size in zip(self._halves(scaled), self.sizes, strict=False)]
        points: Floats = np.hstack(halves).astype(np.float32)
        return points

    def _halves(self, scaled: Floats) -> list[Floats]:
        return [scaled @ self.axes, *([self.classifier.hidden(scaled)] if self.classifier else [])]

    def named(self, items: int) -> str:
        """What it is, in words; `items` real train items were there to learn from."""
        learned = f"half of {items} real train items"
        values = self.axes.shape[1]
        if self.classifier is None:
            return f"principal components of {learned}: {values} values"
        values += self.classifier.layers["b0"].shape[0]
        return f"hidden layer of a classifier trained on {learned}, and principal components of these: {values} values"


def _products(rows: Floats) -> npt.NDArray[np.float64]:
    """(d, d) the products of centred rows (N, d) in double precision, without a copy of all of them."""
    mean, total = rows.mean(axis=0), np.zeros((rows.shape[1], rows.shape[1]))
    for part in _parts(rows):
        centred = (part - mean).astype(np.float64)
        total += centred.T @ centred
    return total


def _parts(rows: Floats) -> Iterator[Floats]:
    """Rows (N, d) some at once; of none, none once."""
    return (rows[start : start + _ROWS] for start in range(0, max(1, len(rows)), _ROWS))
