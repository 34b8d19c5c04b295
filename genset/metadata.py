"""Rows of metadata: how they are read from and written to files."""

import contextlib
import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from genset.dataset import COLUMNS, SPLITS, Dataset, Record
from genset.errors import GensetError
from genset.safe_json import as_text, json_fault, lone_surrogate, parse_json

if TYPE_CHECKING:
    from genset.interfaces import Modality

METADATA = "metadata.jsonl"
LONGEST_LABEL = 100
_METADATA_FILES = (METADATA, "metadata.csv")
_LINE_HINT = "Correct or remove the line."
Faults = list[GensetError] | None  # collects the faults of rows, so that the other rows are read; None: raise them


def check_label(label: str, where: str) -> str:
    """The label, checked: it can be the name of a folder beside the metadata. Raises GensetError."""
    bad = {"/", "\\", "\0"} & set(label) or label.startswith(".") or not label.isprintable() or label in _METADATA_FILES
    if bad or len(label.encode()) > LONGEST_LABEL or label != label.strip():
        raise GensetError(
            f"the class name {label[:60]!r} cannot be the name of a folder",
            where=where,
            hint="Rename the class: no slash, backslash or control character, no dot at the start, no space at either "
            f"end, not {METADATA}, at most {LONGEST_LABEL} bytes.",
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
        raise GensetError("a value holds half a character (a lone surrogate)", where=where, hint=_LINE_HINT)


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
        row = parse_json(line)
    except json.JSONDecodeError as error:
        raise GensetError(json_fault(error), where=f"{where}:{error.colno}", hint=_LINE_HINT) from None
    except ValueError as error:
        raise GensetError(json_fault(error), where=where, hint=_LINE_HINT) from None
    if not isinstance(row, dict):
        raise GensetError(f"must be a JSON object, got {line[:40]!r}", where=where, hint=_LINE_HINT)
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
                hint=_LINE_HINT,
            )


def write_rows(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Rows as JSON Lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


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
        raise GensetError(
            f"the column {missing[0]} is missing", where=where, hint="Restore the file, or create the version again."
        )


def _version_rows(path: Path, faults: Faults) -> Iterator[tuple[str, dict[str, Any]]]:
    text = ""
    with noting(faults):
        text = _read_text(path, "utf-8")
    yield from _objects(text, path, faults)


def _from_item_row(row: dict[str, Any], modality: "Modality", path: Path, where: str, split: str) -> Record:
    """The record of a row that contains its item."""
    _check_columns(row, ("id", *(name for name in COLUMNS if name != "file_name")), where)
    content, rest = modality.from_row(row)
    ours: dict[str, Any] = {name: as_text(rest.pop(name)) for name in COLUMNS if name != "file_name"}
    if ours["label"]:
        check_label(ours["label"], where)
    columns = {name: as_text(value) for name, value in rest.items() if name != "id"}
    return Record(id=str(rest["id"]), path=path, split=split, columns=columns, versioned=True, text=content, **ours)
