"""What formats with many items in a file share: files of bounded size."""

import math
from abc import abstractmethod
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pydantic

from genset.dataset import SPLITS, ExportItem
from genset.interfaces import Exporter, Modality
from genset.safe_json import as_text
from genset.versions.draft import Draft

_METADATA_BYTES = 400  # of an item, roughly
_MAX_ITEMS = 16_384  # per file: a worker that stops loses at most one file


class ShardedExporter(Exporter):
    """Files of many items each, such as train-00000.tar."""

    shard_mb: int = pydantic.Field(64, ge=1, le=2000)
    """Approximate size of a file in megabytes; memory holds one file of each split while they are written."""

    def pattern(self, split: str, *, rows: bool) -> str:
        return f"{split}-*{self.suffix}"

    @abstractmethod
    def file(self, items: Sequence[ExportItem], modality: Modality) -> bytes:
        """The bytes of one file with these items, in order."""

    def write(self, draft: Draft, items: Iterable[ExportItem], modality: Modality) -> None:
        for name, members in self.shards(items):
            draft.write(name, self.file(members, modality))

    def items_per_file(self, modality: Modality) -> int:
        """Number of items of equal size in a file that a worker generates: about `shard_mb` without compression."""
        item = math.prod(modality.item_shape) * np.dtype(modality.item_dtype).itemsize
        return max(1, min(self.shard_mb * 10**6 // (item + _METADATA_BYTES), _MAX_ITEMS))

    def name(self, split: str, number: int) -> str:
        """The name of a file."""
        return f"{split}-{number:05d}{self.suffix}"

    def shards(self, items: Iterable[ExportItem]) -> Iterator[tuple[str, list[ExportItem]]]:
        """(name, items) of each file, in the order of the items."""
        pending: dict[str, list[ExportItem]] = defaultdict(list)
        sizes: Counter[str] = Counter()
        numbers: Counter[str] = Counter()

        def close(split: str) -> tuple[str, list[ExportItem]]:
            name = self.name(split, numbers[split])
            numbers[split] += 1
            sizes[split] = 0
            return name, pending.pop(split)

        for item in items:
            split = item.record.split
            pending[split].append(item)
            sizes[split] += size(item)
            if sizes[split] >= self.shard_mb * 10**6:
                yield close(split)
        for split in SPLITS:
            if pending[split]:
                yield close(split)


def size(item: ExportItem) -> int:
    """Approximate size of an item in bytes."""
    metadata = (*item.record.row().values(), *map(as_text, (item.fields or {}).values()))
    return len(item.data) + sum(len(text) for text in metadata)


def text_columns(item: ExportItem, item_column: str) -> dict[str, str]:
    """The metadata of an item as text, with the item itself where it is a row.

    A user's column with the name `item_column`, which is that of the item, gets another name.
    """
    fields = {name: as_text(value) for name, value in (item.fields or {}).items()}
    row = {f"user_{name}" if name == item_column else name: text for name, text in item.record.row().items()}
    return {"id": item.record.id, **fields, **row}
