"""What changed from one version to another, as a line, a table, Markdown and a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from genset.config import EVERY_FIGURE
from genset.export.card import cell
from genset.interfaces import Figure
from genset.pipeline.judge import rounded
from genset.pipeline.page_parts import footer
from genset.report import charts, words
from genset.report.page import Block, Chart, Page, Section, Table, Verdict, Words, render

Word = Literal["better", "worse", "not told apart", "no interval", "neutral"]
_NAMED = 3  # figures that the one line names


@dataclass(frozen=True)
class Change:
    """One figure before and after."""

    figure: Figure
    before: float
    after: float
    interval: tuple[float, float] | None  # of the difference, 95%

    @property
    def difference(self) -> float:
        """What was added."""
        return rounded(self.after - self.before)

    @property
    def word(self) -> Word:
        """What the change is worth: only a difference whose interval leaves out 0 is better or worse."""
        if self.figure.goal == "neutral":
            return "neutral"
        if self.interval is None:
            return "no interval"
        if self.interval[0] <= 0 <= self.interval[1]:
            return "not told apart"
        return "better" if self._gain > 0 else "worse"

    @property
    def _gain(self) -> float:
        if self.figure.target is not None and self.figure.goal == "target":
            return abs(self.before - self.figure.target) - abs(self.after - self.figure.target)
        return self.difference if self.figure.goal == "higher" else -self.difference

    @property
    def told(self) -> str:
        """In a few words."""
        return f"{self.figure.name} {words.number(self.before)} to {words.number(self.after)}"

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        ends = self.interval and [rounded(end) for end in self.interval]
        told = {"figure": self.figure.name, "before": self.before, "after": self.after}
        return {**told, "difference": self.difference, "interval": ends, "verdict": self.word}


@dataclass(frozen=True)
class Comparison:
    """What is new in one version beside another."""

    after: str
    before: str
    changes: Sequence[Change]
    settings: Mapping[str, tuple[str, str]]  # of the config and the counts: before, after
    notes: Sequence[str]
    verdict: Mapping[str, Any]  # of the version itself, as quality.json holds it

    def of(self, word: Word) -> list[Change]:
        """The changes of a kind."""
        return [change for change in self.changes if change.word == word]

    @property
    def line(self) -> str:
        """All of it in a line."""
        if not self.changes:
            return f"{self.after} against {self.before}: no figure stands on both sides"
        parts = [_named(self.of("better"), "better"), _named(self.of("worse"), "worse")]
        same = len(self.of("not told apart"))
        return f"{self.after} against {self.before}: {', '.join(parts)}, {same} not told apart"

    @property
    def tone(self) -> words.Tone:
        """Good where something is better and nothing worse."""
        better, worse = bool(self.of("better")), bool(self.of("worse"))
        return "neutral" if better == worse else "good" if better else "bad"

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


def _named(changes: Sequence[Change], word: str) -> str:
    if not changes:
        return f"0 {word}"
    ordered = sorted(changes, key=lambda change: not change.figure.headline)
    more = f", {len(changes) - _NAMED} more" if len(changes) > _NAMED else ""
    return f"{len(changes)} {word} ({', '.join(change.told for change in ordered[:_NAMED])}{more})"


def rows(comparison: Comparison) -> list[list[str]]:
    """A row for each figure: name, before, after, difference, interval, what it is worth."""
    return [
        [
            change.figure.name,
            words.number(change.before),
            words.number(change.after),
            f"{change.difference:+.3f}",
            words.interval(change.interval),
            change.word,
        ]
        for change in comparison.changes
    ]


HEAD = ("figure", "before", "after", "difference", "95% interval", "")


def markdown(comparison: Comparison) -> bytes:
    """For the summary of a CI job, or a comment: the line first."""
    parts = [f"### {cell(comparison.after)} against {cell(comparison.before)}\n", f"{cell(comparison.line)}.\n"]
    if comparison.changes:
        parts.append(_table(HEAD, rows(comparison)))
    if comparison.settings:
        changed = [[name, *pair] for name, pair in comparison.settings.items()]
        parts.append(_table(("setting", "before", "after"), changed))
    parts += [f"Note: {cell(note)}.\n" for note in comparison.notes]
    return "\n".join(parts).encode()


def judged_markdown(name: str, verdict: Mapping[str, Any]) -> bytes:
    """The same of made items beside real ones."""
    told = words.lift(verdict["figures"], verdict["n"])
    parts = [f"### {cell(name)}\n", *([f"{cell(told.line)}.\n"] if told else [])]
    parts += [f"- gate failed: {cell(reason)}" for reason in verdict["failed_gates"]]
    parts += ["" for _ in verdict["failed_gates"][:1]]
    body = []
    for figure, value in verdict["figures"].items():
        known, ends = EVERY_FIGURE[figure], verdict["details"][figure]["interval"]
        body.append([figure, words.number(value), words.interval(ends), words.goal(known), known.what])
    parts.append(_table(("figure", "value", "95% interval", "better", "what it is"), body))
    parts += [f"Not computed: {cell(line)}.\n" for line in words.by_reason(verdict["skipped"])]
    return "\n".join(parts).encode()


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = [list(head), ["---"] * len(head), *([cell(value) if value else "" for value in row] for row in body)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def page(comparison: Comparison) -> bytes:
    """The same as a page."""
    tones = {row: change.word for row, change in enumerate(comparison.changes)}
    marks: dict[int, words.Tone] = {
        row: "good" if word == "better" else "bad" for row, word in tones.items() if word in ("better", "worse")
    }
    blocks: list[Block] = []
    drawn = [change for change in comparison.changes if change.interval and max(map(abs, change.interval)) <= 1]
    if drawn:
        ranges = [charts.Range(change.figure.name, change.difference, change.interval) for change in drawn]
        said = "; ".join(f"{change.figure.name} {change.difference:+.3f}" for change in drawn)
        svg = charts.ranges(ranges, "after less before", 0.0)
        blocks.append(Chart("Differences with 95% intervals", svg, f"{said}. All values stand in the table."))
    blocks.append(Table("Figures before and after", HEAD, rows(comparison), prose=(5,), tones=marks))
    changed = [[name, *pair] for name, pair in comparison.settings.items()]
    settings = Table("Settings, counts and versions that differ", ("what", "before", "after"), changed, prose=(1, 2))
    sections = [Section("Figures", "Is it better?", [*blocks, Words([f"Note: {note}." for note in comparison.notes])])]
    sections += [Section("Settings", "What was changed?", [settings])] if changed else []
    after, before = comparison.after, comparison.before
    worse = [change.told for change in comparison.of("worse")]
    counts = len(comparison.of("better")), len(worse)
    mixed = f"Better in {counts[0]}, worse in {counts[1]}" if any(counts) else "Nothing that can be told apart"
    headline = {"good": "Better", "bad": "Worse", "neutral": mixed}[comparison.tone]
    verdict = Verdict(comparison.tone, headline, [f"{comparison.line}."], [f"worse: {told}" for told in worse])
    return render(Page(f"{after} against {before}", "two versions side by side", verdict, sections, footer=footer({})))
