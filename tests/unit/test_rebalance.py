"""Moving units between splits until the sizes are as close to the shares as possible."""

from collections import Counter

import pytest

from genset.pipeline.split.rebalance import rebalance

SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


def units(**sizes: int) -> dict[str, Counter[tuple[str, ...]]]:
    """Units of one class, by their number of items."""
    return {name: Counter({("a",): size}) for name, size in sizes.items()}


def sizes(place: dict[str, str], of: dict[str, Counter[tuple[str, ...]]]) -> Counter[str]:
    out: Counter[str] = Counter()
    for unit, split in place.items():
        out[split] += of[unit].total()
    return out


def test_units_of_one_item_stay_where_they_are() -> None:
    of = units(x=1, y=1, z=1)
    place = dict.fromkeys(of, "train")
    assert rebalance(place, of, SHARES, list(of)) == place


def test_no_units_have_no_splits() -> None:
    assert rebalance({}, {}, SHARES, []) == {}


def test_a_unit_moves_to_the_split_that_misses_items() -> None:
    of = units(big=80, one=10, other=10)
    place = {"big": "train", "one": "train", "other": "test"}
    assert rebalance(place, of, SHARES, list(of)) == {"big": "train", "one": "validation", "other": "test"}


def test_two_units_are_swapped_where_moving_one_does_not_help() -> None:
    of = units(big=70, large=20, small=10)
    place = {"big": "train", "small": "train", "large": "test"}
    shares = {"train": 0.9, "test": 0.1}
    assert sizes(rebalance(place, of, shares, list(of)), of) == {"train": 90, "test": 10}


def test_only_movable_units_move() -> None:
    of = units(big=80, one=10, other=10)
    place = {"big": "train", "one": "train", "other": "test"}
    assert rebalance(place, of, SHARES, ["big", "other"])["one"] == "train"


def test_the_last_unit_of_a_label_stays_in_train() -> None:
    of = {"big": Counter({("a",): 70}), "rare": Counter({("b",): 10}), "rest": Counter({("a",): 10})}
    moved = rebalance(dict.fromkeys(of, "train"), of, {"train": 0.8, "test": 0.2}, ["rare", "rest"])
    assert moved["rare"] == "train" and moved["rest"] == "test"


def test_of_units_of_one_size_the_first_movable_one_is_taken() -> None:
    of = units(big=80, one=10, two=10)
    place = dict.fromkeys(of, "train")
    shares = {"train": 0.9, "test": 0.1}
    assert rebalance(place, of, shares, ["two", "one", "big"])["two"] == "test"
    assert rebalance(place, of, shares, ["one", "two", "big"])["one"] == "test"


def test_the_input_is_not_changed() -> None:
    of = units(big=80, one=10, other=10)
    place = dict.fromkeys(of, "train")
    rebalance(place, of, SHARES, list(of))
    assert set(place.values()) == {"train"}


@pytest.mark.parametrize("count", [2, 5, 40])
def test_sizes_are_never_further_from_the_shares_than_before(count: int) -> None:
    of = units(**{f"u{n}": 2 + 7 * n % 11 for n in range(count)})
    place = {unit: ("train", "validation", "test")[n % 3] for n, unit in enumerate(of)}
    total = sum(each.total() for each in of.values())

    def cost(parts: dict[str, str]) -> float:
        counts = sizes(parts, of)
        return sum(abs(counts[split] - share * total) for split, share in SHARES.items())

    assert cost(rebalance(place, of, SHARES, list(of))) <= cost(place)
