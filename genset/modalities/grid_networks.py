"""Encoders and decoders for grids of values (H, W, C): images, and the spectra of sounds.

keras is imported inside the builders, so that reading a config stays fast.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import pydantic

from genset.interfaces import Batch, Modality, Network, Networks, Tensor, Trunk

_SILU_SQUARED = 0.3558  # mean of silu(x)^2 for x drawn from N(0, 1)


class _Feedforward(Network):
    """A network whose decoder turns a code into all values at once."""

    def reconstruction_loss(
        self, nets: Networks, z: Tensor, x: Tensor, batch: Batch, likelihood: Callable[[Tensor, Tensor], Tensor]
    ) -> Tensor:
        return likelihood(x, self.reconstruct(nets, z))

    def reconstruct(self, nets: Networks, z: Tensor) -> Tensor:
        from keras import ops

        return ops.sigmoid(ops.cast(nets["decoder"](z), "float32"))

    def exported(self, nets: Networks, modality: Modality) -> Mapping[str, Any]:
        import keras

        z = keras.Input(nets["decoder"].input_shape[1:], name="z")
        return {"generator": keras.Model(z, self.reconstruct(nets, z), name="sampler")}


class GridConv(_Feedforward):
    """3x3 convolutions with stride 1 between space-to-depth (down) and depth-to-space (up).

    Gradients of strided convolutions are slow under XLA on a CPU; rearranging values costs nothing.
    """

    kind: Literal["conv"] = "conv"
    width: int = pydantic.Field(32, ge=4, le=256)
    """Channels of the first level; deeper levels have a multiple of it."""

    def trunk(self, modality: Modality, role: Trunk) -> Any:
        import keras
        from keras import layers

        # Silu is almost linear near 0, the range of a penalised discriminator, which then could only compare means.
        activation = "silu" if role == "encoder" else "leaky_relu"
        height, width, _ = modality.tensor_shape
        levels = _levels(min(height, width))
        down, right = -height % 2**levels, -width % 2**levels
        grid = keras.Input(modality.tensor_shape, name="grid")
        x = layers.ZeroPadding2D(((0, down), (0, right)))(grid) if down or right else grid
        for level in range(1, levels + 1):
            x = _conv(self.width * level, activation)(_space_to_depth(x))
        x = _conv(self.width * levels, activation)(x)
        start = _initializer(activation)
        x = layers.Dense(4 * self.width * levels, activation=activation, kernel_initializer=start)(flat(x))
        return keras.Model(grid, x, name=role)

    def decoder(self, modality: Modality, latent_dim: int, classes: int) -> Any:
        import keras
        from keras import layers

        height, width, channels = modality.tensor_shape
        levels = _levels(min(height, width))
        rows, columns = -(-height // 2**levels), -(-width // 2**levels)
        wide = 2 * self.width
        z = keras.Input((latent_dim,), name="z")
        start = _initializer("silu")
        x = layers.Dense(4 * self.width * levels, activation="silu", kernel_initializer=start)(z)
        x = layers.Dense(rows * columns * wide, activation="silu", kernel_initializer=start)(x)
        x = _conv(wide)(shaped(x, (rows, columns, wide)))
        for _ in range(levels - 1):
            x = _conv(self.width)(_depth_to_space(_conv(4 * self.width)(x)))
        x = _depth_to_space(layers.Conv2D(4 * channels, 3, padding="same")(x))
        return keras.Model(z, x[:, :height, :width, :], name="decoder")


class GridMlp(_Feedforward):
    """Fully connected layers, as in textbooks, for any small size.

    With the default width and a z of 100 values, the generator is 100-128-256-512-1024-784 for 28x28 pixels and the
    discriminator 784-1024-512-256-1.
    """

    kind: Literal["mlp"] = "mlp"
    width: int = pydantic.Field(128, ge=8, le=1024)
    """Units of the decoder's first layer; each further one has twice as many."""

    def trunk(self, modality: Modality, role: Trunk) -> Any:
        import keras

        grid = keras.Input(modality.tensor_shape, name="grid")
        x = flat(grid)
        for factor in (8, 4, 2):
            x = _dense(self.width * factor)(x)
        return keras.Model(grid, x, name=role)

    def decoder(self, modality: Modality, latent_dim: int, classes: int) -> Any:
        import keras
        from keras import layers

        z = keras.Input((latent_dim,), name="z")
        x = z
        for factor in (1, 2, 4, 8):
            x = _dense(self.width * factor)(x)
        x = layers.Dense(math.prod(modality.tensor_shape))(x)
        return keras.Model(z, shaped(x, modality.tensor_shape), name="decoder")


def _dense(units: int) -> Any:
    from keras import layers

    return layers.Dense(units, activation="leaky_relu")


def flat(x: Tensor) -> Tensor:
    """(B, ...) to (B, d)."""
    return shaped(x, (math.prod(x.shape[1:]),))


def shaped(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """(B, ...) to (B, *shape). Keras's own layers read B, which tf2onnx does not always export."""
    from keras import ops

    return ops.reshape(x, (-1, *shape))


def _levels(size: int) -> int:
    """The number of halvings after which a side has 4 to 8 pixels."""
    levels = 1
    while size / 2**levels > 8:
        levels += 1
    return levels


def _conv(channels: int, activation: str = "silu") -> Any:
    from keras import layers

    return layers.Conv2D(
        channels, 3, padding="same", activation=activation, kernel_initializer=_initializer(activation)
    )


def _initializer(activation: str) -> Any:
    """The initializer of a layer's weights, which keeps the scale of values from layer to layer.

    silu halves its input: with Keras's default weights, so little of a code remains after seven layers that a decoder
    returns the mean item for hundreds of steps. The rule of He et al. 2015, arXiv:1502.01852, for this activation.
    """
    import keras

    if activation != "silu":
        return "glorot_uniform"
    return keras.initializers.VarianceScaling(1 / _SILU_SQUARED, "fan_in", "truncated_normal")


def _space_to_depth(x: Tensor) -> Tensor:
    """(B, H, W, C) to (B, H/2, W/2, 4C)."""
    from keras import ops

    _, height, width, channels = x.shape
    x = ops.reshape(x, (-1, height // 2, 2, width // 2, 2, channels))
    return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, height // 2, width // 2, 4 * channels))


def _depth_to_space(x: Tensor) -> Tensor:
    """(B, H, W, 4C) to (B, 2H, 2W, C)."""
    from keras import ops

    _, height, width, channels = x.shape
    x = ops.reshape(x, (-1, height, width, 2, 2, channels // 4))
    return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, 2 * height, 2 * width, channels // 4))


NETWORKS: dict[str, type[Network]] = {"conv": GridConv, "mlp": GridMlp}
