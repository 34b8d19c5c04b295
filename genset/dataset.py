"""A dataset is an index of records; items are decoded on demand, never all of them at once."""

import contextlib
import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from genset.errors import GensetError
from genset.interfaces import Item as ItemArray
from genset.interfaces import Piece, Raw
from genset.jsons import parsed
from genset.yaml_source import did_you_mean

if TYPE_CHECKING:
    from genset.interfaces import Modality

SPLITS = ("train", "validation", "test")
METADATA = "metadata.jsonl"
COLUMNS = ("file_name", "label", "source", "origin", "transform", "seed", "model", "group")
_OF_CLASSES = ("label", "group")  # those whose values may be classes
# Loaders read folders with these names as splits (Hugging Face's keywords), whatever the user meant.
SPLIT_FOLDERS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
LONGEST_LABEL = 100
_METADATA_FILES = (METADATA, "metadata.csv")
Faults = list[GensetError] | None  # collects the faults of rows, so that the other rows are read; None: raise them


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
    def raw(self) -> Raw:
        """What a modality reads the item from: a path, a text or a part of a recording."""
        if self.piece is not None:
            return Piece(self.path, *self.piece)
        return self.path if self.text is None else self.text

    def row(self) -> dict[str, str]:
        """The metadata row: every value is text, "" instead of null, so that every split has one schema."""
        ours = {name: getattr(self, name) for name in COLUMNS if name != "file_name"}
        return {**ours, **self.columns}


@dataclass(frozen=True, slots=True)
class Item:
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


def check_label(label: str, where: str) -> str:
    """The label, checked: it can be the name of a folder beside the metadata. Raises GensetError."""
    bad = {"/", "\\", "\0"} & set(label) or label.startswith(".") or not label.isprintable() or label in _METADATA_FILES
    if bad or len(label.encode()) > LONGEST_LABEL or label != label.strip():
        raise GensetError(
            f"the class name {label[:60]!r} cannot be the name of a folder",
            where=where,
            hint=f"Rename the class: no slash, backslash, control character, leading dot or outer space, "
            f"not {METADATA}, at most {LONGEST_LABEL} bytes.",
        )
    return label


def metadata_file(folder: Path) -> Path | None:
    """The metadata file of a folder: metadata.jsonl or metadata.csv; None if there is none."""
    return next((path for name in _METADATA_FILES if (path := folder / name).is_file()), None)


@contextlib.contextmanager
def noting(faults: Faults) -> Iterator[None]:
    """Collect a GensetError in `faults` and continue after the block; raise it if `faults` is None."""
    try:
        yield
    except GensetError as error:
        if faults is None:
            raise
        faults.append(error)


def read_metadata(path: Path, faults: Faults = None) -> list[tuple[str, dict[str, str]]]:
    """(place, row) of every line of a metadata.jsonl or metadata.csv, all values as text.

    A line that is not an object, lacks `file_name` or points outside is a fault with its line: collected or raised.
    """
    text = ""
    with noting(faults):
        text = _read_text(path, "utf-8-sig", hint="Save it as UTF-8.")
    lines = _csv_rows(text, path, faults) if path.suffix == ".csv" else _json_rows(text, path, faults)
    rows = []
    for where, row in lines:
        with noting(faults):
            _check_row(row, path, where)
            rows.append((where, row))
    return rows


def _read_text(path: Path, encoding: str, hint: str = "") -> str:
    try:
        return path.read_text(encoding=encoding)
    except (OSError, UnicodeDecodeError) as error:
        raise GensetError(f"cannot be read: {error}", where=str(path), hint=hint) from None


def _check_row(row: Mapping[str, str], path: Path, where: str) -> None:
    name = row.get("file_name", "")
    parts = PurePosixPath(name.replace("\\", "/"))
    if not name or parts.is_absolute() or ".." in parts.parts or "\0" in name:
        raise GensetError(
            f"file_name must be a path inside {path.parent}, got {name!r}",
            where=where,
            hint="Give each line the file's path relative to this file.",
        )
    if any(lone_surrogate(text) for pair in row.items() for text in pair):
        raise GensetError("a value holds half a character (a lone surrogate)", where=where, hint="Correct the escape.")


