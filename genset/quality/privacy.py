"""Are synthetic items new or copies of training items? Could an attacker infer from them what was trained on?"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from genset.interfaces import Floats, Labels, Metric, MetricInfo, MetricInputs, MetricSkippedError, MetricValue
from genset.quality import intervals
from genset.quality.neighbours import Nearest, Neighbours, nearest, nearest_both_ways
from genset.seeds import rng_for

# The Mann-Whitney U statistic and the area under the curve are a few lines each: importing scipy.stats or scikit-learn
# takes longer than computing them.
Distances = npt.NDArray[np.floating[Any]]
EXPECTED_SHARE = 0.01  # of real held-out items that are as close to training items as a copy
_MIN_ITEMS = 20  # held-out and synthetic items: ranks of fewer prove nothing
_MIN_ITEMS_FOR_TAIL = 100  # held-out items, of which 1% is one
_CELL_ITEMS = 50  # held-out items of a cell, on average
_MAX_CELLS = 20
_figure = partial(MetricInfo, group="privacy", space="closeness")


class Privacy(Metric):
    """Nearest neighbours of synthetic, training and held-out items. Held-out ones show what chance would give."""

    figures = (
        _figure(
            "copies",
            "lower",
            "share of synthetic items that are too close to a training item: 99% of held-out items are not "
            "(0.01 is expected)",
            high=1,
            headline=True,
        ),
        _figure(
            "dcr_share",
            "target",
            "share of synthetic items nearer to a training item than to a held-out item, "
            "corrected for the sizes of the two sets (0.5 is expected)",
            high=1,
            target=0.5,
            source="Platzer and Reutterer 2021, arXiv:2104.00635, for sets of any size",
        ),
        _figure(
            "authenticity",
            "higher",
            "share of synthetic items that are not copies: their nearest training item "
            "has another training item that is even closer",
            high=1,
            source="Alaa et al. 2022, arXiv:2102.08921",
        ),
        _figure(
            "c_t",
            "target",
            "test for copying: below -3, synthetic items are closer to training items than held-out items are; "
            "above 3, they are further away",
            low=float("-inf"),
            target=0,
            source="Meehan et al. 2020, arXiv:2004.05675",
        ),
        _figure(
            "mia_auc",
            "target",
            "attack: how well one can recognise training items by their distance to synthetic items (0.5 is chance)",
            high=1,
            target=0.5,
            source="Chen et al. 2020, arXiv:1909.03935, using only the synthetic items",
        ),
        _figure(
            "mia_tpr",
            "lower",
            "attack: share of training items recognised at 1% false alarms (0.01 is chance)",
            high=1,
            source="Carlini et al. 2022, arXiv:2112.03570",
        ),
    )

    def compute(self, inputs: MetricInputs) -> Mapping[str, MetricValue | MetricSkippedError]:
        if not len(inputs.test) or not len(inputs.synthetic):
            raise MetricSkippedError("needs real held-out and synthetic items")
        if len(inputs.train) < 2:
            raise MetricSkippedError("needs at least two real training items")
        near: Neighbours = inputs.neighbours
        return {
            "copies": _copies(near),
            "dcr_share": _dcr_share(near),
            "authenticity": _authenticity(near),
            "c_t": _c_t(inputs, near),
            "mia_auc": _mia_auc(near),
            "mia_tpr": _mia_tpr(near),
        }


def _share(near: Neighbours, of_synthetic: npt.NDArray[np.bool_], of_test: npt.NDArray[np.bool_]) -> MetricValue:
    """The share of synthetic items, and that of held-out items as the value for real items."""
    share = float(of_synthetic.mean())
    return MetricValue(share, near.counts, intervals.of_share(share, len(near.synthetic)), float(of_test.mean()))


def _copies(near: Neighbours) -> MetricValue:
    held_out = near.test_to_train.distance
    limit = np.quantile(held_out, EXPECTED_SHARE)
    # "at most" and not "below": where held-out items repeat training items the limit is 0, which must count copies
    return _share(near, near.synthetic_and_train[0].distance <= limit, held_out <= limit)


def _dcr_share(near: Neighbours) -> MetricValue:
    """With n training and m held-out items, chance makes the nearest a training item in n / (n + m) of cases.

    The share is converted to sets of equal size by weighting the counts with 1 / n and 1 / m.
    """
    to_train, to_test = near.synthetic_and_train[0].distance, near.synthetic_and_test[0].distance
    share = float((to_train < to_test).mean() + (to_train == to_test).mean() / 2)
    low, high = intervals.of_share(share, len(near.synthetic))
    train, test = len(near.train), len(near.test)

    def balanced(value: float) -> float:
        return value * test / (value * test + (1 - value) * train)

    return MetricValue(balanced(share), near.counts, (balanced(low), balanced(high)), 0.5)


def _authenticity(near: Neighbours) -> MetricValue:
    synthetic, held_out = near.synthetic_and_train[0], near.test_to_train
    of_synthetic, of_test = (one.distance > near.within_train[one.row] for one in (synthetic, held_out))
    return _share(near, of_synthetic, of_test)


def _c_t(inputs: MetricInputs, near: Neighbours) -> MetricValue | MetricSkippedError:
    if min(len(near.test), len(near.synthetic)) < _MIN_ITEMS:
        return MetricSkippedError(f"needs at least {_MIN_ITEMS} real held-out and {_MIN_ITEMS} synthetic items")
    count = min(_MAX_CELLS, max(1, len(near.test) // _CELL_ITEMS))
    spaces = (inputs.train.space, inputs.test.space, inputs.synthetic.space)
    cells = _cells(spaces, count)
    value = data_copying((near.train, near.test, near.synthetic), cells)
    if value is None:
        return MetricSkippedError(f"no region has at least {_MIN_ITEMS} real held-out and {_MIN_ITEMS} synthetic items")
    return MetricValue(value, near.counts, intervals.around(value, 1.96), 0.0)


def data_copying(parts: tuple[Floats, Floats, Floats], cells: tuple[Labels, Labels, Labels]) -> float | None:
    """C_T: the Z score of the Mann-Whitney U test of the distances to training items from synthetic and held-out items.

    `parts` and `cells` are (train, test, synthetic). The test is made in each cell of the space; the mean of the scores
    is weighted by the held-out items of each cell. None where no cell has enough items.
    """
    scores, weights = [], []
    for cell in np.unique(cells[0]):
        of_train, of_test, of_synthetic = (part[labels == cell] for part, labels in zip(parts, cells, strict=True))
        if min(len(of_test), len(of_synthetic)) >= _MIN_ITEMS and len(of_train):
            scores.append(_z_score(nearest(of_synthetic, of_train), nearest(of_test, of_train)))
            weights.append(len(of_test))
    return float(np.average(scores, weights=weights)) if scores else None


def _z_score(synthetic: Distances, test: Distances) -> float:
    """Z score of U, the number of pairs in which the synthetic item is further away than the held-out one."""
    count, other = len(synthetic), len(test)
    deviation = float((count * other * (count + other + 1) / 12) ** 0.5)
    return (float(_count_below(synthetic, test).sum()) - count * other / 2) / deviation


def _count_below(a: Distances, b: Distances) -> Distances:
    """(N,) number of values of b (M,) below each value of a (N,); equal values count half."""
    ordered = np.sort(b)
    out: Distances = (np.searchsorted(ordered, a, "left") + np.searchsorted(ordered, a, "right")) / 2
    return out


def _cells(spaces: tuple[Floats, Floats, Floats], count: int) -> tuple[Labels, Labels, Labels]:
    """The cell of each item: the nearest of `count` centres, from k-means on the training items (Lloyd 1982)."""
    train = spaces[0]
    centres = train[rng_for(0, "cells").permutation(len(train))[:count]]
    for _ in range(10):
        own = nearest_both_ways(train, centres)[0].row
        means = [train[own == n].mean(axis=0) if (own == n).any() else centre for n, centre in enumerate(centres)]
        centres = np.stack(means)
    first, second, third = (nearest_both_ways(space, centres)[0].row for space in spaces)
    return first, second, third


def _mia_auc(near: Neighbours) -> MetricValue | MetricSkippedError:
    """The attacker ranks items by the distance to the nearest synthetic item. Interval: DeLong et al. (1988)."""
    members, others = near.synthetic_and_train[1].distance, near.synthetic_and_test[1].distance
    if len(others) < _MIN_ITEMS:
        return MetricSkippedError(f"needs at least {_MIN_ITEMS} real held-out items, has {len(others)}")
    ranks = _count_below(-members, -others) / len(others)  # (n,) share of held-out items further from a synthetic one
    value = float(ranks.mean())
    missed = 1 - _count_below(-others, -members) / len(members)
    half = 1.96 * (float(ranks.var()) / len(ranks) + float(missed.var()) / len(missed)) ** 0.5
    return MetricValue(value, near.counts, intervals.around(value, half), 0.5)


def _mia_tpr(near: Neighbours) -> MetricValue | MetricSkippedError:
    members, others = near.synthetic_and_train[1].distance, near.synthetic_and_test[1].distance
    if len(others) < _MIN_ITEMS_FOR_TAIL:
        return MetricSkippedError(f"needs at least {_MIN_ITEMS_FOR_TAIL} real held-out items, has {len(others)}")
    limit = np.sort(others)[len(others) // 100]  # at most 1% of the held-out items are below it
    share = float((members < limit).mean())
    return MetricValue(share, near.counts, intervals.of_share(share, len(members)), EXPECTED_SHARE)


@dataclass(frozen=True)
class Suspect:
    """A synthetic item that is closer to a training item than held-out items usually are."""

    synthetic: int  # row of the synthetic item
    train: int  # row of the training item
    distance: float
    ratio: float  # of this distance to that from the training item to its own nearest neighbour


def suspects(inputs: MetricInputs) -> list[Suspect]:
    """The synthetic items closer to a training item than 99% of held-out items are, by distance or by `ratio`.

    Sorted by ratio, then distance. Empty where there is nothing to compare with.
    """
    if not len(inputs.test) or not len(inputs.synthetic) or len(inputs.train) < 2:
        return []
    near: Neighbours = inputs.neighbours
    synthetic, held_out = near.synthetic_and_train[0], near.test_to_train
    ratio, usual = (_ratio(one, near.within_train) for one in (synthetic, held_out))
    flagged = (synthetic.distance <= np.quantile(held_out.distance, EXPECTED_SHARE)) | (
        ratio <= np.quantile(usual, EXPECTED_SHARE)
    )
    rows = np.flatnonzero(flagged)
    return [
        Suspect(int(row), int(synthetic.row[row]), float(synthetic.distance[row]), float(ratio[row]))
        for row in rows[np.lexsort((synthetic.distance[rows], ratio[rows]))]
    ]


def _ratio(items: Nearest, within_train: Distances) -> Distances:
    usual = within_train[items.row]
    out: Distances = np.where(items.distance > 0, items.distance / np.maximum(usual, 1e-12), 0.0)
    return out
