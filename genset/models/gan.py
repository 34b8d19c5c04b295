"""The generative adversarial network (Goodfellow et al. 2014, arXiv:1406.2661), with labels.

The discriminator knows the label by projection (Miyato and Koyama 2018, arXiv:1802.05637). The generator starts from a
trained VAE's decoder and is fed with codes drawn for the label from the density on that VAE's codes (BAGAN, Mariani et
al. 2018, arXiv:1803.09655): it need not find the items first, only sharpen them. Without that warm start it is fed
with N(0, I) and the label (Mirza and Osindero 2014, arXiv:1411.1784).

Where items are no values that a generator could shift a little, such as tokens, the two play with codes, unless told
otherwise (tokens then get the gradient of soft ones: RelGAN, Nie et al. 2019): an autoencoder
learns first, a small generator then turns noise and label into codes that a discriminator cannot tell from those of
real items, and the autoencoder's decoder makes items of them (ARAE: Zhao et al. 2018, arXiv:1706.04223).
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import pydantic

from genset.interfaces import (
    Batch,
    Family,
    Kinds,
    LossContext,
    Modality,
    Network,
    Networks,
    Prior,
    Tensor,
    Tensors,
    TrainingStage,
    Update,
)
from genset.models.adversarial_losses import LOSSES, AdversarialLoss, Relativistic
from genset.models.autoencoder import Autoencoder
from genset.models.losses import LIKELIHOODS
from genset.models.priors import ConditionalNormal
from genset.models.vae import VAE

FEW = 5000  # train items below which the discriminator would learn them by heart
_LAZY_EVERY = 4
_RATE = 2e-4
_CODES_WARM_START = 0.8  # where the two play with codes: most of the work is the autoencoder's
_WARM_START_NEEDS = 400, 0.75  # steps, and at most this share of a budget for them: docs/experiments.md
_EVALUATIONS, _CODES_PATIENCE = 20, 12  # with items all are waited for: samples get worse before they get better
_ANCHORED = 2  # one in so many items of a batch is rebuilt
_CODES_WIDTH = 256  # units of the hidden layers that turn noise into codes, and judge codes


class GAN(Family):
    """A generator (the network called decoder) and a discriminator that play against each other."""

    kind: Literal["gan"] = "gan"
    loss: Annotated[AdversarialLoss, Kinds(LOSSES)] = Relativistic()
    """What the two play for."""
    space: Literal["items", "codes"] | None = None
    """What the two play with: items, or codes of an autoencoder that learns first. When not given: items for images and
    sounds, codes for texts, whose tokens no generator can shift a little. Items of texts: tokens are drawn while
    learning, with the gradient of soft ones (straight-through Gumbel-softmax)."""
    warm_start: float | None = pydantic.Field(None, ge=0, lt=1)
    """Share of the budget before the two play. Items: the generator learns as the decoder of a VAE; 0 starts from
    nothing. Codes: the autoencoder learns. When not given, 0.3 for images, 0.6 for sounds, 0.8 for texts and for codes,
    and more of a budget in seconds which has no time for 400 steps in it, up to 0.75."""
    anchor: float | None = pydantic.Field(None, ge=0)
    """Weight of how well the generator still rebuilds train items from their codes after a warm start, so that it
    keeps to their classes; 0 for none. When not given, 0 for images and texts and 1 for sounds."""
    perturb: bool | None = None
    """Whether the discriminator sees all items perturbed (DiffAugment); when not given, below 5,000 train items."""

    def fitted(self, modality: type[Modality]) -> "GAN":
        space = self.space or modality.adversarial_space
        anchor = modality.adversarial_anchor if self.anchor is None else self.anchor
        anchored = anchor if space == "items" and self._warm else 0.0
        return self.model_copy(update={"space": space, "anchor": anchored})

    def build(self, modality: Modality, network: Network, latent_dim: int, classes: int) -> Networks:
        if self.space == "codes":
            nets = dict(Autoencoder().build(modality, network, latent_dim, classes).models)
            nets["generator"] = _layered(latent_dim + classes, "generator", latent_dim)
            nets["discriminator"] = _projection(_layered(latent_dim, "discriminator"), classes)
            return Networks(nets, network)
        fed = latent_dim if self._warm else ConditionalNormal().length(latent_dim, classes)
        nets = {"decoder": network.decoder(modality, fed, classes)}
        if self._warm:
            nets = dict(VAE().build(modality, network, latent_dim, classes).models)
        nets["discriminator"] = _projection(network.trunk(modality, "discriminator"), classes)
        return Networks(nets, network)

    def stages(self, modality: Modality, latent_dim: int, items: int) -> tuple[TrainingStage, ...]:
        coded = self.space == "codes"
        usual = _CODES_WARM_START if coded else modality.adversarial_warm_start
        warm_start = usual if self.warm_start is None else self.warm_start
        maker = "generator" if coded else "decoder"
        perturb = not coded and self._perturbs(items)

        def draw(rng: np.random.Generator, size: int) -> Mapping[str, Tensors]:
            mix = rng.random(size, dtype=np.float32)
            noise = {} if coded else modality.draw_noise(rng, size)
            return {"mix": mix, **noise, **(modality.draw_perturbation(rng, size, strong=True) if perturb else {})}

        def seen(x: Tensor, batch: Batch) -> Tensor:
            return modality.perturb(x, batch) if perturb else x

        def scores(nets: Networks, batch: Batch) -> tuple[Any, Tensor, Tensor]:
            def d(x: Tensor) -> Tensor:
                return nets["discriminator"]([seen(x, batch), batch["label"]])[:, 0]

            if coded:
                return d, batch["code"], nets["generator"](batch["z"])
            return d, nets.network.real(modality, batch["x"]), nets.network.made(nets, batch)

        def d_loss(nets: Networks, batch: Batch, moment: LossContext) -> dict[str, Tensor]:
            from keras import ops

            d, real, made = scores(nets, batch)
            made = ops.stop_gradient(made)
            loss = ops.mean(self.loss.d_loss(d(real), d(made)))
            penalty = ops.zeros(())
            if moment.lazy and self.loss.penalty:
                mix = ops.reshape(batch["mix"], (-1, *(1 for _ in real.shape[1:])))
                penalty = self.loss.penalty_loss(d, real, made, mix, moment)
                penalty = _LAZY_EVERY * moment.tuned * penalty
            return {"d_total_loss": loss + penalty, "d_loss": loss, "penalty_loss": penalty}

        def g_loss(nets: Networks, batch: Batch, moment: LossContext) -> dict[str, Tensor]:
            from keras import ops

            d, real, made = scores(nets, batch)
            loss = ops.mean(self.loss.g_loss(d(real), d(made)))
            if not self.anchor:
                return {"g_loss": loss}
            anchor_loss = self._anchor_loss(nets, {name: batch[name][::_ANCHORED] for name in ("x", "label")})
            return {"g_total_loss": loss + self.anchor * anchor_loss, "g_loss": loss, "anchor_loss": anchor_loss}

        # Adam without momentum, as adversarial training has it since Karras et al. 2018, arXiv:1710.10196
        updates = (
            Update("discriminator", ("discriminator",), d_loss, rate=2.0, beta_1=0.0, beta_2=0.99),
            Update("generator", (maker,), g_loss, beta_1=0.0, beta_2=0.99),
        )
        adversarial = TrainingStage(
            "gan",
            updates,
            draw,
            share=1 - warm_start,
            learning_rate=_RATE,
            largest_batch=64,
            evaluations=_EVALUATIONS,
            patience=_CODES_PATIENCE if coded else _EVALUATIONS,
            samples=True,
            space=self.space or "items",
            average=(maker,),
            lazy_every=_LAZY_EVERY if self.loss.penalty else 1,
            tuned=self.loss.weights,
        )
        if not self._warm:
            return (adversarial,)
        (first,) = (Autoencoder() if coded else VAE()).stages(modality, latent_dim, items)
        needs = _WARM_START_NEEDS if self.warm_start is None else first.needs
        return (dataclasses.replace(first, share=warm_start, needs=needs), adversarial)

    @property
    def _warm(self) -> bool:
        """Whether an autoencoder comes first."""
        return self.warm_start != 0

    def _anchor_loss(self, nets: Networks, batch: Batch) -> Tensor:
        """() nats a value that items rebuilt from their codes are off: VAE/GAN (Larsen et al. 2016, arXiv:1512.09300),
        the scale of the error being free (arXiv:2006.13202)."""
        from keras import ops

        x = batch["x"]
        z = ops.stop_gradient(self.codes(nets, x))
        nats = nets.network.reconstruction_loss(nets, z, x, batch, LIKELIHOODS["gaussian"])
        return nats / math.prod(x.shape[1:])

    def settled(self, shares: Sequence[float], tuned: Sequence[float]) -> "GAN":
        loss = self.loss.model_copy(update={"penalty": tuned[-1]})
        return self.model_copy(update={"warm_start": shares[0] if len(shares) > 1 else 0.0, "loss": loss})

    def _perturbs(self, items: int) -> bool:
        return items < FEW if self.perturb is None else self.perturb

    def density(self, prior: Prior) -> Prior:
        return prior if self._warm and self.space != "codes" else ConditionalNormal()

    def codes(self, nets: Networks, x: Tensor) -> Tensor:
        return (Autoencoder() if self.space == "codes" else VAE()).codes(nets, x)

    def sampler(self, nets: Networks, modality: Modality) -> Mapping[str, Any]:
        exported = super().sampler(nets, modality)
        return {**exported, "codes": nets["generator"]} if self.space == "codes" else exported

    def whole(self, nets: Networks, modality: Modality) -> Any:
        import keras

        maker = nets["generator" if self.space == "codes" else "decoder"]
        z = keras.Input(maker.inputs[0].shape[1:], name="z")
        label = keras.Input(nets["discriminator"].input_shape[1][1:], name="label")
        code = maker(z) if self.space == "codes" else z
        made = code if self.space == "codes" else nets.network.rebuilt(nets, z)
        outputs = [made, nets["discriminator"]([made, label])]
        if self.space == "codes":
            outputs.append(nets.network.rebuilt(nets, code))
        return keras.Model([z, label], outputs, name=self.kind)


def _layered(inputs: int, name: str, outputs: int = 0) -> Any:
    """Two hidden layers, and a linear one of so many outputs where they are given: (B, inputs) to (B, d)."""
    import keras
    from keras import layers

    z = keras.Input((inputs,), name="z")
    h = z
    for _ in range(2):
        h = layers.Dense(_CODES_WIDTH, activation="leaky_relu")(h)
    return keras.Model(z, layers.Dense(outputs, dtype="float32")(h) if outputs else h, name=name)


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
