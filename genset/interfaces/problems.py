"""What can be wrong with an item, and the rules that find it."""

from dataclasses import dataclass
from typing import Any, Literal

INFORMATION = "information"  # the kind of a note that is no problem
Action = Literal["off", "report", "quarantine"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A possible problem of one item, measured by one value: the higher, the worse."""

    what: str  # one line about such items: the docstring of the config key
    reason: str  # the reason in a report, with {value}, {inverse} (1 - value), {usual} (of the dataset), {score}
    threshold: float  # of the score, if the config gives none
    measure: Literal["value", "deviation", "rarity"] = "deviation"
    """What the score is. value: the value itself; deviation: how many usual deviations (at least `least`) the value is
    above the median of the dataset; rarity: the fraction of items with another value, which is a word or a number that
    names a kind."""
    least: float = 0.0  # lower bound of the usual deviation, in units of the value
    most: float = float("inf")  # upper bound of the usual deviation
    bound: float = -float("inf")  # a value below it is never reported
    both: bool = False  # whether a value far below the median is a problem too
    log: bool = False  # whether to compare ratios, not differences: `least` is a natural logarithm
    kind: Action = "report"  # the default action


UNDECODABLE = "undecodable"  # the kind of problem that follows


class UndecodableError(Exception):
    """A file that holds no item of this modality; the text is the reason for the report."""


@dataclass(frozen=True)
class Problem:
    """An item that was left out or is only reported, with the reason."""

    path: str
    kind: str  # of the rule: undecodable, empty, exact_duplicate, ...
    detail: str
    score: float | None = None  # how clear the case is, if the rule measures it; on the scale of its threshold

    def as_dict(self) -> dict[str, Any]:
        """The JSON object; without a score if there is none."""
        values = {"path": self.path, "kind": self.kind, "detail": self.detail}
        return values if self.score is None else {**values, "score": self.score}
