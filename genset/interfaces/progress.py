"""Progress: how long tasks report that they advance."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self


@dataclass
class Progress:
    """How long tasks report that they advance: the console decides what to show."""

    tick: Callable[[str, int, int, str], None] = field(default=lambda stage, done, total, note: None)
    say: Callable[[str], None] = field(default=lambda text: None)

    @classmethod
    def silent(cls) -> Self:
        """Tell nothing."""
        return cls()
