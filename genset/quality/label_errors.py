"""Which labels are probably wrong: what two classifiers that have not seen an item say of it, without training loops.

Out-of-fold probabilities as in confident learning (Northcutt, Jiang and Chuang 2021, arXiv:1911.00068), but ranked by
margin instead of its class thresholds, which lose a fifth of planted errors here; see docs/experiments.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genset.interfaces import Floats, Labels
from genset.quality.neighbours import Distances, nearest_few
from genset.seeds import rng_for

FOLDS = 5
FEWEST = 5  # independent items that a class needs to be told from others
_WAVES = 1024  # random features of the kernel at most
_RIDGE = 1e-4  # of the penalty, for each item
_COMPONENTS = 64  # of the space in which neighbours are looked for
_SHARPNESS = (0.5, 1, 2, 3, 5, 8, 12, 20, 30)  # that scores of the ridge may need to be probabilities
_AT_ONCE = 4096  # items whose random features are held at once: 16 MB
_SAMPLE = 300  # items whose distances say how wide the kernel is
_RATIONAL = 1e-3  # that a probability never is less than, so that a sum of them can be divided by
Rows = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Space:
    """Items in the space in which they are compared."""

    scaled: Floats  # (N, d) features in units of their spread
    distance: Distances  # (N, K) to the nearest items of other units, nearest first
    row: Labels  # (N, K) of these

    @classmethod
    def of(cls, scaled: Floats, units: Labels) -> "Space":
        """Of scaled features (N, d); items of one of `units` (N,) are never each other's neighbours."""
        return cls(scaled, *nearest_few(_principal(scaled), units))


@dataclass(frozen=True)
class Opinion:
    """What classifiers that have not seen an item say of its label."""

    suggested: Labels  # (N,) the most probable class
    margin: Rows  # (N,) by how much that is more probable than the item's own label, in [0, 1]
    accuracy: Rows  # (classes,) share of the items of a class that are given their own label

    def limits(self, labels: Labels) -> Rows:
        """(N,) the margin from which on a label is probably wrong: the surer, the less its class is recognised."""
        out: Rows = np.maximum(0.5, 1.4 - self.accuracy)[labels]
        return out


def opinion(space: Space, labels: Labels, fold: Labels) -> Opinion:
    """Ask of labels (N,); `fold` (N,) says which items are left out together, so that no twin tells a label."""
    scores = _ridge(space.scaled, labels, fold)
    probabilities = (_sharpened(scores, labels) + _voted(space, labels, scores.shape[1])) / 2
    suggested = probabilities.argmax(axis=1)
    everyone = np.arange(len(labels))
    margin = probabilities[everyone, suggested] - probabilities[everyone, labels]
    right = np.bincount(labels, suggested == labels, scores.shape[1])
    return Opinion(suggested, margin, right / np.maximum(1, np.bincount(labels, minlength=scores.shape[1])))


def folds(units: Labels) -> Labels:
    """(N,) a fold for each item: units (N,) stay whole, and folds are as equal as that allows."""
    counts = np.bincount(units)
    filled, place = np.zeros(FOLDS, np.int64), np.zeros(len(counts), np.int64)
    order = rng_for(0, "folds").permutation(len(counts))
    for unit in order[np.argsort(-counts[order], kind="stable")]:
        place[unit] = filled.argmin()
        filled[place[unit]] += counts[unit]
    out: Labels = place[units]
    return out


def _principal(scaled: Floats) -> Floats:
    """(N, k) the principal components of rows (N, d)."""
    if scaled.shape[1] <= _COMPONENTS:
        return scaled
    _, axes = np.linalg.eigh(scaled.T @ scaled)
    out: Floats = scaled @ axes[:, -_COMPONENTS:]
    return out


