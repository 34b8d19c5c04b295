"""How close the distribution of synthetic items is to that of real held-out items, and how much of it they cover."""

from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from genset.interfaces import (
    FeatureSet,
    Floats,
    Labels,
    Metric,
    MetricInfo,
    MetricInputs,
    MetricSkippedError,
    MetricValue,
)
from genset.quality import intervals
from genset.quality.neighbours import blocks
from genset.seeds import rng_for

Rows = npt.NDArray[np.floating[Any]]  # (N, d)
Sampled = TypeVar("Sampled", Floats, Labels)
_MAX_ITEMS = 10_000  # of each set, as all pairs of them are compared
NEIGHBOURS = 5
_EDGE = 1 - 1e-9  # points on the edge of a ball count as outside, whatever the rounding
_BLOCK = 1024  # rows of kernels computed at once
_figure = partial(MetricInfo, group="fidelity", space="space")


class Frechet(Metric):
    """Frechet distance between normal distributions fitted to the items."""

    _own = partial(_figure, source="Heusel et al. 2017, arXiv:1706.08500")
    figures = (
        _own("frechet", "lower", "Frechet distance between synthetic and real held-out items"),
        _own(
            "frechet_floor",
            "neutral",
            "Frechet distance between real training and real held-out items: the value that real items reach",
        ),
        _own(
            "frechet_ratio",
            "lower",
            "frechet divided by frechet_floor; at 1, synthetic items are as close to held-out items as real ones are",
        ),
    )

    def compute(self, inputs: MetricInputs) -> Mapping[str, MetricValue]:
        samples = equal_samples(inputs)
        values, ranges = _frechets(*samples), intervals.jackknife(samples, _frechets)
        n, best = dict.fromkeys(("train", "test", "made"), len(samples[0])), (values[1], None, 1.0)
        return {
            figure.name: MetricValue(values[place], n, ranges[place], best[place])
            for place, figure in enumerate(self.figures)
        }


def _frechets(train: Rows, test: Rows, synthetic: Rows) -> tuple[float, float, float]:
    distance, floor = frechet(synthetic, test), frechet(train, test)
    return distance, floor, distance / max(floor, 1e-9)


class KernelDistance(Metric):
    """Squared maximum mean discrepancy, unbiased: reliable with fewer items than the Frechet distance needs."""

    figures = (
        _figure(
            "kernel_distance",
            "lower",
            "kernel distance between synthetic and real held-out items: about 0 if both are alike, even with few items",
            low=float("-inf"),
            source="Binkowski et al. 2018, arXiv:1801.01401",
        ),
    )

    def compute(self, inputs: MetricInputs) -> Mapping[str, MetricValue]:
        train, test, synthetic = equal_samples(inputs)
        value, half = kernel_distance(test, synthetic)
        n = {"test": len(test), "made": len(synthetic)}
        return {
            "kernel_distance": MetricValue(value, n, intervals.around(value, half), kernel_distance(test, train)[0])
        }


class Manifold(Metric):
    """Which synthetic items are near real held-out items, and which of these have a synthetic item nearby; k = 5."""

    _improved = partial(_figure, source="Kynkaanniemi et al. 2019, arXiv:1904.06991", high=1)
    _reliable = partial(_figure, source="Naeem et al. 2020, arXiv:2002.09797")
    figures = (
        _improved("precision", "higher", "share of synthetic items inside the region of real held-out items"),
        _improved(
            "recall", "higher", "share of real held-out items inside the region of synthetic items", group="diversity"
        ),
        _reliable(
            "density",
            "higher",
            "how close synthetic items are to dense regions of real held-out items "
            "(1 is expected for equal distributions)",
        ),
        _reliable(
            "coverage",
            "higher",
            "share of real held-out items with a synthetic item nearby (0.97 is expected for equal distributions)",
            high=1,
            group="diversity",
        ),
    )

    def compute(self, inputs: MetricInputs) -> Mapping[str, MetricValue]:
        train, test, synthetic = equal_samples(inputs)
        if len(test) <= NEIGHBOURS:
            raise MetricSkippedError(f"needs more than {NEIGHBOURS} real held-out and synthetic items, has {len(test)}")
        balls, classes = KNearestBalls(test), _by_class(inputs)
        best, (values, counts) = _around(balls, test, train)[0], _around(balls, test, synthetic)
        return {
            name: MetricValue(
                value,
                {"test": len(test), "made": len(synthetic)},
                intervals.of_mean(counts / NEIGHBOURS) if name == "density" else intervals.of_share(value, len(test)),
                best[name],
                {label: row[name] for label, row in classes.items() if name in row},
            )
            for name, value in values.items()
        }


def _by_class(inputs: MetricInputs) -> dict[str, dict[str, float]]:
    """The figures of each class that has enough held-out items, compared with at most as many synthetic items."""
    out = {}
    for number, label in enumerate(inputs.classes if len(inputs.classes) > 1 else ()):
        test = _class_sample(inputs.test, number, "test")
        if len(test) > NEIGHBOURS:
            synthetic = _class_sample(inputs.synthetic, number, "made")[: len(test)]
            out[label] = manifold(test, synthetic) if len(synthetic) else {"recall": 0.0, "coverage": 0.0}
    return out


def _class_sample(items: FeatureSet, number: int, name: str) -> Floats:
    rows = items.space[items.labels == number]
    sampled: Floats = rows[rng_for(0, "fidelity", name, number).permutation(len(rows))[:_MAX_ITEMS]]
    return sampled


