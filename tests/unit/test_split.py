"""Which items stay together, how splits are filled, and which deviations from the shares are reported."""

import random
from collections import Counter

import pytest

from genset.config.split_section import Split
from genset.dataset import Record
from genset.errors import GensetError
from genset.pipeline.split.assign import assign, deviations, folds, shares_of, units_by_id
from tests.unit.builders import record, records

RATIOS = (0.8, 0.1, 0.1)
SHARES = dict(zip(("train", "validation", "test"), RATIOS, strict=True))


def test_an_item_without_links_is_its_own_unit() -> None:
    assert units_by_id([record("x"), record("y", content="c1")]) == {"x": "item x", "y": "item c1"}


def test_group_content_and_cluster_link_items_into_one_unit() -> None:
    tied = [
        record("x", group="anna"),
        record("y", group="anna", content="c1"),
        record("z", content="c1", cluster="n1"),
        record("w", cluster="n1", content="c2"),
        record("free"),
    ]
    assert units_by_id(tied) == {**dict.fromkeys("xyzw", "group anna"), "free": "item free"}


def test_a_unit_is_named_by_the_least_name_in_it() -> None:
    tied = [record("x", group="z", content="c9"), record("y", group="b", content="c9"), record("w", group="z")]
    assert set(units_by_id(tied).values()) == {"group b"}
    assert set(
        units_by_id([record("x", content="c5", cluster="n"), record("y", content="c1", cluster="n")]).values()
    ) == {"item c1"}


def _units_by_search(items: list[Record]) -> dict[str, str]:
    """The same by walking from item to item until nothing is added."""
    names = {
        item.id: {f"item {item.content or item.id}"}
        | ({f"group {item.group}"} if item.group else set())
        | ({f"near {item.cluster}"} if item.cluster else set())
        for item in items
    }
    out = {}
    for item in items:
        own: set[str] = set()
        grown = names[item.id]
        while grown != own:
            own = grown
            grown = own.union(*(each for each in names.values() if each & own))
        out[item.id] = min(own)
    return out


@pytest.mark.parametrize("seed", range(10))
def test_units_equal_those_of_a_search_in_any_order(seed: int) -> None:
    rng = random.Random(seed)
    items = [
        record(
            f"i{n}",
            group=rng.choice(["", "", f"g{rng.randrange(12)}"]),
            content=f"c{rng.randrange(40)}",
            cluster=rng.choice(["", "", "", f"c{rng.randrange(12)}"]),
        )
        for n in range(40)
    ]
    expected = _units_by_search(items)
    assert units_by_id(items) == expected
    assert units_by_id(rng.sample(items, len(items))) == expected


def test_units_are_listed_in_the_order_of_the_records() -> None:
    items = records(5, group="g") + records(3, "b")
    assert list(units_by_id(items)) == [item.id for item in items]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (("rest", 20, 10), {"train": 0.7, "validation": 0.2, "test": 0.1, "": 0.0}),
        ((50, 20, 10), {"train": 0.5, "validation": 0.2, "test": 0.1, "": 0.2}),
        ((100, 0, 0), {"train": 1.0, "validation": 0.0, "test": 0.0, "": 0.0}),
    ],
)
def test_counts_become_shares_of_all_items(counts: tuple[object, int, int], expected: dict[str, float]) -> None:
    assert shares_of(Split(counts=counts), records(100)) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("counts", [(91, 5, 5), ("rest", 50, 50), (1, 100, 0)])
def test_counts_beyond_the_items_or_without_train_are_errors(counts: tuple[object, int, int]) -> None:
    with pytest.raises(GensetError) as error:
        shares_of(Split(counts=counts), records(100))  # type: ignore[arg-type]
    assert error.value.where == "split.counts"


def test_counts_for_items_that_are_already_split_are_errors() -> None:
    with pytest.raises(GensetError) as error:
        shares_of(Split(counts=("rest", 1, 1)), [*records(9), record("t", split="test")])  # type: ignore[arg-type]
    assert error.value.where == "split.counts"


