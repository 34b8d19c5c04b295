"""Locality-sensitive hashing: similar vectors are likely to share a key."""

import numpy as np

from genset.interfaces import Floats, Keys

_BANDS, _BITS = 24, 16
_AT_ONCE = 4096  # rows at once, so that memory is bounded
_SEED = 20  # of the planes: fixed, so that equal datasets have equal keys


def plane_keys(*parts: Floats) -> list[Keys]:
    """(N, K) keys for the (N, d) rows of each part: the sides of random planes on which they lie (Charikar 2002).

    The planes go through the mean of all parts. Two rows at an angle t share a bit with probability 1 - t / pi, and a
    key with that probability to the power of its bits.
    """
    total = sum(rows.sum(axis=0, dtype=np.float64) for rows in parts)
    middle = (total / sum(len(rows) for rows in parts)).astype(np.float32)
    planes = np.random.Generator(np.random.Philox(_SEED)).standard_normal((parts[0].shape[1], _BANDS * _BITS))
    return [_sides(rows, middle, planes.astype(np.float32)) for rows in parts]


def _sides(rows: Floats, middle: Floats, planes: Floats) -> Keys:
    """(N, K) keys of rows (N, d) for planes (d, K * bits) through `middle` (d,)."""
    weights = 1 << np.arange(_BITS, dtype=np.uint64)
    out = np.zeros((len(rows), _BANDS), np.uint64)
    for start in range(0, len(rows), _AT_ONCE):
        sides = (rows[start : start + _AT_ONCE] - middle) @ planes > 0  # (N, bands * bits)
        out[start : start + _AT_ONCE] = (sides.reshape(-1, _BANDS, _BITS) * weights).sum(axis=2, dtype=np.uint64)
    return out
