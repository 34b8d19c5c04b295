"""The report page of a dataset: its verdict, figures, classes, items and origin."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from genset.config.by_modality import EVERY_FIGURE
from genset.engine import Engine
from genset.pipeline.pages.galleries import MAX_CLASSES, items_section, near_copies_section
from genset.pipeline.pages.page_data import DatasetPageData
from genset.pipeline.pages.parts import (
    SOURCES,
    count_values,
    footer,
    origin_section,
    problem_section,
    without_folders,
)
from genset.report import charts, formatting
from genset.report.page import (
    Block,
    Chart,
    CodeBlock,
    Facts,
    Page,
    PageSection,
    PageVerdict,
    Paragraphs,
    SideBySide,
    Table,
    Tile,
    render,
)

_MAX_ON_AXIS = 2.0  # a chart with a larger value would leave no room for the shares, which are at most 1
_MAX_TRAIT_VALUES = 8
_TRAITS = {"rate": "sample rate", "seconds": "length", "stored": "encoding"}  # words for people


def dataset_page(data: DatasetPageData, engine: Engine) -> bytes:
    """The HTML page of a dataset; equal data gives equal bytes."""
    figures = data.verdict.get("figures", {})
    sections = [
        *([_figures(data.verdict), *_classes(data.verdict)] if figures else []),
        _contents(data),
        items_section(data, engine),
        *near_copies_section(data, engine),
        *problem_section(data.problems),
        *origin_section(data.manifest),
    ]
    tiles = _tiles(data.verdict) if figures else []
    return render(Page(data.title, _about(data), _verdict(data), sections, tiles, footer(data.manifest)))


def _about(data: DatasetPageData) -> str:
    sources = [f"{len(records):,} {word}" for source, word in SOURCES.items() if (records := data.from_source(source))]
    classes = len({record.label for record in data.records} - {""})
    about = f"{data.modality.kind} items: {', '.join(sources)}"
    about += f", {classes} class{'es' * (classes != 1)}" if classes else ", without classes"
    return f"{about}; evaluated against {without_folders(data.against)}" if data.against else about


def _verdict(data: DatasetPageData) -> PageVerdict:
    verdict, figures = data.verdict, data.verdict.get("figures", {})
    failures = [f"gate failed: {reason}" for reason in verdict.get("failed_gates", ())]
    quick = [f"{_capitalised(data.quick_note)}."] if data.quick_note else []
    closing = [*quick, _problem_count(data)]
    lift = formatting.lift_verdict(figures, verdict["n"]) if figures else None
    if lift is None:
        return PageVerdict("bad" if failures else "neutral", _headline_without_lift(data), closing, failures)
    augmented = formatting.augmented_lift(figures)
    advice = "if cas_ratio is low, more training or more real items may help" if lift.tone == "neutral" else ""
    lines = [f"{_capitalised(line)}." for line in (lift.measured, augmented, advice) if line]
    return PageVerdict("bad" if failures else lift.tone, _capitalised(lift.sentence), [*lines, *closing], failures)


def _problem_count(data: DatasetPageData) -> str:
    count = len(data.problems)
    number = f"{count:,}" if count else "No"
    return f"{number} problem{'s' * (count != 1)} in the items{data.scope}."


def _headline_without_lift(data: DatasetPageData) -> str:
    reason = data.verdict.get("skipped", {}).get("lift")
    if reason:
        return f"It is not known whether the synthetic items help: {reason}"
    synthetic = any(record.source != "collected" for record in data.records)
    return "Not evaluated against real items" if synthetic else f"{len(data.records):,} real items"


def _tiles(verdict: Mapping[str, Any]) -> list[Tile]:
    tiles = []
    for name, value in verdict["figures"].items():
        if EVERY_FIGURE[name].headline:
            interval = verdict.get("details", {}).get(name, {}).get("interval")
            text = f"{value:+.3f}" if name == "lift" else formatting.number(value)
            tiles.append(Tile(name, text, formatting.interval(interval), EVERY_FIGURE[name].what))
    return tiles


def _figures(verdict: Mapping[str, Any]) -> PageSection:
    """All figures by group, with their intervals and the values of real items."""
    details, figures = verdict.get("details", {}), verdict["figures"]
    groups = formatting.grouped(list(figures), EVERY_FIGURE)
    groups.pop("headline", None)  # these are tiles
    group_charts = [chart for group, names in groups.items() if (chart := _group_chart(group, names, verdict))]
    blocks: list[Block] = [SideBySide(group_charts)] if group_charts else []
    head = ("figure", "value", "95% interval", "real items", "better", "number of items", "meaning")
    for group, names in groups.items():
        rows = [_figure_row(name, figures[name], details.get(name, {})) for name in names]
        blocks.append(Table(_capitalised(formatting.GROUPS[group]), head, rows, prose=(5, 6)))
    lines = [f"{line}." for line in formatting.not_computed(verdict.get("skipped", {}))]
    lines += [f"Note: {line}." for line in verdict.get("notes", ())]
    spaces = "\n".join(formatting.measured_on(details, verdict.get("spaces", {})))
    blocks += [Paragraphs(lines)] if lines else []
    blocks += [CodeBlock("Items and features that each figure was computed from", spaces)] if spaces else []
    lead = "A dot is a value, a bar its 95% interval, a vertical tick the value of real items."
    return PageSection("Figures", "How good are the synthetic items?", blocks, lead)


def _capitalised(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"


def _figure_row(name: str, value: float, detail: Mapping[str, Any]) -> list[str]:
    figure, real = EVERY_FIGURE[name], detail.get("real")
    return [
        name,
        formatting.number(value),
        formatting.interval(detail.get("interval")),
        "" if real is None else formatting.number(real),
        formatting.goal(figure),
        formatting.counts(detail.get("n", {})),
        f"{figure.what} ({figure.source})" if figure.source else figure.what,
    ]


def _group_chart(group: str, names: Sequence[str], verdict: Mapping[str, Any]) -> Chart | None:
    """The figures of a group that share a scale: shares, and ratios that are usually near 1. None if there are none."""
    rows = []
    for name in names:
        value, detail = verdict["figures"][name], verdict.get("details", {}).get(name, {})
        ends = _pair(detail.get("interval"))
        if EVERY_FIGURE[name].low == 0 and max([value, *(ends or ())]) <= _MAX_ON_AXIS:
            rows.append(charts.RangeRow(name, value, ends, detail.get("real")))
    if not rows:
        return None
    values = "; ".join(f"{row.name} {formatting.number(row.value)}" for row in rows)
    title = _capitalised(formatting.GROUPS[group])
    return Chart(title, charts.ranges(rows, "value"), f"{values}. The table has all values.")


def _is_share(name: str) -> bool:
    return EVERY_FIGURE[name].low == 0 and EVERY_FIGURE[name].high == 1


def _pair(ends: Sequence[float] | None) -> tuple[float, float] | None:
    return (ends[0], ends[1]) if ends else None


def _classes(verdict: Mapping[str, Any]) -> list[PageSection]:
    columns = formatting.class_columns(verdict.get("details", {}))
    labels = list(dict.fromkeys(label for values in columns.values() for label in values))
    if not labels:
        return []
    rows = []
    for label in labels:
        cells = [values.get(label) for values in columns.values()]
        rows.append([label, *("–" if value is None else formatting.number(value) for value in cells)])
    blocks: list[Block] = [Table("Figures by class", ("class", *columns), rows)]
    shares = {name: values for name, values in columns.items() if _is_share(name)}
    if shares:
        worst = sorted(labels, key=lambda label: min(values.get(label, 2.0) for values in shares.values()))
        shown = [label for label in labels if label in worst[:MAX_CLASSES]]
        description = f"{', '.join(shares)} of {len(shown)} classes. The table beside it has the values."
        title = f"Shares by class{_of_total(len(shown), len(labels))}"
        blocks = [SideBySide([Chart(title, charts.dots(shown, shares, "value"), description), *blocks])]
    return [PageSection("Classes", "Which classes are weakest?", blocks)]


def _of_total(shown: int, total: int) -> str:
    """A note that not all classes are shown."""
    return f", {shown} of {total}" if shown < total else ""


def _contents(data: DatasetPageData) -> PageSection:
    """Training items by class and source, and all items by split and by their traits."""
    train = [record for record in data.records if record.split in ("train", "") or record.source != "collected"]
    counts = {
        word: count_values(record.label for record in train if record.source == source)
        for source, word in SOURCES.items()
    }
    counts = {word: by_class for word, by_class in counts.items() if by_class or word == "real"}
    labels = sorted({label for by_class in counts.values() for label in by_class})
    totals = {label: sum(by_class.get(label, 0) for by_class in counts.values()) for label in labels}
    largest = sorted(labels, key=lambda label: (-totals[label], label))[:MAX_CLASSES]
    shown = [label for label in labels if label in largest]
    series = {word: [by_class.get(label, 0) for label in shown] for word, by_class in counts.items()}
    svg = charts.bars([label or "(none)" for label in shown], series, "training items")
    description = f"Training items of {len(shown)} classes by source. The table beside it has the numbers."
    chart = Chart(f"Training items by class{_of_total(len(shown), len(labels))}", svg, description)
    splits = count_values(record.split or "not split" for record in data.records)
    facts = [Facts("Items by split", {name: f"{count:,}" for name, count in splits.items()})]
    for trait, values in data.traits.items():
        facts.append(Facts(f"Items{data.scope} by {_TRAITS.get(trait, trait)}", _most_frequent(values)))
    blocks = [SideBySide([chart, _class_table(counts, totals)]), SideBySide(facts)]
    return PageSection("Contents", "What does the dataset contain?", blocks)


def _most_frequent(counts: Mapping[str, int]) -> dict[str, str]:
    """The counts of the most frequent values, with numbers in the values in ascending order."""
    names = sorted(counts, key=lambda name: -counts[name])[:_MAX_TRAIT_VALUES]
    ordered = sorted(names, key=lambda name: ([int(digits) for digits in re.findall(r"\d+", name)], name))
    return {name: f"{counts[name]:,}" for name in ordered}


def _class_table(counts: Mapping[str, Mapping[str, int]], totals: Mapping[str, int]) -> Table:
    """Training items by class and source, with the share of each class among real items and among all items."""
    real, total = sum(counts["real"].values()), sum(totals.values())
    synthetic = len(counts) > 1
    rows = []
    for label, class_total in totals.items():
        numbers = [by_class.get(label, 0) for by_class in counts.values()]
        cells = [f"{number:,}" for number in numbers]
        share_of_real = f"{numbers[0] / max(1, real):.1%}"
        if synthetic:
            rows.append([label or "(none)", *cells, f"{class_total:,}", share_of_real, f"{class_total / total:.1%}"])
        else:
            rows.append([label or "(none)", *cells, share_of_real])
    if not synthetic:
        return Table("Training items by class", ("class", *counts, "share"), rows)
    head = ("class", *counts, "all", "share of real", "share of all")
    return Table("Training items by class and source", head, rows)
