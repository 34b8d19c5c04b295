"""Nearest neighbours by exact search, in bounded memory."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from genset.interfaces import Floats

Distances = npt.NDArray[np.float64]
_CELLS = 2**22  # distances held at once: 16 MB


def nearest(points: Floats, others: Floats) -> Distances:
    """(N,) Euclidean distance of each point to the nearest of `others`."""
    parts = []
    for start, squared in _squared_distances(points, others):
        best = squared.argmin(axis=1)
        # The expanded square loses digits where it matters most, near zero: measure the winner directly.
        difference = points[start : start + len(best)].astype(np.float64) - others[best]
        parts.append(np.linalg.norm(difference, axis=1))
    return np.concatenate(parts) if parts else np.zeros(0)


def _squared_distances(points: Floats, others: Floats) -> Iterator[tuple[int, Floats]]:
    """(start, (n, M) squared distances) of a few points at a time to all others."""
    own = np.einsum("md,md->m", others, others)
    rows = max(1, _CELLS // max(1, len(others)))
    for start in range(0, len(points), rows):
        part = points[start : start + rows]
        yield start, np.einsum("nd,nd->n", part, part)[:, None] + own - 2 * (part @ others.T)


def copy_limit(held_out: Floats, train: Floats, share: float) -> float:
    """The distance below which an item counts as a copy: only `share` of real held-out items are so near to train."""
    return float(np.quantile(nearest(held_out, train), share))
