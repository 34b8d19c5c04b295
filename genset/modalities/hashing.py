"""Keys by which items that are nearly alike find each other, for modalities whose items have a small picture."""

import numpy as np
import numpy.typing as npt

from genset.interfaces import Floats, Keys

_BANDS, _BITS = 24, 16
_SEED = 20  # of the planes: the same for all sets, so that equal sets have equal keys


def plane_keys(rows: Floats) -> Keys:
    """(N, K) keys of (N, d) rows: on which side of random planes through the mean they lie (Charikar 2002).

    Two rows at an angle t share a bit with a probability of 1 - t / pi, and a key with that to the power of its bits.
    """
    centred = rows - rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    planes = np.random.Generator(np.random.Philox(_SEED)).standard_normal((rows.shape[1], _BANDS * _BITS))
    sides = centred @ planes.astype(np.float32) > 0  # (N, bands * bits)
    weights = 1 << np.arange(_BITS, dtype=np.uint64)
    out: npt.NDArray[np.uint64] = (sides.reshape(len(rows), _BANDS, _BITS) * weights).sum(axis=2, dtype=np.uint64)
    return out
