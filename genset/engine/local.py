"""A pool of threads in this process: decoding, encoding and ONNX Runtime all release the interpreter's lock."""

import os
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal, TypeVar

import pydantic

from genset.interfaces import Section

_In = TypeVar("_In")
_Out = TypeVar("_Out")
_WAITING_PER_WORKER = 4  # results held back at most, so that memory does not grow with the number of items


class Engine(Section):
    """Maps a function over items; results come in order, whatever the number of workers."""

    kind: str

    @abstractmethod
    def map(self, function: Callable[[_In], _Out], items: Iterable[_In]) -> Iterator[_Out]:
        """function(item) for each item, in order, with a bounded number under way."""


def _cores() -> int:
    """Those that this process may use, where the system tells."""
    allowed: int = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return allowed


class Local(Engine):
    """Threads of this process."""

    kind: Literal["local"] = "local"
    workers: int | None = pydantic.Field(None, ge=1, le=256)
    """Threads; as many as this process has cores when not given."""

    def map(self, function: Callable[[_In], _Out], items: Iterable[_In]) -> Iterator[_Out]:
        """function(item) for each item, in order; at most a few for each thread are under way."""
        workers = self.workers or _cores()
        if workers == 1:
            yield from map(function, items)
            return
        with ThreadPoolExecutor(workers) as pool:
            waiting: deque[Future[_Out]] = deque()
            try:
                for item in items:
                    waiting.append(pool.submit(function, item))
                    if len(waiting) >= workers * _WAITING_PER_WORKER:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()
