"""What all containers share: their rows, and the columns that hold the class."""

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from genset.dataset import SPLIT_FOLDERS
from genset.errors import GensetError

LABEL_COLUMNS = (
    "label",
    "labels",
    "class",
    "category",
    "target",
    "y",
    "fine_label",
)  # columns of the class; the first that exists is used
MAX_ITEM_BYTES = 256 * 2**20
MAX_BLOCK_BYTES = 4 * 2**30  # unpacked into memory at once
_SPLITS = {**SPLIT_FOLDERS, "t10k": "test"}  # the name that MNIST uses
_MAGIC = (
    (rb"\x89PNG\r\n\x1a\n", ".png"),
    (rb"\xff\xd8\xff", ".jpg"),
    (rb"GIF8[79]a", ".gif"),
    (rb"BM", ".bmp"),
    (rb"II\*\0|MM\0\*", ".tif"),
    (rb"RIFF....WEBP", ".webp"),
    (rb"RIFF....WAVE", ".wav"),
    (rb"P[1-6]\s", ".ppm"),
    (rb"fLaC", ".flac"),
    (rb"OggS", ".ogg"),
    (rb"ID3|\xff[\xe2-\xfb]", ".mp3"),
    (rb"FORM....AIF[FC]", ".aiff"),
)


@dataclass(frozen=True)
class ContainerRow:
    """One item of a container."""

    place: str  # in the container, such as "row 12"
    data: bytes | npt.NDArray[Any] | None = None  # a file's bytes or an array; None where `values` are the item
    suffix: str = ""  # of the file whose bytes `data` is; "" for arrays
    name: str = ""  # of the item in the container
    values: Mapping[str, Any] = field(default_factory=dict)  # the other columns, including the class
    label: str | None = None  # where no column has it
    split: str = ""
    fault: str = ""  # why the item cannot be used


class Container(ABC):
    """A file of many items. Rows are read one after the other: memory holds a block of them, never all."""

    kind: ClassVar[str]

    @classmethod
    @abstractmethod
    def matches(cls, name: str) -> bool:
        """Whether a file with this name is such a container."""

    def companions(self, path: Path) -> Iterable[Path]:
        """Other files from which its rows are read."""
        return ()

    @abstractmethod
    def rows(self, path: Path, suffixes: Collection[str], *, files: bool) -> Iterator[ContainerRow]:
        """The items of a file. With `files`, an item is an embedded file with one of `suffixes` or an array; without, a
        row of columns.

        Raises GensetError for a file that cannot be read.
        """


def split_of(path: Path) -> str:
    """The split of a file by its name or its folder's, such as train-00000-of-00002.parquet; "" without a split."""
    words = [word for word in re.split(r"[-_.]", path.name.lower()) if word] + [path.parent.name.lower()]
    return next((_SPLITS[word] for word in words if word in _SPLITS), "")


def suffix_of(data: bytes, name: str = "") -> str:
    """The suffix of a file by its first bytes, otherwise by its name."""
    known = next((suffix for magic, suffix in _MAGIC if re.match(magic, data[:16], re.DOTALL)), "")
    return known or Path(name).suffix.lower()


def file_row(place: str, data: bytes, name: str, **more: Any) -> ContainerRow:
    """A row that is the bytes of a file; a file that is too large is a fault."""
    if len(data) > MAX_ITEM_BYTES:
        return ContainerRow(place, name=name, fault=too_large(len(data)), **more)
    return ContainerRow(place, data, suffix_of(data, name), name, **more)


def too_large(size: int) -> str:
    """The fault of an item that is too large."""
    return f"{size / 2**20:,.0f} MB, more than the {MAX_ITEM_BYTES // 2**20} MB allowed for an item"


def unreadable(path: Path, error: object) -> GensetError:
    """The error for a damaged container."""
    lines = str(error).splitlines() or [type(error).__name__]
    reason = "it needs more memory than available" if isinstance(error, MemoryError) else lines[0]
    return GensetError(f"cannot be read: {reason}", where=str(path))


def to_json_value(value: Any) -> Any:
    """A value of an array as JSON can hold it."""
    if isinstance(value, np.generic):
        value = value.item()
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
