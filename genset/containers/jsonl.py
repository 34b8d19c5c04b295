"""JSON Lines of items that are files: one row each, with the path (relative to the JSON Lines file) or the bytes."""

import base64
import binascii
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from genset.containers.base import MAX_ITEM_BYTES, Container, ContainerRow, file_row, split_of, too_large, unreadable
from genset.metadata import METADATA
from genset.safe_json import json_fault, parse_json

# Columns of the item; the first that exists is used
_ITEM_COLUMNS = (
    "file_name",
    "image",
    "audio",
    "file",
    "path",
    "img",
    "sound",
    "bytes",
)


class JsonLinesContainer(Container):
    """Items are paths of files, or bytes in base64: as text, as a data: URI or as {"bytes": ...}."""

    kind: ClassVar[str] = "jsonl"

    @classmethod
    def matches(cls, name: str) -> bool:
        return name.lower().endswith(".jsonl") and name != METADATA  # which describes the files of a folder

    def companions(self, path: Path) -> Iterable[Path]:
        return [file for row in self.rows(path, (), files=False) if (file := _referenced(path, row.values))]

    def rows(self, path: Path, suffixes: Collection[str], *, files: bool) -> Iterator[ContainerRow]:
        split = split_of(path)
        try:
            with path.open("rb") as file:
                for number, line in enumerate(file, start=1):
                    if line.strip():
                        yield _row(path, f"line {number}", line, split, files=files)
        except OSError as error:
            raise unreadable(path, error) from None


def _row(path: Path, place: str, line: bytes, split: str, *, files: bool) -> ContainerRow:
    try:
        values = parse_json(line)
    except (ValueError, json.JSONDecodeError) as error:
        return ContainerRow(place, split=split, fault=json_fault(error))
    if not isinstance(values, dict):
        return ContainerRow(place, split=split, fault="not a JSON object")
    if not files:
        return ContainerRow(place, values=values, split=split)
    column = next((name for name in _ITEM_COLUMNS if name in values), "")
    rest = {name: value for name, value in values.items() if name != column}
    if not column:
        return ContainerRow(
            place, values=rest, split=split, fault=f"it has none of the keys {', '.join(_ITEM_COLUMNS)}"
        )
    referenced = _referenced(path, values)
    if referenced:
        try:
            size = referenced.stat().st_size
            if size > MAX_ITEM_BYTES:
                return ContainerRow(place, values=rest, split=split, fault=too_large(size))
            return file_row(place, referenced.read_bytes(), referenced.name, values=rest, split=split)
        except OSError as error:
            return ContainerRow(
                place, values=rest, split=split, fault=f"{referenced.name} cannot be read: {error.strerror}"
            )
    data = _embedded(values[column])
    if data is None:
        shown = str(values[column])[:60]
        return ContainerRow(
            place, values=rest, split=split, fault=f"{column} {shown!r} is neither a file in this folder nor base64"
        )
    name = values[column].get("path") if isinstance(values[column], dict) else ""
    return file_row(place, data, str(name or ""), values=rest, split=split)


def _referenced(path: Path, values: Mapping[str, Any]) -> Path | None:
    """The file that a row names; only files inside the folder of the JSON Lines file are accepted."""
    value = next((values[name] for name in _ITEM_COLUMNS if name in values), None)
    if not isinstance(value, str) or not value or len(value) > 1000 or "\0" in value:
        return None
    parts = PurePosixPath(value.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts:
        return None
    file = path.parent / parts
    try:
        return file if file.is_file() else None
    except OSError:
        return None


def _embedded(value: Any) -> bytes | None:
    if isinstance(value, dict):
        value = value.get("bytes")
    if not isinstance(value, str):
        return None
    text = value.partition(";base64,")[2] if value.startswith("data:") else value
    try:
        return base64.b64decode(text, validate=True) or None
    except (binascii.Error, ValueError):
        return None
