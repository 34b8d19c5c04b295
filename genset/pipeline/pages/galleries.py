"""Galleries of a dataset page: items of each class, and suspicious ones."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from genset.dataset import Record
from genset.engine import Engine
from genset.interfaces import Modality
from genset.pipeline.pages.parts import SOURCES, card
from genset.pipeline.pages.subject import Subject
from genset.report import formatting
from genset.report.page import (
    Card,
    CardRow,
    Gallery,
    PageSection,
)
from genset.seeds import rng_for

_ITEM_BYTES, _SUSPECT_BYTES = 7_500_000, 2_500_000  # in base64 they are 13.3 MB, and a page has 15 at most
_SHOWN = 12  # items of a class and source
_SHOWN_TEXT = 40
MOST_CLASSES = 30  # with items and a row in charts
_MOST_SUSPECTS = 24
MOST_DRAWN = 2.0  # a value beyond it would leave no room to the shares beside it


def not_shown(shown: int, count: int) -> str:
    """A note about items that are not shown."""
    return f", {shown} of {count}" if shown < count else ""


def items_section(subject: Subject, engine: Engine) -> PageSection:
    """Some items of each class, real ones above made ones."""
    labels = sorted({record.label for record in subject.records})
    some = _spread(labels, MOST_CLASSES)
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
    return card(record, modality.preview(modality.decode(record.raw)))


def suspicious_section(subject: Subject, engine: Engine) -> list[PageSection]:
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
