"""What a generator and a discriminator play for: one small class for each published pair of losses.

`real` and `made` are the discriminator's outputs (B,) for real and made items of the same labels, logits where the
loss knows probabilities.
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
    candidates: ClassVar[tuple[float, ...]] = (0.1, 1.0, 10.0)  # weights that `auto` tries
    penalty: Penalty = 0.0
    """Weight of the gradient penalty; 0 for none; auto tries some for a short while and takes the best."""

    @property
    def weights(self) -> tuple[float, ...]:
        """The weights to choose from."""
        return self.candidates if self.penalty == "auto" else (self.penalty,)

    @abstractmethod
    def d_loss(self, real: Tensor, made: Tensor) -> Tensor:
        """(B,) what the discriminator minimises."""

    @abstractmethod
    def g_loss(self, real: Tensor, made: Tensor) -> Tensor:
        """(B,) what the generator minimises."""

    def penalty_loss(self, d: Discriminator, real: Tensor, made: Tensor, mix: Tensor, moment: LossContext) -> Tensor:
        """() without its weight. R1: half the mean squared gradient of D at real items.

        Mescheder, Geiger and Nowozin 2018, arXiv:1801.04406, equation 9. `mix` (B, 1, ...) is uniform in [0, 1].
        """
        from keras import ops

        return 0.5 * ops.mean(_squared(moment.gradient(d, real)))


class NonSaturating(AdversarialLoss):
    """Cross-entropy for D, -log D(G(z)) for G: the textbook's (Goodfellow et al. 2014, arXiv:1406.2661, section 3)."""

    kind: Literal["non_saturating"] = "non_saturating"

    def d_loss(self, real: Tensor, made: Tensor) -> Tensor:
        from keras import ops

        return ops.softplus(-real) + ops.softplus(made)

    def g_loss(self, real: Tensor, made: Tensor) -> Tensor:
        from keras import ops

        return ops.softplus(-made)


class Hinge(AdversarialLoss):
    """max(0, 1 - D(x)) + max(0, 1 + D(G(z))) and -D(G(z)) (Lim and Ye 2017, arXiv:1705.02894, section 3)."""

    kind: Literal["hinge"] = "hinge"
    candidates: ClassVar[tuple[float, ...]] = (0.01, 0.1, 1.0)
    penalty: Penalty = 0.1
    """Weight of R1, which holds the discriminator's slope; 0 for none; auto."""

    def d_loss(self, real: Tensor, made: Tensor) -> Tensor:
        from keras import ops

        return ops.relu(1 - real) + ops.relu(1 + made)

    def g_loss(self, real: Tensor, made: Tensor) -> Tensor:
        return -made


class WassersteinGradientPenalty(AdversarialLoss):
    """D(G(z)) - D(x) with (|gradient of D between real and made| - 1)^2 (Gulrajani et al. 2017, arXiv:1704.00028)."""

    kind: Literal["wgan_gp"] = "wgan_gp"
    candidates: ClassVar[tuple[float, ...]] = (1.0, 10.0, 100.0)
    penalty: Penalty = 10.0
    """Weight of the penalty (lambda); 0 for none; auto."""

    def d_loss(self, real: Tensor, made: Tensor) -> Tensor:
        return made - real

    def g_loss(self, real: Tensor, made: Tensor) -> Tensor:
        return -made

    def penalty_loss(self, d: Discriminator, real: Tensor, made: Tensor, mix: Tensor, moment: LossContext) -> Tensor:
        """() without its weight: the mean squared distance of the slope from 1, at random places between the two."""
        from keras import ops

        slope = ops.sqrt(_squared(moment.gradient(d, mix * real + (1 - mix) * made)) + 1e-12)
        return ops.mean(ops.square(slope - 1))


class Relativistic(AdversarialLoss):
    """softplus of the difference of made and real, with R1 and R2 (R3GAN: Huang et al. 2024, arXiv:2501.05441)."""

    kind: Literal["relativistic"] = "relativistic"
    candidates: ClassVar[tuple[float, ...]] = (0.03, 0.3, 3.0)
    penalty: Penalty = 0.3
    """Weight of R1 and R2 (gamma); 0 for none; auto."""

    def d_loss(self, real: Tensor, made: Tensor) -> Tensor:
        from keras import ops

        return ops.softplus(made - real)

    def g_loss(self, real: Tensor, made: Tensor) -> Tensor:
        from keras import ops

        return ops.softplus(real - made)

    def penalty_loss(self, d: Discriminator, real: Tensor, made: Tensor, mix: Tensor, moment: LossContext) -> Tensor:
        """() without its weight: half the mean squared gradients of D at real (R1) and at made items (R2)."""
        from keras import ops

        both = _squared(moment.gradient(d, real)) + _squared(moment.gradient(d, made))
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
