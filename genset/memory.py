"""Low peak memory: fill arrays part by part, and return freed memory to the operating system."""

import ctypes
import gc
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_PAGEOUT = 21  # MADV_PAGEOUT


def fill_arrays(count: int, parts: Iterable[Sequence[npt.NDArray[Any]]]) -> list[npt.NDArray[Any]]:
    """Arrays of `count` rows, concatenated from those of each part, without holding them twice."""
    out: list[npt.NDArray[Any]] = []
    start = 0
    for part in parts:
        out = out or [np.empty((count, *rows.shape[1:]), rows.dtype) for rows in part]
        for target, rows in zip(out, part, strict=True):
            target[start : start + len(rows)] = rows
        start += len(part[0])
    return out


def release_memory() -> None:
    """Free reference cycles, then return unused memory to the operating system.

    Two kinds of pages are returned: free heap pages (malloc_trim, where the C library is glibc) and the code of shared
    libraries, which the kernel can read again from their files (MADV_PAGEOUT, Linux 5.4 or later; older kernels ignore
    the call). The C library keeps pages of small objects for reuse: a gigabyte after very many items were compared,
    which a training would allocate a second time. The code of TensorFlow takes a third of a gigabyte and is not called
    after a training. The graphs of a training are reference cycles.
    """
    gc.collect()
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library and hasattr(library, "malloc_trim"):
        library.malloc_trim(0)
    if library:
        library.madvise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
        for start, size in _library_code():
            library.madvise(start, size, _PAGEOUT)


def _library_code() -> list[tuple[int, int]]:
    """(address, bytes) of the read-only parts of mapped shared libraries: code and constants."""
    spans = []
    for line in Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines():
        span, mode, *_, path = line.split(maxsplit=5)
        if mode in ("r-xp", "r--p") and ".so" in path:
            start, end = (int(address, 16) for address in span.split("-"))
            spans.append((start, end - start))
    return spans
