"""Move units between splits until their sizes are close to the shares. This matters for few large groups."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import numpy.typing as npt

StratumLabels = tuple[str, ...]
Numbers = npt.NDArray[np.float64]
_TOLERATED_ERROR = 0.01  # of all items, summed over the splits: a smaller error is not reduced
_MAX_MOVES = 200


@dataclass(frozen=True)
class _Move:
    gain: float  # items by which the error decreases, summed over the splits
    there: tuple[str, str] | None = None  # (unit, its new split)
    back: tuple[str, str] | None = None  # the same for the unit that it is swapped with


def rebalance(
    split_of: Mapping[str, str],
    units: Mapping[str, Counter[StratumLabels]],
    shares: Mapping[str, float],
    movable: Sequence[str],
) -> dict[str, str]:
    """The splits of units after moving or swapping some of them to bring the sizes of splits closer to the shares.

    The best move or swap is repeated while the error decreases; of units of one size, the first of `movable` is taken.
    A split with a share is not left empty if it can be filled, and no label leaves train completely.
    """
    result = dict(split_of)
    sizes = {unit: labels.total() for unit, labels in units.items()}
    total = sum(sizes.values())
    if max(sizes.values(), default=0) < 2:
        return result
    missing = {split: share * total for split, share in shares.items()}  # items that each split should still get
    for unit, split in result.items():
        if split in missing:
            missing[split] -= sizes[unit]
    for _ in range(_MAX_MOVES):
        if sum(map(abs, missing.values())) <= max(2.0, _TOLERATED_ERROR * total):
            break
        by_size = _movable_by_size(result, units, sizes, [unit for unit in movable if result[unit] in missing])
        moves = (_best_move(a, b, by_size, missing, shares, total) for a, b in permutations(missing, 2))
        best = max(moves, key=lambda move: move.gain)
        if best.gain < 1e-6:
            break
        for unit, split in filter(None, (best.there, best.back)):
            missing[result[unit]] += sizes[unit]
            missing[split] -= sizes[unit]
            result[unit] = split
    return result


def _movable_by_size(
    split_of: Mapping[str, str],
    units: Mapping[str, Counter[StratumLabels]],
    sizes: Mapping[str, int],
    movable: Sequence[str],
) -> dict[str, dict[int, str]]:
    """For each split, the first unit of each size that may leave it."""
    train_labels: Counter[StratumLabels] = Counter()
    for unit, split in split_of.items():
        if split == "train":
            train_labels.update(units[unit])
    by_size: dict[str, dict[int, str]] = {}
    for unit in movable:
        if split_of[unit] != "train" or all(train_labels[label] > count for label, count in units[unit].items()):
            by_size.setdefault(split_of[unit], {}).setdefault(sizes[unit], unit)
    return by_size


def _best_move(
    source: str,
    target: str,
    by_size: Mapping[str, Mapping[int, str]],
    missing: Mapping[str, float],
    shares: Mapping[str, float],
    total: int,
) -> _Move:
    """The best move of a unit from `source` to `target`, alone or in exchange for a unit of `target`."""
    leaving, returning = by_size.get(source, {}), by_size.get(target, {})
    if not leaving:
        return _Move(0.0)
    moved = np.array([*leaving], float)[:, None] - np.array([0, *returning], float)[None, :]  # (leaving, returning)

    def error(split: str, missing_items: Numbers) -> Numbers:
        is_empty = missing_items >= shares[split] * total - 1e-9
        errors: Numbers = np.abs(missing_items) + is_empty * 0.5  # half an item: decides between equal errors
        return errors

    current = error(source, np.array(missing[source])) + error(target, np.array(missing[target]))
    gains = current - error(source, missing[source] + moved) - error(target, missing[target] - moved)
    row, column = np.unravel_index(int(np.argmax(gains)), gains.shape)
    back = None if column == 0 else ([*returning.values()][column - 1], source)
    return _Move(float(gains[row, column]), ([*leaving.values()][row], target), back)
