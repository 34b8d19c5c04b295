"""What the families build their networks from."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from genset.interfaces import Floats, Modality, Moment, Nets, Tensor


def encoder(trunk: Any, outputs: int) -> Any:
    """A trunk with a linear last layer: (B, *tensor_shape) to (B, outputs)."""
    import keras

    return keras.Model(trunk.input, keras.layers.Dense(outputs, dtype="float32")(trunk.output), name="encoder")


def decode(nets: Nets, z: Tensor, modality: Modality) -> Tensor:
    """Codes (B, latent_dim) to items (B, *tensor_shape) in [0, 1]."""
    from keras import ops

    return modality.activate(ops.cast(nets["decoder"](z), "float32"))


def sampler(nets: Nets, modality: Modality) -> Any:
    """The keras model from z to items that is exported."""
    import keras

    z = keras.Input(nets["decoder"].input_shape[1:], name="z")
    return keras.Model(z, decode(nets, z, modality), name="sampler")


def autoencoder(nets: Nets, modality: Modality, codes: Any, name: str) -> Any:
    """The keras model from items to their reconstructions and to what the encoder says of them."""
    import keras

    x = keras.Input(modality.tensor_shape, name="x")
    return keras.Model(x, [decode(nets, codes(nets, x), modality), nets["encoder"](x)], name=name)


def noise(
    modality: Modality, latent_dim: int, perturb: bool
) -> Callable[[np.random.Generator, int], Mapping[str, Floats]]:
    """The random inputs of a step of an autoencoder: "epsilon" (B, latent_dim), and those of mild perturbations."""

    def draw(rng: np.random.Generator, size: int) -> Mapping[str, Floats]:
        drawn = modality.draw_perturbation(rng, size, strong=False) if perturb else {}
        return {"epsilon": rng.standard_normal((size, latent_dim), dtype=np.float32), **drawn}

    return draw


def warmed_up(weight: float, share: float, moment: Moment) -> Tensor:
    """() a weight that grows evenly from 0 over a share of the training."""
    from keras import ops

    return weight * ops.minimum(1.0, moment.progress / share) if share else weight
