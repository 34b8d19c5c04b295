"""A pool of threads in this process: decoding, encoding and ONNX Runtime all release the interpreter's lock.

What takes little time and much Python does not, and is done faster by one thread than by several that wait for each
other: 32,000 small transformed pictures in 25 s and not in 48 s. So both ways are tried for a moment, and the faster
one goes on; results are the same.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, Literal

import pydantic

from genset.engine.base import Engine, In, Out

_WAITING_PER_WORKER = 4  # results held back at most, so that memory does not grow with the number of items
_TRIAL = 0.25  # seconds of each way
_LONG = 0.02  # seconds of an item from which on threads are sure to help


class Local(Engine):
    """Threads of this process."""

    kind: Literal["local"] = "local"
    workers: int | None = pydantic.Field(None, ge=1, le=256)
    """Threads, at most; as many as this process has cores when not given."""

    def map(self, function: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
        """function(item) for each item, in order; at most a few for each thread are under way."""
        workers = self.slots()
        if workers == 1:
            yield from map(function, items)
            return
        left = iter(items)
        with _Threads(workers, function, left) as threads:
            yield from threads.some(_TRIAL)  # the first items take longer than the others: they tell nothing
            if threads.usual < _LONG:
                alone, together = _Pace(), _Pace()
                yield from alone.timed(map(function, _for_a_while(left, _TRIAL)))
                yield from together.timed(threads.some(_TRIAL))
                if alone.rate > together.rate:
                    yield from map(function, left)
            yield from threads.some(float("inf"))


class _Threads(Generic[In, Out]):
    """A pool of threads, and the items that are left for it."""

    def __init__(self, workers: int, function: Callable[[In], Out], items: Iterator[In]) -> None:
        self._function, self._items = function, items
        self._most = workers * _WAITING_PER_WORKER
        self._pool = ThreadPoolExecutor(workers)
        self._waiting: deque[Future[Out]] = deque()
        self._took: deque[float] = deque(maxlen=64)  # seconds of the last items, in the processor

    def __enter__(self) -> "_Threads[In, Out]":
        return self

    def __exit__(self, *_: object) -> None:
        for future in self._waiting:
            future.cancel()
        self._pool.shutdown()

    def some(self, seconds: float) -> Iterator[Out]:
        """Results, in order, of the items that are begun in so many seconds."""
        for item in _for_a_while(self._items, seconds):
            self._waiting.append(self._pool.submit(self._timed, item))
            if len(self._waiting) >= self._most:
                yield self._waiting.popleft().result()
        while self._waiting:
            yield self._waiting.popleft().result()

    def _timed(self, item: In) -> Out:
        started = time.thread_time()
        try:
            return self._function(item)
        finally:
            self._took.append(time.thread_time() - started)

    @property
    def usual(self) -> float:
        """Seconds that an item takes a processor: the median of the last ones."""
        took = sorted(self._took)
        return took[len(took) // 2] if took else 0.0


class _Pace:
    """How many results a second there are, with what is done with them."""

    def __init__(self) -> None:
        self.rate = 0.0

    def timed(self, results: Iterable[Out]) -> Iterator[Out]:
        """The results, counted."""
        started = time.perf_counter()
        for count, result in enumerate(results, start=1):
            yield result
            self.rate = count / (time.perf_counter() - started)


def _for_a_while(items: Iterator[In], seconds: float) -> Iterator[In]:
    """Items until the time is over; the others are left."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        try:
            item = next(items)
        except StopIteration:
            return
        yield item
