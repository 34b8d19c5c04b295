"""Which items a file of a sharded generation holds."""

from types import SimpleNamespace
from typing import Any

import pytest

from genset.pipeline.generate.sampling import place_range
from genset.pipeline.write.shards import Shards

REQUESTED = {"a": 3, "b": 0, "c": 4}


def shards(size: int) -> Shards:
    """A division in files of a size; nothing of it samples or writes."""
    exporter: Any = SimpleNamespace(items_per_file=lambda modality: size)
    sampler: Any = SimpleNamespace(model=SimpleNamespace(modality=None))
    return Shards("nowhere", sampler, REQUESTED, exporter)


@pytest.mark.parametrize(("size", "files"), [(1, 7), (3, 3), (7, 1), (100, 1)])
def test_every_file_but_the_last_is_full(size: int, files: int) -> None:
    assert shards(size).files == files


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_files_together_hold_every_item_once_and_in_order(size: int) -> None:
    division = shards(size)
    places = [place_range(REQUESTED, number * size, size) for number in range(division.files)]
    assert [place for part in places for place in part] == [("a", n) for n in range(3)] + [("c", n) for n in range(4)]
    assert all(len(part) == size for part in places[:-1])
