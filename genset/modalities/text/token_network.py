"""What all networks for rows of tokens share: the encoder, and how decoders write one token after the other.

In training, a decoder gets the real tokens before the one that it predicts (teacher forcing). Two models are exported:
"generator", from code and label to the context of every step and the first state, and "step", from the last token, the
context and the state to the logits of the next token and the next state. keras is imported inside the builders.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pydantic

from genset.interfaces import Batch, Modality, Network, Networks, Tensor, Trunk
from genset.modalities.text.tokens import DROPPED, END, NEVER, PAD

_EMBEDDING = 128  # values of a token, at the input and before the output
_CONTEXT = 128  # values of the context


class TokenNetwork(Network):
    """The parts that all networks for tokens share: only the middle of the decoder differs."""

    width: int = pydantic.Field(256, ge=8, le=1024)
    """Units of each layer."""
    dropout: float = pydantic.Field(0.1, ge=0, lt=1)
    """Share of previous tokens hidden from the decoder in training, so that it needs the code."""

    def trunk(self, modality: Modality, role: Trunk) -> Any:
        """Convolutions over embedded tokens, then their mean and maximum: pooling makes it less likely that the decoder
        ignores the codes (Long et al. 2019, arXiv:1911.03976)."""
        import keras
        from keras import layers, ops

        activation = "silu" if role == "encoder" else "leaky_relu"  # silu is almost linear where a penalty limits it
        inputs, x, mask = embedded_input(modality, role)
        for _ in range(2):
            x = layers.Conv1D(self.width, 3, padding="same", activation=activation)(x) * mask
        mean = ops.sum(x, axis=1) / ops.maximum(ops.sum(mask, axis=1), 1.0)
        pooled = ops.concatenate([mean, ops.max(x, axis=1)], axis=-1)
        return keras.Model(inputs, layers.Dense(self.width, activation=activation)(pooled), name=role)

    def decoder(self, modality: Modality, latent_dim: int, classes: int) -> Any:
        import keras
        from keras import layers, ops

        z, label = keras.Input((latent_dim,), name="z"), keras.Input((classes,), name="label")
        before = keras.Input(modality.tensor_shape, dtype="int32", name="before")
        context = layers.Dense(_CONTEXT, activation="silu", name="context")(ops.concatenate([z, label], axis=-1))
        length = modality.tensor_shape[0]
        e = layers.Embedding(vocabulary_size(modality), _EMBEDDING, name="embedding")(before)
        h = self._sequence(e, context, length)  # (B, T, d)
        h = layers.Dense(_EMBEDDING, activation="silu", name="project")(with_context(h, context, length))
        logits = layers.Dense(vocabulary_size(modality), dtype="float32", name="logits")(h)
        return keras.Model([z, label, before], logits, name="decoder")

    @abstractmethod
    def _sequence(self, e: Tensor, context: Tensor, length: int) -> Tensor:
        """(B, T, d) features of each place, from the tokens before it (B, T, e) and the context (B, c)."""

    @abstractmethod
    def _start(self, decoder: Any, context: Tensor, length: int) -> list[Tensor]:
        """The state before the first token, (B, ...) each."""

    @abstractmethod
    def _step(self, decoder: Any, e: Tensor, context: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """The same for one place: (B, d) features and the state after the token (B, e)."""

    def reconstruction_loss(
        self, nets: Networks, z: Tensor, x: Tensor, batch: Batch, likelihood: Callable[[Tensor, Tensor], Tensor]
    ) -> Tensor:
        """() cross-entropy of the tokens up to the end, in nats an item."""
        import keras
        from keras import ops

        uniform = batch.get("decoder_dropout")  # (B, T); the decoder gets the tokens from `dropout` on
        shown = x if uniform is None else ops.where(uniform >= self.dropout, x, ops.where(x == PAD, PAD, DROPPED))
        before = ops.concatenate([ops.zeros_like(shown[:, :1]), shown[:, :-1]], axis=1)  # PAD before the first token
        logits = nets["decoder"]([z, batch["label"], before])
        losses = keras.losses.sparse_categorical_crossentropy(x, logits, from_logits=True)  # (B, T)
        return ops.mean(ops.sum(losses * ops.cast(ops.not_equal(x, PAD), "float32"), axis=1))

    def reconstruct(self, nets: Networks, z: Tensor) -> Tensor:
        """(B, T, tokens) probabilities without previous tokens and label: the output of model.keras."""
        from keras import ops

        decoder = nets["decoder"]
        length, classes = decoder.inputs[2].shape[1], decoder.inputs[1].shape[1]
        blank = ops.zeros_like(z[:, :1])  # (B, 1)
        before = ops.cast(ops.repeat(blank, length, axis=1), "int32")
        return ops.softmax(decoder([z, ops.repeat(blank, classes, axis=1), before]))

    def generate(self, nets: Networks, batch: Batch) -> Tensor:
        """(B, T, tokens) one-hot rows of tokens, drawn one after the other, PAD after the end.

        Their gradient is that of soft tokens: the straight-through Gumbel-softmax estimator (Jang et al. 2017,
        arXiv:1611.01144, section 2.2), at temperature 1.
        """
        from keras import ops

        decoder, noise = nets["decoder"], batch["exponential"]  # (B, T, tokens), of mean 1
        length, size = noise.shape[1:]
        context = decoder.get_layer("context")(ops.concatenate([batch["z"], batch["label"]], axis=-1))
        states = self._start(decoder, context, length)
        pad = ops.zeros_like(noise[:, 0]) + np.eye(size, dtype=np.float32)[PAD]  # (B, tokens)
        excluded = -1e9 * np.isin(np.arange(size), NEVER).astype(np.float32)
        gumbel = excluded - ops.log(ops.maximum(noise, 1e-20))
        row, unfinished, rows = pad, ops.ones_like(pad[:, :1]), []
        for place in range(length):
            e = ops.matmul(row, decoder.get_layer("embedding").embeddings)
            logits, states = self._next(decoder, e, context, states)
            soft = ops.softmax(logits + gumbel[:, place])
            hard = ops.one_hot(ops.argmax(soft, axis=-1), size)
            row = unfinished * (hard + (soft - ops.stop_gradient(soft))) + (1 - unfinished) * pad
            unfinished = unfinished * (1 - row[:, END : END + 1])
            rows.append(row)
        return ops.stack(rows, axis=1)

    def real(self, modality: Modality, x: Tensor) -> Tensor:
        from keras import ops

        return ops.one_hot(x, vocabulary_size(modality))

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
        step_context = keras.Input(context.shape[1:], name="context")
        states = [keras.Input(state.shape[1:], name=f"state{n}") for n, state in enumerate(start)]
        e = decoder.get_layer("embedding")(token)[:, 0]  # (B, e)
        logits, after = self._next(decoder, e, step_context, states)
        return {
            "generator": keras.Model([z, label], [context, *start], name="generator"),
            "step": keras.Model([token, step_context, *states], [logits, *after], name="step"),
        }


def vocabulary_size(modality: Modality) -> int:
    """Number of tokens."""
    size: int = modality.tokenizer.size  # type: ignore[attr-defined]
    return size


def embedded_input(modality: Modality, role: Trunk) -> tuple[Tensor, Tensor, Tensor]:
    """(the input of a trunk, (B, T, e) its embedded tokens, (B, T, 1) a mask: 0 after the end, 1 before)."""
    import keras
    from keras import layers, ops

    size = vocabulary_size(modality)
    if role == "discriminator":  # rows of `made` and `real`
        rows = keras.Input((*modality.tensor_shape, size), name="rows")
        mask = 1.0 - rows[:, :, PAD : PAD + 1]
        return rows, layers.Dense(_EMBEDDING, use_bias=False)(rows) * mask, mask
    ids = keras.Input(modality.tensor_shape, dtype="int32", name="ids")
    mask = ops.cast(ops.expand_dims(ops.not_equal(ids, PAD), -1), "float32")
    return ids, layers.Embedding(size, _EMBEDDING)(ids) * mask, mask


def with_context(h: Tensor, context: Tensor, length: int) -> Tensor:
    """(B, T, d + c) features (B, T, d) with the context (B, c) added to every place."""
    from keras import ops

    return ops.concatenate([h, ops.repeat(context[:, None], length, axis=1)], axis=-1)
