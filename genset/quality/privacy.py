"""Are the made items new, or copies of train items? Could an attacker tell from them who was in the train part?"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from genset.interfaces import Evidence, Figure, Floats, Labels, Measured, Metric, SkipError
from genset.quality import intervals
from genset.quality.neighbours import Nearest, Neighbours, mutual, nearest
from genset.seeds import rng_for

Distances = npt.NDArray[np.floating[Any]]
EXPECTED_SHARE = 0.01  # of real held-out items that are as near to train as a copy
_FEWEST = 20  # held-out and made items: below that ranks tell nothing
_FEWEST_FOR_TAIL = 100  # held-out items, of which 1% is one
_CELL = 50  # held-out items of a cell, on the mean
_MOST_CELLS = 20
_figure = partial(Figure, group="privacy", space="closeness")


class Privacy(Metric):
    """Nearest neighbours of made, train and held-out items. Held-out ones say what is to be expected by chance."""

    figures = (
        _figure(
            "copies",
            "lower",
            "share of made items nearer to a train item than 99% of held-out ones are; 0.01 is expected",
            high=1,
            headline=True,
        ),
        _figure(
            "dcr_share",
            "target",
            "share of made items whose nearest real item is a train one, as if as many were held out: 0.5 is expected",
            high=1,
            target=0.5,
            source="Platzer and Reutterer 2021, arXiv:2104.00635, for parts of any size",
        ),
        _figure(
            "authenticity",
            "higher",
            "share of made items further from their nearest train item than that is from its nearest other",
            high=1,
            source="Alaa et al. 2022, arXiv:2102.08921",
        ),
        _figure(
            "c_t",
            "target",
            "data-copying test: below -3 made items are nearer to train than held-out ones are, above 3 further",
            low=float("-inf"),
            target=0,
            source="Meehan et al. 2020, arXiv:2004.05675",
        ),
        _figure(
            "mia_auc",
            "target",
            "how well the distance to the nearest made item tells train from held-out items: 0.5 is chance",
            high=1,
            target=0.5,
            source="Chen et al. 2020, arXiv:1909.03935, from the made items alone",
        ),
        _figure(
            "mia_tpr",
            "lower",
            "share of train items told so where 1% of held-out ones are taken for train: 0.01 is chance",
            high=1,
            source="Carlini et al. 2022, arXiv:2112.03570",
        ),
    )

    def compute(self, evidence: Evidence) -> Mapping[str, Measured | SkipError]:
        if not len(evidence.test) or not len(evidence.made):
            raise SkipError("needs real held-out and made items")
        if len(evidence.train) < 2:
            raise SkipError("needs at least two real train items")
        near: Neighbours = evidence.neighbours
        return {
            "copies": _copies(near),
            "dcr_share": _dcr_share(near),
            "authenticity": _authenticity(near),
            "c_t": _c_t(evidence, near),
            "mia_auc": _mia_auc(near),
            "mia_tpr": _mia_tpr(near),
        }


def _share(near: Neighbours, of_made: npt.NDArray[np.bool_], of_test: npt.NDArray[np.bool_]) -> Measured:
    """The share of made items, with that of held-out ones as what real items reach."""
    share = float(of_made.mean())
    return Measured(share, near.n, intervals.of_share(share, len(near.made)), float(of_test.mean()))


def _copies(near: Neighbours) -> Measured:
    held_out = near.test_to_train.distance
    limit = np.quantile(held_out, EXPECTED_SHARE)
    # "at most" and not "below": where held-out items repeat train items the limit is 0, and a copy is one still
    return _share(near, near.made_and_train[0].distance <= limit, held_out <= limit)


def _dcr_share(near: Neighbours) -> Measured:
    """With n train and m held-out items the nearest is a train one by chance in n / (n + m): brought to parts of equal
    size by weighing what was found by 1 / n and 1 / m."""
    to_train, to_test = near.made_and_train[0].distance, near.made_and_test[0].distance
    share = float((to_train < to_test).mean() + (to_train == to_test).mean() / 2)
    low, high = intervals.of_share(share, len(near.made))
    train, test = len(near.train), len(near.test)

    def even(value: float) -> float:
        return value * test / (value * test + (1 - value) * train)

    return Measured(even(share), near.n, (even(low), even(high)), 0.5)


def _authenticity(near: Neighbours) -> Measured:
    made, held_out = near.made_and_train[0], near.test_to_train
    of_made, of_test = (one.distance > near.within_train[one.row] for one in (made, held_out))
    return _share(near, of_made, of_test)


def _c_t(evidence: Evidence, near: Neighbours) -> Measured | SkipError:
    if min(len(near.test), len(near.made)) < _FEWEST:
        return SkipError(f"needs {_FEWEST} real held-out and made items")
    count = min(_MOST_CELLS, max(1, len(near.test) // _CELL))
    spaces = (evidence.train.space, evidence.test.space, evidence.made.space)
    cells = _cells(spaces, count)
    value = data_copying((near.train, near.test, near.made), cells)
    if value is None:
        return SkipError(f"no cell has {_FEWEST} real held-out and made items")
    return Measured(value, near.n, intervals.around(value, 1.96), 0.0)


def data_copying(parts: tuple[Floats, Floats, Floats], cells: tuple[Labels, Labels, Labels]) -> float | None:
    """C_T: the Z score of the Mann-Whitney U test of the distances from made and from held-out to train items, in each
    cell of the space, weighed by the held-out items in it. Of (train, test, made); None where no cell has enough."""
    scores, weights = [], []
    for cell in np.unique(cells[0]):
        of_train, of_test, of_made = (part[labels == cell] for part, labels in zip(parts, cells, strict=True))
        if min(len(of_test), len(of_made)) >= _FEWEST and len(of_train):
            scores.append(_z_score(nearest(of_made, of_train), nearest(of_test, of_train)))
            weights.append(len(of_test))
    return float(np.average(scores, weights=weights)) if scores else None


def _z_score(made: Distances, test: Distances) -> float:
    """Of U, the pairs in which the made item is further away than the held-out one."""
    count, other = len(made), len(test)
    deviation = float((count * other * (count + other + 1) / 12) ** 0.5)
    return (float(_further(made, test).sum()) - count * other / 2) / deviation


def _further(a: Distances, b: Distances) -> Distances:
    """(N,) how many of b (M,) each of a (N,) is larger than; equal ones count half."""
    ordered = np.sort(b)
    out: Distances = (np.searchsorted(ordered, a, "left") + np.searchsorted(ordered, a, "right")) / 2
    return out


def _cells(spaces: tuple[Floats, Floats, Floats], count: int) -> tuple[Labels, Labels, Labels]:
    """The cell of each item: the nearest of `count` centres, which are k-means of the train items (Lloyd 1982)."""
    train = spaces[0]
    centres = train[rng_for(0, "cells").permutation(len(train))[:count]]
    for _ in range(10):
        own = mutual(train, centres)[0].row
        means = [train[own == n].mean(axis=0) if (own == n).any() else centre for n, centre in enumerate(centres)]
        centres = np.stack(means)
    first, second, third = (mutual(space, centres)[0].row for space in spaces)
    return first, second, third


def _mia_auc(near: Neighbours) -> Measured | SkipError:
    """The attacker ranks items by how near the nearest made item is. The interval is that of DeLong et al. (1988)."""
    members, others = near.made_and_train[1].distance, near.made_and_test[1].distance
    if len(others) < _FEWEST:
        return SkipError(f"needs {_FEWEST} real held-out items, has {len(others)}")
    told = _further(-members, -others) / len(others)  # (n,) share of held-out items that are further from a made one
    value = float(told.mean())
    missed = 1 - _further(-others, -members) / len(members)
    half = 1.96 * (float(told.var()) / len(told) + float(missed.var()) / len(missed)) ** 0.5
    return Measured(value, near.n, intervals.around(value, half), 0.5)


def _mia_tpr(near: Neighbours) -> Measured | SkipError:
    members, others = near.made_and_train[1].distance, near.made_and_test[1].distance
    if len(others) < _FEWEST_FOR_TAIL:
        return SkipError(f"needs {_FEWEST_FOR_TAIL} real held-out items, has {len(others)}")
    limit = np.sort(others)[len(others) // 100]  # at most 1% of the held-out ones are below it
    share = float((members < limit).mean())
    return Measured(share, near.n, intervals.of_share(share, len(members)), EXPECTED_SHARE)


@dataclass(frozen=True)
class Suspect:
    """A made item that is as near to a train item as hardly a held-out one is."""

    made: int  # row
    train: int  # row of the train item
    distance: float
    ratio: float  # of the distance to that from the train item to its nearest other one: how near for that place


def suspects(evidence: Evidence) -> list[Suspect]:
    """The made items nearer to a train item than 99% of held-out ones are, by distance or by its ratio to what is usual
    around there; the worst first. Empty where there is nothing to compare with."""
    if not len(evidence.test) or not len(evidence.made) or len(evidence.train) < 2:
        return []
    near: Neighbours = evidence.neighbours
    found, held_out = near.made_and_train[0], near.test_to_train
    ratio, usual = (_ratio(one, near.within_train) for one in (found, held_out))
    flagged = (found.distance <= np.quantile(held_out.distance, EXPECTED_SHARE)) | (
        ratio <= np.quantile(usual, EXPECTED_SHARE)
    )
    rows = np.flatnonzero(flagged)
    return [
        Suspect(int(row), int(found.row[row]), float(found.distance[row]), float(ratio[row]))
        for row in rows[np.lexsort((found.distance[rows], ratio[rows]))]
    ]


def _ratio(found: Nearest, within: Distances) -> Distances:
    around = within[found.row]
    out: Distances = np.where(found.distance > 0, found.distance / np.maximum(around, 1e-12), 0.0)
    return out
