"""NumPy's .npz: an array of items and arrays with one value for each item, for each split or without splits.

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

from genset.containers.base import (
    LABEL_COLUMNS,
    MAX_BLOCK_BYTES,
    Container,
    ContainerRow,
    split_of,
    to_json_value,
    unreadable,
)
from genset.dataset import SPLIT_FOLDERS
from genset.errors import GensetError

_ITEMS = ("x", "images", "image", "data", "items", "sounds", "audio", "arr_0", "features")
_NAMES = ("class_names", "label_names", "classes")
# zipfile raises RuntimeError for encrypted members and NotImplementedError for unknown compression methods.
_DAMAGE_ERRORS = (MemoryError, OSError, ValueError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error)
Arrays = dict[str, npt.NDArray[Any]]


class NpzContainer(Container):
    """All arrays of a split are in memory while its items are read."""

    kind: ClassVar[str] = "npz"

    @classmethod
    def matches(cls, name: str) -> bool:
        return name.lower().endswith(".npz")

    def rows(self, path: Path, suffixes: Collection[str], *, files: bool) -> Iterator[ContainerRow]:
        try:
            size = sum(member.file_size for member in zipfile.ZipFile(path).infolist())
            if size > MAX_BLOCK_BYTES:
                raise unreadable(path, f"it unpacks to {size / 2**30:.1f} GB, too much for memory")
            with np.load(path, allow_pickle=False) as stored:
                splits, shared = _by_split({name: stored[name] for name in stored.files})
        except _DAMAGE_ERRORS as error:
            raise unreadable(path, error) from None
        empty = True
        for split, arrays in splits.items():
            for row in _rows(arrays, shared, split or split_of(path), path, files=files):
                empty = False
                yield row
        if empty:
            raise _no_items(splits, path, files=files)


def _no_items(splits: Mapping[str, Arrays], path: Path, *, files: bool) -> GensetError:
    expected = f"array of items ({', '.join(_ITEMS)})" if files else "arrays of texts"
    shapes = ", ".join(f"{name} {array.shape}" for arrays in splits.values() for name, array in arrays.items())
    return GensetError(
        f"no {expected}; the file has {shapes or 'no arrays'}",
        where=str(path),
        hint="Name the items `x`, as (N, height, width) or (N, height, width, channels), and the classes `label`.",
    )


def _by_split(arrays: Arrays) -> tuple[Mapping[str, Arrays], Arrays]:
    """(the arrays of each split by their role, such as `images`; arrays that belong to all splits)."""
    splits: dict[str, Arrays] = defaultdict(dict)
    shared = {name: arrays.pop(name) for name in _NAMES if name in arrays}
    for name, array in arrays.items():
        words = name.lower().split("_")
        split = next((SPLIT_FOLDERS[word] for word in words if word in SPLIT_FOLDERS), "")
        rest = "_".join(word for word in words if SPLIT_FOLDERS.get(word) is None) if split else name
        splits[split][rest or name] = array
    return splits, shared


def _rows(arrays: Arrays, shared: Arrays, split: str, path: Path, *, files: bool) -> Iterator[ContainerRow]:
    name = next((name for name in _ITEMS if name in arrays and arrays[name].ndim > 1), "")
    items = arrays.pop(name) if files and name else None
    if files and items is None:
        return
    texts = {key: array for key, array in arrays.items() if array.ndim == 1 and array.dtype.kind in "US"}
    count = len(items) if items is not None else max((len(array) for array in texts.values()), default=0)
    columns: dict[str, npt.NDArray[Any]] = {}
    for key, array in arrays.items():
        if key in (*LABEL_COLUMNS, "arr_1"):
            if len(array) != count:
                raise GensetError(
                    f"{count:,} items but {len(array):,} labels in {key}",
                    where=str(path),
                    hint="Store one label for each item.",
                )
            columns["label"] = _class_names(_classes(array), shared)
        elif array.ndim == 1 and len(array) == count:
            columns[key] = array
    for row in range(count):
        values = {key: to_json_value(array[row]) for key, array in columns.items()}
        yield ContainerRow(f"item {row + 1}", None if items is None else items[row], values=values, split=split)


def _classes(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(N,) classes, also from (N, 1) arrays and from one-hot rows (N, classes)."""
    if array.ndim == 2 and array.shape[1] > 1 and array.dtype.kind in "iufb" and (array.sum(axis=1) == 1).all():
        ones: npt.NDArray[Any] = array.argmax(axis=1)
        return ones
    flat: npt.NDArray[Any] = array.reshape(len(array), -1)[:, 0]
    return flat.astype(np.int64) if flat.dtype.kind == "f" and (flat == np.round(flat)).all() else flat


def _class_names(classes: npt.NDArray[Any], shared: Arrays) -> npt.NDArray[Any]:
    names = next((shared[name] for name in _NAMES if name in shared), None)
    if names is None or classes.dtype.kind not in "iu" or names.ndim != 1 or classes.max(initial=0) >= len(names):
        return classes
    named: npt.NDArray[Any] = names[classes]
    return named
