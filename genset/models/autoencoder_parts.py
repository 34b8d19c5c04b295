"""What the training rules of autoencoder and VAE have in common."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from genset.interfaces import Batch, LossContext, Modality, Networks, Tensor, Tensors


def build_encoder(trunk: Any, outputs: int) -> Any:
    """A trunk with a linear last layer: (B, *tensor_shape) to (B, outputs)."""
    import keras

    return keras.Model(trunk.input, keras.layers.Dense(outputs, dtype="float32")(trunk.output), name="encoder")


def input_and_target(modality: Modality, batch: Batch, context: LossContext, augment: bool) -> tuple[Tensor, Tensor]:
    """(the encoder's input, what the decoder reconstructs): augmented during training if `augment` is set."""
    if not (augment and context.training):
        return batch["x"], batch["x"]
    x = modality.perturb(batch["x"], batch)
    return x, batch["x"] if modality.training.clean_targets else x


def decoder_batch(batch: Batch, context: LossContext) -> Batch:
    """What a decoder gets beside the codes: the random inputs against memorising only during training."""
    return batch if context.training else {"label": batch["label"]}


def autoencoder(nets: Networks, modality: Modality, codes: Any, name: str) -> Any:
    """The keras model from items to (their reconstruction, the encoder's output)."""
    import keras

    x = keras.Input(modality.tensor_shape, dtype=modality.tensor_dtype, name="x")
    return keras.Model(x, [nets.network.reconstruct(nets, codes(nets, x)), nets["encoder"](x)], name=name)


def noise(
    modality: Modality, latent_dim: int, augment: bool
) -> Callable[[np.random.Generator, int], Mapping[str, Tensors]]:
    """The random inputs of a step of an autoencoder: "epsilon" (B, latent_dim), and those of mild augmentations."""

    def draw(rng: np.random.Generator, size: int) -> Mapping[str, Tensors]:
        augmentation = modality.draw_perturbation(rng, size, strong=False) if augment else {}
        return {"epsilon": rng.standard_normal((size, latent_dim), dtype=np.float32), **augmentation}

    return draw


def warmed_up(weight: float, share: float, context: LossContext) -> Tensor:
    """() a weight that grows linearly from 0 over a share of the training."""
    from keras import ops

    return weight * ops.minimum(1.0, context.progress / share) if share else weight
