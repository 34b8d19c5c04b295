"""Assignment to train, validation and test: stratified, grouped, and a pure function of its inputs."""

import random
from collections import Counter
from pathlib import Path

from genset.dataset import Record
from genset.pipeline.split import assign

RATIOS = (0.8, 0.1, 0.1)


def records(counts: dict[str, int]) -> list[Record]:
    return [Record(f"{label}{n}", Path(), label) for label, count in counts.items() for n in range(count)]


def test_each_class_is_divided_in_the_ratios() -> None:
    counts = Counter((r.label, r.split) for r in assign(records({"a": 100, "b": 50, "c": 10}), RATIOS, 0))
    assert counts == {
        ("a", "train"): 80, ("a", "validation"): 10, ("a", "test"): 10,
        ("b", "train"): 40, ("b", "validation"): 5, ("b", "test"): 5,
        ("c", "train"): 8, ("c", "validation"): 1, ("c", "test"): 1,
    }  # fmt: skip


def test_the_order_of_the_records_does_not_matter() -> None:
    first = records({"a": 31, "b": 17})
    second = random.Random(1).sample(first, len(first))
    assert {r.id: r.split for r in assign(first, RATIOS, 3)} == {r.id: r.split for r in assign(second, RATIOS, 3)}


def test_another_seed_gives_another_division() -> None:
    items = records({"a": 100})
    assert [r.split for r in assign(items, RATIOS, 0)] != [r.split for r in assign(items, RATIOS, 1)]


def test_a_class_of_one_goes_to_train() -> None:
    assert [r.split for r in assign(records({"a": 1}), RATIOS, 0)] == ["train"]


def test_a_group_stands_in_one_split_even_across_classes() -> None:
    items = [Record(f"{s}{n}", Path(), str(n % 10), group=f"speaker{s}") for s in range(20) for n in range(30)]
    assigned = assign(items, RATIOS, 0)
    places = {group: {r.split for r in assigned if r.group == group} for group in {r.group for r in assigned}}
    assert all(len(splits) == 1 for splits in places.values())
    assert Counter(r.split for r in assigned) == {"train": 480, "validation": 60, "test": 60}


def test_splits_that_the_user_brought_stay_and_what_lacks_comes_from_train() -> None:
    items = [Record(f"t{n}", Path(), "a", split="test") for n in range(20)]
    items += [Record(f"r{n}", Path(), "a", split="train") for n in range(90)]
    assigned = assign(items, RATIOS, 0)
    assert {r.id for r in assigned if r.split == "test"} == {f"t{n}" for n in range(20)}
    assert Counter(r.split for r in assigned) == {"train": 80, "validation": 10, "test": 20}


def test_many_small_classes_fill_every_part_together() -> None:
    for each in (3, 4, 5, 6):
        counts = Counter(r.split for r in assign(records({f"c{n}": each for n in range(50)}), RATIOS, 0))
        assert counts == {"train": 40 * each, "validation": 5 * each, "test": 5 * each}


def test_items_of_equal_content_stay_together() -> None:
    items = [Record(f"{n}-{k}", Path(), "a", content=str(n)) for n in range(40) for k in range(2)]
    places: dict[str, set[str]] = {}
    for record in assign(items, RATIOS, 0):
        places.setdefault(record.content, set()).add(record.split)
    assert all(len(splits) == 1 for splits in places.values())


def test_the_group_of_an_item_that_the_user_held_out_follows_it() -> None:
    items = [Record(f"t{n}", Path(), "a", split="test", group="anna") for n in range(5)]
    items += [Record(f"r{n}", Path(), "a", split="train", group="anna") for n in range(5)]
    items += [Record(f"f{n}", Path(), "a", split="train") for n in range(80)]
    assert {r.split for r in assign(items, RATIOS, 0) if r.group == "anna"} == {"test"}


def test_everything_can_go_to_train() -> None:
    assert {r.split for r in assign(records({"a": 20}), (1.0, 0.0, 0.0), 0)} == {"train"}
