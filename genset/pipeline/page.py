"""The report page of a dataset: its verdict, figures, items and origin, put together from what the pipeline knows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from genset.config import EVERY_FIGURE
from genset.dataset import Record
from genset.engine import Engine
from genset.interfaces import Modality
from genset.pipeline.page_parts import SOURCES, card, counted, footer, origin, problem_section, without_places
from genset.report import charts, formatting
from genset.report.page import (
    Block,
    Card,
    CardRow,
    Chart,
    CodeBlock,
    Facts,
    Gallery,
    Page,
    PageSection,
    PageVerdict,
    Paragraphs,
    SideBySide,
    Table,
    Tile,
    render,
)
from genset.seeds import rng_for

_ITEM_BYTES, _SUSPECT_BYTES = 7_500_000, 2_500_000  # in base64 they are 13.3 MB, and a page has 15 at most
_SHOWN = 12  # items of a class and source
_SHOWN_TEXT = 40
_MOST_CLASSES = 30  # with items and a row in charts
_MOST_SUSPECTS = 24
_MOST_DRAWN = 2.0  # a value beyond it would leave no room to the shares beside it


@dataclass(frozen=True)
class Subject:
    """What a page is about."""

    title: str
    modality: Modality  # in the form in which items are shown
    records: Sequence[Record]  # real and made
    verdict: Mapping[str, Any] = field(default_factory=dict)  # as quality.json holds it; empty without figures
    problems: Sequence[Mapping[str, str]] = ()
    traits: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)  # of the version; empty for a folder
    against: str = ""  # the other set that has the real items
    looked: str = ""  # how little of it was looked at, where that was not all

    @property
    def among(self) -> str:
        """Which items traits and problems are of, where the page shows those of two sets."""
        return f" of {self.title}" if self.against else ""

    def of(self, source: str) -> list[Record]:
        """The records of one source."""
        return [record for record in self.records if record.source == source]


def dataset_page(subject: Subject, engine: Engine) -> bytes:
    """The page of a dataset: equal subjects give equal bytes."""
    figures = subject.verdict.get("figures", {})
    sections = [
        *([_figures(subject.verdict), *_classes(subject.verdict)] if figures else []),
        _balance(subject),
        _items(subject, engine),
        *_suspicious(subject, engine),
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
        if EVERY_FIGURE[name].low == 0 and max([value, *(ends or ())]) <= _MOST_DRAWN:
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
        worst = sorted(labels, key=lambda label: min(own.get(label, 2.0) for own in shares.values()))[:_MOST_CLASSES]
        shown = [label for label in labels if label in worst]
        said = f"{', '.join(shares)} of {len(shown)} classes, the values stand in the table beside it"
        svg = charts.dots(shown, shares, "value")
        blocks = [SideBySide([Chart(f"Classes{_of(len(shown), len(labels))}", svg, said), *blocks])]
    return [PageSection("Classes", "Which classes fall behind?", blocks)]


def _of(shown: int, count: int) -> str:
    """A note about items that are not shown."""
    return f", {shown} of {count}" if shown < count else ""


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
    largest = sorted(labels, key=lambda label: (-totals[label], label))[:_MOST_CLASSES]
    shown = [label for label in labels if label in largest]
    series = {word: [own.get(label, 0) for label in shown] for word, own in counts.items()}
    svg = charts.bars([label or "(none)" for label in shown], series, "train items")
    said = f"Train items of {len(shown)} classes by source; the numbers stand in the table beside it"
    chart = Chart(f"Train items by class{_of(len(shown), len(labels))}", svg, said)
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


def _items(subject: Subject, engine: Engine) -> PageSection:
    """Some items of each class, real ones above made ones."""
    labels = sorted({record.label for record in subject.records})
    some = _spread(labels, _MOST_CLASSES)
    stacks: dict[tuple[str, str], list[Record]] = {(label, source): [] for label in some for source in SOURCES}
    for record in subject.records:
        if (record.label, record.source) in stacks:
            stacks[record.label, record.source].append(record)
    for name, own in stacks.items():
        stacks[name] = [own[row] for row in rng_for(0, "page", *name).permutation(len(own))]
    rows = [
        CardRow(f"{label or 'no class'} · {SOURCES[source]}, {len(own)} of {len(stacks[label, source]):,}", own)
        for (label, source), own in _cards(stacks, subject.modality, engine).items()
    ]
    shown = sum(len(row.cards) for row in rows)
    note = f"{shown:,} of {len(subject.records):,} items, drawn at random{_of_classes(len(some), len(labels))}."
    gallery = Gallery("Real and made items", rows, note)
    return PageSection(
        "Items", "What do they look like?", [gallery], "Open one for its origin; arrow keys turn the pages."
    )


def _of_classes(shown: int, count: int) -> str:
    return f", of {shown} of {count} classes" if shown < count else ""


def _spread(labels: Sequence[str], most: int) -> list[str]:
    """At most so many of the labels, evenly over all of them."""
    step = max(1, -(-len(labels) // most))
    return list(labels[::step])


def _cards(
    stacks: Mapping[tuple[str, str], Sequence[Record]], modality: Modality, engine: Engine
) -> dict[tuple[str, str], list[Card]]:
    """Cards from the top of each stack, as many from each, until the page is full."""
    out: dict[tuple[str, str], list[Card]] = {}
    left, most, depth = _ITEM_BYTES, _SHOWN_TEXT, 0
    while depth < most and left > 0:
        layer = [(name, stack[depth]) for name, stack in stacks.items() if depth < len(stack)]
        for (name, _), made in zip(layer, engine.map(lambda pair: card_of(pair[1], modality), layer), strict=True):
            left -= made.size
            if left > 0:
                out.setdefault(name, []).append(made)
            most = most if made.is_text else _SHOWN
        depth = depth + 1 if layer else most
    return {name: out[name] for name in stacks if name in out}


def card_of(record: Record, modality: Modality) -> Card:
    """The card of an item that is read from where it lies."""
    return card(record, modality.exhibit(modality.decode(record.raw)))


def _suspicious(subject: Subject, engine: Engine) -> list[PageSection]:
    """The made items that are most like a train item, beside it."""
    found = subject.verdict.get("suspicious", ())
    if not found:
        return []
    by_name = dict(_names(subject.records))
    pairs = [one for one in found if one["made"] in by_name and one["real"] in by_name][:_MOST_SUSPECTS]

    def row(one: Mapping[str, Any]) -> CardRow:
        cards = [card_of(by_name[one[side]], subject.modality) for side in ("made", "real")]
        return CardRow(formatting.closeness(one), cards)

    rows, left = [], _SUSPECT_BYTES
    for pair in engine.map(row, pairs):
        left -= sum(card.size for card in pair.cards)
        if left > 0:
            rows.append(pair)
    of = f"The first {len(rows)} of {len(found):,}, the worst first"
    note = f"{of}: the made item comes first, beside it stands the nearest train item."
    lead = "A made item that nearly equals a train item gives that item away."
    gallery = Gallery("Made items that are much like a train item", rows, note, search=False, paired=True)
    return [PageSection("Suspicious", "Are there copies?", [gallery], lead)]


def _names(records: Sequence[Record]) -> Iterator[tuple[str, Record]]:
    """Records by all that a verdict may call them: their id, their place, for real ones the user's file."""
    for record in records:
        yield record.id, record
        yield record.place, record
        if record.source == "collected":
            yield record.origin, record
