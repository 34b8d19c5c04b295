"""Memory that was freed, given back to the system."""

import ctypes
import sys


def give_back() -> None:
    """Hand pages that hold nothing any more back to the system, where the C library can (malloc_trim of glibc).

    It keeps those of small objects for others to come, a gigabyte after very many items were compared: memory that a
    training which follows takes anew.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library and hasattr(library, "malloc_trim"):
        library.malloc_trim(0)
