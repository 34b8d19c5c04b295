"""Parquet files, and Arrow files as Hugging Face `datasets` save them to disk: one column is the item."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from genset.containers.base import LARGEST_BLOCK, Container, Row, file_row, split_of, unreadable
from genset.errors import GensetError

_USUAL = ("image", "img", "audio", "file", "picture", "sound", "bytes")  # columns of files, the first there is
_ROWS = 64  # decoded at once


class Parquet(Container):
    """A file of Parquet; what Hugging Face wrote into its schema tells the names of classes."""

    kind: ClassVar[str] = "parquet"

    @classmethod
    def takes(cls, name: str) -> bool:
        return name.lower().endswith(".parquet")

    def rows(self, path: Path, suffixes: Collection[str], *, files: bool) -> Iterator[Row]:
        _library(path)
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(path) as file:
                about = file.metadata
                largest = max((about.row_group(n).total_byte_size for n in range(about.num_row_groups)), default=0)
                if largest > LARGEST_BLOCK:
                    raise unreadable(path, f"a group of rows unpacks to {largest / 2**30:.1f} GB")
                batches = file.iter_batches(batch_size=_ROWS)
                yield from _rows(batches, file.schema_arrow, {}, path, files=files)
        except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
            raise unreadable(path, error) from None


class Arrow(Container):
    """A stream or file of Arrow, with dataset_info.json beside it."""

    kind: ClassVar[str] = "arrow"

    @classmethod
    def takes(cls, name: str) -> bool:
        return name.lower().endswith(".arrow")

    def rows(self, path: Path, suffixes: Collection[str], *, files: bool) -> Iterator[Row]:
        _library(path)
        import pyarrow as pa

        told = path.with_name("dataset_info.json")
        try:
            features = json.loads(told.read_bytes()).get("features") or {} if told.is_file() else {}
            with path.open("rb") as opened:
                file: Any
                if opened.read(6) == b"ARROW1":
                    file = pa.ipc.open_file(path)
                    batches = (file.get_batch(number) for number in range(file.num_record_batches))
                else:
                    opened.seek(0)
                    file = pa.ipc.open_stream(opened)
                    batches = iter(file)
                yield from _rows(batches, file.schema, features, path, files=files)
        except (pa.ArrowException, OSError, ValueError, AttributeError, RecursionError, MemoryError) as error:
            raise unreadable(path, error) from None


def _library(path: Path) -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise GensetError(
            "this needs pyarrow, which is not installed",
            where=str(path),
            hint="Install it: pip install 'genset[parquet]'.",
        ) from None


def _rows(
    batches: Iterator[Any], schema: Any, features: Mapping[str, Any], path: Path, *, files: bool
) -> Iterator[Row]:
    import pyarrow as pa

    try:
        stored = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = features or stored["info"]["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        features = features or {}
    classes = {name: told["names"] for name, told in features.items() if isinstance(told, dict) and "names" in told}
    item = _item_column(schema, pa) if files else ""
    if files and not item:
        raise GensetError(
            f"no column of files here, but {', '.join(schema.names)}",
            where=str(path),
            hint="A column of bytes, or of {bytes, path} as Hugging Face datasets have them, is taken for the items.",
        )
    split, number = split_of(path), 0
    for batch in batches:
        batch.validate(full=True)  # offsets of a file that was tampered with may point anywhere in memory
        plain = [field.name for field in schema if field.name != item and not _is_bytes(field.type, pa)]
        columns = {name: batch.column(name).to_pylist() for name in plain}
        items = batch.column(item).to_pylist() if item else [None] * batch.num_rows
        for row, value in enumerate(items):
            number += 1
            values = {name: _named(column[row], classes.get(name)) for name, column in columns.items()}
            yield (
                _row(f"row {number}", value, values, split)
                if item
                else Row(f"row {number}", values=values, split=split)
            )


def _row(place: str, value: Any, values: Mapping[str, Any], split: str) -> Row:
    name, data = "", value
    if isinstance(value, dict):
        name, data = str(value.get("path") or ""), value.get("bytes")
    if not isinstance(data, bytes) or not data:
        fault = f"it names the file {name!r}, which is not in the container" if name else "it holds no bytes"
        return Row(place, values=values, split=split, fault=fault)
    return file_row(place, data, name, values=values, split=split)


def _item_column(schema: Any, pa: Any) -> str:
    """The column that holds files: as bytes, or as a structure with bytes."""
    fitting = [
        field.name
        for field in schema
        if _is_bytes(field.type, pa) or (pa.types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0)
    ]
    return next((name for name in _USUAL if name in fitting), fitting[0] if fitting else "")


def _is_bytes(kind: Any, pa: Any) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _named(value: Any, names: Sequence[str] | None) -> Any:
    if names and isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    return value
