"""What every container has in common: rows, and which of their columns is the item and which the class."""

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

LABELS = (
    "label",
    "labels",
    "class",
    "category",
    "target",
    "y",
    "fine_label",
)  # columns of the class, the first there is
LARGEST_ITEM = 256 * 2**20  # bytes
LARGEST_BLOCK = 4 * 2**30  # bytes that are unpacked into memory at once
_SPLITS = {**SPLIT_FOLDERS, "t10k": "test"}  # as MNIST calls it
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
class Row:
    """One item as it stands in a container."""

    place: str  # in the container, such as "row 12"
    data: bytes | npt.NDArray[Any] | None = None  # a file's bytes or an array; None where `values` are the item
    suffix: str = ""  # of the file that the bytes are; "" for arrays
    name: str = ""  # that the item has there
    values: Mapping[str, Any] = field(default_factory=dict)  # what else stands beside it, its class included
    label: str | None = None  # where it stands in no column
    split: str = ""
    fault: str = ""  # why there is no item here


class Container(ABC):
    """A file of many items. Rows come one after the other: memory holds a block of them, never all."""

    kind: ClassVar[str]

    @classmethod
    @abstractmethod
    def takes(cls, name: str) -> bool:
        """Whether a file of this name is one."""

    def companions(self, path: Path) -> Iterable[Path]:
        """Other files that its rows come from."""
        return ()

    @abstractmethod
    def rows(self, path: Path, suffixes: Collection[str], *, files: bool) -> Iterator[Row]:
        """The items of a file; `files` where each is a file or an array, of one of some suffixes, and not its columns.

        Raises GensetError for a file that cannot be read.
        """


def split_of(path: Path) -> str:
    """The part that a file is, by its name or its folder's: train-00000-of-00002.parquet; "" where they do not say."""
    words = [word for word in re.split(r"[-_.]", path.name.lower()) if word] + [path.parent.name.lower()]
    return next((_SPLITS[word] for word in words if word in _SPLITS), "")


def suffix_of(data: bytes, name: str = "") -> str:
    """The suffix of a file by its first bytes, or else by its name."""
    known = next((suffix for magic, suffix in _MAGIC if re.match(magic, data[:16], re.DOTALL)), "")
    return known or Path(name).suffix.lower()


def file_row(place: str, data: bytes, name: str, **more: Any) -> Row:
    """A row that is a file's bytes; too many of them are a fault."""
    if len(data) > LARGEST_ITEM:
        return Row(place, name=name, fault=too_large(len(data)), **more)
    return Row(place, data, suffix_of(data, name), name, **more)


def too_large(size: int) -> str:
    """The fault of an item that is no item."""
    return f"{size / 2**20:,.0f} MB, more than the {LARGEST_ITEM // 2**20} MB that an item may have"


def unreadable(path: Path, error: object) -> GensetError:
    """The error for a container that is damaged."""
    told = str(error).splitlines() or [type(error).__name__]
    asked = "it asks for more memory than there is" if isinstance(error, MemoryError) else told[0]
    return GensetError(f"cannot be read: {asked}", where=str(path))


def plain(value: Any) -> Any:
    """A value of an array as JSON has it."""
    if isinstance(value, np.generic):
        value = value.item()
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
