"""Exporter: a form in which a dataset version is written."""

from abc import abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from genset.interfaces.modality import Modality
from genset.interfaces.section import Section

if TYPE_CHECKING:
    from genset.dataset import ExportItem as VersionItem
    from genset.versions.draft import Draft


class Exporter(Section):
    """A format in which a dataset version is written into its folder."""

    kind: str

    suffix: ClassVar[str] = ""  # of its files, if each holds many items
    loader: ClassVar[str] = ""  # the builder of Hugging Face's `datasets` that reads it; "" without one
    media_type: ClassVar[str] = ""  # of its files, if each holds many items

    def ready(self) -> None:
        """Raises GensetError, with what to do, if a package that it needs is not installed."""

    @abstractmethod
    def pattern(self, split: str, *, rows: bool) -> str:
        """Pattern of the files of a split, relative to the version; `rows`: items are rows instead of files."""

    @abstractmethod
    def write(self, draft: "Draft", items: Iterable["VersionItem"], modality: Modality) -> None:
        """Write the items, in order, to the draft of a version."""