def _json_rows(text: str, path: Path, faults: Faults) -> Iterator[tuple[str, dict[str, str]]]:
    for where, row in _objects(text, path, faults):
        yield where, {key: as_text(value) for key, value in row.items()}


def _objects(text: str, path: Path, faults: Faults) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), start=1):  # not splitlines: a value may contain U+2028
        if not line.strip():
            continue
        row = None
        with noting(faults):
            row = _object(line, f"{path}:{number}")
        if row is not None:
            yield f"{path}:{number}", row


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        row = parsed(line)
    except json.JSONDecodeError as error:
        raise GensetError(f"not JSON: {error.msg}", where=f"{where}:{error.colno}") from None
    except ValueError as error:
        raise GensetError(f"not JSON: {error}", where=where) from None
    if not isinstance(row, dict):
        raise GensetError(f"must be an object, got {line[:40]!r}", where=where)
    return row


def _csv_rows(text: str, path: Path, faults: Faults) -> Iterator[tuple[str, dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    for row in reader:
        if None not in row and None not in row.values():
            yield f"{path}:{reader.line_num}", row
            continue
        with noting(faults):
            raise GensetError(
                f"expected {len(reader.fieldnames or ())} columns, as in the first line",
                where=f"{path}:{reader.line_num}",
            )


def lone_surrogate(text: str) -> bool:
    """Whether a text contains half a character, which no file can store."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def as_text(value: object) -> str:
    """A value of a row as text."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def write_rows(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Rows as JSON Lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


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
            hint=f"The columns are {', '.join(sorted(known))}.",
        )
    return lambda record: ", ".join(
        str(getattr(record, name) if name in _OF_CLASSES else record.columns.get(name, "")) for name in by
    )


def is_own_row(row: Mapping[str, str]) -> bool:
    """Whether genset wrote a line of metadata."""
    return all(name in row for name in COLUMNS)


def from_row(row: Mapping[str, str], folder: Path, where: str, split: str = "") -> Record:
    """The record of a line that genset wrote; its values are checked. Raises GensetError."""
    ours: dict[str, Any] = {name: row[name] for name in COLUMNS}
    file = folder / ours.pop("file_name")
    if ours["label"]:
        check_label(ours["label"], where)
    columns = {name: value for name, value in row.items() if name not in COLUMNS}
    return Record(id=file.stem, path=file, split=split, columns=columns, versioned=True, **ours)


def rows_file(split: str) -> str:
    """The name of the file with the items of a split, if a version holds rows instead of files."""
    return f"{split}.jsonl"


def read_version(folder: Path, modality: "Modality", faults: Faults = None) -> Dataset:
    """The records of a dataset version, in the order in which they were written."""
    records = []
    for split in SPLITS:
        if (path := folder / rows_file(split)).is_file():
            for where, row in _version_rows(path, faults):
                with noting(faults):
                    records.append(_from_item_row(row, modality, path, where, split))
            continue
        path = folder / split / METADATA
        for where, line in read_metadata(path, faults) if path.is_file() else ():
            with noting(faults):
                _check_columns(line, COLUMNS, where)
                records.append(from_row(line, folder / split, where, split))
    return Dataset(modality.kind, tuple(records))


def _check_columns(row: Mapping[str, Any], names: Iterable[str], where: str) -> None:
    missing = [name for name in names if name not in row]
    if missing:
        raise GensetError(f"the column {missing[0]} is missing", where=where, hint="Was the version edited?")


def _version_rows(path: Path, faults: Faults) -> Iterator[tuple[str, dict[str, Any]]]:
    text = ""
    with noting(faults):
        text = _read_text(path, "utf-8")
    yield from _objects(text, path, faults)


def _from_item_row(row: dict[str, Any], modality: "Modality", path: Path, where: str, split: str) -> Record:
    """The record of a row that contains its item."""
    _check_columns(row, ("id", *(name for name in COLUMNS if name != "file_name")), where)
    content, rest = modality.content(row)
    ours: dict[str, Any] = {name: as_text(rest.pop(name)) for name in COLUMNS if name != "file_name"}
    if ours["label"]:
        check_label(ours["label"], where)
    columns = {name: as_text(value) for name, value in rest.items() if name != "id"}
    return Record(id=str(rest["id"]), path=path, split=split, columns=columns, versioned=True, text=content, **ours)
