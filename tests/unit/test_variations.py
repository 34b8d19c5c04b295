"""Codes of variations of one item, and of items between two, for a model that returns the codes it is given."""

from typing import Any

import numpy as np
import pytest

from genset.errors import GensetError
from genset.pipeline.generate.variations import EncodedItem, Interpolations, Variations, variation_source


class EchoModel:
    """A model whose items are its codes; each drawn code is all ones."""

    def codes(self, places: Any, seed: int, attempt: int) -> Any:
        return np.ones((len(places), 2))

    def decode(self, z: Any, places: Any, seed: int, attempt: int) -> Any:
        return z

    def details(self) -> dict[str, Any]:
        return {"sampling": {}}


MODEL: Any = EchoModel()
PLACES = [("a", 0), ("a", 1), ("a", 2)]


def item(name: str, code: float, label: str = "a") -> EncodedItem:
    return EncodedItem(name, name, np.full(2, code, np.float32), label)


@pytest.mark.parametrize(("amount", "expected"), [(0, 3.0), (0.25, 2.5), (1, 1.0)])
def test_a_variation_moves_the_code_by_its_amount(amount: float, expected: float) -> None:
    source = variation_source(MODEL, [item("x", 3)], amount, 1)
    assert isinstance(source, Variations)
    assert (source.items_at(PLACES, 0, 0) == expected).all()
    assert source.details() == {"like": "x", "vary": amount, "sampling": {}}


def test_items_between_two_are_at_equal_steps_without_the_ends() -> None:
    source = variation_source(MODEL, [item("x", 0), item("y", 4)], 0.3, 3)
    assert isinstance(source, Interpolations)
    assert source.items_at(PLACES, 0, 0)[:, 0].tolist() == [1, 2, 3]
    assert source.details() == {"between": ["x", "y"], "of": 3, "sampling": {}}


@pytest.mark.parametrize(
    ("items", "amount", "count"),
    [
        ([item("x", 1)], 0, 2),  # two equal items
        ([item("x", 1)] * 3, 0.3, 1),
        ([item("x", 1), item("x", 1)], 0.3, 1),  # one item twice
        ([item("x", 1), item("y", 2, "b")], 0.3, 1),  # two classes
    ],
)
def test_items_that_cannot_be_varied_are_rejected(items: list[EncodedItem], amount: float, count: int) -> None:
    with pytest.raises(GensetError):
        variation_source(MODEL, items, amount, count)
