"""Encoders and decoders for sounds: spectra are grids of time and frequency, waveforms are sequences of samples."""

from collections.abc import Mapping
from typing import Any

from genset.interfaces import Modality, Network, Trunk
from genset.modalities import grid_networks

_STEP, _KERNEL = 4, 25  # stride and kernel of a level, as in WaveGAN (Donahue et al. 2018, arXiv:1802.04208)
_SHORTEST = 32  # samples to which a waveform is reduced at most


class SoundConv(grid_networks.GridConv):
    """Convolutions: 3x3 for spectra; for waveforms, 25 samples with a stride of 4, as in WaveGAN."""

    def trunk(self, modality: Modality, role: Trunk) -> Any:
        if len(modality.tensor_shape) == 3:
            return super().trunk(modality, role)
        import keras
        from keras import layers

        length, channels = modality.tensor_shape
        levels = _levels(length)
        sound = keras.Input((length, channels), name="sound")
        x = sound
        padding = -length % _STEP**levels
        x = layers.ZeroPadding1D((0, padding))(x) if padding else x
        for level in range(levels):
            wide = self.width * 2 ** min(level, 2)
            x = layers.Conv1D(wide, _KERNEL, strides=_STEP, padding="same", activation="leaky_relu")(x)
        x = layers.Dense(4 * self.width, activation="leaky_relu")(grid_networks.flat(x))
        return keras.Model(sound, x, name=role)

    def decoder(self, modality: Modality, latent_dim: int, classes: int) -> Any:
        if len(modality.tensor_shape) == 3:
            return super().decoder(modality, latent_dim, classes)
        import keras
        from keras import layers

        length, channels = modality.tensor_shape
        levels = _levels(length)
        side = -(-length // _STEP**levels)
        z = keras.Input((latent_dim,), name="z")
        wide = self.width * 4
        x = layers.Dense(side * wide, activation="silu")(z)
        x = grid_networks.shaped(x, (side, wide))
        for level in range(levels):
            last = level == levels - 1
            wide = self.width * 2 ** max(0, 2 - level)
            x = layers.Conv1D(_STEP * (channels if last else wide), _KERNEL, padding="same")(x)
            side *= _STEP
            x = grid_networks.shaped(x, (side, channels if last else wide))  # adjacent channels become adjacent samples
            x = x if last else layers.Activation("silu")(x)
        return keras.Model(z, x[:, :length], name="decoder")


def _levels(length: int) -> int:
    """The number of strided convolutions that reduce a waveform to at most `_SHORTEST` samples."""
    levels = 1
    while length / _STEP**levels > _SHORTEST:
        levels += 1
    return levels


NETWORKS: Mapping[str, type[Network]] = {"conv": SoundConv, "mlp": grid_networks.GridMlp}
