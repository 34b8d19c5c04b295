"""Items that are in two splits or come from another split."""

from genset.dataset import Record
from genset.pipeline.split.leaks import leaks
from tests.unit.builders import record


def kinds(*items: Record) -> list[tuple[str, str]]:
    return [(problem.path, problem.kind) for problem in leaks(items)]


def test_items_of_one_split_do_not_leak() -> None:
    assert kinds(record("x", content="c", group="g"), record("y", content="c", group="g")) == []


def test_equal_contents_in_two_splits_are_reported_in_the_later_one() -> None:
    assert kinds(record("x", content="c", split="test"), record("y", content="c", split="train")) == [
        ("x", "exact_leak")
    ]


def test_unknown_contents_and_groups_are_not_equal() -> None:
    assert kinds(record("x", split="train"), record("y", split="test")) == []


def test_near_duplicates_leak_unless_they_are_equal_or_synthetic() -> None:
    near = {"cluster": "n"}
    first = record("x", content="c1", split="train", **near)
    assert kinds(first, record("y", content="c2", split="test", **near)) == [("y", "near_leak")]
    assert kinds(first, record("y", content="c1", split="test", **near)) == [("y", "exact_leak")]
    synthetic = record("y", content="c2", split="test", source="generated", **near)
    assert kinds(first, synthetic) == [("y", "made_held_out")]


def test_another_label_of_a_leaking_item_is_reported() -> None:
    (problem,) = leaks([record("x", "a", content="c", split="train"), record("y", "b", content="c", split="test")])
    assert "'a'" in problem.detail and "'b'" in problem.detail


def test_a_group_in_two_splits_is_reported_once_with_its_numbers() -> None:
    items = [record(f"x{n}", group="anna", split="train" if n < 3 else "test") for n in range(5)]
    (problem,) = leaks(items)
    assert (problem.path, problem.kind) == ("x4", "group_leak")
    assert "train (3) and test (2)" in problem.detail and "'anna'" in problem.detail


def test_a_synthetic_item_that_is_held_out_is_reported() -> None:
    assert kinds(record("g", source="generated", split="validation")) == [("g", "made_held_out")]


def test_a_training_item_made_from_a_held_out_one_is_reported_for_each_parent() -> None:
    held_out = [record("x", split="test"), record("y", split="validation"), record("z", split="train")]
    mixed = record("m", source="augmented", origin="x z y gone", split="train")
    assert kinds(*held_out, mixed) == [("x z y gone", "lineage_leak")] * 2
