"""Threads: results in order, whichever way turns out to be faster."""

import threading
import time
from collections.abc import Callable

import pytest

from genset.engine import Local


def _light(number: int) -> tuple[int, str]:
    return number, threading.current_thread().name


def _waits(number: int) -> tuple[int, str]:
    time.sleep(0.002)
    return number, threading.current_thread().name


def _mostly(names: list[str]) -> str:
    return "here" if sum(name == threading.main_thread().name for name in names) > len(names) / 2 else "threads"


@pytest.mark.parametrize("function, count, where", [(_light, 200_000, "here"), (_waits, 2_000, "threads")])
def test_results_come_in_order_from_where_they_come_faster(
    function: Callable[[int], tuple[int, str]], count: int, where: str
) -> None:
    seen = []
    for _ in range(10):  # what is faster is measured, and the machine may be busy with something else
        made = list(Local(workers=4).map(function, range(count)))
        assert [number for number, _ in made] == [*range(count)]
        seen.append(_mostly([name for _, name in made[-100:]]))
        if seen[-1] == where:
            break
    assert where in seen


def test_long_items_are_never_done_one_after_the_other() -> None:
    def works(number: int) -> str:
        until = time.thread_time() + 0.03
        while time.thread_time() < until:
            sum(range(1000))
        return threading.current_thread().name

    made = list(Local(workers=2).map(works, range(30)))
    assert threading.main_thread().name not in made


def test_a_fault_comes_where_its_item_stands() -> None:
    def fails(number: int) -> int:
        if number == 20_000:
            raise ValueError(number)
        return number

    done = []
    with pytest.raises(ValueError, match="20000"):
        for result in Local(workers=2).map(fails, range(100_000)):
            done.append(result)  # noqa: PERF402
    assert done == [*range(20_000)]
