"""Networks for rows of tokens: an encoder of convolutions or LSTMs, decoders that write one token after the other.

While learning, a decoder is told the tokens before the one it is to predict (teacher forcing). Two models are exported
of it: "generator", from code and label to the context that every step sees and to the first state, and "step", from the
last token, the context and the state to the logits of the next token and the next state. keras is imported inside the
builders.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import pydantic

from genset.interfaces import Batch, Modality, Network, Networks, Tensor, Trunk
from genset.modalities.text.tokens import DROPPED, END, NEVER, PAD

_EMBEDDED = 128  # values of a token, where it comes in and before it goes out
_CONTEXT = 128


class Tokenwise(Network):
    """What all networks for tokens share: only the middle of the decoder differs."""

    width: int = pydantic.Field(256, ge=8, le=1024)
    """Units of each layer."""
    dropout: float = pydantic.Field(0.1, ge=0, lt=1)
    """Share of tokens that the decoder is not told while learning, so that it must ask the code."""

    def trunk(self, modality: Modality, role: Trunk) -> Any:
        """Convolutions over embedded tokens, then their mean and maximum: pooling keeps codes from being ignored
        (Long et al. 2019, arXiv:1911.03976)."""
        import keras
        from keras import layers, ops

        activation = "silu" if role == "encoder" else "leaky_relu"  # silu is all but linear where a penalty holds it
        entered, x, mask = _entered(modality, role)
        for _ in range(2):
            x = layers.Conv1D(self.width, 3, padding="same", activation=activation)(x) * mask
        mean = ops.sum(x, axis=1) / ops.maximum(ops.sum(mask, axis=1), 1.0)
        pooled = ops.concatenate([mean, ops.max(x, axis=1)], axis=-1)
        return keras.Model(entered, layers.Dense(self.width, activation=activation)(pooled), name=role)

    def decoder(self, modality: Modality, latent_dim: int, classes: int) -> Any:
        import keras
        from keras import layers, ops

        z, label = keras.Input((latent_dim,), name="z"), keras.Input((classes,), name="label")
        before = keras.Input(modality.tensor_shape, dtype="int32", name="before")
        context = layers.Dense(_CONTEXT, activation="silu", name="context")(ops.concatenate([z, label], axis=-1))
        length = modality.tensor_shape[0]
        e = layers.Embedding(_size(modality), _EMBEDDED, name="embedding")(before)
        h = self._sequence(e, context, length)  # (B, T, d)
        h = layers.Dense(_EMBEDDED, activation="silu", name="project")(_beside(h, context, length))
        logits = layers.Dense(_size(modality), dtype="float32", name="logits")(h)
        return keras.Model([z, label, before], logits, name="decoder")

    @abstractmethod
    def _sequence(self, e: Tensor, context: Tensor, length: int) -> Tensor:
        """(B, T, d) what the decoder knows at each place, of the tokens before it (B, T, e) and the context (B, c)."""

    @abstractmethod
    def _start(self, decoder: Any, context: Tensor, length: int) -> list[Tensor]:
        """The state before the first token, (B, ...) each."""

    @abstractmethod
    def _step(self, decoder: Any, e: Tensor, context: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One place of `_sequence`: (B, d) and the state after the token (B, e)."""

    def reconstruction_loss(
        self, nets: Networks, z: Tensor, x: Tensor, batch: Batch, likelihood: Callable[[Tensor, Tensor], Tensor]
    ) -> Tensor:
        """() cross-entropy of the tokens up to the end, summed over an item."""
        import keras
        from keras import ops

        told = batch.get("told")  # (B, T) 1 for tokens that the decoder is told
        seen = x if told is None else ops.where(told >= self.dropout, x, ops.where(x == PAD, PAD, DROPPED))
        logits = nets["decoder"]([z, batch["label"], _before(seen)])
        losses = keras.losses.sparse_categorical_crossentropy(x, logits, from_logits=True)  # (B, T)
        return ops.mean(ops.sum(losses * ops.cast(ops.not_equal(x, PAD), "float32"), axis=1))

    def rebuilt(self, nets: Networks, z: Tensor) -> Tensor:
        """(B, T, tokens) probabilities, as if nothing had been written yet and for no label: what model.keras shows."""
        from keras import ops

        decoder = nets["decoder"]
        length, classes = decoder.inputs[2].shape[1], decoder.inputs[1].shape[1]
        blank = ops.zeros_like(z[:, :1])  # (B, 1)
        before = ops.cast(ops.repeat(blank, length, axis=1), "int32")
        return ops.softmax(decoder([z, ops.repeat(blank, classes, axis=1), before]))

    def made(self, nets: Networks, batch: Batch) -> Tensor:
        """(B, T, tokens) one-hot rows of tokens drawn one after the other, PAD after the end.

        Their gradient is that of soft tokens: the straight-through Gumbel-softmax estimator (Jang et al. 2017,
        arXiv:1611.01144, section 2.2), at temperature 1.
        """
        from keras import ops

        decoder, noise = nets["decoder"], batch["exponential"]  # (B, T, tokens), of mean 1
        length, size = noise.shape[1:]
        context = decoder.get_layer("context")(ops.concatenate([batch["z"], batch["label"]], axis=-1))
        states = self._start(decoder, context, length)
        nothing = ops.zeros_like(noise[:, 0]) + np.eye(size, dtype=np.float32)[PAD]  # (B, tokens)
        barred = -1e9 * np.isin(np.arange(size), NEVER).astype(np.float32)
        gumbel = barred - ops.log(ops.maximum(noise, 1e-20))
        row, left, rows = nothing, ops.ones_like(nothing[:, :1]), []
        for place in range(length):
            e = ops.matmul(row, decoder.get_layer("embedding").embeddings)
            logits, states = self._next(decoder, e, context, states)
            soft = ops.softmax(logits + gumbel[:, place])
            hard = ops.one_hot(ops.argmax(soft, axis=-1), size)
            row = left * (hard + (soft - ops.stop_gradient(soft))) + (1 - left) * nothing
            left = left * (1 - row[:, END : END + 1])
            rows.append(row)
        return ops.stack(rows, axis=1)

    def real(self, modality: Modality, x: Tensor) -> Tensor:
        from keras import ops

        return ops.one_hot(x, _size(modality))

    def items(self, made: Tensor) -> Tensor:
        from keras import ops

        return ops.cast(ops.argmax(made, axis=-1), "int32")

    def _next(self, decoder: Any, e: Tensor, context: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """(B, tokens) logits of the next token and the state after the token (B, e)."""
        from keras import ops

        h, after = self._step(decoder, e, context, states)
        h = decoder.get_layer("project")(ops.concatenate([h, context], axis=-1))
        return decoder.get_layer("logits")(h), after

    def exported(self, nets: Networks, modality: Modality) -> Mapping[str, Any]:
        import keras
        from keras import ops

        decoder, length = nets["decoder"], modality.tensor_shape[0]
        z, label = (keras.Input(port.shape[1:], name=port.name) for port in decoder.inputs[:2])
        context = decoder.get_layer("context")(ops.concatenate([z, label], axis=-1))
        start = self._start(decoder, context, length)
        token = keras.Input((1,), dtype="int32", name="token")
        given = keras.Input(context.shape[1:], name="context")
        states = [keras.Input(state.shape[1:], name=f"state{n}") for n, state in enumerate(start)]
        e = decoder.get_layer("embedding")(token)[:, 0]  # (B, e)
        logits, after = self._next(decoder, e, given, states)
        return {
            "generator": keras.Model([z, label], [context, *start], name="generator"),
            "step": keras.Model([token, given, *states], [logits, *after], name="step"),
        }


class Recurrent(Tokenwise):
    """Layers that carry a state from token to token."""

    def _rnns(self) -> list[Any]:
        """The layers, new, in order."""
        raise NotImplementedError

    def _sequence(self, e: Tensor, context: Tensor, length: int) -> Tensor:
        from keras import layers

        rnns = self._rnns()
        sizes = [size for rnn in rnns for size in _sizes(rnn)]
        first = layers.Dense(sum(sizes), activation="tanh", name="start")(context)
        states = _divided(first, sizes)
        h = _beside(e, context, length)
        for rnn in rnns:
            own = [states.pop(0) for _ in _sizes(rnn)]
            h = rnn(h, initial_state=own if len(own) > 1 else own[0])
        return h

    def _start(self, decoder: Any, context: Tensor, length: int) -> list[Tensor]:
        sizes = [size for rnn in _rnns_of(decoder) for size in _sizes(rnn)]
        return _divided(decoder.get_layer("start")(context), sizes)

    def _step(self, decoder: Any, e: Tensor, context: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        from keras import ops

        h, left, after = ops.concatenate([e, context], axis=-1), list(states), []
        for rnn in _rnns_of(decoder):
            own = [left.pop(0) for _ in _sizes(rnn)]
            h, own = rnn.cell(h, own)
            after += own
        return h, after


class Gru(Recurrent):
    """A gated recurrent unit (Cho et al. 2014, arXiv:1406.1078)."""

    kind: Literal["gru"] = "gru"

    def _rnns(self) -> list[Any]:
        from keras import layers

        return [layers.GRU(self.width, return_sequences=True, name="rnn0")]


class Lstm(Recurrent):
    """Stacked LSTMs on both sides: the classic of the textbooks (Hochreiter and Schmidhuber 1997)."""

    kind: Literal["lstm"] = "lstm"
    width: int = pydantic.Field(128, ge=8, le=1024)
    """Units of each of the two layers."""

    def trunk(self, modality: Modality, role: Trunk) -> Any:
        import keras
        from keras import layers, ops

        entered, x, mask = _entered(modality, role)
        for _ in range(2):
            x = layers.LSTM(self.width, return_sequences=True, unroll=True)(x)  # a loop would not be exported alike
        x = ops.sum(x * mask, axis=1) / ops.maximum(ops.sum(mask, axis=1), 1.0)
        return keras.Model(entered, x, name=role)

    def _rnns(self) -> list[Any]:
        from keras import layers

        cells = [layers.LSTMCell(self.width, name=f"cell{n}") for n in range(2)]  # named apart, as one step has both
        return [layers.RNN(cell, return_sequences=True, name=f"rnn{n}") for n, cell in enumerate(cells)]


class Transformer(Tokenwise):
    """A small decoder of attention (Vaswani et al. 2017, arXiv:1706.03762), normalised before each part."""

    kind: Literal["transformer"] = "transformer"
    width: int = pydantic.Field(192, ge=8, le=1024, multiple_of=4)
    """Values at each place; the part after the attention has four times as many."""
    layers: int = pydantic.Field(2, ge=1, le=12)
    """Blocks of attention."""

    def _sequence(self, e: Tensor, context: Tensor, length: int) -> Tensor:
        from keras import layers, ops

        x = layers.Dense(self.width, name="enter")(_beside(e, context, length))
        places = ops.zeros_like(e[:, :, 0]) + np.arange(length, dtype=np.float32)  # (B, T)
        x = x + layers.Embedding(length, self.width, name="places")(ops.cast(places, "int32"))
        allowed = np.tril(np.ones((1, length, length), np.float32))
        for n in range(self.layers):
            part = _Block.new(self.width, n)
            q, k, v = part.asked(x)
            x = part.after(x, _attended(q, k, v, allowed))
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
        place = ops.clip(place, 0.0, length - 1.0)  # runtimes differ in what lies outside
        here = ops.one_hot(ops.cast(place[:, 0], "int32"), length)[:, :, None]  # (B, T, 1)
        past = ops.greater_equal(place[:, None], np.arange(length, dtype=np.float32)[None, None])  # (B, 1, T)
        x = decoder.get_layer("enter")(ops.concatenate([e, context], axis=-1)[:, None])
        x = x + decoder.get_layer("places")(ops.cast(place, "int32"))
        after = []
        for n in range(self.layers):
            part = _Block.of(decoder, n)
            q, k, v = part.asked(x)
            keys, values = cache[:, 2 * n] + here * k, cache[:, 2 * n + 1] + here * v
            x = part.after(x, _attended(q, keys, values, ops.cast(past, "float32")))
            after += [keys, values]
        return decoder.get_layer("leave")(x)[:, 0], [place + 1.0, ops.stack(after, axis=1)]


class _Block:
    """The layers of one block, by name, so that a step finds those that were trained."""

    NAMES = ("before", "query", "key", "value", "out", "between", "wide", "narrow")

    def __init__(self, layers: Mapping[str, Any]) -> None:
        self._layers = layers

    @classmethod
    def new(cls, width: int, number: int) -> "_Block":
        from keras import layers

        made: dict[str, Any] = {}
        for name in cls.NAMES:
            full = f"{name}{number}"
            if name in ("before", "between"):
                made[name] = layers.LayerNormalization(name=full)
            else:
                wide = name == "wide"
                made[name] = layers.Dense(4 * width if wide else width, activation="silu" if wide else None, name=full)
        return cls(made)

    @classmethod
    def of(cls, decoder: Any, number: int) -> "_Block":
        return cls({name: decoder.get_layer(f"{name}{number}") for name in cls.NAMES})

    def asked(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (B, T, d) each."""
        h = self._layers["before"](x)
        return self._layers["query"](h), self._layers["key"](h), self._layers["value"](h)

    def after(self, x: Tensor, attended: Tensor) -> Tensor:
        x = x + self._layers["out"](attended)
        return x + self._layers["narrow"](self._layers["wide"](self._layers["between"](x)))


_HEADS = 4


def _attended(q: Tensor, k: Tensor, v: Tensor, allowed: Tensor) -> Tensor:
    """Attention of queries (B, S, d) to keys and values (B, T, d) where `allowed` (B or 1, S, T) is 1."""
    from keras import ops

    d = q.shape[-1] // _HEADS
    q, k, v = (ops.reshape(part, (-1, part.shape[1], _HEADS, d)) for part in (q, k, v))
    scores = ops.einsum("bshd,bthd->bhst", q, k) / d**0.5
    weights = ops.softmax(scores + (allowed[:, None] - 1.0) * 1e9)
    out = ops.einsum("bhst,bthd->bshd", weights, v)
    return ops.reshape(out, (-1, q.shape[1], _HEADS * d))


def _size(modality: Modality) -> int:
    """How many tokens there are."""
    size: int = modality.tokens_known.size  # type: ignore[attr-defined]
    return size


def _entered(modality: Modality, role: Trunk) -> tuple[Tensor, Tensor, Tensor]:
    """Where tokens come into a trunk: the input, (B, T, e) embedded, and (B, T, 1) 0 after the end."""
    import keras
    from keras import layers, ops

    size = _size(modality)
    if role == "discriminator":  # rows of `made` and `real`
        rows = keras.Input((*modality.tensor_shape, size), name="rows")
        mask = 1.0 - rows[:, :, PAD : PAD + 1]
        return rows, layers.Dense(_EMBEDDED, use_bias=False)(rows) * mask, mask
    ids = keras.Input(modality.tensor_shape, dtype="int32", name="ids")
    mask = ops.cast(ops.expand_dims(ops.not_equal(ids, PAD), -1), "float32")
    return ids, layers.Embedding(size, _EMBEDDED)(ids) * mask, mask


def _before(x: Tensor) -> Tensor:
    """(B, T) the token before each; PAD before the first."""
    from keras import ops

    return ops.concatenate([ops.zeros_like(x[:, :1]), x[:, :-1]], axis=1)


def _beside(h: Tensor, context: Tensor, length: int) -> Tensor:
    """(B, T, d + c) the context at every place."""
    from keras import ops

    return ops.concatenate([h, ops.repeat(context[:, None], length, axis=1)], axis=-1)


def _rnns_of(decoder: Any) -> list[Any]:
    return sorted((layer for layer in decoder.layers if layer.name.startswith("rnn")), key=lambda layer: layer.name)


def _sizes(rnn: Any) -> list[int]:
    sizes = rnn.cell.state_size
    return list(sizes) if isinstance(sizes, (list, tuple)) else [sizes]


def _divided(x: Tensor, sizes: list[int]) -> list[Tensor]:
    out, place = [], 0
    for size in sizes:
        out.append(x[:, place : place + size])
        place += size
    return out


NETWORKS: dict[str, type[Network]] = {"gru": Gru, "lstm": Lstm, "transformer": Transformer}
