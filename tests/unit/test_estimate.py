"""What work takes in all, from a sample of it."""

from collections.abc import Iterator, Sequence

import pytest

from genset.dataset import ExportItem
from genset.pipeline.write.estimate import SAMPLE_SIZE, Estimate, estimate_from_sample, written_bytes
from tests.unit.builders import record


def items(work: Sequence[int]) -> Iterator[ExportItem]:
    """An item of as many bytes as each piece of work says."""
    return (ExportItem(record(str(size)), b"x" * size, ".bin") for size in work)


def test_estimates_add_up_and_are_rounded_in_json() -> None:
    total = Estimate(10.4, 1.26) + Estimate(0.3, 2.0)
    assert total.as_dict() == {"bytes": 11, "seconds": 3.3}


def test_no_work_takes_nothing() -> None:
    assert estimate_from_sample([], items) == Estimate()


@pytest.mark.parametrize("count", [1, SAMPLE_SIZE, 10 * SAMPLE_SIZE])
def test_equal_items_take_as_many_bytes_as_all_of_them_have(count: int) -> None:
    assert estimate_from_sample([7] * count, items).disk_bytes == 7 * count


def test_only_a_sample_of_much_work_is_done() -> None:
    done: list[int] = []

    def do(work: Sequence[int]) -> Iterator[ExportItem]:
        done.extend(work)
        return items(work)

    estimate_from_sample(range(1, 101), do)
    assert done == list(range(1, 101, 100 // SAMPLE_SIZE))


def test_bytes_of_an_item_are_those_of_its_file_or_of_its_columns() -> None:
    assert written_bytes(ExportItem(record("a"), b"abc", ".bin")) == 3
    assert written_bytes(ExportItem(record("a"), b"", "", {"prompt": "é", "response": "xy"})) == 4
