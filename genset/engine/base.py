"""The interface of engines: map a function over many items."""

import contextlib
import os
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pydantic

from genset.interfaces import Section

In = TypeVar("In")
Out = TypeVar("Out")


class Engine(Section):
    """Maps a function over items; results come in order, whatever the number of workers."""

    kind: str
    workers: int | None = pydantic.Field(None, ge=1, le=4096)
    """Number of items processed in parallel. Default: CPU cores."""

    @abstractmethod
    def map(self, function: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
        """function(item) for each item, in order, with a bounded number in progress.

        The function may run in another process: its return value comes back, its side effects may be lost.
        """

    @contextlib.contextmanager
    def sharing(self, root: Path) -> Iterator[None]:
        """Require, inside this context, that workers see the output root, which exists and is locked."""
        yield

    def require_paths(self, paths: Sequence[Path]) -> None:
        """Require, from now on, that workers see the same files as this process at these paths."""

    def slots(self) -> int:
        """Number of functions that run in parallel."""
        return self.workers or cores()


def cores() -> int:
    """Number of CPU cores that this process may use."""
    allowed: int = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return allowed
