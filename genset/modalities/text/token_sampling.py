"""Texts from logits: one token after the other, in batches, by NumPy and ONNX Runtime."""

from collections.abc import Callable, Mapping, Sequence
from typing import Self

import numpy as np
import numpy.typing as npt
import pydantic

from genset.interfaces import Floats, Sampling, Tensors
from genset.modalities.text.tokens import END, NEVER, PAD, Ids

Models = Mapping[str, Callable[..., Sequence[Tensors]]]


class TokenSampling(Sampling):
    """How tokens are drawn."""

    temperature: float = pydantic.Field(0.8, ge=0, le=2)
    """Below 1 safer and less diverse, above 1 bolder; 0 takes the likeliest token every time."""
    top_p: float = pydantic.Field(1.0, gt=0, le=1)
    """Draw from the likeliest tokens alone that together are as likely as this (nucleus sampling: Holtzman et al. 2019,
    arXiv:1904.09751)."""
    longest: int | None = pydantic.Field(None, ge=1)
    """Tokens of a text at most; as many as the train items have when not given."""

    def steady(self) -> Self:
        """The likeliest token every time."""
        return self.model_copy(update={"temperature": 0.0})


def write(
    models: Models, z: Floats, label: Floats, rngs: Sequence[np.random.Generator], length: int, settings: TokenSampling
) -> Ids:
    """(N, length) tokens for codes z (N, latent_dim) and labels (N, classes)."""
    most = min(length, settings.longest or length)
    uniform = np.stack([rng.random(length) for rng in rngs])[:, :most]  # as many whatever the cap: equal beginnings
    context, *states = models["generator"](z, label)
    out = np.full((len(z), length), PAD, np.int32)
    token, ended = np.full((len(z), 1), PAD, np.int32), np.zeros(len(z), np.bool_)
    for place in range(most):
        logits, *states = models["step"](token, context, *states)
        token = np.where(ended, PAD, _drawn(logits, uniform[:, place], settings))[:, None].astype(np.int32)
        out[:, place] = token[:, 0]
        ended |= token[:, 0] == END
        if ended.all():
            break
    return out


def nats(models: Models, z: Floats, label: Floats, ids: Ids) -> Floats:
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


def _drawn(logits: Floats, uniform: npt.NDArray[np.float64], settings: TokenSampling) -> npt.NDArray[np.int64]:
    """(N,) a token for each row of logits (N, tokens), by one uniform number each."""
    logits[:, NEVER] = -np.inf
    if settings.temperature == 0:
        likeliest: npt.NDArray[np.int64] = logits.argmax(axis=1)
        return likeliest
    scaled = (logits - logits.max(axis=1, keepdims=True)) / np.float32(settings.temperature)
    odds = np.exp(scaled).astype(np.float64)
    if settings.top_p < 1:
        odds = np.where(_nucleus(odds, settings.top_p), odds, 0)
    total = np.cumsum(odds, axis=1)
    token: npt.NDArray[np.int64] = (total < (uniform * total[:, -1])[:, None]).sum(axis=1)
    return token.clip(max=logits.shape[1] - 1)


def _nucleus(odds: npt.NDArray[np.float64], share: float) -> npt.NDArray[np.bool_]:
    """Which tokens are among the likeliest that together have the share; the one that reaches it is."""
    order = np.argsort(-odds, axis=1, kind="stable")
    ordered = np.take_along_axis(odds, order, axis=1)
    before = np.cumsum(ordered, axis=1) - ordered
    kept = np.zeros(odds.shape, np.bool_)
    np.put_along_axis(kept, order, before < share * odds.sum(axis=1, keepdims=True), axis=1)
    return kept
