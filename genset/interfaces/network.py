"""Network: how encoders and decoders of a modality are built."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from genset.interfaces.arrays import Tensor
from genset.interfaces.section import Section

if TYPE_CHECKING:
    from genset.interfaces.modality import Modality


Trunk = Literal["encoder", "discriminator"]  # the network whose body maps items to features


@dataclass(frozen=True, slots=True)
class Networks:
    """The keras models of one family by role ("encoder", "decoder", ...), and the network that built them."""

    models: Mapping[str, Any]
    network: "Network"

    def __getitem__(self, role: str) -> Any:
        return self.models[role]


class Network(Section):
    """How a modality's encoders and decoders are built: settings and builders, one class for each kind."""

    kind: str

    @abstractmethod
    def trunk(self, modality: "Modality", role: Trunk) -> Any:
        """A keras model from (B, *modality.tensor_shape) to (B, d) features: an encoder without its last layer; or,
        from items as `real` and `generate` return them, a discriminator without its last layer."""

    @abstractmethod
    def decoder(self, modality: "Modality", latent_dim: int, classes: int) -> Any:
        """A keras model that reconstructs items from codes, with inputs and outputs that the other methods know."""

    @abstractmethod
    def reconstruction_loss(
        self, nets: "Networks", z: Tensor, x: Tensor, batch: "Batch", likelihood: Callable[[Tensor, Tensor], Tensor]
    ) -> Tensor:
        """() negative log-likelihood of items x (B, *tensor_shape) given codes z (B, latent_dim), in nats an item.
        `likelihood` (x, rebuilt) is for values in [0, 1]; tokens always have their cross-entropy."""

    @abstractmethod
    def reconstruct(self, nets: "Networks", z: Tensor) -> Tensor:
        """(B, *tensor_shape) reconstructions from codes z (B, latent_dim), differentiable (keras.ops); networks for
        tokens return (B, T, tokens) probabilities, used only by `Family.keras_model`."""

    def generate(self, nets: "Networks", batch: "Batch") -> Tensor:
        """(B, ...) synthetic items from the codes "z" and labels of a batch, as a discriminator sees them,
        differentiable."""
        return self.reconstruct(nets, batch["z"])

    def real(self, modality: "Modality", x: Tensor) -> Tensor:
        """(B, ...) real items x (B, *tensor_shape) as a discriminator sees them."""
        return x

    def items(self, made: Tensor) -> Tensor:
        """(B, *tensor_shape) the items that an output of `generate` encodes."""
        return made

    @abstractmethod
    def exported(self, nets: "Networks", modality: "Modality") -> Mapping[str, Any]:
        """The keras models that `modality.render` samples with, by name; the first one takes codes."""


Batch = Mapping[str, Tensor]
"""What a loss sees of some items: "x" (B, *tensor_shape), "label" (B, classes) as one-hot rows, and the random inputs
that the stage drew for this step; if the stage requests them, "z" (B, length of a draw), draws of the density for the
same labels, and "code" (B, latent_dim), the codes of the items."""
