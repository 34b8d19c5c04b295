"""The plan of what is added to the training set and left out of it."""

from typing import Any

from genset.config.sections import Augment, Balance
from genset.pipeline.augment.plan import ClassPlan, plan_classes
from tests.unit.builders import record, records

TRAIN = [*records(6), *records(2, "b")]


def planned(section: Augment | None = None, target: Balance | None = None, **how: Any) -> ClassPlan:
    train, start = how.pop("train", TRAIN), how.pop("start", {})
    return plan_classes(train, start, section or Augment(), target or Balance(), 0, **{"has_model": False, **how})


def numbers(of: ClassPlan) -> list[tuple[str, int]]:
    return [(copy.parent.id, copy.number) for copy in of.copies]


def test_nothing_requested_is_nothing_planned() -> None:
    assert planned() == ClassPlan([], {"a": 0, "b": 0}, frozenset(), [])


def test_only_real_items_are_copied_and_their_numbers_continue() -> None:
    train = [*records(2), record("g", source="generated"), record("x", source="augmented", origin="a0")]
    assert numbers(planned(Augment(copies=2), train=train, start={"a0": 3})) == [
        ("a0", 3),
        ("a0", 4),
        ("a1", 0),
        ("a1", 1),
    ]


def test_copies_and_generated_items_count_towards_the_target() -> None:
    result = planned(Augment(copies=1), Balance(target="max"), requested={"a": 0, "b": 5}, has_model=True)
    assert result.generated == {"a": 0, "b": 8}  # 12 of a; of b 2 real, 2 copies, 5 requested, 3 that lack


def test_copies_that_fill_a_class_are_numbered_after_requested_ones() -> None:
    result = planned(Augment(copies=1), Balance(target=8, fill="augmented"))
    assert numbers(result)[-4:] == [("b0", 1), ("b1", 1), ("b0", 2), ("b1", 2)]
    assert [row["total"] for row in result.rows(TRAIN)] == [12, 8]


def test_shrinking_limits_the_generated_items_to_the_room() -> None:
    result = planned(target=Balance(target=4, shrink=True), requested={"a": 9, "b": 9}, has_model=True)
    assert result.generated == {"a": 0, "b": 2}
    assert [row["total"] for row in result.rows(TRAIN)] == [4, 4]
    assert [row["left_out"] for row in result.rows(TRAIN)] == [2, 0]


def test_kept_records_are_those_that_are_not_left_out_in_their_order() -> None:
    result = ClassPlan([], {}, frozenset({"a1", "b0"}), [])
    assert [item.id for item in result.kept(TRAIN)] == ["a0", "a2", "a3", "a4", "a5", "b1"]


def test_rows_count_each_source_and_add_up() -> None:
    train = [*records(3), record("g", source="generated"), record("x", "b", source="augmented", origin="a0")]
    rows = ClassPlan([], {"b": 4, "new": 1}, frozenset({"a0"}), []).rows(train)
    assert rows == [
        {"label": "a", "real": 2, "augmented": 0, "generated": 1, "left_out": 1, "total": 3},
        {"label": "b", "real": 0, "augmented": 1, "generated": 4, "left_out": 0, "total": 5},
        {"label": "new", "real": 0, "augmented": 0, "generated": 1, "left_out": 0, "total": 1},
    ]


def test_a_target_by_column_is_reached_with_copies() -> None:
    train = [record(f"x{n}", columns={"site": "north" if n < 4 else "south"}) for n in range(6)]
    result = planned(target=Balance(target="max", by=["site"]), train=train)
    assert numbers(result) == [("x4", 0), ("x5", 0)]
