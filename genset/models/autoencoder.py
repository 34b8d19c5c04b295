"""The autoencoder: no distribution while it learns, one on its codes afterwards.

A density fitted to the codes of a plain autoencoder generates as well as a VAE does (Ghosh et al. 2020,
arXiv:1903.12436), given that the codes are kept near the origin and near each other.
"""

from typing import Any, Literal

import pydantic

from genset.interfaces import Batch, Family, LossContext, Modality, Network, Networks, Tensor, TrainingStage, Update
from genset.models import autoencoder_parts as parts
from genset.models.losses import LIKELIHOODS, per_item

_LONGEST = 2.0  # root mean square of the values of a code, at most


class Autoencoder(Family):
    """Reconstruction, with codes kept small and decoded with noise, so that what lies between them decodes as well."""

    kind: Literal["ae"] = "ae"
    likelihood: Literal["gaussian", "bernoulli"] = "gaussian"
    """gaussian: squared error, on a logarithmic scale; bernoulli: cross-entropy. Tokens always have cross-entropy."""
    code_penalty: float = pydantic.Field(0.1, ge=0)
    """Weight of code_loss, the mean squared length of the codes, beside reconstruction_loss."""
    penalty_warmup: float = pydantic.Field(0.1, ge=0, le=1)
    """Share of the training over which that weight grows from 0: from the start, it would hold all codes at 0."""
    code_noise: float = pydantic.Field(0.1, ge=0)
    """Standard deviation of what is added to each value of a code while learning."""
    perturb: bool = True
    """Whether items are perturbed a little while learning (images shifted, words dropped), against learning them by
    heart."""

    def build(self, modality: Modality, network: Network, latent_dim: int, classes: int) -> Networks:
        encoder = parts.encoder(network.trunk(modality, "encoder"), latent_dim)
        return Networks({"encoder": encoder, "decoder": network.decoder(modality, latent_dim, classes)}, network)

    def stages(self, modality: Modality, latent_dim: int, items: int) -> tuple[TrainingStage, ...]:
        def loss(nets: Networks, batch: Batch, moment: LossContext) -> dict[str, Tensor]:
            from keras import ops

            x, target = parts.seen(modality, batch, moment, self.perturb)
            z = self.codes(nets, x)
            noisy, likelihood = z + self.code_noise * batch["epsilon"], LIKELIHOODS[self.likelihood]
            told = parts.told(batch, moment)
            reconstruction_loss = nets.network.reconstruction_loss(nets, noisy, target, told, likelihood)
            code_loss = ops.mean(per_item(ops.square(z)))
            weight = parts.warmed_up(self.code_penalty, self.penalty_warmup, moment)
            total = reconstruction_loss + weight * code_loss
            return {"loss": total, "reconstruction_loss": reconstruction_loss, "code_loss": code_loss}

        update = Update("ae", ("encoder", "decoder"), loss)
        return (
            TrainingStage(
                "ae",
                (update,),
                parts.noise(modality, latent_dim, self.perturb),
            ),
        )

    def codes(self, nets: Networks, x: Tensor) -> Tensor:
        from keras import ops

        z = nets["encoder"](x)
        # A code that grows too long is drawn back to its bound, or the first steps saturate the decoder for good.
        length = ops.sqrt(ops.mean(ops.square(z), axis=-1, keepdims=True) + 1e-6)
        return z / ops.maximum(1.0, length / _LONGEST)

    def whole(self, nets: Networks, modality: Modality) -> Any:
        return parts.autoencoder(nets, modality, self.codes, self.kind)
