"""The report page of a dataset: its verdict, figures, items and origin, put together from what the pipeline knows."""

from collections.abc import Mapping, Sequence
from typing import Any

from genset.config.by_modality import EVERY_FIGURE
from genset.engine import Engine
from genset.pipeline.pages.galleries import MOST_CLASSES, MOST_DRAWN, items_section, not_shown, suspicious_section
from genset.pipeline.pages.parts import SOURCES, counted, footer, origin, problem_section, without_places
from genset.pipeline.pages.subject import Subject
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


def dataset_page(subject: Subject, engine: Engine) -> bytes:
    """The page of a dataset: equal subjects give equal bytes."""
    figures = subject.verdict.get("figures", {})
    sections = [
        *([_figures(subject.verdict), *_classes(subject.verdict)] if figures else []),
        _balance(subject),
        items_section(subject, engine),
        *suspicious_section(subject, engine),
        *problem_section(subject.problems),
        *origin(subject.manifest),
    ]
    tiles = _tiles(subject.verdict) if figures else []
    return render(Page(subject.title, _about(subject), _verdict(subject), sections, tiles, footer(subject.manifest)))


def _about(subject: Subject) -> str:
    sources = [f"{len(found):,} {word}" for source, word in SOURCES.items() if (found := subject.of(source))]
    classes = len({record.label for record in subject.records} - {""})
    told = f"{subject.modality.kind} items: {', '.join(sources)}"
    told += f", {classes} class{'es' * (classes != 1)}" if classes else ", without classes"
    return f"{told}; judged against {without_places(subject.against)}" if subject.against else told


def _verdict(subject: Subject) -> PageVerdict:
    verdict = subject.verdict
    wrong = [f"gate failed: {reason}" for reason in verdict.get("failed_gates", ())]
    found = f"{len(subject.problems):,} problem{'s' * (len(subject.problems) != 1)}"
    items = f"in the items{subject.among}"
    problems = f"{found} {items}." if subject.problems else f"No problem was found {items}."
    told = formatting.lift_verdict(verdict["figures"], verdict["n"]) if verdict.get("figures") else None
    if told is None:
        why = verdict.get("skipped", {}).get("lift")
        judged = f"Whether the made items help is not known: {why}." if why else ""
        made = any(record.source != "collected" for record in subject.records)
        headline = judged or ("Not judged beside real items" if made else f"{len(subject.records):,} real items")
        looked = [f"{_title(subject.looked)}."] if subject.looked else []
        return PageVerdict("bad" if wrong else "neutral", headline, [*looked, problems], wrong)
    lines = [f"{_title(told.measured)}."]
    instead = formatting.augmented_lift(verdict["figures"])
    lines += [f"{_title(line)}." for line in (instead, subject.looked) if line]
    headline = _title(told.sentence)
    return PageVerdict("bad" if wrong else told.tone, headline, [*lines, problems], wrong)


def _tiles(verdict: Mapping[str, Any]) -> list[Tile]:
    out = []
    for name, value in verdict["figures"].items():
        if EVERY_FIGURE[name].headline:
            told = verdict.get("details", {}).get(name, {})
            shown = f"{value:+.3f}" if name == "lift" else formatting.number(value)
            out.append(Tile(name, shown, formatting.interval(told.get("interval")), EVERY_FIGURE[name].what))
    return out


def _figures(verdict: Mapping[str, Any]) -> PageSection:
    """Every figure by group, with intervals and what real items reach."""
    details, figures = verdict.get("details", {}), verdict["figures"]
    blocks: list[Block] = []
    groups = formatting.grouped(list(figures), EVERY_FIGURE)
    groups.pop("headline", None)  # seen as tiles
    drawn = [chart for group, names in groups.items() if (chart := _group_chart(group, names, verdict))]
    blocks += [SideBySide(drawn)] if drawn else []
    head = ("figure", "value", "95% interval", "real items", "better", "N", "what it is")
    for group, names in groups.items():
        rows = [_figure_row(name, figures[name], details.get(name, {})) for name in names]
        blocks.append(Table(_title(formatting.GROUPS[group]), head, rows, prose=(5, 6)))
    lines = [f"Not computed: {line}." for line in formatting.by_reason(verdict.get("skipped", {}))]
    lines += [f"Note: {line}." for line in verdict.get("notes", ())]
    places = "\n".join(formatting.measured_on(details, verdict.get("spaces", {})))
    blocks += [Paragraphs(lines)] if lines else []
    blocks += [CodeBlock("Where each figure looks, and at how many items", places)] if places else []
    lead = "A dot is the value, the bar its 95% interval, the upright tick what real train items reach in its place."
    return PageSection("Figures", "How good are the made items?", blocks, lead)


