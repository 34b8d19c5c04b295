"""Texts from logits: one token after the other, in batches, with NumPy and ONNX Runtime."""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import pydantic

from genset.interfaces import Floats, Sampling, Tensors
from genset.modalities.text.tokens import END, NEVER, PAD, Ids

Models = Mapping[str, Callable[..., Sequence[Tensors]]]


class TokenSampling(Sampling):
    """How tokens are drawn."""

    temperature: float = pydantic.Field(0.8, ge=0, le=2)
    """Below 1 more typical and less diverse, above 1 more diverse; 0 always takes the most probable token."""
    top_p: float = pydantic.Field(1.0, gt=0, le=1)
    """Draw only from the most probable tokens that together have this probability (nucleus sampling: Holtzman et al.
    2019, arXiv:1904.09751)."""
    max_tokens: int | None = pydantic.Field(None, ge=1)
    """Maximum number of tokens of a text; by default that of the model."""

    renamed: ClassVar[Mapping[str, str]] = {"longest": "max_tokens"}

    def steady(self) -> Self:
        return self.model_copy(update={"temperature": 0.0})


def generate_tokens(
    models: Models, z: Floats, label: Floats, rngs: Sequence[np.random.Generator], length: int, settings: TokenSampling
) -> Ids:
    """(N, length) tokens for codes z (N, latent_dim) and labels (N, classes)."""
    limit = min(length, settings.max_tokens or length)
    # As many numbers are drawn for every limit, so that texts with different limits begin equally
    uniform = np.stack([rng.random(length) for rng in rngs])[:, :limit]
    context, *states = models["generator"](z, label)
    out = np.full((len(z), length), PAD, np.int32)
    token, ended = np.full((len(z), 1), PAD, np.int32), np.zeros(len(z), np.bool_)
    for place in range(limit):
        logits, *states = models["step"](token, context, *states)
        token = np.where(ended, PAD, draw_tokens(logits, uniform[:, place], settings))[:, None].astype(np.int32)
        out[:, place] = token[:, 0]
        ended |= token[:, 0] == END
        if ended.all():
            break
    return out


def mean_nats(models: Models, z: Floats, label: Floats, ids: Ids) -> Floats:
    """(N,) mean negative log-likelihood of the tokens (N, T) of texts, given codes and labels."""
    context, *states = models["generator"](z, label)
    token = np.full((len(z), 1), PAD, np.int32)
    total = np.zeros(len(z))
    for place in range(ids.shape[1]):
        logits, *states = models["step"](token, context, *states)
        shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
        log_p = shifted[np.arange(len(z)), ids[:, place]] - np.log(np.exp(shifted).sum(axis=1))
        total -= np.where(ids[:, place] == PAD, 0, log_p)
        token = ids[:, place : place + 1]
    mean: Floats = total / np.maximum(1, (ids != PAD).sum(axis=1))
    return mean


def draw_tokens(logits: Floats, uniform: npt.NDArray[np.float64], settings: TokenSampling) -> npt.NDArray[np.int64]:
    """(N,) a token for each row of logits (N, tokens), by one uniform number each. Changes the logits of NEVER."""
    logits[:, NEVER] = -np.inf
    if settings.temperature == 0:
        most_probable: npt.NDArray[np.int64] = logits.argmax(axis=1)
        return most_probable
    scaled = (logits - logits.max(axis=1, keepdims=True)) / np.float32(settings.temperature)
    odds = np.exp(scaled).astype(np.float64)
    if settings.top_p < 1:
        odds = np.where(nucleus(odds, settings.top_p), odds, 0)
    total = np.cumsum(odds, axis=1)
    token: npt.NDArray[np.int64] = (total < (uniform * total[:, -1])[:, None]).sum(axis=1)
    return token.clip(max=logits.shape[1] - 1)


def nucleus(odds: npt.NDArray[np.float64], top_p: float) -> npt.NDArray[np.bool_]:
    """(N, tokens) which tokens are among the most probable that together have the share `top_p` of the odds; the token
    that reaches the share is one of them."""
    order = np.argsort(-odds, axis=1, kind="stable")
    ordered = np.take_along_axis(odds, order, axis=1)
    before = np.cumsum(ordered, axis=1) - ordered
    kept = np.zeros(odds.shape, np.bool_)
    np.put_along_axis(kept, order, before < top_p * odds.sum(axis=1, keepdims=True), axis=1)
    return kept
