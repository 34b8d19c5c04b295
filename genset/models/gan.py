"""The generative adversarial network (Goodfellow et al. 2014, arXiv:1406.2661), with labels.

The discriminator knows the label by projection (Miyato and Koyama 2018, arXiv:1802.05637). The generator starts from a
trained VAE's decoder and is fed with codes drawn for the label from the density on that VAE's codes (BAGAN, Mariani et
al. 2018, arXiv:1803.09655): it need not find the items first, only sharpen them. Without that warm start it is fed
with N(0, I) and the label (Mirza and Osindero 2014, arXiv:1411.1784).
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import pydantic

from genset.interfaces import (
    Batch,
    Family,
    Floats,
    Kinds,
    Modality,
    Moment,
    Nets,
    Network,
    Prior,
    Stage,
    Tensor,
    Update,
)
from genset.models import parts
from genset.models.adversarial import LOSSES, AdversarialLoss, Relativistic
from genset.models.prior import Labelled
from genset.models.vae import VAE

FEW = 5000  # train items below which the discriminator would learn them by heart
_LAZY_EVERY = 4
_RATE = 2e-4


class GAN(Family):
    """A generator (the network called decoder) and a discriminator that play against each other."""

    kind: Literal["gan"] = "gan"
    loss: Annotated[AdversarialLoss, Kinds(LOSSES)] = Relativistic()
    """What the two play for."""
    warm_start: float = pydantic.Field(0.3, ge=0, lt=1)
    """Share of the budget in which the generator learns as the decoder of a VAE; 0 starts from nothing."""
    perturb: bool | None = None
    """Whether the discriminator sees all items perturbed (DiffAugment); when not given, below 5,000 train items."""

    def build(self, modality: Modality, network: Network, latent_dim: int, classes: int) -> Nets:
        nets = {"decoder": network.decoder(modality, latent_dim)}
        if self.warm_start:
            nets = dict(VAE().build(modality, network, latent_dim, classes).models)
        nets["discriminator"] = _projection(network.trunk(modality, "discriminator"), classes)
        return Nets(nets)

    def stages(self, modality: Modality, latent_dim: int, items: int) -> tuple[Stage, ...]:
        perturb = items < FEW if self.perturb is None else self.perturb

        def draw(rng: np.random.Generator, size: int) -> Mapping[str, Floats]:
            mix = rng.random((size, *(1 for _ in modality.tensor_shape)), dtype=np.float32)
            return {"mix": mix, **(modality.draw_perturbation(rng, size, strong=True) if perturb else {})}

        def seen(x: Tensor, batch: Batch) -> Tensor:
            return modality.perturb(x, batch) if perturb else x

        def scores(nets: Nets, batch: Batch) -> tuple[Any, Tensor]:
            def d(x: Tensor) -> Tensor:
                return nets["discriminator"]([seen(x, batch), batch["label"]])[:, 0]

            return d, parts.decode(nets, batch["z"], modality)

        def d_loss(nets: Nets, batch: Batch, moment: Moment) -> dict[str, Tensor]:
            from keras import ops

            d, made = scores(nets, batch)
            made = ops.stop_gradient(made)
            loss = ops.mean(self.loss.d_loss(d(batch["x"]), d(made)))
            penalty = ops.zeros(())
            if moment.lazy and self.loss.penalty:
                penalty = self.loss.penalty_loss(d, batch["x"], made, batch["mix"], moment)
                penalty = _LAZY_EVERY * moment.tuned * penalty
            return {"d_total_loss": loss + penalty, "d_loss": loss, "penalty_loss": penalty}

        def g_loss(nets: Nets, batch: Batch, moment: Moment) -> dict[str, Tensor]:
            from keras import ops

            d, made = scores(nets, batch)
            return {"g_loss": ops.mean(self.loss.g_loss(d(batch["x"]), d(made)))}

        # Adam without momentum, as adversarial training has it since Karras et al. 2018, arXiv:1710.10196
        updates = (
            Update("discriminator", ("discriminator",), d_loss, rate=2.0, beta_1=0.0, beta_2=0.99),
            Update("generator", ("decoder",), g_loss, beta_1=0.0, beta_2=0.99),
        )
        adversarial = Stage(
            "gan",
            updates,
            draw,
            share=1 - self.warm_start,
            learning_rate=_RATE,
            largest_batch=64,
            evaluations=20,
            samples=True,
            average=("decoder",),
            lazy_every=_LAZY_EVERY if self.loss.penalty else 1,
            tuned=self.loss.weights,
        )
        if not self.warm_start:
            return (adversarial,)
        (first,) = VAE().stages(modality, latent_dim, items)
        return (dataclasses.replace(first, share=self.warm_start), adversarial)

    def settled(self, shares: Sequence[float], tuned: Sequence[float]) -> "GAN":
        loss = self.loss.model_copy(update={"penalty": tuned[-1]})
        return self.model_copy(update={"warm_start": shares[0] if len(shares) > 1 else 0.0, "loss": loss})

    def density(self, prior: Prior) -> Prior:
        return prior if self.warm_start else Labelled()

    def codes(self, nets: Nets, x: Tensor) -> Tensor:
        return VAE().codes(nets, x)

    def sampler(self, nets: Nets, modality: Modality) -> Any:
        return parts.sampler(nets, modality)

    def whole(self, nets: Nets, modality: Modality) -> Any:
        import keras

        z = keras.Input(nets["decoder"].input_shape[1:], name="z")
        label = keras.Input(nets["discriminator"].input_shape[1][1:], name="label")
        made = parts.decode(nets, z, modality)
        return keras.Model([z, label], [made, nets["discriminator"]([made, label])], name=self.kind)


def _projection(trunk: Any, classes: int) -> Any:
    """(x, label as one-hot rows) to (B, 1): a linear score of the features, and how well they go with the label."""
    import keras
    from keras import layers

    label = keras.Input((classes,), name="label")
    h = trunk.output  # (B, d)
    d = h.shape[1]
    agreement = layers.Dot(1, dtype="float32")([h, layers.Dense(d, use_bias=False)(label)])
    score = layers.Dense(1, dtype="float32")(h) + agreement / d**0.5
    return keras.Model([trunk.input, label], score, name="discriminator")
