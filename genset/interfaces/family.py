"""Family and Prior: training rules, and densities on the latent code."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from genset.interfaces.arrays import Floats, Labels, Tensor, Tensors
from genset.interfaces.modality import Modality
from genset.interfaces.network import Batch, Network, Networks
from genset.interfaces.section import Section


@dataclass(frozen=True, slots=True)
class LossContext:
    """What a loss depends on besides networks and batch, and the operation that only the trainer's backend has."""

    progress: Tensor  # of the stage, in [0, 1]
    lazy_due: bool  # whether costly terms are computed in this step: see `TrainingStage.lazy_every`
    training: bool  # whether a weight update follows; False on the validation set
    tuned_value: Tensor  # the value that the trainer chose among `TrainingStage.tuned_values`
    gradient: Callable[[Callable[[Tensor], Tensor], Tensor], Tensor]
    """(function from (B, ...) to (B, ...), x) -> d sum(function(x)) / dx, itself differentiable."""


@dataclass(frozen=True, slots=True)
class Update:
    """One optimiser step on some networks: a GAN has two, the others one."""

    name: str
    roles: tuple[str, ...]  # the networks whose weights change
    loss: Callable[[Networks, Batch, LossContext], Mapping[str, Tensor]]
    """The first of the returned losses is minimised."""
    rate: float = 1.0  # factor on the learning rate
    beta_1: float = 0.9  # Adam's
    beta_2: float = 0.999


@dataclass(frozen=True, slots=True)
class TrainingStage:
    """A part of a training with its own updates: an autoencoder has one, a GAN with a warm start has two."""

    name: str
    updates: tuple[Update, ...]
    draw: Callable[[np.random.Generator, int], Mapping[str, Tensors]]
    """(generator, B) -> the random inputs of one step, so that losses draw nothing themselves."""
    share: float = 1.0  # of the budget
    needs: tuple[int, float] = (0, 1.0)
    """(steps, maximum share): the next stage needs so many steps of this one. If `share` of a budget in seconds is too
    short for them, this stage gets more of the budget, up to the maximum share."""
    learning_rate: float = 2e-3  # at the start, unless the config sets it
    max_batch_size: int = 128  # unless the config sets the batch size
    validations: int = 40  # in the complete stage
    patience: int = 12  # validations in a row without improvement that end the stage, unless the config sets it
    samples: bool = False
    """Whether batches carry "z" drawn from the density on z, and validations evaluate samples instead of losses."""
    space: Literal["items", "codes"] = "items"  # what the samples are, and are compared with
    average: tuple[str, ...] = ()  # networks of which the running mean of the weights is kept instead of the last ones
    lazy_every: int = 1  # costly terms of the losses are computed in every n-th step
    tuned_values: tuple[float, ...] = (0.0,)  # candidates for `LossContext.tuned_value`: several are tried briefly


class Family(Section):
    """A model family: its settings and its training rule. Sums over all axes but 0; does not know what an item is."""

    kind: str

    @abstractmethod
    def build(self, modality: Modality, network: Network, latent_dim: int, classes: int) -> Networks:
        """The networks of this family, untrained."""

    @abstractmethod
    def stages(self, modality: Modality, latent_dim: int, items: int) -> tuple[TrainingStage, ...]:
        """The parts of the training on this number of training items, in order."""

    def resolved(self, shares: Sequence[float], tuned_values: Sequence[float]) -> Self:
        """The same family with what the training chose: the fraction of steps of each stage, and its tuned value."""
        return self

    def for_modality(self, modality: type[Modality]) -> Self:
        """The same family with the defaults of the modality. Raises GensetError for an impossible combination."""
        return self

    def density(self, prior: "Prior") -> "Prior":
        """The density that z is drawn from: that of the config, unless the family has its own."""
        return prior

    def notes(self, row: Mapping[str, float], modality: Modality) -> Sequence[tuple[str, str]]:
        """(kind, text) notes about the training, from the row of its history that is kept; INFORMATION: no problem."""
        return ()

    def codes(self, nets: Networks, x: Tensor) -> Tensor:
        """(B, latent_dim) codes of items, to which a density is fitted."""
        raise NotImplementedError(f"{self.kind} has no encoder")

    def encoder(self, nets: Networks, modality: Modality) -> Any:
        """The exported keras model from items (B, *tensor_shape) to codes (B, latent_dim); None without encoder."""
        if "encoder" not in nets.models:
            return None
        import keras

        x = keras.Input(modality.tensor_shape, dtype=modality.tensor_dtype, name="x")
        return keras.Model(x, self.codes(nets, x), name="codes")

    def sampler(self, nets: Networks, modality: Modality) -> Mapping[str, Any]:
        """The exported keras models by name: those of `Network.exported`, and "codes", from draws of the density to
        codes, if they differ."""
        return nets.network.exported(nets, modality)

    @abstractmethod
    def keras_model(self, nets: Networks, modality: Modality) -> Any:
        """The one keras model that is saved for people who continue in Keras."""


class Prior(Section):
    """A density on z, fitted after training, from which codes are drawn."""

    kind: str
    learns: ClassVar[bool] = True  # whether it is fitted to codes; otherwise it is fixed

    def length(self, latent_dim: int, classes: int) -> int:
        """Length of a draw."""
        return latent_dim

    @abstractmethod
    def fit(
        self, codes: npt.NDArray[np.float64], labels: Labels, classes: int, seed: int
    ) -> dict[str, npt.NDArray[Any]]:
        """The arrays that `draw` needs; they are saved beside the model."""

    @abstractmethod
    def draw(self, arrays: Mapping[str, npt.NDArray[Any]], label: int, rngs: Sequence[np.random.Generator]) -> Floats:
        """(N, latent_dim) codes of one class, code n from generator n alone."""
