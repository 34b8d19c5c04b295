"""Which labels are probably wrong, by two classifiers that have not seen the item, without training loops.

Out-of-fold probabilities as in confident learning (Northcutt, Jiang and Chuang 2021, arXiv:1911.00068), but ranked by
margin instead of its class thresholds, which miss a fifth of the planted errors here; see docs/experiments.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genset.interfaces import Floats, Labels
from genset.quality.classifier import softmax
from genset.quality.neighbours import Distances, k_nearest
from genset.seeds import rng_for

FOLDS = 5
MIN_CLASS_SIZE = 5  # independent items that a class needs, to be recognised
_MAX_FEATURES = 1024  # random features of the kernel
_RIDGE = 1e-4  # penalty, for each item
_COMPONENTS = 64  # of the space in which neighbours are searched
_SHARPNESS = (0.5, 1, 2, 3, 5, 8, 12, 20, 30)  # factors that may turn scores of the ridge into probabilities
_BLOCK = 4096  # items whose random features are held at once: 16 MB
_SAMPLE = 300  # items whose distances give the width of the kernel
_MIN_PROBABILITY = 1e-3  # so that logarithms and sums to divide by are never 0
Rows = npt.NDArray[np.float64]


@dataclass(frozen=True)
class NeighbourSpace:
    """Items and their nearest neighbours."""

    scaled: Floats  # (N, d) standardised features
    distance: Distances  # (N, K) to the nearest items of other units, ascending
    row: Labels  # (N, K) of the nearest items

    @classmethod
    def from_features(cls, scaled: Floats, units: Labels) -> "NeighbourSpace":
        """Search in standardised features (N, d); items of the same unit (N,) are never each other's neighbours."""
        return cls(scaled, *k_nearest(_principal(scaled), units))


@dataclass(frozen=True)
class LabelScores:
    """How well labels fit, by classifiers that have not seen the item."""

    suggested: Labels  # (N,) the most probable class
    margin: Rows  # (N,) its probability minus that of the item's own label, in [0, 1]
    accuracy: Rows  # (classes,) share of the items of each class that get their own label

    def limits(self, labels: Labels) -> Rows:
        """(N,) the margin from which a label is probably wrong: higher for classes that are recognised less often."""
        out: Rows = np.maximum(0.5, 1.4 - self.accuracy)[labels]
        return out


def label_scores(space: NeighbourSpace, labels: Labels, fold: Labels) -> LabelScores:
    """Score labels (N,); `fold` (N,): items of a fold are left out together, so that no duplicate reveals a label."""
    scores = _ridge(space.scaled, labels, fold)
    probabilities = (_sharpened(scores, labels) + _voted(space, labels, scores.shape[1])) / 2
    suggested = probabilities.argmax(axis=1)
    items = np.arange(len(labels))
    margin = probabilities[items, suggested] - probabilities[items, labels]
    correct = np.bincount(labels, suggested == labels, scores.shape[1])
    return LabelScores(suggested, margin, correct / np.maximum(1, np.bincount(labels, minlength=scores.shape[1])))


def folds(units: Labels) -> Labels:
    """(N,) the fold of each item: units (N,) are never divided, and folds are as equal as that allows."""
    counts = np.bincount(units)
    filled, place = np.zeros(FOLDS, np.int64), np.zeros(len(counts), np.int64)
    order = rng_for(0, "folds").permutation(len(counts))
    for unit in order[np.argsort(-counts[order], kind="stable")]:
        place[unit] = filled.argmin()
        filled[place[unit]] += counts[unit]
    out: Labels = place[units]
    return out


def _principal(scaled: Floats) -> Floats:
    """(N, k) principal components of rows (N, d)."""
    if scaled.shape[1] <= _COMPONENTS:
        return scaled
    _, axes = np.linalg.eigh(scaled.T @ scaled)
    out: Floats = scaled @ axes[:, -_COMPONENTS:]
    return out


