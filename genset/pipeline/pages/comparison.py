"""The page and the Markdown of a comparison of two versions, and the Markdown of an evaluation."""

from collections.abc import Mapping, Sequence
from typing import Any

from genset.config.by_modality import EVERY_FIGURE
from genset.export.card import cell
from genset.pipeline.evaluate.comparison import Comparison, table_rows
from genset.pipeline.pages.parts import footer
from genset.report import charts, formatting
from genset.report.page import Block, Chart, Page, PageSection, PageVerdict, Paragraphs, Table, render

HEAD = ("figure", "before", "after", "difference", "95% interval", "verdict")


def comparison_markdown(comparison: Comparison, failed_gates: Sequence[str] = ()) -> bytes:
    """Markdown for the summary of a CI job or for a comment: the summary, then failed gates, then tables."""
    parts = [f"### {cell(comparison.after)} against {cell(comparison.before)}\n", f"{cell(comparison.line)}.\n"]
    parts += _failed_gates(failed_gates)
    if comparison.changes:
        parts.append(_table(HEAD, table_rows(comparison)))
    if comparison.settings:
        changed = [[name, *pair] for name, pair in comparison.settings.items()]
        parts.append(_table(("setting", "before", "after"), changed))
    parts += [f"Note: {cell(note)}.\n" for note in comparison.notes]
    return "\n".join(parts).encode()


def evaluation_markdown(name: str, verdict: Mapping[str, Any]) -> bytes:
    """Markdown of an evaluation of synthetic items against real ones."""
    lift = formatting.lift_verdict(verdict["figures"], verdict["n"])
    parts = [f"### {cell(name)}\n", *([f"{cell(lift.line)}.\n"] if lift else [])]
    parts += _failed_gates(verdict["failed_gates"])
    rows = []
    for figure, value in verdict["figures"].items():
        info, ends = EVERY_FIGURE[figure], verdict["details"][figure]["interval"]
        rows.append([figure, formatting.number(value), formatting.interval(ends), formatting.goal(info), info.what])
    parts.append(_table(("figure", "value", "95% interval", "better", "meaning"), rows))
    parts += [f"{cell(line)}.\n" for line in formatting.not_computed(verdict["skipped"])]
    parts += [f"Note: {cell(note)}.\n" for note in verdict["notes"]]
    return "\n".join(parts).encode()


def _failed_gates(failed: Sequence[str]) -> list[str]:
    return [*(f"- gate failed: {cell(reason)}" for reason in failed), *("" for _ in failed[:1])]


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = [list(head), ["---"] * len(head), *([cell(value) if value else "" for value in row] for row in body)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def comparison_page(comparison: Comparison, failed_gates: Sequence[str] = ()) -> bytes:
    """The HTML page of a comparison."""
    tones: dict[int, formatting.Tone] = {
        row: "good" if change.verdict == "better" else "bad"
        for row, change in enumerate(comparison.changes)
        if change.verdict in ("better", "worse")
    }
    blocks: list[Block] = [
        *_difference_chart(comparison),
        Table("Figures before and after", HEAD, table_rows(comparison), prose=(5,), tones=tones),
        Paragraphs([f"Note: {note}." for note in comparison.notes]),
    ]
    changed = [[name, *pair] for name, pair in comparison.settings.items()]
    settings = Table("Settings, counts and library versions", ("name", "before", "after"), changed, prose=(1, 2))
    sections = [PageSection("Figures", "Is it better?", blocks)]
    sections += [PageSection("Settings", "What is different?", [settings])] if changed else []
    title = f"{comparison.after} against {comparison.before}"
    verdict = _verdict(comparison, failed_gates)
    return render(Page(title, "comparison of two versions", verdict, sections, footer=footer({})))


def _difference_chart(comparison: Comparison) -> list[Chart]:
    """A chart of the differences that fit a common scale; none if there are none."""
    shown = [change for change in comparison.changes if change.interval and max(map(abs, change.interval)) <= 1]
    if not shown:
        return []
    rows = [charts.RangeRow(change.figure.name, change.difference, change.interval) for change in shown]
    values = "; ".join(f"{change.figure.name} {change.difference:+.3f}" for change in shown)
    svg = charts.ranges(rows, "after - before", 0.0)
    return [Chart("Differences with 95% intervals", svg, f"{values}. The table has all values.")]


def _verdict(comparison: Comparison, failed_gates: Sequence[str]) -> PageVerdict:
    failures = [f"gate failed: {reason}" for reason in failed_gates]
    if comparison.tone == "bad":
        failures += [f"worse: {change.summary}" for change in comparison.with_verdict("worse")]
    gates = f"; {len(failed_gates)} gate{'s' * (len(failed_gates) != 1)} failed" if failed_gates else ""
    tone: formatting.Tone = "bad" if failed_gates else comparison.tone
    return PageVerdict(tone, f"{comparison.headline}{gates}", [f"{comparison.line}."], failures)
