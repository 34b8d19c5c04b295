"""A pool of threads in this process: decoding, encoding and ONNX Runtime all release the interpreter's lock.

Functions that are short and mostly Python do not release it, and run faster in one thread than in several that wait
for each other: 32,000 augmented small images in 25 s instead of 48 s. So both ways are measured for a moment, and the
faster one continues; the results are the same.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, Literal

import pydantic

from genset.engine.base import Engine, In, Out

_PENDING_PER_WORKER = 4  # results held back at most, so that memory does not grow with the number of items
_TRIAL_SECONDS = 0.25  # for each way
_LONG_ITEM_SECONDS = 0.02  # from here on threads are sure to help


class Local(Engine):
    """Threads of this process."""

    kind: Literal["local"] = "local"
    workers: int | None = pydantic.Field(None, ge=1, le=256)
    """Maximum number of threads. Default: CPU cores."""

    def map(self, function: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
        """function(item) for each item, in order; at most a few for each thread are in progress."""
        workers = self.slots()
        if workers == 1:
            yield from map(function, items)
            return
        remaining = iter(items)
        with _ThreadPool(workers, function, remaining) as threads:
            yield from threads.results(_TRIAL_SECONDS)  # the first items are slower than the others: not measured
            if threads.median_seconds < _LONG_ITEM_SECONDS:
                single, pooled = _RateMeter(), _RateMeter()
                yield from single.measure(map(function, _limited(remaining, _TRIAL_SECONDS)))
                yield from pooled.measure(threads.results(_TRIAL_SECONDS))
                if single.rate > pooled.rate:
                    yield from map(function, remaining)
            yield from threads.results(float("inf"))


class _ThreadPool(Generic[In, Out]):
    """A pool of threads, and the items that it takes from."""

    def __init__(self, workers: int, function: Callable[[In], Out], items: Iterator[In]) -> None:
        self._function, self._items = function, items
        self._max_pending = workers * _PENDING_PER_WORKER
        self._pool = ThreadPoolExecutor(workers)
        self._pending: deque[Future[Out]] = deque()
        self._seconds: deque[float] = deque(maxlen=64)  # processor time of the last items

    def __enter__(self) -> "_ThreadPool[In, Out]":
        return self

    def __exit__(self, *_: object) -> None:
        for future in self._pending:
            future.cancel()
        self._pool.shutdown()

    def results(self, seconds: float) -> Iterator[Out]:
        """Results, in order, of the items that are started within `seconds`."""
        for item in _limited(self._items, seconds):
            self._pending.append(self._pool.submit(self._timed, item))
            if len(self._pending) >= self._max_pending:
                yield self._pending.popleft().result()
        while self._pending:
            yield self._pending.popleft().result()

    def _timed(self, item: In) -> Out:
        started = time.thread_time()
        try:
            return self._function(item)
        finally:
            self._seconds.append(time.thread_time() - started)

    @property
    def median_seconds(self) -> float:
        """Median processor time of the last items."""
        ordered = sorted(self._seconds)
        return ordered[len(ordered) // 2] if ordered else 0.0


class _RateMeter:
    """Results per second, including the time that their consumer takes."""

    def __init__(self) -> None:
        self.rate = 0.0

    def measure(self, results: Iterable[Out]) -> Iterator[Out]:
        """Pass the results on, and update `rate` with each."""
        started = time.perf_counter()
        for count, result in enumerate(results, start=1):
            yield result
            self.rate = count / (time.perf_counter() - started)


def _limited(items: Iterator[In], seconds: float) -> Iterator[In]:
    """Items until `seconds` are over; the others remain in the iterator."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        try:
            item = next(items)
        except StopIteration:
            return
        yield item
