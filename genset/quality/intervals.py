"""95% intervals: how much a figure might differ with other items and other seeds.

The formulas are short; scipy.stats and scikit-learn have some of them, but take long to import.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.floating[Any]]
Interval = tuple[float, float]
_Z = 1.959964  # quantile of the normal distribution for 95%
_FOLDS = 10


def of_share(share: float, count: int) -> Interval:
    """Of a share of `count` items: the score interval of Wilson (1927), which is not empty at 0 and 1."""
    centre = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = _Z / (1 + _Z**2 / count) * (share * (1 - share) / count + _Z**2 / (4 * count**2)) ** 0.5
    return max(0.0, centre - half), min(1.0, centre + half)


def of_mean(values: Rows) -> Interval:
    """Of the mean of (N,) values, N > 1."""
    return around(float(values.mean()), _Z * float(values.std(ddof=1)) / len(values) ** 0.5)


def around(value: float, half: float) -> Interval:
    """The symmetric interval around a value."""
    return value - half, value + half


def of_difference(first: float, of_first: Interval, last: float, of_last: Interval) -> Interval:
    """Of last - first, from the interval of each, as if they were measured on different items.

    The intervals may be asymmetric (MOVER: Zou and Donner 2008, doi:10.1002/sim.3095).
    """
    below = ((last - of_last[0]) ** 2 + (of_first[1] - first) ** 2) ** 0.5
    above = ((of_last[1] - last) ** 2 + (first - of_first[0]) ** 2) ** 0.5
    return last - first - below, last - first + above


def of_distance(ends: Interval, target: float) -> Interval:
    """Of the distance of a value from a target, by the interval of the value: from 0 where that contains the target."""
    low, high = sorted(abs(end - target) for end in ends)
    return (0.0 if ends[0] <= target <= ends[1] else low), high


def half_of_runs(values: Rows) -> float:
    """Half of the interval of the mean of (K, N) values of N items in K runs that differ by their seed.

    Items and seeds are both random: the variance of the mean is the sum of both contributions. For items, one more in
    each direction is assumed (after Agresti and Min 2005), as few equal items prove little; for seeds, which are few,
    Student's t is used.
    """
    from scipy.special import stdtrit

    runs, count = values.shape
    of_items = values.mean(axis=0)
    squares = float(np.square(of_items - of_items.mean()).sum()) + 1
    items: float = _Z * squares**0.5 / (count + 2)
    if runs == 1:
        return items
    seeds = float(stdtrit(runs - 1, 0.975)) * float(values.mean(axis=1).std(ddof=1)) / runs**0.5
    return float(np.hypot(items, seeds))


def jackknife(parts: Sequence[Rows], statistics: Callable[..., Sequence[float]]) -> list[Interval | None]:
    """Of each statistic of sets (N, d) in random order, leaving out each tenth in turn (Quenouille 1956, Tukey 1958).

    None for sets that are too small.
    """
    values = statistics(*parts)
    if min(map(len, parts)) < 2 * _FOLDS:
        return [None] * len(values)
    folds = [statistics(*(np.delete(part, np.s_[fold::_FOLDS], axis=0) for part in parts)) for fold in range(_FOLDS)]
    variance = np.var(np.array(folds), axis=0) * (_FOLDS - 1)
    return [around(value, _Z * float(spread) ** 0.5) for value, spread in zip(values, variance, strict=True)]
