"""A decoder of texts with attention."""

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
import pydantic

from genset.interfaces import Tensor
from genset.modalities.text.token_network import TokenNetwork, with_context

_HEADS = 4  # of attention


class Transformer(TokenNetwork):
    """A small decoder with attention (Vaswani et al. 2017, arXiv:1706.03762), normalised before each sublayer."""

    kind: Literal["transformer"] = "transformer"
    width: int = pydantic.Field(192, ge=8, le=1024, multiple_of=4)
    """Values at each place; the feed-forward layer has four times as many."""
    layers: int = pydantic.Field(2, ge=1, le=12)
    """Blocks of attention."""

    def _sequence(self, e: Tensor, context: Tensor, length: int) -> Tensor:
        from keras import layers, ops

        x = layers.Dense(self.width, name="enter")(with_context(e, context, length))
        places = ops.zeros_like(e[:, :, 0]) + np.arange(length, dtype=np.float32)  # (B, T)
        x = x + layers.Embedding(length, self.width, name="places")(ops.cast(places, "int32"))
        allowed = np.tril(np.ones((1, length, length), np.float32))
        for n in range(self.layers):
            block = TransformerBlock.create(self.width, n)
            q, k, v = block.queries_keys_values(x)
            x = block.output(x, _attention(q, k, v, allowed))
        return layers.LayerNormalization(name="leave")(x)

    def _start(self, decoder: Any, context: Tensor, length: int) -> list[Tensor]:
        from keras import ops

        place = ops.zeros_like(context[:, :1])  # (B, 1) of the next token
        # (B, 2 layers, T, d) keys and values of the tokens so far, by layer
        empty = ops.zeros_like(place[:, :, None, None]) + np.zeros((1, 2 * self.layers, length, self.width), np.float32)
        return [place, empty]

    def _step(self, decoder: Any, e: Tensor, context: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        from keras import ops

        place, cache = states
        length = cache.shape[2]
        place = ops.clip(place, 0.0, length - 1.0)  # outside of this range runtimes differ
        here = ops.one_hot(ops.cast(place[:, 0], "int32"), length)[:, :, None]  # (B, T, 1)
        past = ops.greater_equal(place[:, None], np.arange(length, dtype=np.float32)[None, None])  # (B, 1, T)
        x = decoder.get_layer("enter")(ops.concatenate([e, context], axis=-1)[:, None])
        x = x + decoder.get_layer("places")(ops.cast(place, "int32"))
        after = []
        for n in range(self.layers):
            block = TransformerBlock.from_decoder(decoder, n)
            q, k, v = block.queries_keys_values(x)
            keys, values = cache[:, 2 * n] + here * k, cache[:, 2 * n + 1] + here * v
            x = block.output(x, _attention(q, keys, values, ops.cast(past, "float32")))
            after += [keys, values]
        return decoder.get_layer("leave")(x)[:, 0], [place + 1.0, ops.stack(after, axis=1)]


class TransformerBlock:
    """The layers of one block, by name, so that a single step uses the layers of the trained decoder."""

    NAMES = ("before", "query", "key", "value", "out", "between", "wide", "narrow")

    def __init__(self, layers: Mapping[str, Any]) -> None:
        self._layers = layers

    @classmethod
    def create(cls, width: int, number: int) -> Self:
        """A new block of a width; `number` is its place in the decoder."""
        from keras import layers

        block: dict[str, Any] = {}
        for name in cls.NAMES:
            full = f"{name}{number}"
            if name in ("before", "between"):
                block[name] = layers.LayerNormalization(name=full)
            else:
                wide = name == "wide"
                block[name] = layers.Dense(4 * width if wide else width, activation="silu" if wide else None, name=full)
        return cls(block)

    @classmethod
    def from_decoder(cls, decoder: Any, number: int) -> Self:
        """The block of a decoder at a place."""
        return cls({name: decoder.get_layer(f"{name}{number}") for name in cls.NAMES})

    def queries_keys_values(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of features (B, T, d), (B, T, d) each."""
        h = self._layers["before"](x)
        return self._layers["query"](h), self._layers["key"](h), self._layers["value"](h)

    def output(self, x: Tensor, attended: Tensor) -> Tensor:
        """(B, T, d) the output of the block, from its input and the result of the attention (B, T, d)."""
        x = x + self._layers["out"](attended)
        return x + self._layers["narrow"](self._layers["wide"](self._layers["between"](x)))


def _attention(q: Tensor, k: Tensor, v: Tensor, allowed: Tensor) -> Tensor:
    """Attention of queries (B, S, d) to keys and values (B, T, d) where `allowed` (B or 1, S, T) is 1."""
    from keras import ops

    d = q.shape[-1] // _HEADS
    q, k, v = (ops.reshape(part, (-1, part.shape[1], _HEADS, d)) for part in (q, k, v))
    scores = ops.einsum("bshd,bthd->bhst", q, k) / d**0.5
    weights = ops.softmax(scores + (allowed[:, None] - 1.0) * 1e9)
    out = ops.einsum("bhst,bthd->bshd", weights, v)
    return ops.reshape(out, (-1, q.shape[1], _HEADS * d))
