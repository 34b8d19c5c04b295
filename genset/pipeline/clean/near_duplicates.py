"""Find near-duplicates among many items: by keys, so that few of all pairs are looked at, whatever an item is."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from genset.interfaces import Keys, Pairs, Similarity
from genset.pipeline.components import connected_components
from genset.pipeline.job import Job

_CROWD = 16  # neighbours, among the items that share a key, that an item is paired with at most
_AT_ONCE = 4096  # pairs


@dataclass(frozen=True)
class NearPair:
    """A pair of near-duplicates, by row numbers, with its likeness."""

    first: int
    second: int
    likeness: float

    def other(self, row: int) -> int:
        """The one of the pair that `row` is not."""
        return self.second if row == self.first else self.first


def near_pairs(likeness: Similarity, threshold: float, job: Job) -> list[NearPair]:
    """All pairs that share a key and are at least as alike as `threshold`, in order.

    Only those that are alike are held, each once, however many pairs are looked at.
    """
    asked: deque[tuple[int, Pairs]] = deque()
    found: dict[tuple[int, int], NearPair] = {}
    keys = likeness.keys

    def parts() -> Iterator[Pairs]:
        for column in range(keys.shape[1]):
            pairs = candidates(keys, column)
            for start in range(0, len(pairs), _AT_ONCE):
                asked.append((column, pairs[start : start + _AT_ONCE]))
                yield asked[-1][1]

    for values in job.engine.map(likeness, parts()):
        column, part = asked.popleft()
        job.progress.tick("near-duplicates", column, keys.shape[1], "")
        for row in np.flatnonzero(values >= threshold).tolist():
            first, second = part[row].tolist()
            found[first, second] = NearPair(first, second, float(values[row]))
    return [found[pair] for pair in sorted(found)]


def candidates(keys: Keys, column: int) -> Pairs:
    """(P, 2) row numbers of the pairs that share the key of a column, each once, first < second.

    Where many share it, each is paired with the few that share most of the keys that follow, so that the number of
    pairs grows as the number of items does, and not faster.
    """
    width = keys.shape[1]
    order = np.lexsort([keys[:, (column + further) % width] for further in (2, 1, 0)])
    own = keys[order, column]
    found = [np.zeros((0, 2), np.int64)]
    for distance in range(1, _CROWD):
        same = own[distance:] == own[:-distance]
        if not same.any():
            break
        first, second = order[:-distance][same], order[distance:][same]
        found.append(np.stack([np.minimum(first, second), np.maximum(first, second)], axis=1))
    return np.concatenate(found)


def clusters(found: Iterable[NearPair]) -> list[list[int]]:
    """The rows that hang together by pairs, each cluster and all of them in order."""
    return connected_components((pair.first, pair.second) for pair in found)
