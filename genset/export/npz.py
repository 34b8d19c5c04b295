"""NumPy: one .npz a part, with the items as one array and each column of the metadata as another."""

import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from genset.dataset import Item
from genset.errors import GensetError
from genset.export.shards import texts
from genset.interfaces import Exporter, Modality
from genset.versions import Draft

ITEMS = "x"  # the array of items, (N, ...) in the configured form; where items are rows, their columns stand instead


class Npz(Exporter):
    """Arrays for anything that reads NumPy's; all items of a part are in memory while they are written."""

    kind: Literal["npz"] = "npz"
    suffix: ClassVar[str] = ".npz"
    media_type: ClassVar[str] = "application/octet-stream"

    def pattern(self, split: str, *, rows: bool) -> str:
        return f"{split}{self.suffix}"

    def write(self, draft: Draft, items: Iterable[Item], modality: Modality) -> None:
        parts: dict[str, list[Item]] = defaultdict(list)
        for item in items:
            parts[item.record.split].append(item)
        for split, some in parts.items():
            draft.write(f"{split}{self.suffix}", _arrays(some))


def _arrays(items: Sequence[Item]) -> bytes:
    rows = [texts(item, ITEMS) for item in items]
    arrays: dict[str, Any] = {name: np.array([row[name] for row in rows], dtype=np.str_) for name in rows[0]}
    if items[0].fields is None:
        arrays[ITEMS] = np.stack([_array(item) for item in items])
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _array(item: Item) -> npt.NDArray[Any]:
    if item.array is None:
        raise GensetError(
            "arrays need items of one form, these are files as they came", where="output.format", hint="Use a folder."
        )
    return item.array
