"""The generative adversarial network (Goodfellow et al. 2014, arXiv:1406.2661), conditional on labels.

The discriminator gets the label by projection (Miyato and Koyama 2018, arXiv:1802.05637). The generator starts as the
decoder of a trained VAE, and its input codes are drawn for the label from the density on that VAE's codes (BAGAN,
Mariani et al. 2018, arXiv:1803.09655): it need not learn the items from nothing, only sharpen them. Without that warm
start its input is N(0, I) and the label (Mirza and Osindero 2014, arXiv:1411.1784).

Discrete items, such as tokens, cannot be changed a little by a generator. There the adversarial training uses codes by
default: an autoencoder learns first, then a small generator turns noise and label into codes that a discriminator
cannot tell from those of real items, and the decoder of the autoencoder turns them into items (ARAE: Zhao et al. 2018,
arXiv:1706.04223). With `space: items`, tokens get the gradient of soft ones (RelGAN, Nie et al. 2019).
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

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

_FEW_ITEMS = 5000  # below this number of training items the discriminator would memorise them
_LAZY_EVERY = 4
_LEARNING_RATE = 2e-4
_CODES_WARM_START = 0.8  # for codes: most of the work is the autoencoder's
_WARM_START_NEEDS = 400, 0.75  # steps, and the largest share of a budget in seconds for them: docs/experiments.md
_VALIDATIONS, _CODES_PATIENCE = 20, 12  # no early stop on items, whose samples get worse before they get better
_RECONSTRUCT_EVERY = 2  # every second item of a batch is reconstructed
_CODES_WIDTH = 256  # units of the hidden layers of the generator and discriminator of codes


class GAN(Family):
    """A generator (the network called decoder) and a discriminator that are trained against each other."""

    renamed: ClassVar = {"anchor": "reconstruction_weight", "perturb": "diff_augment"}
    kind: Literal["gan"] = "gan"
    loss: Annotated[AdversarialLoss, Kinds(LOSSES)] = Relativistic()
    """The adversarial loss."""
    space: Literal["items", "codes"] | None = None
    """What generator and discriminator work on: items, or codes of an autoencoder that is trained first. By default
    items for images and sounds, and codes for texts, whose tokens a generator cannot change a little. With items of
    texts, tokens are drawn during training, with the gradient of soft ones (straight-through Gumbel-softmax)."""
    warm_start: float | None = pydantic.Field(None, ge=0, lt=1)
    """Share of the budget before the adversarial training. Items: the generator is trained as the decoder of a VAE; 0
    starts from nothing. Codes: the autoencoder is trained. By default 0.3 for images, 0.6 for sounds, and 0.8 for texts
    and for codes; up to 0.75 if a budget in seconds has no time for 400 steps in it."""
    reconstruction_weight: float | None = pydantic.Field(None, ge=0)
    """Weight of the reconstruction loss that the generator keeps after a warm start, so that it does not forget the
    classes of the training items; 0 for none. By default 0 for images and texts, and 1 for sounds."""
    diff_augment: bool | None = None
    """Whether the discriminator sees all items augmented (DiffAugment). By default for fewer than 5,000 training
    items."""

    def for_modality(self, modality: type[Modality]) -> "GAN":
        space = self.space or modality.training.gan_space
        weight = self.reconstruction_weight
        weight = modality.training.gan_reconstruction_weight if weight is None else weight
        used = weight if space == "items" and self._warm else 0.0
        return self.model_copy(update={"space": space, "reconstruction_weight": used})

    def build(self, modality: Modality, network: Network, latent_dim: int, classes: int) -> Networks:
        if self.space == "codes":
            nets = dict(Autoencoder().build(modality, network, latent_dim, classes).models)
            nets["generator"] = _mlp(latent_dim + classes, "generator", latent_dim)
            nets["discriminator"] = _projection(_mlp(latent_dim, "discriminator"), classes)
            return Networks(nets, network)
        inputs = latent_dim if self._warm else ConditionalNormal().length(latent_dim, classes)
        nets = {"decoder": network.decoder(modality, inputs, classes)}
        if self._warm:
            nets = dict(VAE().build(modality, network, latent_dim, classes).models)
        nets["discriminator"] = _projection(network.trunk(modality, "discriminator"), classes)
        return Networks(nets, network)

    def stages(self, modality: Modality, latent_dim: int, items: int) -> tuple[TrainingStage, ...]:
        on_codes = self.space == "codes"
        default = _CODES_WARM_START if on_codes else modality.training.gan_warm_start
        warm_start = default if self.warm_start is None else self.warm_start
        adversarial = self._adversarial_stage(modality, items, share=1 - warm_start)
        if not self._warm:
            return (adversarial,)
        (first,) = (Autoencoder() if on_codes else VAE()).stages(modality, latent_dim, items)
        needs = _WARM_START_NEEDS if self.warm_start is None else first.needs
        return (dataclasses.replace(first, share=warm_start, needs=needs), adversarial)

    def _adversarial_stage(self, modality: Modality, items: int, share: float) -> TrainingStage:
        on_codes = self.space == "codes"
        generator = "generator" if on_codes else "decoder"
        augmented = not on_codes and (items < _FEW_ITEMS if self.diff_augment is None else self.diff_augment)
        losses = _AdversarialTraining(self, modality, augmented)
        # Adam without momentum, usual in adversarial training since Karras et al. 2018, arXiv:1710.10196
        updates = (
            Update("discriminator", ("discriminator",), losses.d_loss, rate=2.0, beta_1=0.0, beta_2=0.99),
            Update("generator", (generator,), losses.g_loss, beta_1=0.0, beta_2=0.99),
        )
        return TrainingStage(
            "gan",
            updates,
            losses.draw,
            share=share,
            learning_rate=_LEARNING_RATE,
            max_batch_size=64,
            validations=_VALIDATIONS,
            patience=_CODES_PATIENCE if on_codes else _VALIDATIONS,
            samples=True,
            space=self.space or "items",
            average=(generator,),
            lazy_every=_LAZY_EVERY if self.loss.penalty else 1,
            tuned_values=self.loss.weights,
        )

    @property
    def _warm(self) -> bool:
        """Whether an autoencoder is trained first."""
        return self.warm_start != 0

    def resolved(self, shares: Sequence[float], tuned_values: Sequence[float]) -> "GAN":
        loss = self.loss.model_copy(update={"penalty": tuned_values[-1]})
        return self.model_copy(update={"warm_start": shares[0] if len(shares) > 1 else 0.0, "loss": loss})

    def density(self, prior: Prior) -> Prior:
        return prior if self._warm and self.space != "codes" else ConditionalNormal()

    def codes(self, nets: Networks, x: Tensor) -> Tensor:
        return (Autoencoder() if self.space == "codes" else VAE()).codes(nets, x)

    def sampler(self, nets: Networks, modality: Modality) -> Mapping[str, Any]:
        exported = super().sampler(nets, modality)
        return {**exported, "codes": nets["generator"]} if self.space == "codes" else exported

    def keras_model(self, nets: Networks, modality: Modality) -> Any:
        import keras

        on_codes = self.space == "codes"
        generator = nets["generator" if on_codes else "decoder"]
        z = keras.Input(generator.inputs[0].shape[1:], name="z")
        label = keras.Input(nets["discriminator"].input_shape[1][1:], name="label")
        code = generator(z) if on_codes else z
        generated = code if on_codes else nets.network.reconstruct(nets, z)
        outputs = [generated, nets["discriminator"]([generated, label])]
        if on_codes:
            outputs.append(nets.network.reconstruct(nets, code))
        return keras.Model([z, label], outputs, name=self.kind)


@dataclass(frozen=True)
class _AdversarialTraining:
    """The random inputs and the two losses of the adversarial stage."""

    gan: GAN
    modality: Modality
    augmented: bool  # whether the discriminator sees all items augmented

    def draw(self, rng: np.random.Generator, size: int) -> Mapping[str, Tensors]:
        """The random inputs of one step: "mix" (B,) in [0, 1), those of the network and of the augmentation."""
        mix = rng.random(size, dtype=np.float32)
        noise = {} if self.gan.space == "codes" else self.modality.draw_noise(rng, size)
        augmentation = self.modality.draw_perturbation(rng, size, strong=True) if self.augmented else {}
        return {"mix": mix, **noise, **augmentation}

    def d_loss(self, nets: Networks, batch: Batch, context: LossContext) -> dict[str, Tensor]:
        """What the discriminator minimises, with the gradient penalty in every `lazy_every`-th step."""
        from keras import ops

        d, real, generated = self._inputs(nets, batch)
        generated = ops.stop_gradient(generated)
        loss = ops.mean(self.gan.loss.d_loss(d(real), d(generated)))
        penalty = ops.zeros(())
        if context.lazy_due and self.gan.loss.penalty:
            mix = ops.reshape(batch["mix"], (-1, *(1 for _ in real.shape[1:])))
            penalty = self.gan.loss.penalty_loss(d, real, generated, mix, context)
            penalty = _LAZY_EVERY * context.tuned_value * penalty
        return {"d_total_loss": loss + penalty, "d_loss": loss, "penalty_loss": penalty}

    def g_loss(self, nets: Networks, batch: Batch, context: LossContext) -> dict[str, Tensor]:
        """What the generator minimises, with the reconstruction loss if it has a weight."""
        from keras import ops

        d, real, generated = self._inputs(nets, batch)
        loss = ops.mean(self.gan.loss.g_loss(d(real), d(generated)))
        weight = self.gan.reconstruction_weight
        if not weight:
            return {"g_loss": loss}
        some = {name: batch[name][::_RECONSTRUCT_EVERY] for name in ("x", "label")}
        anchor_loss = self._reconstruction_loss(nets, some)
        return {"g_total_loss": loss + weight * anchor_loss, "g_loss": loss, "anchor_loss": anchor_loss}

    def _inputs(self, nets: Networks, batch: Batch) -> tuple[Any, Tensor, Tensor]:
        """(the discriminator as a function of items alone, real items, generated items)."""

        def d(x: Tensor) -> Tensor:
            x = self.modality.perturb(x, batch) if self.augmented else x
            return nets["discriminator"]([x, batch["label"]])[:, 0]

        if self.gan.space == "codes":
            return d, batch["code"], nets["generator"](batch["z"])
        return d, nets.network.real(self.modality, batch["x"]), nets.network.generate(nets, batch)

    def _reconstruction_loss(self, nets: Networks, batch: Batch) -> Tensor:
        """() negative log-likelihood per value of items reconstructed from their codes, in nats: VAE/GAN (Larsen et al.
        2016, arXiv:1512.09300) with a free scale of the error (arXiv:2006.13202)."""
        from keras import ops

        x = batch["x"]
        z = ops.stop_gradient(self.gan.codes(nets, x))
        nats = nets.network.reconstruction_loss(nets, z, x, batch, LIKELIHOODS["gaussian"])
        return nats / math.prod(x.shape[1:])


def _mlp(inputs: int, name: str, outputs: int = 0) -> Any:
    """Two hidden layers, then a linear layer with `outputs` units unless 0: (B, inputs) to (B, d)."""
    import keras
    from keras import layers

    z = keras.Input((inputs,), name="z")
    h = z
    for _ in range(2):
        h = layers.Dense(_CODES_WIDTH, activation="leaky_relu")(h)
    return keras.Model(z, layers.Dense(outputs, dtype="float32")(h) if outputs else h, name=name)


def _projection(trunk: Any, classes: int) -> Any:
    """(x, label as one-hot rows) to (B, 1): a linear score of the features plus their agreement with the label."""
    import keras
    from keras import layers

    label = keras.Input((classes,), name="label")
    h = trunk.output  # (B, d)
    d = h.shape[1]
    agreement = layers.Dot(1, dtype="float32")([h, layers.Dense(d, use_bias=False)(label)])
    score = layers.Dense(1, dtype="float32")(h) + agreement / d**0.5
    return keras.Model([trunk.input, label], score, name="discriminator")
