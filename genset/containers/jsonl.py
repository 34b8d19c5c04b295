"""JSON Lines of items that are files: a row each, with the file's path (from the folder of the lines) or its bytes."""

import base64
import binascii
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from genset.containers.base import LARGEST_ITEM, Container, Row, file_row, split_of, too_large, unreadable
from genset.dataset import METADATA
from genset.jsons import parsed

_COLUMNS = ("file_name", "image", "audio", "file", "path", "img", "sound", "bytes")  # of the item, the first there is


class JsonLines(Container):
    """Files are named by their path, or stand in base64: as it is, in a data: address, or as {"bytes": ...}."""

    kind: ClassVar[str] = "jsonl"

    @classmethod
    def takes(cls, name: str) -> bool:
        return name.lower().endswith(".jsonl") and name != METADATA  # which is about the files of a folder

    def companions(self, path: Path) -> Iterable[Path]:
        return [place for row in self.rows(path, (), files=False) if (place := _referenced(path, row.values))]

    def rows(self, path: Path, suffixes: Collection[str], *, files: bool) -> Iterator[Row]:
        split = split_of(path)
        try:
            with path.open("rb") as file:
                for number, line in enumerate(file, start=1):
                    if line.strip():
                        yield _row(path, f"line {number}", line, split, files=files)
        except OSError as error:
            raise unreadable(path, error) from None


def _row(path: Path, place: str, line: bytes, split: str, *, files: bool) -> Row:
    try:
        values = parsed(line)
    except (ValueError, json.JSONDecodeError) as error:
        return Row(place, split=split, fault=f"it is not JSON: {error}")
    if not isinstance(values, dict):
        return Row(place, split=split, fault="it is no object")
    if not files:
        return Row(place, values=values, split=split)
    column = next((name for name in _COLUMNS if name in values), "")
    rest = {name: value for name, value in values.items() if name != column}
    if not column:
        return Row(place, values=rest, split=split, fault=f"none of its keys is {', '.join(_COLUMNS)}")
    referenced = _referenced(path, values)
    if referenced:
        try:
            size = referenced.stat().st_size
            if size > LARGEST_ITEM:
                return Row(place, values=rest, split=split, fault=too_large(size))
            return file_row(place, referenced.read_bytes(), referenced.name, values=rest, split=split)
        except OSError as error:
            return Row(place, values=rest, split=split, fault=f"{referenced.name} cannot be read: {error.strerror}")
    data = _embedded(values[column])
    if data is None:
        told = str(values[column])[:60]
        return Row(
            place, values=rest, split=split, fault=f"{column} {told!r} is no file beside the lines and no base64"
        )
    name = values[column].get("path") if isinstance(values[column], dict) else ""
    return file_row(place, data, str(name or ""), values=rest, split=split)


def _referenced(path: Path, values: Mapping[str, Any]) -> Path | None:
    """The file that a row names: only one inside the folder of the lines."""
    value = next((values[name] for name in _COLUMNS if name in values), None)
    if not isinstance(value, str) or not value or len(value) > 1000 or "\0" in value:
        return None
    parts = PurePosixPath(value.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts:
        return None
    place = path.parent / parts
    try:
        return place if place.is_file() else None
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
