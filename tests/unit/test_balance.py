"""How many items each class gets, from which source, and which items large classes lose."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from genset.config.sections import Balance
from genset.dataset import Record
from genset.errors import GensetError
from genset.pipeline.augment.balance import Target, class_targets, downsample_classes, fill_classes, missing_counts
from genset.pipeline.augment.copies import Copy, numbered_copies
from tests.unit.builders import record, records

HAVE = {"a": 10, "b": 4, "c": 1}


def label_of(item: Record) -> str:
    return item.label


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (None, HAVE),
        ("max", {"a": 10, "b": 10, "c": 10}),
        ("median", {"a": 4, "b": 4, "c": 4}),
        (7, {"a": 7, "b": 7, "c": 7}),
        ({"b": 9}, {"a": 10, "b": 9, "c": 1}),
        ({}, HAVE),
    ],
)
def test_targets_of_each_class(target: Target, expected: Mapping[str, int]) -> None:
    assert class_targets(HAVE, target) == expected


def test_the_median_of_two_classes_is_rounded_down() -> None:
    assert class_targets({"a": 3, "b": 4}, "median") == {"a": 3, "b": 3}


def test_a_class_above_the_target_misses_no_items() -> None:
    assert missing_counts(HAVE, 4) == {"a": 0, "b": 0, "c": 3}
    assert missing_counts(HAVE, {"a": 2, "c": 5}) == {"a": 0, "b": 0, "c": 4}


def test_an_unknown_class_is_an_error_with_the_closest_name() -> None:
    with pytest.raises(GensetError, match="did you mean `cat`") as error:
        class_targets({"cat": 1, "dog": 2}, {"cta": 5})
    assert error.value.where == "balance.target" and "cat, dog" in error.value.hint


def test_without_shrinking_nothing_is_left_out() -> None:
    train = records(5)
    requested = numbered_copies(train, 2, {})
    result = downsample_classes(train, requested, Balance(target=1), label_of, 0)
    assert (result.left_out, result.copies, result.problems) == (frozenset(), requested, [])


def _downsampled(train: list[Record], requested: list[Copy], target: Any, seed: int = 0) -> Any:
    return downsample_classes(train, requested, Balance(target=target, shrink=True), label_of, seed)


def test_copies_are_removed_first_then_synthetic_items_then_real_ones() -> None:
    real, synthetic = records(4), [record(f"g{n}", source="generated") for n in range(3)]
    requested = numbered_copies(real, 1, {})
    nine = _downsampled([*real, *synthetic], requested, 9)
    assert nine.left_out == frozenset() and len(nine.copies) == 2
    seven = _downsampled([*real, *synthetic], requested, 7)
    assert seven.left_out == frozenset() and seven.copies == []
    five = _downsampled([*real, *synthetic], requested, 5)
    assert len(five.left_out) == 2 and five.left_out < {item.id for item in synthetic}
    two = _downsampled([*real, *synthetic], requested, 2)
    assert two.left_out > {item.id for item in synthetic} and len(two.left_out) == 5


def test_the_first_copy_of_every_item_comes_before_any_second() -> None:
    kept = _downsampled(records(3), numbered_copies(records(3), 3, {}), 7).copies
    assert [(copy.parent.id, copy.number) for copy in kept] == [("a0", 0), ("a1", 0), ("a2", 0), ("a0", 1)]


def test_items_mixed_from_a_removed_item_are_removed_too() -> None:
    real = records(4)
    mixed = [record(f"m{n}", "b", source="augmented", origin=f"z a{n}") for n in range(4)]
    result = _downsampled([*real, *mixed], [], {"a": 1, "b": 4})
    removed = {item.id for item in real} & result.left_out
    assert len(removed) == 3
    assert result.left_out == removed | {f"m{name[1:]}" for name in removed}


def test_removed_items_depend_on_seed_and_ids_not_on_the_order() -> None:
    train = records(20)
    first = _downsampled(train, [], 10).left_out
    assert _downsampled(train[::-1], [], 10).left_out == first
    assert _downsampled(train, [], 10, seed=1).left_out != first


def test_each_reduced_class_is_reported_with_its_numbers() -> None:
    result = _downsampled([*records(5), *records(2, "b")], [], 2)
    assert [(p.path, p.kind, p.detail.split()[0]) for p in result.problems] == [("a", "left_out", "3")]


def _filled(lacking: dict[str, int], section: Balance, **how: Any) -> Any:
    real = [*records(3), *records(2, "b")]
    return fill_classes(lacking, real, how.pop("start", {}), section, label_of, **{"has_model": True, **how})


def test_with_a_model_classes_are_filled_with_generated_items() -> None:
    result = _filled({"a": 0, "b": 5}, Balance())
    assert (result.generated, result.copies, result.problems) == ({"a": 0, "b": 5}, [], [])


def test_without_a_model_classes_are_filled_with_copies_in_turns() -> None:
    result = _filled({"a": 0, "b": 3}, Balance(), has_model=False)
    assert [(copy.parent.id, copy.number) for copy in result.copies] == [("b0", 0), ("b1", 0), ("b0", 1)]
    assert result.generated == {"a": 0, "b": 0}


def test_half_of_an_odd_number_is_copies_and_the_larger_half_generated() -> None:
    result = _filled({"b": 5}, Balance(fill="both"))
    assert len(result.copies) == 2 and result.generated == {"b": 3}


def test_classes_without_generated_items_get_copies() -> None:
    result = _filled({"a": 2, "b": 2}, Balance(fill="generated"), not_generated={"b"})
    assert Counter(copy.parent.label for copy in result.copies) == {"b": 2}
    assert result.generated == {"a": 2, "b": 0}


def test_copies_continue_the_numbers_up_to_the_limit() -> None:
    section = Balance.model_validate({"fill": "augmented", "max_copies": 3})
    result = _filled({"b": 9}, section, start={"b0": 2, "b1": 3})
    assert [(copy.parent.id, copy.number) for copy in result.copies] == [("b0", 2)]
    assert [(problem.path, problem.kind) for problem in result.problems] == [("b", "too_small")]


@pytest.mark.parametrize(
    ("section", "has_model"),
    [
        (Balance(fill="generated"), False),
        (Balance(fill="both"), False),
        (Balance(fill="generated", by=["site"]), True),
    ],
)
def test_generated_items_need_a_model_and_balance_by_label(section: Balance, has_model: bool) -> None:
    with pytest.raises(GensetError) as error:
        _filled({"a": 1}, section, has_model=has_model)
    assert error.value.where == "balance.fill"
