"""Which copies each parent gets."""

import json

from genset.pipeline.augment.copies import TransformedItem, copies_in_turn, next_numbers, numbered_copies
from tests.unit.builders import record, records


def test_copies_of_each_parent_are_numbered_from_its_start() -> None:
    result = numbered_copies(records(2), 2, {"a1": 5})
    assert [(copy.parent.id, copy.number) for copy in result] == [("a0", 0), ("a0", 1), ("a1", 5), ("a1", 6)]


def test_copies_in_turn_stop_at_the_count_or_the_limit() -> None:
    parents = records(3)
    assert [(c.parent.id, c.number) for c in copies_in_turn(parents, {}, 4, 9)] == [
        ("a0", 0),
        ("a1", 0),
        ("a2", 0),
        ("a0", 1),
    ]
    assert [(c.parent.id, c.number) for c in copies_in_turn(parents, {"a0": 1, "a1": 2}, 99, 2)] == [
        ("a0", 1),
        ("a2", 0),
        ("a2", 1),
    ]
    assert copies_in_turn([], {}, 5, 5) == []


def test_the_next_number_follows_the_last_copy_of_the_first_parent() -> None:
    rows = [("x", 0), ("x other", 3), ("y", 1)]
    items = [
        record(f"n{n}", source="augmented", origin=origin, transform=json.dumps({"copy": number}))
        for n, (origin, number) in enumerate(rows)
    ]
    assert next_numbers([*items, record("x")]) == {"x": 4, "y": 2}


def test_soft_labels_are_the_shares_of_all_mixed_classes_largest_first() -> None:
    mixed = [
        {"kind": "mix", "partner": "p", "partner_label": "b", "share": 0.25},
        {"kind": "noise"},
        {"kind": "mix", "partner": "q", "partner_label": "a", "share": 0.2},
    ]
    item = TransformedItem(None, 0, mixed)  # type: ignore[arg-type]
    assert item.partners == ["p", "q"]
    assert item.soft_label("a") == {"a": 0.8, "b": 0.2}
    assert TransformedItem(None, 0, mixed[1:2]).soft_label("a") == {}  # type: ignore[arg-type]
