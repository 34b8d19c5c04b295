"""The autoencoder: no density during training, one fitted to its codes afterwards.

A density fitted to the codes of a plain autoencoder generates as well as a VAE does (Ghosh et al. 2020,
arXiv:1903.12436), if the codes are kept near the origin and near each other.
"""

from typing import Any, ClassVar, Literal

import pydantic

from genset.interfaces import Batch, Family, LossContext, Modality, Network, Networks, Tensor, TrainingStage, Update
from genset.models import autoencoder_parts as parts
from genset.models.losses import LIKELIHOODS, per_item

_MAX_LENGTH = 2.0  # largest root mean square of the values of a code


class Autoencoder(Family):
    """Reconstruction from small, noisy codes, so that codes between those of real items decode as well."""

    renamed: ClassVar = {"perturb": "diff_augment"}
    kind: Literal["ae"] = "ae"
    likelihood: Literal["gaussian", "bernoulli"] = "gaussian"
    """Reconstruction loss. gaussian: logarithm of the mean squared error; bernoulli: cross-entropy. Tokens always use
    cross-entropy."""
    code_penalty: float = pydantic.Field(0.1, ge=0)
    """Weight of code_loss, the mean squared length of the codes, relative to reconstruction_loss."""
    penalty_warmup: float = pydantic.Field(0.1, ge=0, le=1)
    """Share of the training during which code_penalty grows from 0 to its value. Without it, all codes would stay at
    0."""
    code_noise: float = pydantic.Field(0.1, ge=0)
    """Standard deviation of the noise added to each value of a code during training."""
    diff_augment: bool = True
    """Whether to change items a little during training (shift images, hide tokens), so that the model does not memorise
    them."""

    def build(self, modality: Modality, network: Network, latent_dim: int, classes: int) -> Networks:
        encoder = parts.build_encoder(network.trunk(modality, "encoder"), latent_dim)
        return Networks({"encoder": encoder, "decoder": network.decoder(modality, latent_dim, classes)}, network)

    def stages(self, modality: Modality, latent_dim: int, items: int) -> tuple[TrainingStage, ...]:
        def loss(nets: Networks, batch: Batch, context: LossContext) -> dict[str, Tensor]:
            from keras import ops

            x, target = parts.input_and_target(modality, batch, context, self.diff_augment)
            z = self.codes(nets, x)
            noisy, likelihood = z + self.code_noise * batch["epsilon"], LIKELIHOODS[self.likelihood]
            decoder_batch = parts.decoder_batch(batch, context)
            reconstruction_loss = nets.network.reconstruction_loss(nets, noisy, target, decoder_batch, likelihood)
            code_loss = ops.mean(per_item(ops.square(z)))
            weight = parts.warmed_up(self.code_penalty, self.penalty_warmup, context)
            total = reconstruction_loss + weight * code_loss
            return {"loss": total, "reconstruction_loss": reconstruction_loss, "code_loss": code_loss}

        update = Update("ae", ("encoder", "decoder"), loss)
        return (TrainingStage("ae", (update,), parts.noise(modality, latent_dim, self.diff_augment)),)

    def codes(self, nets: Networks, x: Tensor) -> Tensor:
        from keras import ops

        z = nets["encoder"](x)
        # Scale long codes down to the bound; otherwise the first steps saturate the decoder for good.
        length = ops.sqrt(ops.mean(ops.square(z), axis=-1, keepdims=True) + 1e-6)
        return z / ops.maximum(1.0, length / _MAX_LENGTH)

    def keras_model(self, nets: Networks, modality: Modality) -> Any:
        return parts.autoencoder(nets, modality, self.codes, self.kind)
