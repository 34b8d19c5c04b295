"""Which items break a rule of their modality: by their own value, or by its distance from the values of the others."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from genset.config.clean_section import Clean
from genset.dataset import Record
from genset.interfaces import DecodedInfo, Modality, Problem, Rule

_TYPICAL = 1.4826  # median absolute deviations of a normal distribution to its standard deviation
_USUAL_FRACTION = 0.2  # a value that so large a fraction of the dataset has is usual
_USUAL_IN_CLASS = 0.5  # the same for one class
_LEAST = 1e-6  # lower bound before a logarithm
_FEWEST = 5  # a class or dataset needs so many items to say what is usual
Values = npt.NDArray[Any]


@dataclass(frozen=True)
class Scored:
    """The scores of a rule."""

    score: npt.NDArray[np.float64]  # (N,) the higher, the worse
    usual: Any  # the median of the dataset, or its most frequent value
    reportable: npt.NDArray[np.bool_]  # (N,) whether an item may be reported


def broken(
    records: Sequence[Record], probes: Sequence[DecodedInfo], modality: Modality, section: Clean
) -> dict[int, list[Problem]]:
    """The problems of records, by row. Only real items are checked: synthetic ones were checked when generated."""
    rows = [row for row, record in enumerate(records) if record.source == "collected"]
    found: dict[int, list[Problem]] = {}
    active = [name for name in modality.rules if section.check(name).kind != "off"]
    if not rows or not active:
        return found
    values = modality.measured([probes[row] for row in rows])
    labels = np.array([records[row].label for row in rows])
    for name in active:
        rule, threshold = modality.rules[name], section.check(name).threshold
        result = score_values(values[name], labels, rule)
        for place in np.flatnonzero(
            result.reportable & (result.score >= (rule.threshold if threshold is None else threshold))
        ):
            score, record = float(result.score[place]), records[rows[place]]
            detail = reason(rule, values[name][place], result.usual, score)
            found.setdefault(rows[place], []).append(Problem(record.place, name, detail, round(score, 3)))
    return found


def reason(rule: Rule, value: Any, usual: Any, score: float) -> str:
    """The reason as text."""
    inverse = "" if isinstance(value, str) else 1 - value
    return rule.reason.format(value=value, inverse=inverse, usual=usual, score=score)


def score_values(values: Values, labels: npt.NDArray[np.str_], rule: Rule) -> Scored:
    """The scores of values (N,) of items with labels (N,), by the measure of the rule."""
    if rule.measure == "rarity":
        return _rarity(values, labels)
    if rule.measure == "value":
        return Scored(values.astype(np.float64), float(np.median(values)), values >= rule.bound)
    bounded, middle = values >= rule.bound, float(np.median(values))
    values = np.log(np.maximum(values, _LEAST)) if rule.log else values
    usual = float(np.median(values))
    away = np.abs(values - usual) if rule.both else values - usual
    apart = _TYPICAL * float(np.median(np.abs(values - usual)))
    deviation = max(min(max(apart, rule.least), rule.most), _LEAST)
    centred = values - usual if rule.both else values
    alone = _alone(centred, labels, deviation, rule.both)
    return Scored(away / deviation, middle, alone & bounded & (len(values) >= _FEWEST))


def _alone(values: Values, labels: npt.NDArray[np.str_], width: float, both: bool) -> npt.NDArray[np.bool_]:
    """(N,) whether few items, of the dataset and of the own class, are as far out; items within `width` count."""
    out = _beyond(values, width, both) <= _USUAL_FRACTION
    for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
        if count >= _FEWEST:
            own = labels == label
            out[own] &= _beyond(values[own], width, both) <= _USUAL_IN_CLASS
    return out


def _beyond(values: Values, width: float, both: bool) -> npt.NDArray[np.float64]:
    """(N,) the fraction of items that are at least as far out as each, on the same side of 0 if `both`."""
    up = 1 - np.searchsorted(np.sort(values), values - width) / len(values)
    down = 1 - np.searchsorted(np.sort(-values), -values - width) / len(values)
    return np.where(values < 0, down, up) if both else up


def _rarity(values: Values, labels: npt.NDArray[np.str_]) -> Scored:
    total, of_class = Counter(values.tolist()), Counter(zip(labels.tolist(), values.tolist(), strict=True))
    classes = Counter(labels.tolist())
    share = np.array([total[value] for value in values.tolist()]) / max(1, len(values))
    pairs = zip(labels.tolist(), values.tolist(), strict=True)
    own = np.array(
        [
            classes[label] >= _FEWEST and of_class[label, value] > _USUAL_IN_CLASS * classes[label]
            for label, value in pairs
        ]
    )
    usual = total.most_common(1)[0][0] if total else ""
    return Scored(1 - share, usual, ~own & (values != usual) & (len(values) >= _FEWEST))
