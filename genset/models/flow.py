"""A flow on z: a learned velocity field carries noise to codes. For codes that no mixture of Gaussians fits.

Flow matching (Lipman et al. 2022, arXiv:2210.02747; the straight paths of Liu et al. 2022, arXiv:2209.03003): for a
code z1 and noise z0 the path is z_t = (1 - t) z0 + t z1, and a network learns its velocity z1 - z0 from z_t, t and the
label. Drawing follows that velocity from t = 0 to 1 in a few Heun steps, in NumPy.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pydantic

from genset.interfaces import Floats, Labels, Prior
from genset.seeds import rng_for

FloatRows = npt.NDArray[np.float64]
_BATCH = 256
_STEPS_PER_DRAW = 100  # training steps for which examples are drawn together
_PASSES = 150  # over the codes, at most
_MAX_STEPS = 4000
_RATE = 2e-3
_LAYERS = 3  # hidden layers
_FREQUENCIES = 2.0 ** np.arange(4) * np.pi  # of the time embedding
_BLOCK = 64  # rows of each matrix product: always this many, so that no item depends on its neighbours


class Flow(Prior):
    """Flow matching, conditional on the label; one network for all classes."""

    kind: Literal["flow"] = "flow"
    width: int = pydantic.Field(256, ge=16, le=1024)
    """Units of each of the three hidden layers."""
    steps: int = pydantic.Field(16, ge=1, le=256)
    """Heun steps from noise to code."""
    temperature: float = pydantic.Field(1.0, gt=0, le=2)
    """Scale of the initial noise: below 1 more typical and less diverse, above 1 more diverse."""

    def fit(self, codes: FloatRows, labels: Labels, classes: int, seed: int) -> dict[str, npt.NDArray[Any]]:
        mean, deviation = codes.mean(axis=0), codes.std(axis=0) + 1e-3
        weights = self._train((codes - mean) / deviation, np.eye(classes)[labels], seed)
        return {"mean": mean, "deviation": deviation, "classes": np.array(classes), **weights}

    def _train(self, codes: FloatRows, one_hot: FloatRows, seed: int) -> dict[str, npt.NDArray[Any]]:
        import keras
        from keras import layers

        inputs = keras.Input((codes.shape[1] + 2 * len(_FREQUENCIES) + one_hot.shape[1],))
        h = inputs
        for layer in range(_LAYERS + 1):
            last = layer == _LAYERS
            rule = keras.initializers.GlorotUniform(seed=int(rng_for(seed, "flow", layer).integers(2**31)))
            units, activation = (codes.shape[1], None) if last else (self.width, "silu")
            h = layers.Dense(units, activation=activation, kernel_initializer=rule)(h)
        network = keras.Model(inputs, h)
        rounds = -(-min(_MAX_STEPS, _PASSES * len(codes) // _BATCH + 1) // _STEPS_PER_DRAW)
        rate = keras.optimizers.schedules.CosineDecay(_RATE, rounds * _STEPS_PER_DRAW, alpha=0.01)
        average = 1 - 1 / min(500, 10 * rounds)
        network.compile(keras.optimizers.Adam(rate, use_ema=True, ema_momentum=average), "mse")
        for number in range(rounds):
            x, velocity = _examples(codes, one_hot, rng_for(seed, "flow examples", number))
            for start in range(0, len(x), _BATCH):
                # Not `fit`, which replaces the weights by their running mean at the end of every call
                network.train_on_batch(x[start : start + _BATCH], velocity[start : start + _BATCH])
        network.optimizer.finalize_variable_values(network.trainable_variables)
        return {f"w{i}": np.asarray(value, np.float64) for i, value in enumerate(network.get_weights())}

    def draw(self, arrays: Mapping[str, npt.NDArray[Any]], label: int, rngs: Sequence[np.random.Generator]) -> Floats:
        size = len(arrays["mean"])
        z = self.temperature * np.stack([rng.standard_normal(size) for rng in rngs])  # (N, d)
        out = np.zeros_like(z)
        for start in range(0, len(z), _BLOCK):
            block = np.zeros((_BLOCK, size))
            rows = z[start : start + _BLOCK]
            block[: len(rows)] = rows
            out[start : start + _BLOCK] = self._integrated(arrays, label, block)[: len(rows)]
        codes = arrays["mean"] + arrays["deviation"] * out
        return np.round(codes, 5).astype(np.float32)

    def _integrated(self, arrays: Mapping[str, npt.NDArray[Any]], label: int, z: FloatRows) -> FloatRows:
        """Noise (N, d) to standardised codes, by Heun's method."""
        one_hot = np.tile(np.eye(int(arrays["classes"]))[label], (len(z), 1))
        length = 1 / self.steps
        for step in range(self.steps):
            t = step * length
            velocity = _velocity(arrays, z, t, one_hot)
            ahead = _velocity(arrays, z + length * velocity, t + length, one_hot)
            z = z + 0.5 * length * (velocity + ahead)
        return z


def _examples(codes: FloatRows, one_hot: FloatRows, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """(inputs, velocities) at random points of random paths."""
    rows = rng.integers(len(codes), size=_STEPS_PER_DRAW * _BATCH)
    noise = rng.standard_normal((len(rows), codes.shape[1]))
    t = rng.random((len(rows), 1))
    point = (1 - t) * noise + t * codes[rows]
    x = np.hstack([point, _time(t), one_hot[rows]])
    return x.astype(np.float32), (codes[rows] - noise).astype(np.float32)


def _time(t: FloatRows) -> FloatRows:
    """(N, 8) sines and cosines of times (N, 1)."""
    return np.hstack([np.sin(t * _FREQUENCIES), np.cos(t * _FREQUENCIES)])


def _velocity(arrays: Mapping[str, npt.NDArray[Any]], z: FloatRows, t: float, one_hot: FloatRows) -> FloatRows:
    h = np.hstack([z, _time(np.full((len(z), 1), t)), one_hot])
    for layer in range(_LAYERS + 1):
        h = h @ arrays[f"w{2 * layer}"] + arrays[f"w{2 * layer + 1}"]
        if layer < _LAYERS:
            h = h / (1 + np.exp(-h))  # silu
    return h
