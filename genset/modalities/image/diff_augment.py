"""Translation and cutout as one linear map (DiffAugment: Zhao et al. 2020, arXiv:2006.10738).

A shift is a matrix of zeros and ones from either side of the image: differentiable, without gathering.
"""

from collections.abc import Mapping

import numpy as np

from genset.interfaces import Floats, Tensor

_SHIFT = 1 / 8  # of the side, at most, as in the paper
_MILD_SHIFT = 1 / 28  # of the side: one pixel of 28, none of 8
_HOLE = 1 / 2  # of the side


def draw(rng: np.random.Generator, count: int, size: int, *, strong: bool) -> Mapping[str, Floats]:
    """Shift matrices "rows" and "columns" (B, size, size) and the mask "kept" (B, size, size, 1)."""
    most = max(1, round(size * _SHIFT)) if strong else round(size * _MILD_SHIFT)
    place = np.arange(size)
    shifted = []
    for _ in range(2):
        source = np.clip(place - rng.integers(-most, most + 1, (count, 1)), 0, size - 1)  # the border is repeated
        shifted.append((source[:, :, None] == place).astype(np.float32))
    if not strong:
        return {"rows": shifted[0], "columns": shifted[1], "kept": np.ones((count, 1, 1, 1), np.float32)}
    centre = rng.integers(0, size + 1, (2, count))
    hole = [np.abs(place[None] + 0.5 - middle[:, None]) < size * _HOLE / 2 for middle in centre]
    kept = 1 - (hole[0][:, :, None] & hole[1][:, None, :]).astype(np.float32)
    return {"rows": shifted[0], "columns": shifted[1], "kept": kept[..., None]}


def apply(x: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
    """(B, H, W, C) shifted, with a hole."""
    from keras import ops

    x = ops.einsum("bij,bjwc->biwc", drawn["rows"], x)
    return ops.einsum("bvw,biwc->bivc", drawn["columns"], x) * drawn["kept"]
