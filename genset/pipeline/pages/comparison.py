"""Pages and Markdown that compare two versions."""

from collections.abc import Mapping, Sequence
from typing import Any

from genset.config.by_modality import EVERY_FIGURE
from genset.export.card import cell
from genset.pipeline.evaluate.comparison import Comparison, table_rows
from genset.pipeline.pages.parts import footer
from genset.report import charts, formatting
from genset.report.page import Block, Chart, Page, PageSection, PageVerdict, Paragraphs, Table, render

HEAD = ("figure", "before", "after", "difference", "95% interval", "")


def markdown(comparison: Comparison, failed: Sequence[str] = ()) -> bytes:
    """For the summary of a CI job, or a comment: the line first, then why gates failed."""
    parts = [f"### {cell(comparison.after)} against {cell(comparison.before)}\n", f"{cell(comparison.line)}.\n"]
    parts += _gates(failed)
    if comparison.changes:
        parts.append(_table(HEAD, table_rows(comparison)))
    if comparison.settings:
        changed = [[name, *pair] for name, pair in comparison.settings.items()]
        parts.append(_table(("setting", "before", "after"), changed))
    parts += [f"Note: {cell(note)}.\n" for note in comparison.notes]
    return "\n".join(parts).encode()


def judged_markdown(name: str, verdict: Mapping[str, Any]) -> bytes:
    """The same of made items beside real ones."""
    told = formatting.lift_verdict(verdict["figures"], verdict["n"])
    parts = [f"### {cell(name)}\n", *([f"{cell(told.line)}.\n"] if told else [])]
    parts += _gates(verdict["failed_gates"])
    body = []
    for figure, value in verdict["figures"].items():
        known, ends = EVERY_FIGURE[figure], verdict["details"][figure]["interval"]
        body.append([figure, formatting.number(value), formatting.interval(ends), formatting.goal(known), known.what])
    parts.append(_table(("figure", "value", "95% interval", "better", "what it is"), body))
    parts += [f"Not computed: {cell(line)}.\n" for line in formatting.by_reason(verdict["skipped"])]
    parts += [f"Note: {cell(note)}.\n" for note in verdict["notes"]]
    return "\n".join(parts).encode()


def _gates(failed: Sequence[str]) -> list[str]:
    return [*(f"- gate failed: {cell(reason)}" for reason in failed), *("" for _ in failed[:1])]


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = [list(head), ["---"] * len(head), *([cell(value) if value else "" for value in row] for row in body)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def page(comparison: Comparison, failed: Sequence[str] = ()) -> bytes:
    """The same as a page."""
    tones = {row: change.verdict for row, change in enumerate(comparison.changes)}
    marks: dict[int, formatting.Tone] = {
        row: "good" if word == "better" else "bad" for row, word in tones.items() if word in ("better", "worse")
    }
    blocks: list[Block] = []
    drawn = [change for change in comparison.changes if change.interval and max(map(abs, change.interval)) <= 1]
    if drawn:
        ranges = [charts.RangeRow(change.figure.name, change.difference, change.interval) for change in drawn]
        said = "; ".join(f"{change.figure.name} {change.difference:+.3f}" for change in drawn)
        svg = charts.ranges(ranges, "after less before", 0.0)
        blocks.append(Chart("Differences with 95% intervals", svg, f"{said}. All values stand in the table."))
    blocks.append(Table("Figures before and after", HEAD, table_rows(comparison), prose=(5,), tones=marks))
    changed = [[name, *pair] for name, pair in comparison.settings.items()]
    settings = Table("Settings, counts and versions that differ", ("what", "before", "after"), changed, prose=(1, 2))
    sections = [
        PageSection("Figures", "Is it better?", [*blocks, Paragraphs([f"Note: {note}." for note in comparison.notes])])
    ]
    sections += [PageSection("Settings", "What was changed?", [settings])] if changed else []
    after, before = comparison.after, comparison.before
    about = "two versions side by side"
    return render(Page(f"{after} against {before}", about, _verdict(comparison, failed), sections, footer=footer({})))


def _verdict(comparison: Comparison, failed: Sequence[str]) -> PageVerdict:
    wrong = [f"gate failed: {reason}" for reason in failed]
    wrong += [f"worse: {change.summary}" for change in comparison.with_verdict("worse") if comparison.tone == "bad"]
    gates = f"; {len(failed)} gate{'s' * (len(failed) != 1)} failed" if failed else ""
    tone: formatting.Tone = "bad" if failed else comparison.tone
    return PageVerdict(tone, f"{comparison.headline}{gates}", [f"{comparison.line}."], wrong)
