"""Memory that was freed, given back to the system."""

import ctypes


def give_back() -> None:
    """Hand pages that hold nothing any more back to the system, where the C library can (malloc_trim of glibc).

    It keeps those of small objects for others to come, a gigabyte after very many items were compared: memory that a
    training which follows takes anew.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
