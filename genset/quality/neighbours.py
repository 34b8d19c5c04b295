"""Nearest neighbours by exact search, in bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from genset.interfaces import Floats, Labels

Distances = npt.NDArray[np.float64]
Rows = npt.NDArray[np.floating]
_ROWS, _COLUMNS = 1024, 2048  # of a block of distances: 16 MB, and as much again for the next block
_K = 10  # nearest points that `k_nearest` returns
_MAX_REFERENCES = 10_000  # points among which `k_nearest` searches


@dataclass(frozen=True)
class Nearest:
    """The nearest other point of each point."""

    distance: Distances  # (N,) Euclidean, exactly 0 for a copy
    row: Labels  # (N,) row of the nearest point


@dataclass(frozen=True)
class Neighbours:
    """Nearest items between training, held-out and synthetic items (N, d); each pair of sets is searched once."""

    train: Floats
    test: Floats
    synthetic: Floats

    @cached_property
    def synthetic_and_train(self) -> tuple[Nearest, Nearest]:
        return nearest_both_ways(self.synthetic, self.train)

    @cached_property
    def synthetic_and_test(self) -> tuple[Nearest, Nearest]:
        return nearest_both_ways(self.synthetic, self.test)

    @cached_property
    def test_to_train(self) -> Nearest:
        return nearest_both_ways(self.test, self.train)[0]

    @cached_property
    def within_train(self) -> Distances:
        return nearest_others(self.train)

    @property
    def counts(self) -> dict[str, int]:
        return {"train": len(self.train), "test": len(self.test), "made": len(self.synthetic)}


def nearest(points: Floats, others: Floats) -> Distances:
    """(N,) Euclidean distance of each point to the nearest of `others`; exactly 0 for a copy."""
    return nearest_both_ways(points, others)[0].distance


def nearest_others(points: Floats) -> Distances:
    """(N,) Euclidean distance of each point to the nearest of the other points."""
    best = _NearestSoFar(len(points))
    for rows, columns, squared in blocks(points, points):
        if rows.start < columns.stop and columns.start < rows.stop:
            own = np.arange(max(rows.start, columns.start), min(rows.stop, columns.stop))
            squared[own - rows.start, own - columns.start] = np.inf
        best.update(rows, columns, squared, axis=1)
    return best.measured(points, points).distance


def k_nearest(points: Floats, units: Labels) -> tuple[Distances, Labels]:
    """((N, K) distances of points (N, d) to the nearest points of other units, ascending, (N, K) their rows).

    With very many points, the search is among a regular sample of them, which finds outliers as well (Sugiyama and
    Borgwardt 2013). Distances are infinite where there are fewer than K others.
    """
    references = np.arange(0, len(points), -(-len(points) // _MAX_REFERENCES))
    distance = np.full((len(points), _K), np.inf)
    row = np.zeros((len(points), _K), np.int64)
    for own, columns, squared in blocks(points, points[references]):
        squared[units[own, None] == units[references[columns]]] = np.inf
        if squared.shape[1] > _K:
            near = np.argpartition(squared, _K - 1, axis=1)[:, :_K]
            squared = np.take_along_axis(squared, near, axis=1)
        else:
            near = np.broadcast_to(np.arange(squared.shape[1]), squared.shape)
        distances = np.hstack([distance[own], squared])
        rows = np.hstack([row[own], references[columns][near]])
        best = np.argsort(distances, axis=1, kind="stable")[:, :_K]
        distance[own] = np.take_along_axis(distances, best, axis=1)
        row[own] = np.take_along_axis(rows, best, axis=1)
    return np.sqrt(np.maximum(0, distance)), row


def nearest_both_ways(points: Floats, others: Floats) -> tuple[Nearest, Nearest]:
    """(nearest of `others` for each point, nearest point for each of `others`), in one pass over all pairs."""
    there, back = _NearestSoFar(len(points)), _NearestSoFar(len(others))
    for rows, columns, squared in blocks(points, others):
        there.update(rows, columns, squared, axis=1)
        back.update(columns, rows, squared, axis=0)
    return there.measured(points, others), back.measured(others, points)


def blocks(points: Rows, others: Rows) -> Iterator[tuple[slice, slice, Distances]]:
    """(rows of `points`, rows of `others`, squared distances (n, m) between them) for all pairs, block by block.

    |a - b|^2 = |a|^2 + |b|^2 - 2ab loses digits near zero; in double precision and centred, the loss is small.
    """
    centre = others.mean(axis=0, dtype=np.float64) if len(others) else 0.0
    for start in range(0, len(points), _ROWS):
        part = points[start : start + _ROWS] - centre  # (n, d)
        own = np.einsum("nd,nd->n", part, part)[:, None]
        for column in range(0, len(others), _COLUMNS):
            block = slice(column, min(column + _COLUMNS, len(others)))
            other = others[block] - centre  # (m, d), again for each block: for all at once it would double the memory
            squared = part @ other.T
            squared *= -2
            squared += own
            squared += np.einsum("nd,nd->n", other, other)
            yield slice(start, start + len(part)), block, squared


class _NearestSoFar:
    """The nearest point found so far for each point."""

    def __init__(self, points: int) -> None:
        self._squared = np.full(points, np.inf)
        self._row = np.zeros(points, np.int64)

    def update(self, own: slice, other: slice, squared: Distances, axis: int) -> None:
        row = squared.argmin(axis=axis)
        smallest = np.take_along_axis(squared, np.expand_dims(row, axis), axis).ravel()
        nearer = smallest < self._squared[own]
        self._row[own] = np.where(nearer, other.start + row, self._row[own])
        self._squared[own] = np.where(nearer, smallest, self._squared[own])

    def measured(self, points: Floats, others: Floats) -> Nearest:
        """The distances to the nearest points, computed directly: near zero, the squares have too few digits."""
        distance = np.full(len(points), np.inf)
        for start in range(0, len(points) if len(others) else 0, _ROWS):
            part = slice(start, start + _ROWS)
            difference = points[part].astype(np.float64) - others[self._row[part]]
            distance[part] = np.linalg.norm(difference, axis=1)
        return Nearest(distance, self._row)


def copy_limit(held_out: Floats, train: Floats, share: float) -> float:
    """The distance below which an item counts as a copy: only `share` of the held-out items are that close to train."""
    return float(np.quantile(nearest(held_out, train), share))
