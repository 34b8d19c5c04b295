"""Differentiable augmentation of images: translation and cutout (DiffAugment: Zhao et al. 2020, arXiv:2006.10738).

A shift is a product with matrices of zeros and ones from both sides of the image, which needs no gather operation.
"""

from collections.abc import Mapping

import numpy as np

from genset.interfaces import Floats, Tensor

_SHIFT = 1 / 8  # largest shift as a share of the side, as in the paper
_MILD_SHIFT = 1 / 28  # the same when mild: one pixel of 28, none of 8
_HOLE = 1 / 2  # side of the hole, as a share of the image


def draw(rng: np.random.Generator, count: int, size: int, *, strong: bool) -> Mapping[str, Floats]:
    """Random inputs of `apply`: shift matrices "rows" and "columns" (B, size, size), mask "kept" (B, size, size, 1)."""
    limit = max(1, round(size * _SHIFT)) if strong else round(size * _MILD_SHIFT)
    place = np.arange(size)
    shifted = []
    for _ in range(2):
        source = np.clip(place - rng.integers(-limit, limit + 1, (count, 1)), 0, size - 1)  # repeats the border
        shifted.append((source[:, :, None] == place).astype(np.float32))
    if not strong:
        return {"rows": shifted[0], "columns": shifted[1], "kept": np.ones((count, 1, 1, 1), np.float32)}
    centre = rng.integers(0, size + 1, (2, count))
    hole = [np.abs(place[None] + 0.5 - middle[:, None]) < size * _HOLE / 2 for middle in centre]
    kept = 1 - (hole[0][:, :, None] & hole[1][:, None, :]).astype(np.float32)
    return {"rows": shifted[0], "columns": shifted[1], "kept": kept[..., None]}


def apply(x: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
    """(B, H, W, C) shifted images with a hole, differentiable (keras.ops)."""
    from keras import ops

    x = ops.einsum("bij,bjwc->biwc", drawn["rows"], x)
    return ops.einsum("bvw,biwc->bivc", drawn["columns"], x) * drawn["kept"]
