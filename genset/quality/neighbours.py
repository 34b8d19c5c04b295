"""Nearest neighbours by exact search, in bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from genset.interfaces import Floats, Labels

Distances = npt.NDArray[np.float64]
Rows = npt.NDArray[np.floating]
_ROWS, _COLUMNS = 1024, 2048  # of a block of distances held at once: 16 MB, and as much again for the next one
_FEW = 10  # nearest ones, where several are asked for
_REFERENCES = 10_000  # among which they are looked for, at most


@dataclass(frozen=True)
class Nearest:
    """For each of some points, the nearest of some others."""

    distance: Distances  # (N,) Euclidean, exactly 0 for a copy
    row: Labels  # (N,) of the nearest one


@dataclass(frozen=True)
class Neighbours:
    """The nearest items between train, held-out and made ones (N, d); each pair of parts is looked at once."""

    train: Floats
    test: Floats
    made: Floats

    @cached_property
    def made_and_train(self) -> tuple[Nearest, Nearest]:
        return mutual(self.made, self.train)

    @cached_property
    def made_and_test(self) -> tuple[Nearest, Nearest]:
        return mutual(self.made, self.test)

    @cached_property
    def test_to_train(self) -> Nearest:
        return mutual(self.test, self.train)[0]

    @cached_property
    def within_train(self) -> Distances:
        return nearest_others(self.train)

    @property
    def n(self) -> dict[str, int]:
        return {"train": len(self.train), "test": len(self.test), "made": len(self.made)}


def nearest(points: Floats, others: Floats) -> Distances:
    """(N,) Euclidean distance of each point to the nearest of `others`; exactly 0 for a copy."""
    return mutual(points, others)[0].distance


def nearest_others(points: Floats) -> Distances:
    """(N,) Euclidean distance of each point to the nearest of the other points."""
    found = _Best(len(points))
    for rows, columns, squared in blocks(points, points):
        if rows.start < columns.stop and columns.start < rows.stop:
            own = np.arange(max(rows.start, columns.start), min(rows.stop, columns.stop))
            squared[own - rows.start, own - columns.start] = np.inf
        found.note(rows, columns, squared, axis=1)
    return found.measured(points, points).distance


def nearest_few(points: Floats, units: Labels) -> tuple[Distances, Labels]:
    """(N, K) distances of each of points (N, d) to the nearest ones of other units, nearest first; and their rows.

    Looked for among every so-many-th point where there are very many, as a sample tells what is far away as well
    (Sugiyama and Borgwardt 2013). Infinite where there are no K others.
    """
    references = np.arange(0, len(points), -(-len(points) // _REFERENCES))
    distance = np.full((len(points), _FEW), np.inf)
    row = np.zeros((len(points), _FEW), np.int64)
    for own, columns, squared in blocks(points, points[references]):
        squared[units[own, None] == units[references[columns]]] = np.inf
        if squared.shape[1] > _FEW:
            near = np.argpartition(squared, _FEW - 1, axis=1)[:, :_FEW]
            squared = np.take_along_axis(squared, near, axis=1)
        else:
            near = np.broadcast_to(np.arange(squared.shape[1]), squared.shape)
        seen = np.hstack([distance[own], squared])
        found = np.hstack([row[own], references[columns][near]])
        best = np.argsort(seen, axis=1, kind="stable")[:, :_FEW]
        distance[own] = np.take_along_axis(seen, best, axis=1)
        row[own] = np.take_along_axis(found, best, axis=1)
    return np.sqrt(np.maximum(0, distance)), row


def mutual(points: Floats, others: Floats) -> tuple[Nearest, Nearest]:
    """The nearest of `others` for each point, and the nearest point for each of `others`, by one look at all pairs."""
    there, back = _Best(len(points)), _Best(len(others))
    for rows, columns, squared in blocks(points, others):
        there.note(rows, columns, squared, axis=1)
        back.note(columns, rows, squared, axis=0)
    return there.measured(points, others), back.measured(others, points)


def blocks(points: Rows, others: Rows) -> Iterator[tuple[slice, slice, Distances]]:
    """(rows, columns, squared distances between them), for all pairs: the rows of the one, the columns of the other.

    |a - b|^2 = |a|^2 + |b|^2 - 2ab loses digits near zero: in double precision around the mean few enough.
    """
    centre = others.mean(axis=0, dtype=np.float64) if len(others) else 0.0
    for start in range(0, len(points), _ROWS):
        part = points[start : start + _ROWS] - centre  # (n, d)
        own = np.einsum("nd,nd->n", part, part)[:, None]
        for column in range(0, len(others), _COLUMNS):
            block = slice(column, min(column + _COLUMNS, len(others)))
            seen = others[block] - centre  # (m, d), anew for each block: of all it would take twice what they take
            squared = part @ seen.T
            squared *= -2
            squared += own
            squared += np.einsum("nd,nd->n", seen, seen)
            yield slice(start, start + len(part)), block, squared


class _Best:
    """The nearest that was found so far for each of some points."""

    def __init__(self, points: int) -> None:
        self._squared = np.full(points, np.inf)
        self._row = np.zeros(points, np.int64)

    def note(self, own: slice, other: slice, squared: Distances, axis: int) -> None:
        row = squared.argmin(axis=axis)
        found = np.take_along_axis(squared, np.expand_dims(row, axis), axis).ravel()
        nearer = found < self._squared[own]
        self._row[own] = np.where(nearer, other.start + row, self._row[own])
        self._squared[own] = np.where(nearer, found, self._squared[own])

    def measured(self, points: Floats, others: Floats) -> Nearest:
        """The distances to the nearest ones, measured directly: near zero, squares have too few digits."""
        distance = np.full(len(points), np.inf)
        for start in range(0, len(points) if len(others) else 0, _ROWS):
            part = slice(start, start + _ROWS)
            difference = points[part].astype(np.float64) - others[self._row[part]]
            distance[part] = np.linalg.norm(difference, axis=1)
        return Nearest(distance, self._row)


def copy_limit(held_out: Floats, train: Floats, share: float) -> float:
    """The distance below which an item counts as a copy: only `share` of real held-out items are so near to train."""
    return float(np.quantile(nearest(held_out, train), share))