def _title(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"


def _figure_row(name: str, value: float, told: Mapping[str, Any]) -> list[str]:
    figure, real = EVERY_FIGURE[name], told.get("real")
    reached = "" if real is None else formatting.number(real)
    what = f"{figure.what} ({figure.source})" if figure.source else figure.what
    return [
        name,
        formatting.number(value),
        formatting.interval(told.get("interval")),
        reached,
        formatting.goal(figure),
        formatting.counts(told.get("n", {})),
        what,
    ]


def _group_chart(group: str, names: Sequence[str], verdict: Mapping[str, Any]) -> Chart | None:
    """The figures of a group that share a scale: shares, and what is usually near 1. None where there are none."""
    rows = []
    for name in names:
        value, told = verdict["figures"][name], verdict.get("details", {}).get(name, {})
        ends = _pair(told.get("interval"))
        if EVERY_FIGURE[name].low == 0 and max([value, *(ends or ())]) <= MOST_DRAWN:
            rows.append(charts.RangeRow(name, value, ends, told.get("real")))
    if not rows:
        return None
    said = "; ".join(f"{row.name} {formatting.number(row.value)}" for row in rows)
    return Chart(
        _title(formatting.GROUPS[group]), charts.ranges(rows, "value"), f"{said}. All values stand in the table."
    )


def _is_share(name: str) -> bool:
    return EVERY_FIGURE[name].low == 0 and EVERY_FIGURE[name].high == 1


def _pair(ends: Sequence[float] | None) -> tuple[float, float] | None:
    return (ends[0], ends[1]) if ends else None


def _classes(verdict: Mapping[str, Any]) -> list[PageSection]:
    columns = formatting.class_columns(verdict.get("details", {}))
    labels = list(dict.fromkeys(label for own in columns.values() for label in own))
    if not labels:
        return []
    values = [[own.get(label) for own in columns.values()] for label in labels]
    rows = [
        [label, *("–" if value is None else formatting.number(value) for value in row)]
        for label, row in zip(labels, values, strict=True)
    ]
    blocks: list[Block] = [Table("Figures of each class", ("class", *columns), rows)]
    shares = {name: own for name, own in columns.items() if _is_share(name)}
    if shares:
        worst = sorted(labels, key=lambda label: min(own.get(label, 2.0) for own in shares.values()))[:MOST_CLASSES]
        shown = [label for label in labels if label in worst]
        said = f"{', '.join(shares)} of {len(shown)} classes, the values stand in the table beside it"
        svg = charts.dots(shown, shares, "value")
        blocks = [SideBySide([Chart(f"Classes{not_shown(len(shown), len(labels))}", svg, said), *blocks])]
    return [PageSection("Classes", "Which classes fall behind?", blocks)]


def _balance(subject: Subject) -> PageSection:
    """Items by class, source and split: real ones before, all of them after."""
    train = [record for record in subject.records if record.split in ("train", "") or record.source != "collected"]
    counts = {
        word: counted(record.label for record in train if record.source == source) for source, word in SOURCES.items()
    }
    counts = {word: own for word, own in counts.items() if own or word == "real"}
    labels = sorted({label for own in counts.values() for label in own})
    totals = {label: sum(own.get(label, 0) for own in counts.values()) for label in labels}
    table = _shares(counts, totals)
    largest = sorted(labels, key=lambda label: (-totals[label], label))[:MOST_CLASSES]
    shown = [label for label in labels if label in largest]
    series = {word: [own.get(label, 0) for label in shown] for word, own in counts.items()}
    svg = charts.bars([label or "(none)" for label in shown], series, "train items")
    said = f"Train items of {len(shown)} classes by source; the numbers stand in the table beside it"
    chart = Chart(f"Train items by class{not_shown(len(shown), len(labels))}", svg, said)
    splits = counted(record.split or "not split" for record in subject.records)
    facts = [Facts("Items by split", {name: f"{count:,}" for name, count in splits.items()})]
    facts += [
        Facts(f"Items{subject.among} by {trait}", {name: f"{count:,}" for name, count in list(found.items())[:8]})
        for trait, found in subject.traits.items()
    ]
    blocks = [SideBySide([chart, table]), SideBySide(facts)]
    return PageSection("Balance", "What is in it?", blocks)


def _shares(counts: Mapping[str, Mapping[str, int]], totals: Mapping[str, int]) -> Table:
    """Counts by class and source, with the share of each class; before and after, where something was made."""
    real, whole = sum(counts["real"].values()), sum(totals.values())
    made = len(counts) > 1
    rows = []
    for label, total in totals.items():
        own = [by_class.get(label, 0) for by_class in counts.values()]
        shares = [own[0] / max(1, real), total / max(1, whole)]
        numbers = [*own, total] if made else own
        told = [f"{share:.1%}" for share in (shares if made else shares[:1])]
        rows.append([label or "(none)", *(f"{number:,}" for number in numbers), *told])
    if not made:
        return Table("Classes", ("class", *counts, "share"), rows)
    return Table("Before and after", ("class", *counts, "all", "share before", "share after"), rows)
