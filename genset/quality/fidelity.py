"""How near the distribution of made items is to that of real held-out ones, and how much of it they cover."""

from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from genset.interfaces import Evidence, Figure, Floats, Labels, Measured, Metric, Part, SkipError
from genset.quality import intervals
from genset.quality.neighbours import blocks
from genset.seeds import rng_for

Rows = npt.NDArray[np.floating[Any]]  # (N, d)
Some = TypeVar("Some", Floats, Labels)
_MOST = 10_000  # items of each part: all pairs of them are looked at
NEIGHBOURS = 5
_EDGE = 1 - 1e-9  # what lies on the edge of a ball is outside, however the last digits fall
_BLOCK = 1024  # rows of kernels at once
_figure = partial(Figure, group="fidelity", space="space")


class Frechet(Metric):
    """Frechet distance between normal distributions."""

    _own = partial(_figure, source="Heusel et al. 2017, arXiv:1706.08500")
    figures = (
        _own("frechet", "lower", "Frechet distance of made to real held-out items"),
        _own("frechet_floor", "neutral", "the same of real train to real held-out items: the best to hope for"),
        _own("frechet_ratio", "lower", "frechet / frechet_floor: 1 is as near as real data"),
    )

    def compute(self, evidence: Evidence) -> Mapping[str, Measured]:
        parts = equal_parts(evidence)
        values, ranges = _frechets(*parts), intervals.jackknife(parts, _frechets)
        n, best = dict.fromkeys(("train", "test", "made"), len(parts[0])), (values[1], None, 1.0)
        return {
            figure.name: Measured(values[place], n, ranges[place], best[place])
            for place, figure in enumerate(self.figures)
        }


def _frechets(train: Rows, test: Rows, made: Rows) -> tuple[float, float, float]:
    distance, floor = frechet(made, test), frechet(train, test)
    return distance, floor, distance / max(floor, 1e-9)


class KernelDistance(Metric):
    """Squared maximum mean discrepancy, unbiased: good with fewer items than the Frechet distance needs."""

    figures = (
        _figure(
            "kernel_distance",
            "lower",
            "kernel distance of made to real held-out items: about 0 for equal distributions, also with few items",
            low=float("-inf"),
            source="Binkowski et al. 2018, arXiv:1801.01401",
        ),
    )

    def compute(self, evidence: Evidence) -> Mapping[str, Measured]:
        train, test, made = equal_parts(evidence)
        value, half = kernel_distance(test, made)
        n = {"test": len(test), "made": len(made)}
        return {"kernel_distance": Measured(value, n, intervals.around(value, half), kernel_distance(test, train)[0])}


class Manifold(Metric):
    """Which made items lie among real held-out ones, and which of these have a made one nearby; k = 5."""

    _improved = partial(_figure, source="Kynkaanniemi et al. 2019, arXiv:1904.06991", high=1)
    _reliable = partial(_figure, source="Naeem et al. 2020, arXiv:2002.09797")
    figures = (
        _improved("precision", "higher", "share of made items that lie among real held-out ones"),
        _improved("recall", "higher", "share of real held-out items that lie among made ones", group="diversity"),
        _reliable("density", "higher", "how deep made items lie among real held-out ones; real data reach about 1"),
        _reliable(
            "coverage",
            "higher",
            "share of real held-out items with a made one nearby; real data reach about 0.97",
            high=1,
            group="diversity",
        ),
    )

    def compute(self, evidence: Evidence) -> Mapping[str, Measured]:
        train, test, made = equal_parts(evidence)
        if len(test) <= NEIGHBOURS:
            raise SkipError(f"needs more than {NEIGHBOURS} real held-out and made items, has {len(test)}")
        balls, classes = Balls(test), _by_class(evidence)
        best, (values, counts) = _around(balls, test, train)[0], _around(balls, test, made)
        return {
            name: Measured(
                value,
                {"test": len(test), "made": len(made)},
                intervals.of_mean(counts / NEIGHBOURS) if name == "density" else intervals.of_share(value, len(test)),
                best[name],
                {label: row[name] for label, row in classes.items() if name in row},
            )
            for name, value in values.items()
        }


def _by_class(evidence: Evidence) -> dict[str, dict[str, float]]:
    """The figures of each class alone that has enough held-out items, against at most as many made ones."""
    out = {}
    for number, label in enumerate(evidence.classes if len(evidence.classes) > 1 else ()):
        test, made = (_some(part, number, name) for part, name in ((evidence.test, "test"), (evidence.made, "made")))
        if len(test) > NEIGHBOURS:
            made = made[: len(test)]
            out[label] = manifold(test, made) if len(made) else {"recall": 0.0, "coverage": 0.0}
    return out


def _some(part: Part, number: int, name: str) -> Floats:
    rows = part.space[part.labels == number]
    some: Floats = rows[rng_for(0, "fidelity", name, number).permutation(len(rows))[:_MOST]]
    return some


