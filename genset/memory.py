"""No more memory than what is kept takes: arrays filled part by part, and what was freed given back to the system."""

import ctypes
import gc
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_PAGEOUT = 21  # MADV_PAGEOUT


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
    """Hand pages that hold nothing any more back to the system, where the C library can (malloc_trim of glibc), and
    those that it can read again from their files, where the kernel can (MADV_PAGEOUT, Linux 5.4).

    What only cycles of references keep, as the graphs of a training are kept, is freed before. Pages of small objects
    are kept by the library for others to come, a gigabyte after very many items were compared: memory that a training
    which follows takes anew. The code of TensorFlow is a third of a gigabyte, which nothing calls after a training.
    """
    gc.collect()
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library and hasattr(library, "malloc_trim"):
        library.malloc_trim(0)
    if library:
        library.madvise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
        for start, size in _code():
            library.madvise(start, size, _PAGEOUT)  # a kernel that cannot says so and leaves them where they are


def _code() -> list[tuple[int, int]]:
    """(address, bytes) of what of shared libraries is mapped and never written: code and constants."""
    found = []
    for line in Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines():
        span, mode, *_, path = line.split(maxsplit=5)
        if mode in ("r-xp", "r--p") and ".so" in path:
            start, end = (int(address, 16) for address in span.split("-"))
            found.append((start, end - start))
    return found
