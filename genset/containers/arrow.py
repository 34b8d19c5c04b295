"""Parquet files, and Arrow files as saved by Hugging Face `datasets`: one column is the item."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from genset.containers.base import MAX_BLOCK_BYTES, Container, ContainerRow, file_row, split_of, unreadable
from genset.errors import GensetError, MissingPackageError

_ITEM_COLUMNS = ("image", "img", "audio", "file", "picture", "sound", "bytes")  # the first that exists is used
_ROWS = 64  # decoded at once


class ParquetContainer(Container):
    """A Parquet file; the names of classes come from the schema that Hugging Face `datasets` writes."""

    kind: ClassVar[str] = "parquet"

    @classmethod
    def matches(cls, name: str) -> bool:
        return name.lower().endswith(".parquet")

    def rows(self, path: Path, suffixes: Collection[str], *, files: bool) -> Iterator[ContainerRow]:
        _require_pyarrow(path)
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(path) as file:
                metadata = file.metadata
                sizes = (metadata.row_group(n).total_byte_size for n in range(metadata.num_row_groups))
                largest = max(sizes, default=0)
                if largest > MAX_BLOCK_BYTES:
                    raise unreadable(path, f"a group of rows unpacks to {largest / 2**30:.1f} GB")
                batches = file.iter_batches(batch_size=_ROWS)
                yield from _rows(batches, file.schema_arrow, {}, path, files=files)
        except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
            raise unreadable(path, error) from None


class ArrowContainer(Container):
    """An Arrow stream or file; dataset_info.json next to it describes the columns."""

    kind: ClassVar[str] = "arrow"

    @classmethod
    def matches(cls, name: str) -> bool:
        return name.lower().endswith(".arrow")

    def rows(self, path: Path, suffixes: Collection[str], *, files: bool) -> Iterator[ContainerRow]:
        _require_pyarrow(path)
        import pyarrow as pa

        info = path.with_name("dataset_info.json")
        try:
            features = json.loads(info.read_bytes()).get("features") or {} if info.is_file() else {}
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


def _require_pyarrow(path: Path) -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise MissingPackageError(
            "pyarrow is needed to read this file, but not installed",
            where=str(path),
            hint="Install it: pip install 'genset[parquet]'.",
        ) from None


def _rows(
    batches: Iterator[Any], schema: Any, features: Mapping[str, Any], path: Path, *, files: bool
) -> Iterator[ContainerRow]:
    import pyarrow as pa

    try:
        stored = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = features or stored["info"]["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        features = features or {}
    classes = {name: about["names"] for name, about in features.items() if isinstance(about, dict) and "names" in about}
    item = _item_column(schema, pa) if files else ""
    if files and not item:
        raise GensetError(
            f"no column holds files; the columns are {', '.join(schema.names)}",
            where=str(path),
            hint="Store the items in a column of bytes, or of {bytes, path} as Hugging Face datasets do.",
        )
    split, number = split_of(path), 0
    for batch in batches:
        batch.validate(full=True)  # the offsets of a manipulated file may point anywhere in memory
        others = [field.name for field in schema if field.name != item and not _is_bytes(field.type, pa)]
        columns = {name: batch.column(name).to_pylist() for name in others}
        items = batch.column(item).to_pylist() if item else [None] * batch.num_rows
        for row, value in enumerate(items):
            number += 1
            values = {name: _class_name(column[row], classes.get(name)) for name, column in columns.items()}
            yield (
                _row(f"row {number}", value, values, split)
                if item
                else ContainerRow(f"row {number}", values=values, split=split)
            )


def _row(place: str, value: Any, values: Mapping[str, Any], split: str) -> ContainerRow:
    name, data = "", value
    if isinstance(value, dict):
        name, data = str(value.get("path") or ""), value.get("bytes")
    if not isinstance(data, bytes) or not data:
        fault = f"the file {name!r} is not in the container" if name else "the item has no bytes"
        return ContainerRow(place, values=values, split=split, fault=fault)
    return file_row(place, data, name, values=values, split=split)


def _item_column(schema: Any, pa: Any) -> str:
    """The column that holds files, as bytes or as a structure with bytes; "" without one."""
    fitting = [
        field.name
        for field in schema
        if _is_bytes(field.type, pa) or (pa.types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0)
    ]
    return next((name for name in _ITEM_COLUMNS if name in fitting), fitting[0] if fitting else "")


def _is_bytes(kind: Any, pa: Any) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _class_name(value: Any, names: Sequence[str] | None) -> Any:
    if names and isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    return value
