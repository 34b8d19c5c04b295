"""Keeping native code quiet: TensorFlow's start-up notes are not about the user's data, and stdout may carry JSON."""

import contextlib
import os
import sys
from collections.abc import Iterator

STDOUT, STDERR = 1, 2


@contextlib.contextmanager
def silenced(descriptor: int) -> Iterator[None]:
    """Send what is written to a file descriptor nowhere. Python's own errors are raised as ever."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(descriptor)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), descriptor)
        yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)
