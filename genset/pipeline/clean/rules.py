"""Find items that break a rule of their modality, by their own value or by its distance from the usual values."""

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
_USUAL_FRACTION = 0.2  # a value is usual if at least this fraction of the dataset has it
_USUAL_IN_CLASS = 0.5  # the same for one class
_EPSILON = 1e-6  # lower bound before a logarithm or division
_MIN_ITEMS = 5  # a class or dataset with fewer items has no usual values
Values = npt.NDArray[Any]


@dataclass(frozen=True)
class Scored:
    """The scores of a rule."""

    score: npt.NDArray[np.float64]  # (N,) the higher, the worse
    usual: Any  # the median of the dataset, or its most frequent value
    reportable: npt.NDArray[np.bool_]  # (N,) whether an item may be reported


def rule_problems(
    records: Sequence[Record], probes: Sequence[DecodedInfo], modality: Modality, section: Clean
) -> dict[int, list[Problem]]:
    """The problems of records, by row. Only real items are checked: synthetic ones were checked when generated."""
    rows = [row for row, record in enumerate(records) if record.source == "collected"]
    problems: dict[int, list[Problem]] = {}
    active = [name for name in modality.rules if section.check(name).kind != "off"]
    if not rows or not active:
        return problems
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
            problems.setdefault(rows[place], []).append(Problem(record.place, name, detail, round(score, 3)))
    return problems


def reason(rule: Rule, value: Any, usual: Any, score: float) -> str:
    """The reason of a rule for one item, as text."""
    inverse = "" if isinstance(value, str) else 1 - value
    return rule.reason.format(value=value, inverse=inverse, usual=usual, score=score)


def score_values(values: Values, labels: npt.NDArray[np.str_], rule: Rule) -> Scored:
    """The scores of values (N,) of items with labels (N,), by the measure of the rule."""
    if rule.measure == "rarity":
        return _rarity(values, labels)
    if rule.measure == "value":
        return Scored(values.astype(np.float64), float(np.median(values)), values >= rule.bound)
    bounded, middle = values >= rule.bound, float(np.median(values))
    values = np.log(np.maximum(values, _EPSILON)) if rule.log else values
    usual = float(np.median(values))
    distance = np.abs(values - usual) if rule.both else values - usual
    spread = _TYPICAL * float(np.median(np.abs(values - usual)))
    deviation = max(min(max(spread, rule.least), rule.most), _EPSILON)
    centred = values - usual if rule.both else values
    unusual = _is_unusual(centred, labels, deviation, rule.both)
    return Scored(distance / deviation, middle, unusual & bounded & (len(values) >= _MIN_ITEMS))


def _is_unusual(values: Values, labels: npt.NDArray[np.str_], width: float, both: bool) -> npt.NDArray[np.bool_]:
    """(N,) whether few items of the dataset and of the same class are as far out, to within `width`."""
    unusual = _fraction_beyond(values, width, both) <= _USUAL_FRACTION
    for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
        if count >= _MIN_ITEMS:
            rows = labels == label
            unusual[rows] &= _fraction_beyond(values[rows], width, both) <= _USUAL_IN_CLASS
    return unusual


def _fraction_beyond(values: Values, width: float, both: bool) -> npt.NDArray[np.float64]:
    """(N,) the fraction of items that are at least as far out as each, on the same side of 0 if `both`."""
    above = 1 - np.searchsorted(np.sort(values), values - width) / len(values)
    below = 1 - np.searchsorted(np.sort(-values), -values - width) / len(values)
    return np.where(values < 0, below, above) if both else above


def _rarity(values: Values, labels: npt.NDArray[np.str_]) -> Scored:
    """The fraction of items with another value. A value that most of a class has is not reportable."""
    total, of_class = Counter(values.tolist()), Counter(zip(labels.tolist(), values.tolist(), strict=True))
    classes = Counter(labels.tolist())
    frequency = np.array([total[value] for value in values.tolist()]) / max(1, len(values))
    pairs = zip(labels.tolist(), values.tolist(), strict=True)
    usual_in_class = np.array(
        [
            classes[label] >= _MIN_ITEMS and of_class[label, value] > _USUAL_IN_CLASS * classes[label]
            for label, value in pairs
        ]
    )
    usual = total.most_common(1)[0][0] if total else ""
    return Scored(1 - frequency, usual, ~usual_in_class & (values != usual) & (len(values) >= _MIN_ITEMS))
