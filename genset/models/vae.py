"""The variational autoencoder (Kingma and Welling 2013, arXiv:1312.6114)."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pydantic

from genset.interfaces import Family, Floats, Modality, Nets, Network, Tensor, Update


class VAE(Family):
    """Reconstruction and KL divergence; the latent code of an item is a normal distribution."""

    kind: Literal["vae"] = "vae"
    likelihood: Literal["gaussian", "bernoulli"] = "gaussian"
    """gaussian: squared error, scaled by the variance that fits best; bernoulli: cross-entropy."""
    kl_weight: float = pydantic.Field(1.0, ge=0)
    """Weight of kl_loss beside reconstruction_loss (beta)."""
    kl_warmup: float = pydantic.Field(0.1, ge=0, le=1)
    """Share of the training over which that weight grows from 0."""

    def build(self, modality: Modality, network: Network, latent_dim: int) -> Nets:
        encoder = network.encoder(modality, 2 * latent_dim)  # z_mean and z_log_var side by side
        return Nets({"encoder": encoder, "decoder": network.decoder(modality, latent_dim)})

    def noise(self, rng: np.random.Generator, batch_size: int, latent_dim: int) -> Mapping[str, Floats]:
        return {"epsilon": rng.standard_normal((batch_size, latent_dim), dtype=np.float32)}

    def updates(self, modality: Modality) -> tuple[Update, ...]:
        def loss(nets: Nets, x: Tensor, noise: Mapping[str, Tensor], progress: Tensor) -> Mapping[str, Tensor]:
            from keras import ops

            z_mean, z_log_var = ops.split(nets["encoder"](x), 2, axis=-1)
            z = z_mean + ops.exp(0.5 * z_log_var) * noise["epsilon"]  # (B, latent_dim)
            output = nets["decoder"](z)
            if self.likelihood == "gaussian":
                reconstruction_loss = gaussian_loss(x, modality.activate(output))
            else:
                reconstruction_loss = bernoulli_loss(x, modality.activate(output))
            kl = ops.mean(kl_loss(z_mean, z_log_var))
            weight = ops.minimum(1.0, progress / self.kl_warmup) if self.kl_warmup else 1.0
            total = reconstruction_loss + self.kl_weight * weight * kl
            return {"loss": total, "reconstruction_loss": reconstruction_loss, "kl_loss": kl}

        return (Update("vae", ("encoder", "decoder"), loss),)

    def codes(self, nets: Nets, x: Tensor) -> Tensor:
        from keras import ops

        return ops.split(nets["encoder"](x), 2, axis=-1)[0]

    def sampler(self, nets: Nets, modality: Modality) -> Any:
        import keras

        z = keras.Input(nets["decoder"].input_shape[1:], name="z")
        return keras.Model(z, modality.activate(nets["decoder"](z)), name="sampler")

    def whole(self, nets: Nets, modality: Modality) -> Any:
        import keras

        x = keras.Input(modality.tensor_shape, name="x")
        z_mean = self.codes(nets, x)
        return keras.Model(x, [modality.activate(nets["decoder"](z_mean)), nets["encoder"](x)], name="vae")


def per_item(values: Tensor) -> Tensor:
    """Sum over all axes but 0: (B, ...) to (B,)."""
    from keras import ops

    return ops.sum(ops.reshape(values, (ops.shape(values)[0], -1)), axis=-1)


def kl_loss(z_mean: Tensor, z_log_var: Tensor) -> Tensor:
    """(B,) KL divergence of N(z_mean, exp(z_log_var)) from N(0, I) in nats; Kingma and Welling 2013, appendix B."""
    from keras import ops

    return -0.5 * per_item(1 + z_log_var - ops.square(z_mean) - ops.exp(z_log_var))


def gaussian_loss(x: Tensor, reconstruction: Tensor) -> Tensor:
    """Negative log-likelihood of an item in nats under a normal distribution with the best single variance.

    That variance is the mean squared error itself (Rybkin, Daniilidis and Levine 2021, arXiv:2006.13202, the
    optimal sigma-VAE), so the balance of reconstruction and KL needs no tuning: 0.5 D log(2 pi e MSE).
    """
    from keras import ops

    values = int(np.prod(x.shape[1:]))
    # A floor of a quarter of an 8-bit step: below it there is nothing left to learn, and log(0) waits.
    error = ops.maximum(ops.mean(ops.square(x - reconstruction)), (0.25 / 255) ** 2)
    return 0.5 * values * ops.log(2 * np.pi * np.e * error)


def bernoulli_loss(x: Tensor, reconstruction: Tensor) -> Tensor:
    """Mean over items of the cross-entropy in nats, values in [0, 1] read as probabilities."""
    from keras import ops

    p = ops.clip(reconstruction, 1e-6, 1 - 1e-6)
    return ops.mean(per_item(-x * ops.log(p) - (1 - x) * ops.log(1 - p)))
