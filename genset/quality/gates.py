"""Gates such as "cas_ratio >= 0.9": a name, a comparison and a number."""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from genset.errors import did_you_mean
from genset.interfaces import MetricInfo

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_FORM = re.compile(r"^\s*([a-z0-9_]+)\s*(>=|<=|==|>|<)\s*([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)\s*$")


@dataclass(frozen=True)
class Gate:
    """One condition on one figure."""

    figure: str
    comparison: str
    bound: float

    def __str__(self) -> str:
        return f"{self.figure} {self.comparison} {self.bound:g}"

    def failure(self, figures: Mapping[str, float], skipped: Mapping[str, str]) -> str | None:
        """Why the gate fails; None when it passes. A figure that was not computed fails its gate."""
        if self.figure not in figures:
            return f"{self}: not computed: {skipped.get(self.figure, 'nothing to evaluate')}"
        value = figures[self.figure]
        if _COMPARE[self.comparison](value, self.bound):
            return None
        return f"{self}: is {value:g}, off by {abs(value - self.bound):.4g}"


def parse(text: str, figures: Mapping[str, MetricInfo]) -> Gate:
    """Read a gate on one of `figures`. Raises ValueError with what was expected."""
    match = _FORM.match(text)
    if not match:
        raise ValueError(
            f"must be FIGURE OPERATOR NUMBER, such as `cas_ratio >= 0.9`; operators: {' '.join(_COMPARE)}; got {text!r}"
        )
    if match[1] not in figures:
        raise ValueError(
            f"no such figure: {match[1]!r}{did_you_mean(match[1], figures)}; use one of {', '.join(figures)}"
        )
    figure, bound = figures[match[1]], float(match[3])
    if not figure.low <= bound <= figure.high:
        raise ValueError(f"{figure.name} is always between {figure.low:g} and {figure.high:g}, got {bound:g}")
    return Gate(figure.name, match[2], bound)


def failures(gates: list[Gate], figures: Mapping[str, float], skipped: Mapping[str, str]) -> list[str]:
    """Why gates fail, one line each."""
    return [reason for gate in gates if (reason := gate.failure(figures, skipped))]
