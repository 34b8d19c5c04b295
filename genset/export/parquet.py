"""Parquet: the metadata as columns, and the item as Hugging Face datasets read it: image, audio or text."""

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from genset.dataset import ExportItem
from genset.errors import GensetError
from genset.export.shards import ShardedExporter, text_columns
from genset.interfaces import Modality


class ParquetExporter(ShardedExporter):
    """Files for `datasets`, pandas, Arrow and databases."""

    kind: Literal["parquet"] = "parquet"
    suffix: ClassVar[str] = ".parquet"
    loader: ClassVar[str] = "parquet"
    media_type: ClassVar[str] = "application/vnd.apache.parquet"

    def ready(self) -> None:
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError:
            raise GensetError(
                "Parquet needs pyarrow, which is not installed",
                where="output.format",
                hint="Install it: pip install 'genset[parquet]'.",
            ) from None

    def file(self, items: Sequence[ExportItem], modality: Modality) -> bytes:
        self.ready()
        return _table(items, modality.feature)


def _table(items: Sequence[ExportItem], feature: str) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [_row(item, feature) for item in items]
    table = pa.Table.from_pylist(rows)
    if feature:
        types: dict[str, Mapping[str, Any]] = {name: {"dtype": "string", "_type": "Value"} for name in rows[0]}
        types[feature.lower()] = {"_type": feature}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": types}})})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="none" if feature else "zstd")  # images are already compressed
    return buffer.getvalue()


def _row(item: ExportItem, feature: str) -> dict[str, Any]:
    record = item.record
    file = {feature.lower(): {"bytes": item.data, "path": f"{record.id}{item.suffix}"}} if item.fields is None else {}
    return {**text_columns(item, feature.lower()), **file, **(item.fields or {})}
