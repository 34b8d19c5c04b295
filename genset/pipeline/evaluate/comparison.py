"""The differences in figures between two versions, and whether they are significant."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from genset.interfaces import MetricInfo
from genset.pipeline.evaluate.evaluator import rounded
from genset.report import formatting

ChangeVerdict = Literal["better", "worse", "inconclusive", "no interval", "neutral"]
_SIGNIFICANT: tuple[ChangeVerdict, ...] = ("better", "worse")
_MAX_NAMED = 3  # figures of a kind that the summary names
_ERROR_RATE = 0.05  # of 95% intervals: the share that does not contain the true value


@dataclass(frozen=True)
class Change:
    """One figure before and after."""

    figure: MetricInfo
    before: float
    after: float
    interval: tuple[float, float] | None  # of the difference, 95%
    distance_interval: tuple[float, float] | None = None  # of the difference in distance from a target, 95%

    @property
    def difference(self) -> float:
        """The value after minus the value before."""
        return rounded(self.after - self.before)

    @property
    def verdict(self) -> ChangeVerdict:
        """A difference is better or worse only if its interval excludes 0.

        For a figure with a target, the difference is that of its distance from the target.
        """
        if self.figure.goal == "neutral":
            return "neutral"
        ends = self.distance_interval if self.figure.goal == "target" else self.interval
        if ends is None:
            return "no interval"
        if _contains_0(ends):
            return "inconclusive"
        return "better" if (ends[0] > 0) == (self.figure.goal == "higher") else "worse"

    @property
    def moved(self) -> bool:
        """Whether the value itself has changed significantly, but not its distance from the target."""
        return self.verdict == "inconclusive" and self.interval is not None and not _contains_0(self.interval)

    @property
    def summary(self) -> str:
        """The figure with both values."""
        return f"{self.figure.name} {formatting.number(self.before)} to {formatting.number(self.after)}"

    def as_dict(self) -> dict[str, Any]:
        """The value for JSON."""
        ends = self.interval and [rounded(end) for end in self.interval]
        return {
            "figure": self.figure.name,
            "before": self.before,
            "after": self.after,
            "difference": self.difference,
            "interval": ends,
            "verdict": self.verdict,
        }


def _contains_0(ends: tuple[float, float]) -> bool:
    return ends[0] <= 0 <= ends[1]


@dataclass(frozen=True)
class Comparison:
    """The differences between two versions."""

    after: str
    before: str
    changes: Sequence[Change]
    settings: Mapping[str, tuple[str, str]]  # (before, after) of what differs in config, counts, libraries
    notes: Sequence[str]
    verdict: Mapping[str, Any]  # of the version `after`, as in quality.json

    def with_verdict(self, verdict: ChangeVerdict) -> list[Change]:
        """The changes with a verdict."""
        return [change for change in self.changes if change.verdict == verdict]

    @property
    def line(self) -> str:
        """The counts of changes, with the most important names, in one line."""
        if not self.changes:
            return f"{self.after} against {self.before}: no figures in common"
        parts = [_count_with_names(self.with_verdict(verdict), verdict) for verdict in _SIGNIFICANT]
        same = len(self.with_verdict("inconclusive"))
        return f"{self.after} against {self.before}: {', '.join(parts)}, {same} inconclusive"

    @property
    def tested(self) -> int:
        """How many figures could have been better or worse."""
        return len([change for change in self.changes if change.verdict in ("better", "worse", "inconclusive")])

    def _credible(self, verdict: ChangeVerdict) -> list[Change]:
        """The changes with a verdict that are unlikely to be chance.

        These are changes of headline figures. If there are none, all changes count, provided that they are more than
        chance explains.
        """
        significant = [*self.with_verdict("better"), *self.with_verdict("worse")]
        headline = [change for change in significant if change.figure.headline]
        credible = headline or (significant if len(significant) >= _above_chance(self.tested) else [])
        return [change for change in credible if change.verdict == verdict]

    @property
    def tone(self) -> formatting.Tone:
        """Good if some credible change is better and none is worse; bad if it is the other way round."""
        better, worse = bool(self._credible("better")), bool(self._credible("worse"))
        return "neutral" if better == worse else "good" if better else "bad"

    @property
    def headline(self) -> str:
        """The heading of the page."""
        if not self.changes:
            reason = self.notes[0] if self.notes else "no figures in common"
            return f"Not compared: {reason.removeprefix('no figures: ')}"
        if self.tone != "neutral":
            return {"good": "Better", "bad": "Worse"}[self.tone]
        counts = {word: len(self.with_verdict(word)) for word in _SIGNIFICANT if self.with_verdict(word)}
        if self._credible("better"):
            return f"Better in {counts['better']}, worse in {counts['worse']}"
        if not counts:
            return "No significant difference"
        count, verdicts = sum(counts.values()), " or ".join(counts)
        verb = "is" if count == 1 else "are"
        return f"{count} of {self.tested} figures {verb} {verdicts}, no more than expected by chance"

    def as_dict(self) -> dict[str, Any]:
        """The value for JSON."""
        return {
            "against": self.before,
            "summary": self.line,
            "changes": [change.as_dict() for change in self.changes],
            "settings": {name: list(pair) for name, pair in self.settings.items()},
            "notes": list(self.notes),
            "figures": self.verdict.get("figures", {}),
            "skipped": self.verdict.get("skipped", {}),
        }


def _above_chance(count: int) -> int:
    """The smallest number k for which k or more of `count` 95% intervals exclude 0 by chance in at most 5% of cases.

    This is the upper tail of the binomial distribution, as if the intervals were independent.
    """
    tail = 1.0  # P(X >= k)
    for k in range(count + 1):
        if tail <= _ERROR_RATE + 1e-9:
            return k
        tail -= math.comb(count, k) * _ERROR_RATE**k * (1 - _ERROR_RATE) ** (count - k)
    return count + 1


def _count_with_names(changes: Sequence[Change], verdict: str) -> str:
    if not changes:
        return f"0 {verdict}"
    ordered = sorted(changes, key=lambda change: not change.figure.headline)
    more = f", {len(changes) - _MAX_NAMED} more" if len(changes) > _MAX_NAMED else ""
    return f"{len(changes)} {verdict} ({', '.join(change.summary for change in ordered[:_MAX_NAMED])}{more})"


def table_rows(comparison: Comparison) -> list[list[str]]:
    """A row for each figure: name, before, after, difference, interval, verdict."""
    return [
        [
            change.figure.name,
            formatting.number(change.before),
            formatting.number(change.after),
            f"{change.difference:+.3f}",
            formatting.interval(change.interval),
            change.verdict,
        ]
        for change in comparison.changes
    ]