def test_ratios_are_used_as_shares() -> None:
    assert shares_of(Split(ratios=(0.6, 0.4, 0.0)), []) == {"train": 0.6, "validation": 0.4, "test": 0.0}


def test_previous_items_keep_their_split_and_the_rest_fills_the_shares() -> None:
    items = records(100)
    known = {f"a{n}": "test" for n in range(3)} | {f"a{n}": "validation" for n in range(3, 6)}
    parts = {item.id: item.split for item in assign(items, RATIOS, 0, previous=known)}
    assert {name: parts[name] for name in known} == known
    assert Counter(parts.values()) == {"train": 80, "validation": 10, "test": 10}


def test_a_previous_training_item_linked_to_a_held_out_one_is_held_out() -> None:
    tied = [record("x", group="g"), record("y", group="g")]
    assigned = assign([*tied, *records(50)], RATIOS, 0, previous={"x": "train", "y": "test"})
    assert {item.split for item in assigned if item.group} == {"test"}


def test_a_missing_column_is_an_error_with_its_name() -> None:
    with pytest.raises(GensetError, match="site") as error:
        assign([record("x", columns={"camera": "1"})], RATIOS, 0, stratify=["site"])
    assert error.value.where == "split.stratify"


@pytest.mark.parametrize("number", [2, 3, 10])
def test_every_item_is_tested_in_exactly_one_fold(number: int) -> None:
    items = [*records(20), *records(13, "b")]
    tested: Counter[str] = Counter()
    for fold in folds(items, number, 0):
        assert [item.id for item in fold] == [item.id for item in items]
        assert {item.split for item in fold} == {"train", "test"}
        tested.update(item.id for item in fold if item.split == "test")
    assert set(tested.values()) == {1} and len(tested) == 33


def test_folds_have_nearly_equal_sizes_in_each_class() -> None:
    for fold in folds([*records(20), *records(10, "b")], 5, 3):
        assert Counter(item.label for item in fold if item.split == "test") == {"a": 4, "b": 2}


def test_more_folds_than_groups_are_an_error() -> None:
    items = [record(f"{group}{n}", group=group) for group in "xyz" for n in range(5)]
    assert len(folds(items, 3, 0)) == 3
    with pytest.raises(GensetError) as error:
        folds(items, 4, 0)
    assert error.value.where == "--folds"


def test_splits_within_a_percent_of_their_shares_are_not_reported() -> None:
    items = records(1000)
    near = [record(item.id, split=s) for item, s in zip(items, _parts(806, 99, 95), strict=True)]
    assert deviations(items, near, SHARES) == []


def _parts(train: int, validation: int, test: int) -> list[str]:
    return ["train"] * train + ["validation"] * validation + ["test"] * test


def test_a_split_that_one_group_makes_too_large_is_reported_with_it() -> None:
    items = [record(f"x{n}", group="big" if n < 50 else "") for n in range(100)]
    divided = [record(item.id, group=item.group, split=s) for item, s in zip(items, _parts(30, 20, 50), strict=True)]
    far = [record(r.id, group=r.group, split="test" if r.group else r.split) for r in divided]
    messages = deviations(items, far, SHARES)
    assert any("50.0%" in text and "'big'" in text and "50 items" in text for text in messages)


def test_an_empty_split_is_reported_unless_its_share_is_zero() -> None:
    items = records(4)
    messages = deviations(items, [record(item.id, split="train") for item in items], SHARES)
    assert [text.split()[0] for text in messages] == ["validation", "test"]  # of 4 items, 3 in train are as near as 4
    assert (
        deviations(items, [record(i.id, split="train") for i in items], {"train": 1, "validation": 0, "test": 0}) == []
    )


def test_held_out_splits_of_the_user_are_not_reported() -> None:
    brought = [*records(50), *records(50, "t", split="test")]
    done = [record(r.id, r.label, split=r.split or "train") for r in brought]
    assert deviations(brought, done, {"train": 1.0, "validation": 0.0, "test": 0.5}) == []
