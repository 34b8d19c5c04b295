"""Records and items as exporters take them: bytes of files, or columns of rows."""

from collections.abc import Iterable, Iterator, Sequence

from genset.dataset import ExportItem, Record
from genset.interfaces import ItemArray, Modality
from genset.pipeline.job import Job


def to_export_item(record: Record, item: ItemArray, modality: Modality) -> ExportItem:
    """An item in the form that exporters take: the bytes of a file, or the columns of a row."""
    fields = modality.to_row(item)
    return ExportItem(record, modality.encode(item) if fields is None else b"", modality.suffix, fields, array=item)


def to_export_items(records: Sequence[Record], items: Iterable[ItemArray], modality: Modality) -> list[ExportItem]:
    """Records and their items in the form that exporters take."""
    return [to_export_item(*pair, modality) for pair in zip(records, items, strict=True)]


def encode_items(pairs: Iterable[tuple[Record, ItemArray]], modality: Modality, job: Job) -> Iterator[ExportItem]:
    """Records and their items, encoded in parallel."""
    return job.engine.map(lambda pair: to_export_item(*pair, modality), pairs)
