"""Galleries of the page of a dataset: some items of each class, and near copies of training items."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from genset.dataset import Record
from genset.engine import Engine
from genset.interfaces import Modality
from genset.pipeline.pages.page_data import DatasetPageData
from genset.pipeline.pages.parts import SOURCES, item_card
from genset.report import formatting
from genset.report.page import (
    Card,
    CardRow,
    Gallery,
    PageSection,
)
from genset.seeds import rng_for

_ITEM_BYTES, _NEAR_COPY_BYTES = 7_500_000, 2_500_000  # 13.3 MB in base64; a page has at most 15 MB
_ITEMS_PER_ROW = 12  # of one class and source
_TEXTS_PER_ROW = 40
_MAX_NEAR_COPIES = 24
MAX_CLASSES = 30  # in galleries and charts


def items_section(data: DatasetPageData, engine: Engine) -> PageSection:
    """Some items of each class, real ones above synthetic ones."""
    labels = sorted({record.label for record in data.records})
    shown_labels = _evenly_spaced(labels, MAX_CLASSES)
    stacks: dict[tuple[str, str], list[Record]] = {(label, source): [] for label in shown_labels for source in SOURCES}
    for record in data.records:
        if (record.label, record.source) in stacks:
            stacks[record.label, record.source].append(record)
    for name, records in stacks.items():
        stacks[name] = [records[row] for row in rng_for(0, "page", *name).permutation(len(records))]
    rows = [
        CardRow(f"{label or 'no class'} · {SOURCES[source]}, {len(cards)} of {len(stacks[label, source]):,}", cards)
        for (label, source), cards in _cards(stacks, data.modality, engine).items()
    ]
    shown = sum(len(row.cards) for row in rows)
    classes = f", from {len(shown_labels)} of {len(labels)} classes" if len(shown_labels) < len(labels) else ""
    note = f"{shown:,} of {len(data.records):,} items, drawn at random{classes}."
    synthetic = any(record.source != "collected" for record in data.records)
    gallery = Gallery("Real and synthetic items" if synthetic else "Real items", rows, note)
    lead = "Select an item to see its details; the left and right arrow keys move to the next item."
    return PageSection("Items", "What do the items look like?", [gallery], lead)


def _evenly_spaced(labels: Sequence[str], limit: int) -> list[str]:
    """At most `limit` labels, evenly spaced."""
    step = max(1, -(-len(labels) // limit))
    return list(labels[::step])


def _cards(
    stacks: Mapping[tuple[str, str], Sequence[Record]], modality: Modality, engine: Engine
) -> dict[tuple[str, str], list[Card]]:
    """Cards from the top of each stack, equally many from each, until the page is full."""
    cards: dict[tuple[str, str], list[Card]] = {}
    bytes_left, limit, depth = _ITEM_BYTES, _TEXTS_PER_ROW, 0
    while depth < limit and bytes_left > 0:
        layer = [(name, stack[depth]) for name, stack in stacks.items() if depth < len(stack)]
        for (name, _), card in zip(layer, engine.map(lambda pair: _read_card(pair[1], modality), layer), strict=True):
            bytes_left -= card.size
            if bytes_left > 0:
                cards.setdefault(name, []).append(card)
            limit = limit if card.is_text else _ITEMS_PER_ROW
        depth = depth + 1 if layer else limit
    return {name: cards[name] for name in stacks if name in cards}


def _read_card(record: Record, modality: Modality) -> Card:
    """The card of an item, which is read from its file."""
    return item_card(record, modality.preview(modality.decode(record.raw)))


def near_copies_section(data: DatasetPageData, engine: Engine) -> list[PageSection]:
    """The synthetic items that are most similar to a training item, beside that item."""
    suspicious = data.verdict.get("suspicious", ())
    if not suspicious:
        return []
    by_name = dict(_names(data.records))
    pairs = [pair for pair in suspicious if pair["made"] in by_name and pair["real"] in by_name][:_MAX_NEAR_COPIES]

    def row(pair: Mapping[str, Any]) -> CardRow:
        cards = [_read_card(by_name[pair[side]], data.modality) for side in ("made", "real")]
        return CardRow(formatting.closeness(pair), cards)

    rows, bytes_left = [], _NEAR_COPY_BYTES
    for cards in engine.map(row, pairs):
        bytes_left -= sum(card.size for card in cards.cards)
        if bytes_left > 0:
            rows.append(cards)
    note = (
        f"The first {len(rows)} of {len(suspicious):,}, the most similar first. "
        "Each pair is a synthetic item and its nearest training item."
    )
    lead = "A synthetic item that nearly equals a training item reveals that item."
    gallery = Gallery("Synthetic items that are very similar to a training item", rows, note, search=False, paired=True)
    return [PageSection("Near copies", "Are there copies of training items?", [gallery], lead)]


def _names(records: Sequence[Record]) -> Iterator[tuple[str, Record]]:
    """Records by all names that a verdict may use: their id, their place, and the user's file of real items."""
    for record in records:
        yield record.id, record
        yield record.place, record
        if record.source == "collected":
            yield record.origin, record
