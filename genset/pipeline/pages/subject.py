"""What a dataset page is about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from genset.dataset import Record
from genset.interfaces import Modality


@dataclass(frozen=True)
class Subject:
    """What a page is about."""

    title: str
    modality: Modality  # in the form in which items are shown
    records: Sequence[Record]  # real and made
    verdict: Mapping[str, Any] = field(default_factory=dict)  # as quality.json holds it; empty without figures
    problems: Sequence[Mapping[str, str]] = ()
    traits: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)  # of the version; empty for a folder
    against: str = ""  # the other set that has the real items
    looked: str = ""  # how little of it was looked at, where that was not all

    @property
    def among(self) -> str:
        """Which items traits and problems are of, where the page shows those of two sets."""
        return f" of {self.title}" if self.against else ""

    def of(self, source: str) -> list[Record]:
        """The records of one source."""
        return [record for record in self.records if record.source == source]
