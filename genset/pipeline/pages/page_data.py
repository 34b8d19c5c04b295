"""The data that the page of a dataset shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from genset.dataset import Record
from genset.interfaces import Modality


@dataclass(frozen=True)
class DatasetPageData:
    """A dataset with its figures, problems and manifest."""

    title: str
    modality: Modality  # with the settings to show items with
    records: Sequence[Record]  # real and synthetic items
    verdict: Mapping[str, Any] = field(default_factory=dict)  # as in quality.json; empty without figures
    problems: Sequence[Mapping[str, str]] = ()
    traits: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)  # of the version; empty for a folder
    against: str = ""  # the other dataset, which has the real items
    quick_note: str = ""  # the share of the items that a quick evaluation used

    @property
    def scope(self) -> str:
        """The dataset that problems and traits are about, if the page shows the items of two."""
        return f" of {self.title}" if self.against else ""

    def from_source(self, source: str) -> list[Record]:
        """The records with this source."""
        return [record for record in self.records if record.source == source]
