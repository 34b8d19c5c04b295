"""Noise on tokens: some are hidden from the encoder, some change places, some are hidden from the decoder.

Denoising against learning by heart, and against a decoder that needs no code (Bowman et al. 2016, arXiv:1511.06349;
order: Lample et al. 2018, arXiv:1711.00043, section 2.3).
"""

from collections.abc import Mapping

import numpy as np

from genset.interfaces import Tensor, Tensors
from genset.modalities.text.tokens import DROPPED, PAD

_HIDDEN = 0.1  # of the tokens, from the encoder
_MOVED = 1.5  # places that a token may move, at most


def draw(rng: np.random.Generator, count: int, length: int) -> Mapping[str, Tensors]:
    """ "hidden" and "told" (B, T) uniform numbers, "order" (B, T) the place that each token comes from."""
    key = np.arange(length) + rng.uniform(0, _MOVED, (count, length))
    return {
        "hidden": rng.random((count, length), dtype=np.float32),
        "told": rng.random((count, length), dtype=np.float32),
        "order": np.argsort(key, axis=1).astype(np.int32),
    }


def apply_to_rows(x: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
    """The same for tokens as one-hot rows (B, T, tokens), differentiable."""
    from keras import ops

    length, size = x.shape[1:]
    hidden = ops.where(drawn["hidden"][:, :, None] < _HIDDEN, np.eye(size, dtype=np.float32)[DROPPED], x)
    order = ops.one_hot(drawn["order"], length)  # (B, T, T)
    after = x[:, :, PAD : PAD + 1]  # (B, T, 1) 1 after the end
    kept = ops.maximum(after, ops.matmul(order, after))
    return kept * x + (1 - kept) * ops.matmul(order, hidden)


def apply(x: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
    """(B, T) tokens with noise; what stands after the end stays there."""
    from keras import ops

    hidden = ops.where(drawn["hidden"] < _HIDDEN, DROPPED, x)
    moved = ops.take_along_axis(hidden, drawn["order"], axis=1)
    kept = ops.logical_or(ops.equal(x, PAD), ops.equal(ops.take_along_axis(x, drawn["order"], axis=1), PAD))
    return ops.where(kept, x, moved)
