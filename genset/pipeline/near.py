"""Find near-duplicates among many items: by keys, so that few of all pairs are looked at, whatever an item is."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from genset.engine import Engine
from genset.interfaces import Keys, Likeness, Pairs, Progress

_CROWD = 16  # neighbours, among the items that share a key, that an item is paired with at most
_AT_ONCE = 4096  # pairs


@dataclass(frozen=True)
class Near:
    """A pair of near-duplicates, by row numbers, with its likeness."""

    first: int
    second: int
    likeness: float

    def other(self, row: int) -> int:
        """The one of the pair that `row` is not."""
        return self.second if row == self.first else self.first


def near_pairs(likeness: Likeness, threshold: float, engine: Engine, progress: Progress) -> list[Near]:
    """All pairs that share a key and are at least as alike as `threshold`, in order."""
    pairs = candidates(likeness.keys)
    parts = [pairs[start : start + _AT_ONCE] for start in range(0, len(pairs), _AT_ONCE)]
    found = []
    for number, values in enumerate(engine.map(likeness, parts)):
        progress.tick("near-duplicates", min(len(pairs), (number + 1) * _AT_ONCE), len(pairs), "")
        (rows,) = np.nonzero(values >= threshold)
        found += [Near(int(a), int(b), float(values[row])) for row in rows for a, b in [parts[number][row]]]
    return found


def candidates(keys: Keys) -> Pairs:
    """(P, 2) row numbers of the pairs of which something is to be asked, each once, first < second.

    Items that share a key are paired. Where many share it, each is paired with the few that share most of the keys that
    follow, so that the number of pairs grows as the number of items does, and not faster.
    """
    count, width = keys.shape
    codes = [np.zeros(0, np.int64)]
    for column in range(width):
        order = np.lexsort([keys[:, (column + further) % width] for further in (2, 1, 0)])
        own = keys[order, column]
        found = []
        for distance in range(1, _CROWD):
            same = own[distance:] == own[:-distance]
            if not same.any():
                break
            first, second = order[:-distance][same], order[distance:][same]
            found.append(np.minimum(first, second) * count + np.maximum(first, second))
        codes += [np.unique(np.concatenate(found))] if found else []
    unique = np.unique(np.concatenate(codes))
    return np.stack([unique // max(1, count), unique % max(1, count)], axis=1)


def clusters(found: Iterable[Near]) -> list[list[int]]:
    """The rows that hang together by pairs, each cluster and all of them in order."""
    parent: dict[int, int] = {}

    def top(row: int) -> int:
        while parent.setdefault(row, row) != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for pair in found:
        low, high = sorted((top(pair.first), top(pair.second)))
        parent[high] = low
    out: dict[int, list[int]] = {}
    for row in sorted(parent):
        out.setdefault(top(row), []).append(row)
    return list(out.values())