def _ridge(scaled: Floats, labels: Labels, fold: Labels) -> Rows:
    """(N, classes) scores of each item by kernel ridge regression on the other folds.

    The Gaussian kernel is approximated by random Fourier features (Rahimi and Recht 2007); its width is the usual
    distance between items. Memory holds one matrix of products for each fold: the features of the items are computed
    twice, block by block.
    """
    fourier = _RandomFourierFeatures.from_sample(scaled)
    targets = np.eye(int(labels.max()) + 1, dtype=np.float32)
    members = [np.flatnonzero(fold == number) for number in range(FOLDS)]
    sums = [fourier.products(scaled, targets, labels, rows) for rows in members]
    squares, products = (sum(both) for both in zip(*sums, strict=True))
    scores = np.zeros((len(labels), len(targets)))
    for rows, (square, product) in zip(members, sums, strict=True):
        penalty = _RIDGE * (len(labels) - len(rows)) * np.eye(len(square))
        weights = np.linalg.solve(squares - square + penalty, products - product)
        for block in _blocks(rows):
            scores[block] = fourier(scaled[block]) @ weights
    return scores


@dataclass(frozen=True)
class _RandomFourierFeatures:
    """Random Fourier features and a constant; as many as items where these are few."""

    directions: Floats  # (d, D)
    shifts: Floats  # (D,)

    @classmethod
    def from_sample(cls, scaled: Floats) -> "_RandomFourierFeatures":
        """The width of the kernel is the median distance between some of the standardised items (N, d)."""
        rng, count = rng_for(0, "waves"), min(_MAX_FEATURES, len(scaled))
        sample = scaled[np.sort(rng.permutation(len(scaled))[:_SAMPLE])]
        squared = np.square(sample[:, None] - sample[None]).sum(axis=2)
        usual = float(np.median(squared[squared > 0])) if (squared > 0).any() else 1.0
        directions = rng.standard_normal((scaled.shape[1], count)).astype(np.float32) * np.float32((2 / usual) ** 0.5)
        return cls(directions, (rng.random(count) * 2 * np.pi).astype(np.float32))

    def __call__(self, scaled: Floats) -> Floats:
        """(N, D + 1) random features of standardised rows (N, d)."""
        waves = np.cos(scaled @ self.directions + self.shifts) * np.float32((2 / len(self.shifts)) ** 0.5)
        return np.hstack([waves, np.ones((len(scaled), 1), np.float32)])

    def products(self, scaled: Floats, targets: Floats, labels: Labels, rows: Labels) -> tuple[Rows, Rows]:
        """Products of the features of some rows: (D + 1, D + 1) with each other, (D + 1, classes) with the targets."""
        size = len(self.shifts) + 1
        square, product = np.zeros((size, size)), np.zeros((size, len(targets)))
        for block in _blocks(rows):
            waves = self(scaled[block])
            square += waves.T @ waves
            product += waves.T @ targets[labels[block]]
        return square, product


def _blocks(rows: Labels) -> Iterator[Labels]:
    for start in range(0, len(rows), _BLOCK):
        yield rows[start : start + _BLOCK]


def _sharpened(scores: Rows, labels: Labels) -> Rows:
    """(N, classes) probabilities: a softmax of scores, as sharp as makes the labels likeliest (Guo et al. 2017)."""
    own = np.arange(len(labels)), labels
    candidates = (softmax(sharpness * scores) for sharpness in _SHARPNESS)
    return max(candidates, key=lambda rows: float(np.log(rows[own] + _MIN_PROBABILITY).mean()))


def _voted(space: NeighbourSpace, labels: Labels, classes: int) -> Rows:
    """(N, classes) shares of the neighbours' votes, weighted by the inverse of their distance."""
    weights = np.where(np.isfinite(space.distance), 1 / (space.distance + 1e-6), 0)
    out = np.full((len(labels), classes), _MIN_PROBABILITY)
    np.add.at(
        out,
        (np.arange(len(labels))[:, None], labels[space.row]),
        weights / (weights.sum(axis=1, keepdims=True) + 1e-12),
    )
    shares: Rows = out / out.sum(axis=1, keepdims=True)
    return shares
