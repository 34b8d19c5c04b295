"""Named arrays as the bytes of an .npz file, and back."""

import io
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from genset.errors import DamagedError


def npz_bytes(arrays: Mapping[str, Any]) -> bytes:
    """Equal arrays give equal bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def load_npz(data: bytes, where: str) -> dict[str, Any]:
    """The arrays by name: numbers and text, no objects. Raises DamagedError, which names `where`, for invalid bytes."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DamagedError(f"cannot read these arrays: {error}", where=where) from None
