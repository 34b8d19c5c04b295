"""The variational autoencoder (Kingma and Welling 2013, arXiv:1312.6114)."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import pydantic

from genset.interfaces import (
    INFORMATION,
    Batch,
    Family,
    LossContext,
    Modality,
    Network,
    Networks,
    Tensor,
    TrainingStage,
    Update,
)
from genset.models import autoencoder_parts as parts
from genset.models.losses import LIKELIHOODS, kl_loss

_COLLAPSED = 1.0  # nats in z below which the code is as good as empty
_MAX_LOG_VAR = 10.0  # bound on |z_log_var|: beyond it, one bad step makes exp(z_log_var) overflow


class VAE(Family):
    """Reconstruction and KL divergence; the latent code of an item is a normal distribution."""

    renamed: ClassVar = {"perturb": "diff_augment"}
    kind: Literal["vae"] = "vae"
    likelihood: Literal["gaussian", "bernoulli"] = "gaussian"
    """Reconstruction loss. gaussian: logarithm of the mean squared error; bernoulli: cross-entropy. Tokens always use
    cross-entropy."""
    kl_weight: float = pydantic.Field(1.0, ge=0)
    """Weight of kl_loss relative to reconstruction_loss (beta)."""
    kl_warmup: float = pydantic.Field(0.1, ge=0, le=1)
    """Share of the training during which kl_weight grows from 0 to its value."""
    free_bits: float | None = pydantic.Field(None, ge=0)
    """KL divergence, in nats for each value of a code, that is not penalised, so that codes stay in use (Kingma et al.
    2016, arXiv:1606.04934). By default 0.25 for texts and 0 for images and sounds."""
    diff_augment: bool = True
    """Whether to change items a little during training (shift images, hide tokens), so that the model does not memorise
    them."""

    def build(self, modality: Modality, network: Network, latent_dim: int, classes: int) -> Networks:
        # z_mean and z_log_var side by side
        encoder = parts.build_encoder(network.trunk(modality, "encoder"), 2 * latent_dim)
        return Networks({"encoder": encoder, "decoder": network.decoder(modality, latent_dim, classes)}, network)

    def stages(self, modality: Modality, latent_dim: int, items: int) -> tuple[TrainingStage, ...]:
        free_bits = modality.training.free_bits if self.free_bits is None else self.free_bits

        def loss(nets: Networks, batch: Batch, context: LossContext) -> dict[str, Tensor]:
            from keras import ops

            x, target = parts.input_and_target(modality, batch, context, self.diff_augment)
            z_mean, z_log_var = ops.split(nets["encoder"](x), 2, axis=-1)
            z_log_var = ops.clip(z_log_var, -_MAX_LOG_VAR, _MAX_LOG_VAR)
            z = z_mean + ops.exp(0.5 * z_log_var) * batch["epsilon"]  # (B, latent_dim)
            likelihood = LIKELIHOODS[self.likelihood]
            decoder_batch = parts.decoder_batch(batch, context)
            reconstruction_loss = nets.network.reconstruction_loss(nets, z, target, decoder_batch, likelihood)
            kl = ops.mean(kl_loss(z_mean, z_log_var), axis=0)  # (latent_dim,)
            penalised = ops.sum(ops.maximum(kl, free_bits))
            kl = ops.sum(kl)
            total = reconstruction_loss + parts.warmed_up(self.kl_weight, self.kl_warmup, context) * penalised
            return {"loss": total, "reconstruction_loss": reconstruction_loss, "kl_loss": kl}

        update = Update("vae", ("encoder", "decoder"), loss)
        return (TrainingStage("vae", (update,), parts.noise(modality, latent_dim, self.diff_augment)),)

    def notes(self, row: Mapping[str, float], modality: Modality) -> Sequence[tuple[str, str]]:
        if modality.tensor_dtype != "int32" or "kl_loss" not in row:
            return ()  # for values that are no tokens the likelihood is a density, so a share has no meaning
        in_code = row.get("val_kl_loss", row["kl_loss"])
        total = in_code + row.get("val_reconstruction_loss", row["reconstruction_loss"])
        share = f"z holds {in_code:.1f} of the {total:.1f} nats of an item ({in_code / total:.0%})"
        if in_code < _COLLAPSED:
            return (("collapsed_codes", f"{share}: generated items follow the prior alone; increase free_bits"),)
        return ((INFORMATION, share),)

    def codes(self, nets: Networks, x: Tensor) -> Tensor:
        from keras import ops

        return ops.split(nets["encoder"](x), 2, axis=-1)[0]

    def keras_model(self, nets: Networks, modality: Modality) -> Any:
        return parts.autoencoder(nets, modality, self.codes, self.kind)
