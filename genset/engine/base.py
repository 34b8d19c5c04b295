"""What an engine is: it maps a function over many items."""

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
    """Functions at work at once; as many as there are cores when not given."""

    @abstractmethod
    def map(self, function: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
        """function(item) for each item, in order, with a bounded number under way.

        The function may run in another process: what it changes is lost, what it returns comes back.
        """

    @contextlib.contextmanager
    def sharing(self, root: Path) -> Iterator[None]:
        """While this lasts, whoever runs functions must see the output root, which is there and locked."""
        yield

    def see(self, paths: Sequence[Path]) -> None:
        """Whoever runs functions from now on must see these paths as they are seen here."""

    def slots(self) -> int:
        """How many functions run at once."""
        return self.workers or cores()


def cores() -> int:
    """Those that this process may use, where the system tells."""
    allowed: int = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return allowed
