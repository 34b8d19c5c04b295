"""What changed from one version to another, as a line, a table, Markdown and a page."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from genset.interfaces import MetricInfo
from genset.pipeline.evaluate.evaluator import rounded
from genset.report import formatting

ChangeVerdict = Literal["better", "worse", "inconclusive", "no interval", "neutral"]
_APART: tuple[ChangeVerdict, ...] = ("better", "worse")
_NAMED = 3  # figures that the one line names
_CHANCE = 0.05  # that an interval of 95% leaves out what is true


@dataclass(frozen=True)
class Change:
    """One figure before and after."""

    figure: MetricInfo
    before: float
    after: float
    interval: tuple[float, float] | None  # of the difference, 95%
    distance_interval: tuple[float, float] | None = None  # the same of what was added to the distance from a target

    @property
    def difference(self) -> float:
        """What was added."""
        return rounded(self.after - self.before)

    @property
    def verdict(self) -> ChangeVerdict:
        """What the change is worth: only a difference whose interval leaves out 0 is better or worse; of a figure with
        a target that of its distance from it."""
        if self.figure.goal == "neutral":
            return "neutral"
        ends = self.distance_interval if self.figure.goal == "target" else self.interval
        if ends is None:
            return "no interval"
        if _holds_0(ends):
            return "inconclusive"
        return "better" if (ends[0] > 0) == (self.figure.goal == "higher") else "worse"

    @property
    def moved(self) -> bool:
        """Whether the value itself has provably changed, though to nothing better or worse."""
        return self.verdict == "inconclusive" and self.interval is not None and not _holds_0(self.interval)

    @property
    def summary(self) -> str:
        """In a few words."""
        return f"{self.figure.name} {formatting.number(self.before)} to {formatting.number(self.after)}"

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        ends = self.interval and [rounded(end) for end in self.interval]
        told = {"figure": self.figure.name, "before": self.before, "after": self.after}
        return {**told, "difference": self.difference, "interval": ends, "verdict": self.verdict}


def _holds_0(ends: tuple[float, float]) -> bool:
    return ends[0] <= 0 <= ends[1]


@dataclass(frozen=True)
class Comparison:
    """What is new in one version beside another."""

    after: str
    before: str
    changes: Sequence[Change]
    settings: Mapping[str, tuple[str, str]]  # of the config and the counts: before, after
    notes: Sequence[str]
    verdict: Mapping[str, Any]  # of the version itself, as quality.json holds it

    def with_verdict(self, verdict: ChangeVerdict) -> list[Change]:
        """The changes of a kind."""
        return [change for change in self.changes if change.verdict == verdict]

    @property
    def line(self) -> str:
        """All of it in a line."""
        if not self.changes:
            return f"{self.after} against {self.before}: no figure stands on both sides"
        parts = [_named(self.with_verdict("better"), "better"), _named(self.with_verdict("worse"), "worse")]
        same = len(self.with_verdict("inconclusive"))
        return f"{self.after} against {self.before}: {', '.join(parts)}, {same} inconclusive"

    @property
    def tested(self) -> int:
        """Figures that could have been better or worse."""
        return len([change for change in self.changes if change.verdict in ("better", "worse", "inconclusive")])

    def _credible(self, verdict: ChangeVerdict) -> list[Change]:
        """The changes of a kind that are to be believed: those of headline figures; where there are none all, if they
        are more than chance makes."""
        apart = [*self.with_verdict("better"), *self.with_verdict("worse")]
        first = [change for change in apart if change.figure.headline]
        believed = first or (apart if len(apart) >= _above_chance(self.tested) else [])
        return [change for change in believed if change.verdict == verdict]

    @property
    def tone(self) -> formatting.Tone:
        """Good where something that is to be believed is better and nothing worse."""
        better, worse = bool(self._credible("better")), bool(self._credible("worse"))
        return "neutral" if better == worse else "good" if better else "bad"

    @property
    def headline(self) -> str:
        """The tone in words."""
        if not self.changes:
            why = self.notes[0] if self.notes else "no figure stands on both sides"
            return f"Not compared: {why.removeprefix('no figures: ')}"
        if self.tone != "neutral":
            return {"good": "Better", "bad": "Worse"}[self.tone]
        counts = {word: len(self.with_verdict(word)) for word in _APART if self.with_verdict(word)}
        if self._credible("better"):
            return f"Better in {counts['better']}, worse in {counts['worse']}"
        if not counts:
            return "Nothing that can be told apart"
        count, word = sum(counts.values()), " or ".join(counts)
        verb = "is" if count == 1 else "are"
        return f"{count} of {self.tested} figures {verb} {word}, as chance alone would make it"

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
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
    """The fewest of so many 95% intervals that leave out 0 by chance in at most one case of twenty, as if they were
    independent: the upper tail of the binomial distribution."""
    left = 1.0
    for found in range(count + 1):
        if left <= _CHANCE + 1e-9:
            return found
        left -= math.comb(count, found) * _CHANCE**found * (1 - _CHANCE) ** (count - found)
    return count + 1


def _named(changes: Sequence[Change], word: str) -> str:
    if not changes:
        return f"0 {word}"
    ordered = sorted(changes, key=lambda change: not change.figure.headline)
    more = f", {len(changes) - _NAMED} more" if len(changes) > _NAMED else ""
    return f"{len(changes)} {word} ({', '.join(change.summary for change in ordered[:_NAMED])}{more})"


def table_rows(comparison: Comparison) -> list[list[str]]:
    """A row for each figure: name, before, after, difference, interval, what it is worth."""
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
