"""Nearest neighbours by exact search, in bounded memory."""

import numpy as np
import numpy.typing as npt

from genset.interfaces import Floats

Distances = npt.NDArray[np.float64]
_ROWS, _COLUMNS = 512, 4096  # of a block of distances held at once: 16 MB


def nearest(points: Floats, others: Floats) -> Distances:
    """(N,) Euclidean distance of each point to the nearest of `others`; exactly 0 for a copy."""
    return _nearest(points, others, itself=False)


def nearest_others(points: Floats) -> Distances:
    """(N,) Euclidean distance of each point to the nearest of the other points."""
    return _nearest(points, points, itself=True)


def _nearest(points: Floats, others: Floats, *, itself: bool) -> Distances:
    out = np.zeros(len(points))
    # |a - b|^2 = |a|^2 + |b|^2 - 2ab loses digits near zero: in double precision around the mean it still finds the
    # right neighbour, and that one is then measured directly.
    centre = others.mean(axis=0, dtype=np.float64) if len(others) else 0.0
    for start in range(0, len(points), _ROWS):
        part = points[start : start + _ROWS] - centre  # (n, d)
        best, where = np.full(len(part), np.inf), np.zeros(len(part), np.int64)
        for column in range(0, len(others), _COLUMNS):
            block = others[column : column + _COLUMNS] - centre  # (m, d)
            squared = _squared(part)[:, None] + _squared(block) - 2 * (part @ block.T)
            if itself:
                rows = np.arange(len(part))
                own = start + rows - column
                inside = (own >= 0) & (own < len(block))
                squared[rows[inside], own[inside]] = np.inf
            nearer = squared.argmin(axis=1)
            found = squared[np.arange(len(part)), nearer]
            where = np.where(found < best, column + nearer, where)
            best = np.minimum(found, best)
        difference = points[start : start + _ROWS].astype(np.float64) - others[where]
        out[start : start + _ROWS] = np.linalg.norm(difference, axis=1)
    return out


def _squared(rows: npt.NDArray[np.float64]) -> Distances:
    squared: Distances = np.einsum("nd,nd->n", rows, rows)
    return squared


def copy_limit(held_out: Floats, train: Floats, share: float) -> float:
    """The distance below which an item counts as a copy: only `share` of real held-out items are so near to train."""
    return float(np.quantile(nearest(held_out, train), share))
