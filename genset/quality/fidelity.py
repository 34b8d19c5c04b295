"""How near the distribution of made items is to that of real held-out ones, and how much of it they cover."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from genset.interfaces import Evidence, Figure, Floats, Metric, Part, SkipError
from genset.seeds import generator

Rows = npt.NDArray[np.floating[Any]]  # (N, d)
_MOST = 2000  # items of each part: distances between all pairs are held at once
NEIGHBOURS = 5


class Frechet(Metric):
    """Frechet distance between normal distributions (Heusel et al. 2017, arXiv:1706.08500)."""

    figures = (
        Figure("frechet", "lower", "Frechet distance of made to real held-out items"),
        Figure("frechet_floor", "neutral", "the same of real train to real held-out items: the best to hope for"),
        Figure("frechet_ratio", "lower", "frechet / frechet_floor: 1 is as near as real data"),
    )

    def compute(self, evidence: Evidence) -> Mapping[str, float]:
        train, test, made = equal_parts(evidence.train, evidence.test, evidence.made)
        floor, distance = frechet(train, test), frechet(made, test)
        return {"frechet": distance, "frechet_floor": floor, "frechet_ratio": distance / max(floor, 1e-9)}


class DensityCoverage(Metric):
    """Density and coverage with k = 5 (Naeem et al. 2020, arXiv:2002.09797)."""

    figures = (
        Figure("density", "higher", "how deep made items lie among real held-out ones; real data reach about 1"),
        Figure(
            "coverage",
            "higher",
            "share of real held-out items with a made one nearby; real data reach about 0.97",
            high=1,
        ),
    )

    def compute(self, evidence: Evidence) -> Mapping[str, float]:
        _, test, made = equal_parts(evidence.train, evidence.test, evidence.made)
        if len(test) <= NEIGHBOURS:
            raise SkipError(f"needs more than {NEIGHBOURS} real held-out and made items, has {len(test)}")
        density, coverage = density_coverage(test, made)
        return {"density": density, "coverage": coverage}


def frechet(a: Rows, b: Rows) -> float:
    """|mean difference|^2 + tr(A + B - 2 (A B)^(1/2)) of features (N, d) and (M, d); 0 for a set and itself."""
    covariances = [np.atleast_2d(np.cov(part.astype(np.float64), rowvar=False)) for part in (a, b)]
    # tr (A B)^(1/2) is the sum of the roots of the eigenvalues of A^(1/2) B A^(1/2), which is symmetric.
    values, vectors = np.linalg.eigh(covariances[0])
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ covariances[1] @ root), 0)).sum()
    means = a.mean(axis=0, dtype=np.float64) - b.mean(axis=0, dtype=np.float64)
    return max(0.0, float(means @ means + np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * shared))


def density_coverage(real: Rows, made: Rows, k: int = NEIGHBOURS) -> tuple[float, float]:
    """(density, coverage) of made (M, d) around real (N, d), N > k."""
    return density_coverage_within(real, radii(real, k), made, k)


def radii(real: Rows, k: int = NEIGHBOURS) -> npt.NDArray[np.float64]:
    """(N,) distance of each row to its k-th nearest other."""
    out: npt.NDArray[np.float64] = np.partition(_distances(real, real), k, axis=1)[:, k]  # it stands itself at 0
    return out


def density_coverage_within(
    real: Rows, radius: npt.NDArray[np.float64], made: Rows, k: int = NEIGHBOURS
) -> tuple[float, float]:
    """(density, coverage) of made (M, d) around real (N, d), whose radii are known."""
    inside = _distances(real, made) < radius[:, None]  # (N, M)
    return float(inside.sum(axis=0).mean() / k), float(inside.any(axis=1).mean())


def _distances(a: Rows, b: Rows) -> npt.NDArray[np.float64]:
    from scipy.spatial.distance import cdist

    distances: npt.NDArray[np.float64] = cdist(a, b)
    return distances


def equal_parts(train: Part, test: Part, made: Part) -> tuple[Floats, Floats, Floats]:
    """The three with equally many items, drawn by a fixed seed: these figures depend on N."""
    parts = (train.space, test.space, made.space)
    count = min(_MOST, *map(len, parts))
    if count < 2:
        raise SkipError("needs at least two real train, real held-out and made items")
    first, second, third = (
        part[generator(0, "fidelity", name).permutation(len(part))[:count]]
        for part, name in zip(parts, ("train", "test", "made"), strict=True)
    )
    return first, second, third