class KNearestBalls:
    """Balls around points (N, d), N > k, each with the distance to the k-th nearest other point as its radius."""

    def __init__(self, centres: Rows, k: int = NEIGHBOURS) -> None:
        self._centres = centres
        nearest = np.full((len(centres), k + 1), np.inf)  # squared distances, including 0 to the point itself
        for rows, _, squared in blocks(centres, centres):
            nearer = np.partition(squared, k, axis=1)[:, : k + 1] if squared.shape[1] > k + 1 else squared
            nearest[rows] = np.partition(np.concatenate([nearest[rows], nearer], axis=1), k, axis=1)[:, : k + 1]
        self._edges = np.maximum(nearest.max(axis=1), 0) * _EDGE

    def containing(self, points: Rows) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """((M,) number of balls that contain each point, (N,) whether each ball contains any) for points (M, d)."""
        counts, occupied = np.zeros(len(points), np.int64), np.zeros(len(self._centres), np.bool_)
        for rows, columns, squared in blocks(self._centres, points):
            within = squared < self._edges[rows, None]  # (n, m)
            counts[columns] += np.count_nonzero(within, axis=0)
            occupied[rows] |= within.any(axis=1)
        return counts, occupied


def manifold(real: Rows, synthetic: Rows) -> dict[str, float]:
    """Precision, recall, density and coverage of synthetic rows (M, d) around real rows (N, d), N > k.

    Recall is left out unless M > k.
    """
    return _around(KNearestBalls(real), real, synthetic)[0]


def _around(balls: KNearestBalls, real: Rows, synthetic: Rows) -> tuple[dict[str, float], npt.NDArray[np.int64]]:
    """(figures of synthetic rows around real ones, (M,) number of balls of real rows that contain each)."""
    counts, covered = balls.containing(synthetic)
    figures = {"precision": float((counts > 0).mean())}
    if len(synthetic) > NEIGHBOURS:
        figures["recall"] = float((KNearestBalls(synthetic).containing(real)[0] > 0).mean())
    return figures | {"density": float(counts.mean() / NEIGHBOURS), "coverage": float(covered.mean())}, counts


def frechet(a: Rows, b: Rows) -> float:
    """|mean difference|^2 + tr(A + B - 2 (A B)^(1/2)) of features (N, d) and (M, d); 0 for equal sets."""
    covariances = [np.atleast_2d(np.cov(rows.astype(np.float64), rowvar=False)) for rows in (a, b)]
    # tr (A B)^(1/2) is the sum of the roots of the eigenvalues of A^(1/2) B A^(1/2), which is symmetric.
    values, vectors = np.linalg.eigh(covariances[0])
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ covariances[1] @ root), 0)).sum()
    means = a.mean(axis=0, dtype=np.float64) - b.mean(axis=0, dtype=np.float64)
    return max(0.0, float(means @ means + np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * shared))


def kernel_distance(a: Rows, b: Rows) -> tuple[float, float]:
    """(value, half of its 95% interval) of the unbiased estimate (equation 4) between as many features (N, d) each.

    The kernel is (xy / d + 1)^3. The interval is that of the mean of the contributions of the rows.
    """
    count = len(a)
    alone = [_kernel_sums(rows, rows) - _kernel(np.einsum("nd,nd->n", rows, rows), rows) for rows in (a, b)]
    across = [_kernel_sums(a, b), _kernel_sums(b, a)]
    value = float(sum(sums.sum() for sums in alone)) / (count * (count - 1)) - 2 * float(across[0].sum()) / count**2
    contributions = (alone[0] + alone[1]) / (count - 1) - (across[0] + across[1]) / count  # (N,)
    low, high = intervals.of_mean(contributions)
    return value, high - low  # twice as wide as that of a mean: each item is paired with all others


def _kernel(products: Rows, like: Rows) -> npt.NDArray[np.float64]:
    out: npt.NDArray[np.float64] = (products.astype(np.float64) / like.shape[1] + 1) ** 3
    return out


def _kernel_sums(a: Rows, b: Rows) -> npt.NDArray[np.float64]:
    """(N,) sum of the kernels of each row of a with all rows of b."""
    left, right = a.astype(np.float64), b.astype(np.float64).T
    sums = [_kernel(left[start : start + _BLOCK] @ right, a).sum(axis=1) for start in range(0, len(a), _BLOCK)]
    return np.concatenate(sums)


def equal_samples(inputs: MetricInputs) -> tuple[Floats, Floats, Floats]:
    """Equally many training, held-out and synthetic items, sampled by a fixed seed: these figures depend on N."""
    unseen, test, synthetic = inputs.unseen, inputs.test.space, inputs.synthetic.space
    count = common_size(unseen, test, synthetic)
    train = inputs.train.space[sample(unseen, count, "train")]
    return train, sample(test, count, "test"), sample(synthetic, count, "made")


def common_size(*sets: Floats | Labels) -> int:
    """How many items can be sampled from each set. Raises MetricSkippedError below two."""
    count = min(_MAX_ITEMS, *map(len, sets))
    if count < 2:
        raise MetricSkippedError("needs at least two real training, real held-out and synthetic items")
    return count


def sample(rows: Sampled, count: int, name: str) -> Sampled:
    """`count` of the items (N, e) or row numbers (N,), by a fixed seed: the same places in arrays of one length."""
    sampled: Sampled = rows[rng_for(0, "fidelity", name).permutation(len(rows))[:count]]
    return sampled
