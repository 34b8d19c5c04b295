"""What a command reports about a dataset version that it wrote."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genset.interfaces import Problem
from genset.pipeline.job import as_dicts
from genset.versions.version import Version

Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class WrittenVersion:
    """A version that a command wrote, with what the command reports about it."""

    version: Version
    counts: Counts
    problems: Sequence[Problem]
    redrawn: Mapping[str, int]  # number of items that were drawn again, by reason
    notes: Sequence[str] = ()

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON holds it."""
        return {
            "version": self.version,
            "counts": self.counts,
            "problems": as_dicts(self.problems),
            "redrawn": self.redrawn,
            **({"notes": list(self.notes)} if self.notes else {}),
        }
