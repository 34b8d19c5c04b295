"""Losses of generator and discriminator: one small class for each published pair.

`real` and `generated` are the discriminator's outputs (B,) for real and generated items of the same labels: logits for
losses that are defined by probabilities.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Annotated, ClassVar, Literal

import pydantic

from genset.interfaces import LossContext, Section, Tensor
from genset.models.losses import per_item

Discriminator = Callable[[Tensor], Tensor]
Penalty = Annotated[float, pydantic.Field(ge=0)] | Literal["auto"]


class AdversarialLoss(Section):
    """A loss for each side, and a penalty on the gradient of the discriminator."""

    kind: str
    candidates: ClassVar[tuple[float, ...]] = (0.1, 1.0, 10.0)  # weights that `auto` compares
    penalty: Penalty = 0.0
    """Weight of the gradient penalty; 0 for none; auto compares several in short trials and uses the best."""

    @property
    def weights(self) -> tuple[float, ...]:
        """The candidates for the weight."""
        return self.candidates if self.penalty == "auto" else (self.penalty,)

    @abstractmethod
    def d_loss(self, real: Tensor, generated: Tensor) -> Tensor:
        """(B,) what the discriminator minimises."""

    @abstractmethod
    def g_loss(self, real: Tensor, generated: Tensor) -> Tensor:
        """(B,) what the generator minimises."""

    def penalty_loss(
        self, d: Discriminator, real: Tensor, generated: Tensor, mix: Tensor, context: LossContext
    ) -> Tensor:
        """() the penalty without its weight. R1: half the mean squared gradient of D at real items.

        Mescheder, Geiger and Nowozin 2018, arXiv:1801.04406, equation 9. `mix` (B, 1, ...) is uniform in [0, 1].
        """
        from keras import ops

        return 0.5 * ops.mean(_squared(context.gradient(d, real)))


class NonSaturating(AdversarialLoss):
    """Cross-entropy for D, -log D(G(z)) for G: the textbook's (Goodfellow et al. 2014, arXiv:1406.2661, section 3)."""

    kind: Literal["non_saturating"] = "non_saturating"

    def d_loss(self, real: Tensor, generated: Tensor) -> Tensor:
        from keras import ops

        return ops.softplus(-real) + ops.softplus(generated)

    def g_loss(self, real: Tensor, generated: Tensor) -> Tensor:
        from keras import ops

        return ops.softplus(-generated)


class Hinge(AdversarialLoss):
    """max(0, 1 - D(x)) + max(0, 1 + D(G(z))) and -D(G(z)) (Lim and Ye 2017, arXiv:1705.02894, section 3)."""

    kind: Literal["hinge"] = "hinge"
    candidates: ClassVar[tuple[float, ...]] = (0.01, 0.1, 1.0)
    penalty: Penalty = 0.1
    """Weight of R1, which bounds the discriminator's gradient; 0 for none; auto."""

    def d_loss(self, real: Tensor, generated: Tensor) -> Tensor:
        from keras import ops

        return ops.relu(1 - real) + ops.relu(1 + generated)

    def g_loss(self, real: Tensor, generated: Tensor) -> Tensor:
        return -generated


class WassersteinGradientPenalty(AdversarialLoss):
    """D(G(z)) - D(x) with (|gradient of D between the two| - 1)^2 (Gulrajani et al. 2017, arXiv:1704.00028)."""

    kind: Literal["wgan_gp"] = "wgan_gp"
    candidates: ClassVar[tuple[float, ...]] = (1.0, 10.0, 100.0)
    penalty: Penalty = 10.0
    """Weight of the penalty (lambda); 0 for none; auto."""

    def d_loss(self, real: Tensor, generated: Tensor) -> Tensor:
        return generated - real

    def g_loss(self, real: Tensor, generated: Tensor) -> Tensor:
        return -generated

    def penalty_loss(
        self, d: Discriminator, real: Tensor, generated: Tensor, mix: Tensor, context: LossContext
    ) -> Tensor:
        """() without its weight: the mean squared distance of the slope from 1, at random points between the two."""
        from keras import ops

        slope = ops.sqrt(_squared(context.gradient(d, mix * real + (1 - mix) * generated)) + 1e-12)
        return ops.mean(ops.square(slope - 1))


class Relativistic(AdversarialLoss):
    """softplus of the difference of generated and real, with R1 and R2 (R3GAN: Huang et al. 2024, arXiv:2501.05441)."""

    kind: Literal["relativistic"] = "relativistic"
    candidates: ClassVar[tuple[float, ...]] = (0.03, 0.3, 3.0)
    penalty: Penalty = 0.3
    """Weight of R1 and R2 (gamma); 0 for none; auto."""

    def d_loss(self, real: Tensor, generated: Tensor) -> Tensor:
        from keras import ops

        return ops.softplus(generated - real)

    def g_loss(self, real: Tensor, generated: Tensor) -> Tensor:
        from keras import ops

        return ops.softplus(real - generated)

    def penalty_loss(
        self, d: Discriminator, real: Tensor, generated: Tensor, mix: Tensor, context: LossContext
    ) -> Tensor:
        """() without its weight: half the mean squared gradients of D at real (R1) and at generated items (R2)."""
        from keras import ops

        both = _squared(context.gradient(d, real)) + _squared(context.gradient(d, generated))
        return 0.5 * ops.mean(both)


def _squared(gradient: Tensor) -> Tensor:
    """(B,) squared length of each item's gradient."""
    from keras import ops

    return per_item(ops.square(gradient))


LOSSES: dict[str, type[AdversarialLoss]] = {
    "relativistic": Relativistic,
    "non_saturating": NonSaturating,
    "hinge": Hinge,
    "wgan_gp": WassersteinGradientPenalty,
}
