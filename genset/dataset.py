"""A dataset is an index of records; items are decoded on demand, never all of them at once."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from genset.errors import GensetError, did_you_mean
from genset.interfaces import AudioSegment, ItemArray, ItemSource

SPLITS = ("train", "validation", "test")
COLUMNS = ("file_name", "label", "source", "origin", "transform", "seed", "model", "group")
_OF_CLASSES = ("label", "group")  # those whose values may be classes
# Loaders read folders with these names as splits (Hugging Face's keywords), whatever the user meant.
SPLIT_FOLDERS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}


@dataclass(frozen=True, slots=True)
class Record:
    """What is known about one item: where its bytes are, what it is, and where it came from."""

    id: str
    path: Path
    label: str = ""
    source: str = "collected"
    origin: str = ""  # ids of the parents, or the user's file, relative to the source folder
    group: str = ""
    split: str = ""
    transform: str = ""  # JSON of the drawn parameters
    seed: str = ""
    model: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)  # the user's own
    content: str = ""  # equal for items with equal decoded content, once it was computed
    cluster: str = ""  # equal for near-duplicates, once they were searched; "" for an item without any
    versioned: bool = False  # read from a version: its id never changes
    text: str | None = None  # the item itself, if its file holds several
    piece: tuple[float, float] | None = None  # (start, stop) in seconds, if the item is a part of a recording

    @property
    def place(self) -> str:
        """Where a person finds the item: the user's file, or the path inside the version."""
        if not self.versioned:
            return self.origin
        return "/".join(self.path.parts[-3:]) if self.text is None else f"{self.path.name}: {self.id}"

    @property
    def raw(self) -> ItemSource:
        """What a modality reads the item from: a path, a text or a part of a recording."""
        if self.piece is not None:
            return AudioSegment(self.path, *self.piece)
        return self.path if self.text is None else self.text

    def row(self) -> dict[str, str]:
        """The metadata row: every value is text, "" instead of null, so that every split has one schema."""
        ours = {name: getattr(self, name) for name in COLUMNS if name != "file_name"}
        return {**ours, **self.columns}


@dataclass(frozen=True, slots=True)
class ExportItem:
    """A record and the bytes of its file: what an exporter writes."""

    record: Record
    data: bytes
    suffix: str
    fields: Mapping[str, Any] | None = None  # instead of data: the item as columns of a row
    link: Path | None = None  # a file with these bytes, for a hard link
    array: ItemArray | None = field(default=None, compare=False)  # the decoded item, if it was available


@dataclass(frozen=True)
class Dataset:
    """Records of one modality in a fixed order."""

    modality: str
    records: tuple[Record, ...]

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels, sorted; ("",) for a set without labels."""
        return tuple(sorted({record.label for record in self.records}))

    def where(self, *, split: str | None = None, source: str | None = None) -> "Dataset":
        """The records of one split, or of one source."""
        kept = (r for r in self.records if split in (None, r.split) and source in (None, r.source))
        return replace(self, records=tuple(kept))

    def counts(self, key: str) -> dict[str, int]:
        """How many records have each value of `key`, such as "label", sorted by value."""
        return dict(sorted(Counter(str(getattr(record, key)) for record in self.records).items()))


def same_columns(records: Sequence[Record]) -> list[Record]:
    """The records with the union of the users' columns, "" where a value is missing: every split gets one schema."""
    names = sorted({name for record in records for name in record.columns})
    return [
        record
        if list(record.columns) == names
        else replace(record, columns={n: record.columns.get(n, "") for n in names})
        for record in records
    ]


def cell_of(by: Sequence[str], records: Sequence[Record], where: str) -> Callable[[Record], str]:
    """A function from a record to its class, where classes are values of columns.

    Raises GensetError, with the key `where`, for a column that no item has.
    """
    known = {*_OF_CLASSES, *(name for record in records for name in record.columns)}
    unknown = [name for name in by if name not in known]
    if unknown:
        raise GensetError(
            f"no column {unknown[0]!r}{did_you_mean(unknown[0], sorted(known))}",
            where=where,
            hint=f"Use one of the columns {', '.join(sorted(known))}.",
        )
    return lambda record: ", ".join(
        str(getattr(record, name) if name in _OF_CLASSES else record.columns.get(name, "")) for name in by
    )
