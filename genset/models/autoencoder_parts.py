"""What the families build their networks from."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from genset.interfaces import Batch, LossContext, Modality, Networks, Tensor, Tensors


def encoder(trunk: Any, outputs: int) -> Any:
    """A trunk with a linear last layer: (B, *tensor_shape) to (B, outputs)."""
    import keras

    return keras.Model(trunk.input, keras.layers.Dense(outputs, dtype="float32")(trunk.output), name="encoder")


def seen(modality: Modality, batch: Batch, moment: LossContext, perturb: bool) -> tuple[Tensor, Tensor]:
    """(what the encoder sees of the items, what is to be rebuilt): perturbed while learning, where asked for."""
    if not (perturb and moment.learning):
        return batch["x"], batch["x"]
    x = modality.perturb(batch["x"], batch)
    return x, batch["x"] if modality.denoises else x


def told(batch: Batch, moment: LossContext) -> Batch:
    """What a decoder is told while it rebuilds: with what was drawn against learning by heart only while learning."""
    return batch if moment.learning else {"label": batch["label"]}


def autoencoder(nets: Networks, modality: Modality, codes: Any, name: str) -> Any:
    """The keras model from items to what the encoder says of them, and to what the decoder makes of their codes."""
    import keras

    x = keras.Input(modality.tensor_shape, dtype=modality.tensor_dtype, name="x")
    return keras.Model(x, [nets.network.rebuilt(nets, codes(nets, x)), nets["encoder"](x)], name=name)


def noise(
    modality: Modality, latent_dim: int, perturb: bool
) -> Callable[[np.random.Generator, int], Mapping[str, Tensors]]:
    """The random inputs of a step of an autoencoder: "epsilon" (B, latent_dim), and those of mild perturbations."""

    def draw(rng: np.random.Generator, size: int) -> Mapping[str, Tensors]:
        drawn = modality.draw_perturbation(rng, size, strong=False) if perturb else {}
        return {"epsilon": rng.standard_normal((size, latent_dim), dtype=np.float32), **drawn}

    return draw


def warmed_up(weight: float, share: float, moment: LossContext) -> Tensor:
    """() a weight that grows evenly from 0 over a share of the training."""
    from keras import ops

    return weight * ops.minimum(1.0, moment.progress / share) if share else weight