class Balls:
    """Balls around points (N, d), N > k, each as wide as the distance to the k-th nearest other point."""

    def __init__(self, centres: Rows, k: int = NEIGHBOURS) -> None:
        self._centres = centres
        nearest = np.full((len(centres), k + 1), np.inf)  # squared distances; each stands itself at 0
        for rows, _, squared in blocks(centres, centres):
            nearer = np.partition(squared, k, axis=1)[:, : k + 1] if squared.shape[1] > k + 1 else squared
            nearest[rows] = np.partition(np.concatenate([nearest[rows], nearer], axis=1), k, axis=1)[:, : k + 1]
        self._edges = np.maximum(nearest.max(axis=1), 0) * _EDGE

    def hold(self, points: Rows) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """((M,) how many balls hold each point, (N,) whether each ball holds any) of points (M, d)."""
        counts, filled = np.zeros(len(points), np.int64), np.zeros(len(self._centres), np.bool_)
        for rows, columns, squared in blocks(self._centres, points):
            within = squared < self._edges[rows, None]  # (n, m)
            counts[columns] += np.count_nonzero(within, axis=0)
            filled[rows] |= within.any(axis=1)
        return counts, filled


def manifold(real: Rows, made: Rows) -> dict[str, float]:
    """Precision, recall, density and coverage of made (M, d) around real (N, d), N > k; no recall unless M > k."""
    return _around(Balls(real), real, made)[0]


def _around(balls: Balls, real: Rows, made: Rows) -> tuple[dict[str, float], npt.NDArray[np.int64]]:
    """(figures of made items around real ones, (M,) how many balls of real ones hold each)."""
    counts, covered = balls.hold(made)
    recalled = {"recall": float((Balls(made).hold(real)[0] > 0).mean())} if len(made) > NEIGHBOURS else {}
    density, coverage = float(counts.mean() / NEIGHBOURS), float(covered.mean())
    figures = {"precision": float((counts > 0).mean()), **recalled, "density": density, "coverage": coverage}
    return figures, counts


def frechet(a: Rows, b: Rows) -> float:
    """|mean difference|^2 + tr(A + B - 2 (A B)^(1/2)) of features (N, d) and (M, d); 0 for a set and itself."""
    covariances = [np.atleast_2d(np.cov(part.astype(np.float64), rowvar=False)) for part in (a, b)]
    # tr (A B)^(1/2) is the sum of the roots of the eigenvalues of A^(1/2) B A^(1/2), which is symmetric.
    values, vectors = np.linalg.eigh(covariances[0])
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ covariances[1] @ root), 0)).sum()
    means = a.mean(axis=0, dtype=np.float64) - b.mean(axis=0, dtype=np.float64)
    return max(0.0, float(means @ means + np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * shared))


def kernel_distance(a: Rows, b: Rows) -> tuple[float, float]:
    """(value, half of its 95% interval) of the unbiased estimate (equation 4) between as many features (N, d) each.

    The kernel is (xy / d + 1)^3. The interval is that of the mean of what each row adds.
    """
    count = len(a)
    alone = [_kernel_sums(part, part) - _kernel(np.einsum("nd,nd->n", part, part), part) for part in (a, b)]
    across = [_kernel_sums(a, b), _kernel_sums(b, a)]
    value = float(sum(part.sum() for part in alone)) / (count * (count - 1)) - 2 * float(across[0].sum()) / count**2
    of_rows = (alone[0] + alone[1]) / (count - 1) - (across[0] + across[1]) / count  # (N,)
    low, high = intervals.of_mean(of_rows)
    return value, high - low  # twice as wide as that of a mean: each item stands in pairs with all others


def _kernel(products: Rows, like: Rows) -> npt.NDArray[np.float64]:
    out: npt.NDArray[np.float64] = (products.astype(np.float64) / like.shape[1] + 1) ** 3
    return out


def _kernel_sums(a: Rows, b: Rows) -> npt.NDArray[np.float64]:
    """(N,) sum of the kernels of each row of a with all rows of b."""
    left, right = a.astype(np.float64), b.astype(np.float64).T
    parts = [_kernel(left[start : start + _BLOCK] @ right, a).sum(axis=1) for start in range(0, len(a), _BLOCK)]
    return np.concatenate(parts)


def equal_parts(evidence: Evidence) -> tuple[Floats, Floats, Floats]:
    """Equally many train, held-out and made items, drawn by a fixed seed: these figures depend on N."""
    fresh, test, made = evidence.fresh, evidence.test.space, evidence.made.space
    count = most_equal(fresh, test, made)
    train = evidence.train.space[some_of(fresh, count, "train")]
    return train, some_of(test, count, "test"), some_of(made, count, "made")


def most_equal(*parts: Floats | Labels) -> int:
    """How many items can be taken of each of train, held-out and made items. Raises SkipError below two."""
    count = min(_MOST, *map(len, parts))
    if count < 2:
        raise SkipError("needs at least two real train, real held-out and made items")
    return count


def some_of(part: Some, count: int, name: str) -> Some:
    """So many of the items (N, e), or of their rows (N,), drawn by a fixed seed: the same of parts of one length."""
    some: Some = part[rng_for(0, "fidelity", name).permutation(len(part))[:count]]
    return some
