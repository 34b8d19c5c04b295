"""Decoders of texts with a recurrent state: GRU and LSTM."""

from abc import abstractmethod
from typing import Any, Literal

import pydantic

from genset.interfaces import Modality, Tensor, Trunk
from genset.modalities.text.token_network import TokenNetwork, embedded_input, with_context


class RecurrentNetwork(TokenNetwork):
    """A decoder of layers that pass a state from token to token."""

    @abstractmethod
    def _new_layers(self) -> list[Any]:
        """New recurrent layers of the decoder, in order."""

    def _sequence(self, e: Tensor, context: Tensor, length: int) -> Tensor:
        from keras import layers

        rnns = self._new_layers()
        sizes = [size for rnn in rnns for size in _state_sizes(rnn)]
        first = layers.Dense(sum(sizes), activation="tanh", name="start")(context)
        states = _split_columns(first, sizes)
        h = with_context(e, context, length)
        for rnn in rnns:
            own = [states.pop(0) for _ in _state_sizes(rnn)]
            h = rnn(h, initial_state=own if len(own) > 1 else own[0])
        return h

    def _start(self, decoder: Any, context: Tensor, length: int) -> list[Tensor]:
        sizes = [size for rnn in _recurrent_layers(decoder) for size in _state_sizes(rnn)]
        return _split_columns(decoder.get_layer("start")(context), sizes)

    def _step(self, decoder: Any, e: Tensor, context: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        from keras import ops

        h, remaining, after = ops.concatenate([e, context], axis=-1), list(states), []
        for rnn in _recurrent_layers(decoder):
            own = [remaining.pop(0) for _ in _state_sizes(rnn)]
            h, own = rnn.cell(h, own)
            after += own
        return h, after


class Gru(RecurrentNetwork):
    """A gated recurrent unit (Cho et al. 2014, arXiv:1406.1078)."""

    kind: Literal["gru"] = "gru"

    def _new_layers(self) -> list[Any]:
        from keras import layers

        return [layers.GRU(self.width, return_sequences=True, name="rnn0")]


class Lstm(RecurrentNetwork):
    """Two stacked LSTM layers in encoder and decoder (Hochreiter and Schmidhuber 1997)."""

    kind: Literal["lstm"] = "lstm"
    width: int = pydantic.Field(128, ge=8, le=1024)
    """Units of each of the two layers."""

    def trunk(self, modality: Modality, role: Trunk) -> Any:
        import keras
        from keras import layers, ops

        inputs, x, mask = embedded_input(modality, role)
        for _ in range(2):
            x = layers.LSTM(self.width, return_sequences=True, unroll=True)(x)  # a loop is exported with other results
        x = ops.sum(x * mask, axis=1) / ops.maximum(ops.sum(mask, axis=1), 1.0)
        return keras.Model(inputs, x, name=role)

    def _new_layers(self) -> list[Any]:
        from keras import layers

        # Each cell has a name of its own, because one step has both
        cells = [layers.LSTMCell(self.width, name=f"cell{n}") for n in range(2)]
        return [layers.RNN(cell, return_sequences=True, name=f"rnn{n}") for n, cell in enumerate(cells)]


def _recurrent_layers(decoder: Any) -> list[Any]:
    return sorted((layer for layer in decoder.layers if layer.name.startswith("rnn")), key=lambda layer: layer.name)


def _state_sizes(rnn: Any) -> list[int]:
    sizes = rnn.cell.state_size
    return list(sizes) if isinstance(sizes, (list, tuple)) else [sizes]


def _split_columns(x: Tensor, sizes: list[int]) -> list[Tensor]:
    out, place = [], 0
    for size in sizes:
        out.append(x[:, place : place + size])
        place += size
    return out
