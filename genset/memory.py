"""No more memory than what is kept takes: arrays filled part by part, and what was freed given back to the system."""

import ctypes
import gc
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def filled(count: int, parts: Iterable[Sequence[npt.NDArray[Any]]]) -> list[npt.NDArray[Any]]:
    """Arrays of `count` rows from those of each part, without holding them twice."""
    out: list[npt.NDArray[Any]] = []
    start = 0
    for part in parts:
        out = out or [np.empty((count, *rows.shape[1:]), rows.dtype) for rows in part]
        for whole, rows in zip(out, part, strict=True):
            whole[start : start + len(rows)] = rows
        start += len(part[0])
    return out


def give_back() -> None:
    """Hand pages that hold nothing any more back to the system, where the C library can (malloc_trim of glibc).

    What only cycles of references keep, as the graphs of a training are kept, is freed before. Pages of small objects
    are kept by the library for others to come, a gigabyte after very many items were compared: memory that a training
    which follows takes anew.
    """
    gc.collect()
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library and hasattr(library, "malloc_trim"):
        library.malloc_trim(0)
