"""The variational autoencoder (Kingma and Welling 2013, arXiv:1312.6114)."""

from typing import Any, Literal

import pydantic

from genset.interfaces import Batch, Family, Modality, Moment, Nets, Network, Stage, Tensor, Update
from genset.models import parts
from genset.models.losses import LIKELIHOODS, kl_loss

_MOST_LOG_VAR = 10.0  # either way: one step too far, and exp(z_log_var) is no number any more


class VAE(Family):
    """Reconstruction and KL divergence; the latent code of an item is a normal distribution."""

    kind: Literal["vae"] = "vae"
    likelihood: Literal["gaussian", "bernoulli"] = "gaussian"
    """gaussian: squared error, scaled by the variance that fits best; bernoulli: cross-entropy."""
    kl_weight: float = pydantic.Field(1.0, ge=0)
    """Weight of kl_loss beside reconstruction_loss (beta)."""
    kl_warmup: float = pydantic.Field(0.1, ge=0, le=1)
    """Share of the training over which that weight grows from 0."""

    perturb: bool = True
    """Whether items are shifted a little while learning, against learning them by heart."""

    def build(self, modality: Modality, network: Network, latent_dim: int, classes: int) -> Nets:
        # z_mean and z_log_var side by side
        encoder = parts.encoder(network.trunk(modality, "encoder"), 2 * latent_dim)
        return Nets({"encoder": encoder, "decoder": network.decoder(modality, latent_dim)})

    def stages(self, modality: Modality, latent_dim: int, items: int) -> tuple[Stage, ...]:
        def loss(nets: Nets, batch: Batch, moment: Moment) -> dict[str, Tensor]:
            from keras import ops

            x = modality.perturb(batch["x"], batch) if self.perturb and moment.learning else batch["x"]
            z_mean, z_log_var = ops.split(nets["encoder"](x), 2, axis=-1)
            z_log_var = ops.clip(z_log_var, -_MOST_LOG_VAR, _MOST_LOG_VAR)
            z = z_mean + ops.exp(0.5 * z_log_var) * batch["epsilon"]  # (B, latent_dim)
            reconstruction_loss = LIKELIHOODS[self.likelihood](x, parts.decode(nets, z, modality))
            kl = ops.mean(kl_loss(z_mean, z_log_var))
            total = reconstruction_loss + parts.warmed_up(self.kl_weight, self.kl_warmup, moment) * kl
            return {"loss": total, "reconstruction_loss": reconstruction_loss, "kl_loss": kl}

        update = Update("vae", ("encoder", "decoder"), loss)
        return (
            Stage(
                "vae",
                (update,),
                parts.noise(modality, latent_dim, self.perturb),
            ),
        )

    def codes(self, nets: Nets, x: Tensor) -> Tensor:
        from keras import ops

        return ops.split(nets["encoder"](x), 2, axis=-1)[0]

    def sampler(self, nets: Nets, modality: Modality) -> Any:
        return parts.sampler(nets, modality)

    def whole(self, nets: Nets, modality: Modality) -> Any:
        return parts.autoencoder(nets, modality, self.codes, self.kind)
