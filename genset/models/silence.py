"""Silence native code: TensorFlow's start-up notes are not about the user's data, and stdout may carry JSON."""

import contextlib
import os
import sys
from collections.abc import Iterator

STDOUT, STDERR = 1, 2


@contextlib.contextmanager
def silenced(descriptor: int) -> Iterator[None]:
    """Discard everything written to a file descriptor. Python exceptions are raised as usual."""
    sys.stdout.flush()
    sys.stderr.flush()
    original = os.dup(descriptor)
    try:
        with open(os.devnull, "wb") as null:
            os.dup2(null.fileno(), descriptor)
        yield
    finally:
        os.dup2(original, descriptor)
        os.close(original)