def _ridge(scaled: Floats, labels: Labels, fold: Labels) -> Rows:
    """(N, classes) scores of each item by kernel ridge regression on the other folds.

    The Gaussian kernel stands as random Fourier features (Rahimi and Recht 2007), as wide as items usually lie apart:
    one matrix of products for each fold is all that is kept of the items; their waves are reckoned twice, some at once.
    """
    waves = _Waves.of(scaled)
    classes = np.eye(int(labels.max()) + 1, dtype=np.float32)
    parts = [np.flatnonzero(fold == number) for number in range(FOLDS)]
    sums = [waves.products(scaled, classes, labels, part) for part in parts]
    squares, products = (sum(both) for both in zip(*sums, strict=True))
    out = np.zeros((len(labels), len(classes)))
    for part, (square, product) in zip(parts, sums, strict=True):
        penalty = _RIDGE * (len(labels) - len(part)) * np.eye(len(square))
        weights = np.linalg.solve(squares - square + penalty, products - product)
        for some in _in_blocks(part):
            out[some] = waves(scaled[some]) @ weights
    return out


@dataclass(frozen=True)
class _Waves:
    """Random Fourier features, as many as items where these are few, and a constant."""

    directions: Floats  # (d, D)
    shifts: Floats  # (D,)

    @classmethod
    def of(cls, scaled: Floats) -> "_Waves":
        """As wide as scaled items (N, d) usually lie apart."""
        rng, count = rng_for(0, "waves"), min(_WAVES, len(scaled))
        some = scaled[np.sort(rng.permutation(len(scaled))[:_SAMPLE])]
        apart = np.square(some[:, None] - some[None]).sum(axis=2)
        usual = float(np.median(apart[apart > 0])) if (apart > 0).any() else 1.0
        directions = rng.standard_normal((scaled.shape[1], count)).astype(np.float32) * np.float32((2 / usual) ** 0.5)
        return cls(directions, (rng.random(count) * 2 * np.pi).astype(np.float32))

    def __call__(self, scaled: Floats) -> Floats:
        """(N, D + 1) features of scaled rows (N, d)."""
        waves = np.cos(scaled @ self.directions + self.shifts) * np.float32((2 / len(self.shifts)) ** 0.5)
        return np.hstack([waves, np.ones((len(scaled), 1), np.float32)])

    def products(self, scaled: Floats, classes: Floats, labels: Labels, rows: Labels) -> tuple[Rows, Rows]:
        """Of the features of some rows: (D + 1, D + 1) with each other, (D + 1, classes) with what they should say."""
        size = len(self.shifts) + 1
        square, product = np.zeros((size, size)), np.zeros((size, len(classes)))
        for some in _in_blocks(rows):
            waves = self(scaled[some])
            square += waves.T @ waves
            product += waves.T @ classes[labels[some]]
        return square, product


def _in_blocks(rows: Labels) -> Iterator[Labels]:
    """Rows, some at once."""
    for start in range(0, len(rows), _AT_ONCE):
        yield rows[start : start + _AT_ONCE]


def _sharpened(scores: Rows, labels: Labels) -> Rows:
    """(N, classes) probabilities of scores: a softmax, as sharp as makes the labels likeliest (Guo et al. 2017)."""
    own = np.arange(len(labels)), labels
    softer = (_softmax(sharpness * scores) for sharpness in _SHARPNESS)
    return max(softer, key=lambda found: float(np.log(found[own] + _RATIONAL).mean()))


def _softmax(scores: Rows) -> Rows:
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    out: Rows = odds / odds.sum(axis=1, keepdims=True)
    return out


def _voted(space: Space, labels: Labels, classes: int) -> Rows:
    """(N, classes) shares of the neighbours' votes, each with the weight of its nearness."""
    weights = np.where(np.isfinite(space.distance), 1 / (space.distance + 1e-6), 0)
    out = np.full((len(labels), classes), _RATIONAL)
    np.add.at(
        out,
        (np.arange(len(labels))[:, None], labels[space.row]),
        weights / (weights.sum(axis=1, keepdims=True) + 1e-12),
    )
    shares: Rows = out / out.sum(axis=1, keepdims=True)
    return shares
