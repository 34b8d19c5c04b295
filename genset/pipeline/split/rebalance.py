"""Bring the sizes of parts nearer to what was asked for, where groups are large and few."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import numpy.typing as npt

StratumLabels = tuple[str, ...]
Numbers = npt.NDArray[np.float64]
_UNEVEN = 0.01  # of all items, in all parts together: below it nothing is moved
_MOST_MOVES = 200


@dataclass(frozen=True)
class _Move:
    gain: float  # items, in all parts together
    give: tuple[str, str] | None = None  # (unit, part that it goes to)
    take: tuple[str, str] | None = None


def rebalance(
    place: Mapping[str, str],
    units: Mapping[str, Counter[StratumLabels]],
    shares: Mapping[str, float],
    movable: Sequence[str],
) -> dict[str, str]:
    """The parts of units after moving one, or swapping two, for as long as that brings sizes nearer to the shares.

    Each time the best of all such moves is made; of units of one size the first of `movable` is taken. A part that was
    asked for is rather filled than left empty, and no label leaves train altogether.
    """
    out = dict(place)
    sizes = {unit: labels.total() for unit, labels in units.items()}
    total = sum(sizes.values())
    if max(sizes.values(), default=0) < 2:
        return out
    lack = {split: share * total for split, share in shares.items()}
    for unit, split in out.items():
        if split in lack:
            lack[split] -= sizes[unit]
    for _ in range(_MOST_MOVES):
        if sum(map(abs, lack.values())) <= max(2.0, _UNEVEN * total):
            break
        firsts = _firsts(out, units, sizes, [unit for unit in movable if out[unit] in lack])
        best = max((_best(a, b, firsts, lack, shares, total) for a, b in permutations(lack, 2)), key=lambda m: m.gain)
        if best.gain < 1e-6:
            break
        for unit, split in filter(None, (best.give, best.take)):
            lack[out[unit]] += sizes[unit]
            lack[split] -= sizes[unit]
            out[unit] = split
    return out


def _firsts(
    place: Mapping[str, str],
    units: Mapping[str, Counter[StratumLabels]],
    sizes: Mapping[str, int],
    movable: Sequence[str],
) -> dict[str, dict[int, str]]:
    """Of each part the first unit of each size that may leave it."""
    learned: Counter[StratumLabels] = Counter()
    for unit, split in place.items():
        if split == "train":
            learned.update(units[unit])
    out: dict[str, dict[int, str]] = {}
    for unit in movable:
        if place[unit] != "train" or all(learned[label] > count for label, count in units[unit].items()):
            out.setdefault(place[unit], {}).setdefault(sizes[unit], unit)
    return out


def _best(
    giver: str,
    taker: str,
    firsts: Mapping[str, Mapping[int, str]],
    lack: Mapping[str, float],
    shares: Mapping[str, float],
    total: int,
) -> _Move:
    """The best of moving one unit from a part to another, perhaps for one that comes back."""
    given, back = firsts.get(giver, {}), firsts.get(taker, {})
    if not given:
        return _Move(0.0)
    ways = np.array([*given], float)[:, None] - np.array([0, *back], float)[None, :]  # (given, back) that leaves

    def cost(part: str, lacking: Numbers) -> Numbers:
        empty = lacking >= shares[part] * total - 1e-9
        out: Numbers = np.abs(lacking) + empty * 0.5  # half an item: decides among what is equally near
        return out

    now = cost(giver, np.array(lack[giver])) + cost(taker, np.array(lack[taker]))
    gains = now - cost(giver, lack[giver] + ways) - cost(taker, lack[taker] - ways)
    row, column = np.unravel_index(int(np.argmax(gains)), gains.shape)
    take = None if column == 0 else ([*back.values()][column - 1], giver)
    return _Move(float(gains[row, column]), ([*given.values()][row], taker), take)
