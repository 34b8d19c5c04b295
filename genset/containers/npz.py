"""NumPy's .npz: an array of items, and beside it arrays of as many values, for each part of a split or without parts.

`x_train`, `y_train` (Keras), `train_images`, `train_labels` (MedMNIST), `x`, `label` (genset), `images`, `labels`.
"""

import zipfile
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from genset.containers.base import LABELS, LARGEST_BLOCK, Container, Row, plain, split_of, unreadable
from genset.dataset import SPLIT_FOLDERS
from genset.errors import GensetError

_ITEMS = ("x", "images", "image", "data", "items", "sounds", "audio", "arr_0", "features")
_NAMES = ("class_names", "label_names", "classes")
# Of zipfile: RuntimeError for what is encrypted, NotImplementedError for what it has no method for
_DAMAGE = (MemoryError, OSError, ValueError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error)
Arrays = dict[str, npt.NDArray[Any]]


class Npz(Container):
    """All arrays of a part are in memory while its items are read."""

    kind: ClassVar[str] = "npz"

    @classmethod
    def takes(cls, name: str) -> bool:
        return name.lower().endswith(".npz")

    def rows(self, path: Path, suffixes: Collection[str], *, files: bool) -> Iterator[Row]:
        try:
            size = sum(member.file_size for member in zipfile.ZipFile(path).infolist())
            if size > LARGEST_BLOCK:
                raise unreadable(path, f"it unpacks to {size / 2**30:.1f} GB, which do not go into memory")
            with np.load(path, allow_pickle=False) as stored:
                parts, shared = _parts({name: stored[name] for name in stored.files})
        except _DAMAGE as error:
            raise unreadable(path, error) from None
        found = False
        for split, arrays in parts.items():
            rows = list(_rows(arrays, shared, split or split_of(path), path, files=files))
            found = found or bool(rows)
            yield from rows
        if not found:
            told = ", ".join(f"{name} {array.shape}" for arrays in parts.values() for name, array in arrays.items())
            wanted = "an array of items (" + ", ".join(_ITEMS) + ")" if files else "arrays of texts"
            raise GensetError(
                f"no {wanted} here, but {told or 'nothing'}",
                where=str(path),
                hint="Name it so, as (N, height, width) or (N, height, width, colours), and the classes `label`.",
            )


def _parts(arrays: Arrays) -> tuple[Mapping[str, Arrays], Arrays]:
    """The arrays of each part, by what they are there, and those that belong to none."""
    parts: dict[str, Arrays] = defaultdict(dict)
    shared = {name: arrays.pop(name) for name in _NAMES if name in arrays}
    for name, array in arrays.items():
        words = name.lower().split("_")
        split = next((SPLIT_FOLDERS[word] for word in words if word in SPLIT_FOLDERS), "")
        rest = "_".join(word for word in words if SPLIT_FOLDERS.get(word) is None) if split else name
        parts[split][rest or name] = array
    return parts, shared


def _rows(arrays: Arrays, shared: Arrays, split: str, path: Path, *, files: bool) -> Iterator[Row]:
    name = next((name for name in _ITEMS if name in arrays and arrays[name].ndim > 1), "")
    items = arrays.pop(name) if files and name else None
    if files and items is None:
        return
    texts = {key: array for key, array in arrays.items() if array.ndim == 1 and array.dtype.kind in "US"}
    count = len(items) if items is not None else max((len(array) for array in texts.values()), default=0)
    columns: dict[str, npt.NDArray[Any]] = {}
    for key, array in arrays.items():
        if key in (*LABELS, "arr_1"):
            if len(array) != count:
                raise GensetError(f"{count:,} items and {len(array):,} labels ({key})", where=str(path))
            columns["label"] = _named(_classes(array), shared)
        elif array.ndim == 1 and len(array) == count:
            columns[key] = array
    for row in range(count):
        values = {key: plain(array[row]) for key, array in columns.items()}
        yield Row(f"item {row + 1}", None if items is None else items[row], values=values, split=split)


def _classes(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(N,) classes, also of those that stand in a column or as one 1 in a row of zeros."""
    if array.ndim == 2 and array.shape[1] > 1 and array.dtype.kind in "iufb" and (array.sum(axis=1) == 1).all():
        ones: npt.NDArray[Any] = array.argmax(axis=1)
        return ones
    flat: npt.NDArray[Any] = array.reshape(len(array), -1)[:, 0]
    return flat.astype(np.int64) if flat.dtype.kind == "f" and (flat == np.round(flat)).all() else flat


def _named(classes: npt.NDArray[Any], shared: Arrays) -> npt.NDArray[Any]:
    names = next((shared[name] for name in _NAMES if name in shared), None)
    if names is None or classes.dtype.kind not in "iu" or names.ndim != 1 or classes.max(initial=0) >= len(names):
        return classes
    named: npt.NDArray[Any] = names[classes]
    return named
