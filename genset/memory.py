"""Memory that was freed, given back to the system."""

import ctypes
import gc
import sys


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
