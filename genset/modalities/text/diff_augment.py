"""Noise on tokens: some are hidden from the encoder, some change places, some are hidden from the decoder.

Denoising prevents overfitting, and decoders that ignore the code (Bowman et al. 2016, arXiv:1511.06349; order: Lample
et al. 2018, arXiv:1711.00043, section 2.3).
"""

from collections.abc import Mapping

import numpy as np

from genset.interfaces import Tensor, Tensors
from genset.modalities.text.tokens import DROPPED, PAD

_ENCODER_DROPOUT = 0.1  # share of the tokens that are hidden from the encoder
_MAX_MOVE = 1.5  # places that a token moves at most


def draw(rng: np.random.Generator, count: int, length: int) -> Mapping[str, Tensors]:
    """Random inputs of `apply` for `count` texts: "encoder_dropout" and "decoder_dropout" (B, T) uniform numbers,
    "order" (B, T) the original place of each token."""
    key = np.arange(length) + rng.uniform(0, _MAX_MOVE, (count, length))
    return {
        "encoder_dropout": rng.random((count, length), dtype=np.float32),
        "decoder_dropout": rng.random((count, length), dtype=np.float32),
        "order": np.argsort(key, axis=1).astype(np.int32),
    }


def apply_to_one_hot(x: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
    """Tokens as one-hot rows (B, T, tokens) with the perturbations of `apply`; differentiable."""
    from keras import ops

    length, size = x.shape[1:]
    dropped = np.eye(size, dtype=np.float32)[DROPPED]
    hidden = ops.where(drawn["encoder_dropout"][:, :, None] < _ENCODER_DROPOUT, dropped, x)
    order = ops.one_hot(drawn["order"], length)  # (B, T, T)
    after = x[:, :, PAD : PAD + 1]  # (B, T, 1) 1 after the end
    kept = ops.maximum(after, ops.matmul(order, after))
    return kept * x + (1 - kept) * ops.matmul(order, hidden)


def apply(x: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
    """Tokens (B, T) with noise; tokens after the end do not move."""
    from keras import ops

    hidden = ops.where(drawn["encoder_dropout"] < _ENCODER_DROPOUT, DROPPED, x)
    moved = ops.take_along_axis(hidden, drawn["order"], axis=1)
    kept = ops.logical_or(ops.equal(x, PAD), ops.equal(ops.take_along_axis(x, drawn["order"], axis=1), PAD))
    return ops.where(kept, x, moved)
