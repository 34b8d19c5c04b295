"""Stretches of a dataset of bounded size: what the forms for many items a file have in common."""

import math
from abc import abstractmethod
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pydantic

from genset.dataset import SPLITS, Item, as_text
from genset.interfaces import Exporter, Modality
from genset.versions import Draft

_TOLD = 400  # bytes of what is told of an item, about
_MOST = 16_384  # items of a file that is made apart from others: what a worker loses at most


class Sharded(Exporter):
    """Files of many items each, such as train-00000.tar."""

    shard_mb: int = pydantic.Field(64, ge=1, le=2000)
    """Megabytes of items that a file holds, about; memory holds one file of each part while they are written."""

    def pattern(self, split: str, *, rows: bool) -> str:
        return f"{split}-*{self.suffix}"

    @abstractmethod
    def file(self, items: Sequence[Item], modality: Modality) -> bytes:
        """The bytes of one file with these items, in order."""

    def write(self, draft: Draft, items: Iterable[Item], modality: Modality) -> None:
        for name, some in self.shards(items):
            draft.write(name, self.file(some, modality))

    def items_a_file(self, modality: Modality) -> int:
        """Items of one form that a file holds, where files are made apart from each other: of about `shard_mb`, before
        they are compressed."""
        own = math.prod(modality.item_shape) * np.dtype(modality.item_dtype).itemsize
        return max(1, min(self.shard_mb * 10**6 // (own + _TOLD), _MOST))

    def name(self, split: str, number: int) -> str:
        """The name of a file."""
        return f"{split}-{number:05d}{self.suffix}"

    def shards(self, items: Iterable[Item]) -> Iterator[tuple[str, list[Item]]]:
        """(name of the file, its items) of each file, in the order of the items."""
        waiting: dict[str, list[Item]] = defaultdict(list)
        sizes: Counter[str] = Counter()
        numbers: Counter[str] = Counter()

        def full(split: str) -> tuple[str, list[Item]]:
            name = self.name(split, numbers[split])
            numbers[split] += 1
            sizes[split] = 0
            return name, waiting.pop(split)

        for item in items:
            split = item.record.split
            waiting[split].append(item)
            sizes[split] += size(item)
            if sizes[split] >= self.shard_mb * 10**6:
                yield full(split)
        for split in SPLITS:
            if waiting[split]:
                yield full(split)


def size(item: Item) -> int:
    """Bytes of an item, about."""
    told = sum(len(text) for text in (*item.record.row().values(), *map(as_text, (item.fields or {}).values())))
    return len(item.data) + told


def texts(item: Item, own: str) -> dict[str, str]:
    """What is known of an item, and the item itself where it is a row, as text; `own` is the name of the item's place,
    which a user's column has to leave to it."""
    fields = {name: as_text(value) for name, value in (item.fields or {}).items()}
    row = {f"user_{name}" if name == own else name: text for name, text in item.record.row().items()}
    return {"id": item.record.id, **fields, **row}
