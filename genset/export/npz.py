"""NumPy: one .npz file for each split, with one array of items and one for each column of the metadata."""

import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from genset.dataset import ExportItem
from genset.errors import GensetError
from genset.export.shards import text_columns
from genset.interfaces import Exporter, Modality
from genset.versions.draft import Draft

ITEMS = "x"  # the array of items (N, ...); items that are rows have their columns instead


class NpzExporter(Exporter):
    """Arrays for everything that reads NumPy; all items of a split are in memory while they are written."""

    kind: Literal["npz"] = "npz"
    suffix: ClassVar[str] = ".npz"
    media_type: ClassVar[str] = "application/octet-stream"

    def pattern(self, split: str, *, rows: bool) -> str:
        return f"{split}{self.suffix}"

    def write(self, draft: Draft, items: Iterable[ExportItem], modality: Modality) -> None:
        splits: dict[str, list[ExportItem]] = defaultdict(list)
        for item in items:
            splits[item.record.split].append(item)
        for split, members in splits.items():
            draft.write(f"{split}{self.suffix}", _arrays(members))


def _arrays(items: Sequence[ExportItem]) -> bytes:
    rows = [text_columns(item, ITEMS) for item in items]
    arrays: dict[str, Any] = {name: np.array([row[name] for row in rows], dtype=np.str_) for name in rows[0]}
    if items[0].fields is None:
        arrays[ITEMS] = np.stack([_array(item) for item in items])
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _array(item: ExportItem) -> npt.NDArray[Any]:
    if item.array is None:
        raise GensetError(
            "arrays need items of equal size; these are unchanged files",
            where="output.format",
            hint="Set output.format=folder.",
        )
    return item.array
