"""Random streams and ids: known values, so that no release changes them unnoticed."""

import re

import pytest

from genset.seeds import hash_of, item_id, rng_for


def test_hashes_have_known_values() -> None:
    assert hash_of(7, "split", "x").hex() == hash_of("7", "split", "x").hex() == "511f2079c2e2f1319e9b3279461b255c"
    assert rng_for(7, "generate", "cat", 3).integers(0, 1000, 4).tolist() == [965, 299, 690, 379]
    assert item_id("g", "model", 7, "cat", 0) == "gd303e069fcf3cd8"
    assert len(hash_of("x")) == 16 and len(hash_of("x", size=6)) == 6


@pytest.mark.parametrize("other", [("a", "bc"), ("abc",), ("ab", "c", ""), ("c", "ab"), ("1:ab", "c")])
def test_parts_of_a_scope_do_not_run_together(other: tuple[str, ...]) -> None:
    assert hash_of("ab", "c") != hash_of(*other)


def test_the_same_scope_draws_the_same_numbers_and_another_scope_others() -> None:
    draws = [rng_for(7, "generate", "cat", number).random(4).tolist() for number in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]
    assert rng_for(8, "generate", "cat", 0).random(4).tolist() != draws[0]


def test_an_item_id_is_a_letter_and_15_hexadecimal_digits() -> None:
    assert re.fullmatch(r"g[0-9a-f]{15}", item_id("g", "model", 7, "cat", 0))
    assert item_id("g", "model", 7) != item_id("g", "model", 8)
    assert item_id("c", "x")[1:] == item_id("a", "x")[1:]
