"""Find near-duplicates among many items: only pairs that share a key are compared. Works for every modality."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from genset.interfaces import Keys, Pairs, Similarity
from genset.pipeline.components import connected_components
from genset.pipeline.job import Job

_MAX_NEIGHBOURS = 16  # an item is compared with fewer items than this for each key
_BLOCK = 4096  # pairs that are compared at once


@dataclass(frozen=True)
class NearPair:
    """Two near-duplicates, by row numbers, and how similar they are."""

    first: int
    second: int
    similarity: float  # at most 1

    def other(self, row: int) -> int:
        """The other row of the pair."""
        return self.second if row == self.first else self.first


def near_pairs(similarity: Similarity, threshold: float, job: Job) -> list[NearPair]:
    """All pairs that share a key and are at least as similar as `threshold`, each once, sorted by rows.

    Pairs that are compared and not similar are not kept, so memory depends on the number of near-duplicates only.
    """
    pending: deque[tuple[int, Pairs]] = deque()
    near: dict[tuple[int, int], NearPair] = {}
    keys = similarity.keys

    def blocks() -> Iterator[Pairs]:
        for column in range(keys.shape[1]):
            pairs = candidates(keys, column)
            for start in range(0, len(pairs), _BLOCK):
                pending.append((column, pairs[start : start + _BLOCK]))
                yield pending[-1][1]

    for values in job.engine.map(similarity, blocks()):
        column, block = pending.popleft()
        job.progress.tick("near-duplicates", column, keys.shape[1], "")
        for row in np.flatnonzero(values >= threshold).tolist():
            first, second = block[row].tolist()
            near[first, second] = NearPair(first, second, float(values[row]))
    return [near[rows] for rows in sorted(near)]


def candidates(keys: Keys, column: int) -> Pairs:
    """(P, 2) row numbers of the pairs that share the key of a column, each once, first < second.

    If many items share a key, each is paired only with those that share most of the next keys. So the number of pairs
    is proportional to the number of items.
    """
    width = keys.shape[1]
    order = np.lexsort([keys[:, (column + offset) % width] for offset in (2, 1, 0)])
    sorted_keys = keys[order, column]
    pairs = [np.zeros((0, 2), np.int64)]
    for distance in range(1, _MAX_NEIGHBOURS):
        same = sorted_keys[distance:] == sorted_keys[:-distance]
        if not same.any():
            break
        first, second = order[:-distance][same], order[distance:][same]
        pairs.append(np.stack([np.minimum(first, second), np.maximum(first, second)], axis=1))
    return np.concatenate(pairs)


def clusters(pairs: Iterable[NearPair]) -> list[list[int]]:
    """The rows that pairs connect, directly or through others: sorted clusters of sorted rows."""
    return connected_components((pair.first, pair.second) for pair in pairs)
