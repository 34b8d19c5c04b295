"""Counts of generated items, and their places and numbers."""

import json

import pytest

from genset.config.sections import Generate
from genset.pipeline.generate.counts import proportional_counts, rare_class_problems, skipped_classes, target_counts
from genset.pipeline.generate.sampling import (
    GenerationTally,
    items_per_task,
    next_numbers,
    place_chunks,
    place_range,
    rejected_problems,
)
from tests.unit.builders import record

COUNTS = {"a": 60, "b": 30, "c": 3}


@pytest.mark.parametrize(
    ("total", "expected"),
    [(0, {"a": 0, "b": 0}), (1, {"a": 1, "b": 0}), (3, {"a": 2, "b": 1}), (4, {"a": 3, "b": 1}), (5, {"a": 3, "b": 2})],
)
def test_shares_are_divided_by_largest_remainder(total: int, expected: dict[str, int]) -> None:
    assert proportional_counts({"a": 2, "b": 1}, total) == expected


def test_of_equal_remainders_the_first_are_rounded_up() -> None:
    assert proportional_counts({"a": 1, "b": 1, "c": 1}, 5) == {"a": 2, "b": 2, "c": 1}
    assert sum(proportional_counts({"a": 1, "b": 7, "c": 5}, 1001).values()) == 1001


def test_shares_of_no_items_are_zero() -> None:
    assert proportional_counts({"a": 0}, 0) == {"a": 0}


def test_a_number_for_each_class_or_a_total() -> None:
    assert target_counts(COUNTS, Generate(per_class=7)) == {"a": 7, "b": 7, "c": 7}
    assert target_counts(COUNTS, Generate(count=31)) == {"a": 20, "b": 10, "c": 1}


def test_rare_classes_are_left_out_where_the_config_says_so() -> None:
    section = Generate(per_class=7, rare_classes="leave_out")
    assert skipped_classes(COUNTS, section) == {"c"} and skipped_classes(COUNTS, Generate()) == set()
    assert target_counts(COUNTS, section) == {"a": 7, "b": 7, "c": 0}


def test_rare_classes_are_reported_unless_there_is_only_one_class() -> None:
    assert [(problem.path, problem.kind) for problem in rare_class_problems(COUNTS, Generate())] == [
        ("c", "rare_class")
    ]
    assert rare_class_problems({"only": 2}, Generate()) == []


def test_a_range_of_places_counts_over_all_labels() -> None:
    numbers = {"a": 2, "b": 0, "c": 3}
    assert place_range(numbers, 0, 9) == [("a", 0), ("a", 1), ("c", 0), ("c", 1), ("c", 2)]
    assert place_range(numbers, 1, 2) == [("a", 1), ("c", 0)]
    assert place_range(numbers, 5, 2) == []


@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_chunks_of_any_size_have_the_same_places(most: int) -> None:
    numbers, start = {"a": 4, "b": 3}, {"b": 10}
    places = [place for part in place_chunks(numbers, start, most) for place in part]
    assert places == [("a", 0), ("a", 1), ("a", 2), ("a", 3), ("b", 10), ("b", 11), ("b", 12)]


def test_few_items_are_one_batch_and_many_are_shared_by_the_workers() -> None:
    batch = items_per_task(1, 1)
    assert items_per_task(2 * batch, 2) == batch and items_per_task(2 * batch, 1) == 2 * batch
    assert items_per_task(10**6, 1) == items_per_task(10**9, 1) == 8 * batch


def test_numbers_continue_after_items_of_the_same_model_and_seed() -> None:
    def generated(label: str, number: int, model: str = "m", seed: str = "7") -> object:
        drawn = json.dumps([{"number": number, "attempt": 0}])
        return record(
            f"{label}{number}{model}{seed}", label, source="generated", model=model, seed=seed, transform=drawn
        )

    items = [generated("a", 4), generated("a", 2), generated("b", 9, "other"), generated("b", 8, seed="1"), record("x")]
    assert next_numbers(items, "m", 7) == {"a": 5}  # type: ignore[arg-type]


def test_a_tally_adds_up_the_counts_of_tasks() -> None:
    tally = GenerationTally(10)
    tally.add({"blank": 2}, {("a", "blank"): 1}, 4)
    tally.add({"blank": 1, "near_copy": 1}, {("a", "blank"): 1}, 3)
    assert (tally.done, tally.kept, tally.redrawn) == (9, 7, {"blank": 3, "near_copy": 1})
    assert [(problem.path, problem.kind) for problem in rejected_problems(tally.given_up)] == [("a", "blank")]


def test_missing_items_are_reported_in_the_singular_and_the_plural() -> None:
    assert [problem.detail for problem in rejected_problems({("a", "blank"): 1, ("b", "wrong_label"): 3})] == [
        "1 item is missing: all 20 attempts were rejected; the last one was blank",
        "3 items are missing: all 20 attempts for each were rejected; the last one looked like another class",
    ]
