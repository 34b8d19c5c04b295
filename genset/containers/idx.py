"""IDX, the format of MNIST: `train-images-idx3-ubyte` with classes in `train-labels-idx1-ubyte`, gzipped or not.

Source of the format: https://yann.lecun.org/exdb/mnist/ (THE IDX FILE FORMAT).
"""

import gzip
import math
import re
import struct
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np

from genset.containers.base import MAX_ITEM_BYTES, Container, ContainerRow, split_of, unreadable
from genset.errors import GensetError

_NAME = re.compile(r"(?P<before>.*)images(?P<dot>[-.])idx[2-4](?P<after>-ubyte(\.gz)?)", re.IGNORECASE)
_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


class IdxContainer(Container):
    """Arrays of one shape, with their classes in a second file."""

    kind: ClassVar[str] = "idx"

    @classmethod
    def matches(cls, name: str) -> bool:
        return _NAME.fullmatch(name) is not None

    def companions(self, path: Path) -> Iterable[Path]:
        match = _NAME.fullmatch(path.name)
        if match is None:
            return []
        labels = path.with_name(f"{match['before']}labels{match['dot']}idx1{match['after']}")
        return [labels] if labels.is_file() else []

    def rows(self, path: Path, suffixes: Collection[str], *, files: bool) -> Iterator[ContainerRow]:
        labels = next((self._labels(place) for place in self.companions(path)), None)
        split = split_of(path)
        with _opened(path) as file:
            dtype, (count, *shape) = _header(file, path)
            size = math.prod(shape) * dtype.itemsize
            if not 0 < size <= MAX_ITEM_BYTES:
                raise unreadable(path, f"items of {size:,} bytes")
            if labels is not None and len(labels) != count:
                raise GensetError(
                    f"{count:,} items but {len(labels):,} labels",
                    where=str(path),
                    hint="Put the matching labels file into the same folder.",
                )
            for row in range(count):
                data = _read(file, size, path)
                array = np.frombuffer(data, dtype).reshape(shape)
                label = None if labels is None else str(labels[row])
                yield ContainerRow(f"item {row + 1}", array, label=label, split=split)

    @staticmethod
    def _labels(path: Path) -> Any:
        with _opened(path) as file:
            dtype, shape = _header(file, path)
            if len(shape) != 1:
                raise unreadable(path, f"labels in {len(shape)} dimensions")
            return np.frombuffer(_read(file, shape[0] * dtype.itemsize, path), dtype)


def _opened(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb")  # type: ignore[return-value]


def _header(file: IO[bytes], path: Path) -> tuple[np.dtype[Any], tuple[int, ...]]:
    zeros, kind, dimensions = struct.unpack(">HBB", _read(file, 4, path))
    if zeros or kind not in _TYPES or not dimensions:
        raise unreadable(path, "it does not begin like an IDX file")
    return np.dtype(_TYPES[kind]), struct.unpack(f">{dimensions}I", _read(file, 4 * dimensions, path))


def _read(file: IO[bytes], size: int, path: Path) -> bytes:
    """Exactly `size` bytes, read in pieces: a header alone cannot make genset allocate memory."""
    pieces, remaining = [], size
    while remaining:
        try:
            piece = file.read(min(remaining, 2**20))
        except (OSError, EOFError) as error:
            raise unreadable(path, error) from None
        if not piece:
            raise unreadable(path, "it ends before its last item")
        pieces.append(piece)
        remaining -= len(piece)
    return b"".join(pieces)
