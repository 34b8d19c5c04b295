"""A pool of threads in this process: decoding, encoding and ONNX Runtime all release the interpreter's lock."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal

import pydantic

from genset.engine.base import Engine, In, Out

_WAITING_PER_WORKER = 4  # results held back at most, so that memory does not grow with the number of items


class Local(Engine):
    """Threads of this process."""

    kind: Literal["local"] = "local"
    workers: int | None = pydantic.Field(None, ge=1, le=256)
    """Threads; as many as this process has cores when not given."""

    def map(self, function: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
        """function(item) for each item, in order; at most a few for each thread are under way."""
        workers = self.slots()
        if workers == 1:
            yield from map(function, items)
            return
        with ThreadPoolExecutor(workers) as pool:
            waiting: deque[Future[Out]] = deque()
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
