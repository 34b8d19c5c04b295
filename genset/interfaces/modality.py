"""Modality: what one item is, from bytes to tensors and back."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from genset.interfaces.arrays import Floats, ItemArray, Items, Labels, Tensor, Tensors
from genset.interfaces.augmentation import Augmentation, Step
from genset.interfaces.items import (
    DecodedInfo,
    Fingerprint,
    ItemSource,
    Preview,
    Similarity,
    SourceEntry,
    SuggestedSetting,
)
from genset.interfaces.network import Network
from genset.interfaces.problems import Rule, UndecodableError
from genset.interfaces.section import Section

if TYPE_CHECKING:
    from genset.interfaces.metric import MetricInfo


class Sampling(Section):
    """How items are sampled from a model's output; a modality whose models draw no random numbers has no keys."""

    def steady(self) -> Self:
        """The same with as little randomness as possible, for items that are shown side by side."""
        return self


@dataclass(frozen=True, slots=True)
class TrainingDefaults:
    """What training does with items of a modality, unless the config says otherwise."""

    gan_space: Literal["items", "codes"] = "items"  # what a GAN generates
    gan_reconstruction_weight: float = 0.0  # of the reconstruction loss of a GAN on items
    gan_warm_start: float = 0.3  # fraction of the budget for the warm start of a GAN on items
    free_bits: float = 0.0  # nats of each value of z that cost a VAE nothing
    clean_targets: bool = False  # whether the target of a perturbed item is the unperturbed one


class Modality(ABC):
    """What one item is: how it is read, written, compared, transformed and converted to tensors."""

    kind: ClassVar[str]
    Settings: ClassVar[type[Section]]
    suffixes: ClassVar[tuple[str, ...]]  # of files that hold items, lower case
    suffix: ClassVar[str]  # of files that genset writes
    networks: ClassVar[Mapping[str, type[Network]]]
    augmentations: ClassVar[Mapping[str, type[Step]]]
    default_steps: ClassVar[tuple[Step, ...]]  # mild transforms that rarely change a label
    wide_steps: ClassVar[tuple[Augmentation, ...]] = ()  # those that rand_augment and trivial_augment choose among
    Sampling: ClassVar[type[Sampling]] = Sampling
    sheet_suffix: ClassVar[str] = ".png"  # of the file that shows samples
    item_dtype: ClassVar[Literal["uint8", "int16"]] = "uint8"
    state_files: ClassVar[tuple[str, ...]] = ()  # files in a model's folder with what is learned besides the networks
    training: ClassVar[TrainingDefaults] = TrainingDefaults()  # what training does unless the config says otherwise
    array_axes: ClassVar[tuple[int, ...]] = ()  # numbers of axes that arrays of other programs may have
    tensor_dtype: ClassVar[Literal["float32", "int32"]] = "float32"
    fixed_shape: ClassVar[bool] = True  # whether all items have one shape; otherwise a shorter item is no other kind
    feature: ClassVar[str] = ""  # type in Hugging Face's `datasets` of an item that is a file: Image or Audio
    rows: ClassVar[bool] = False  # whether a version holds rows instead of files
    class_column: ClassVar[str] = ""  # the setting that names the class column, if items are rows of tables
    near_duplicate_threshold: ClassVar[float]  # default similarity at or above which two items are near-duplicates
    figures: ClassVar[tuple["MetricInfo", ...]] = ()  # figures that only this modality has
    shared_unit: ClassVar[bool] = False  # whether all features have one unit; otherwise each is divided by its spread
    rules: ClassVar[Mapping[str, Rule]] = {}  # possible problems of single items, by name
    fault_messages: ClassVar[Mapping[str, str]] = {}  # reasons that `faults` may return, each with its text

    @abstractmethod
    def __init__(self, settings: Any) -> None:
        """A modality with settings, of which some may be open; decode, encode and tensors follow them."""

    settings: Any

    def for_files(self, files: Sequence[Path]) -> Self:
        """The modality with what the user's files say before any is decoded, such as the names of columns."""
        return self

    def entries(self, path: Path, *, top: bool) -> Iterable[SourceEntry]:
        """The items of a file, in order; `top`: the file is in no class folder. Raises OSError."""
        return (SourceEntry(),)

    def file_label(self, path: Path) -> str:
        """The label that the name of a file outside class folders gives; "" for none."""
        return ""

    @abstractmethod
    def probe(self, raw: ItemSource, *, fingerprinted: bool = False, measured: bool = False) -> DecodedInfo:
        """Decode an item without conversion; compute its fingerprint and the values of the rules if requested.

        Raises UndecodableError with the reason.
        """

    def measured(self, probes: Sequence[DecodedInfo]) -> Mapping[str, npt.NDArray[Any]]:
        """(N,) the value of each rule, by name: those of the probes, and those that only all probes together give."""
        return {name: np.array([probe.values[name] for probe in probes]) for name in self.rules}

    @classmethod
    @abstractmethod
    def resolve_settings(cls, settings: Any, probes: Sequence[DecodedInfo]) -> Any:
        """The settings, with what the user left open (size, rate, length) taken from the data."""

    def suggested_settings(self, probes: Sequence[DecodedInfo]) -> Sequence[SuggestedSetting]:
        """The settings that suit the user's items, as config keys, with the reasons."""
        return ()

    def conversions(self, probes: Sequence[DecodedInfo]) -> str:
        """One line about what the configured form changes in the items; "" if nothing worth reporting."""
        return ""

    def for_native_sizes(self, probes: Sequence[DecodedInfo]) -> Self:
        """The modality that can write items in their own size, where that depends on all items, such as the sample
        rate of sounds."""
        return self

    @abstractmethod
    def decode_native(self, raw: ItemSource) -> ItemArray:
        """One item in its own size. Raises UndecodableError."""

    @abstractmethod
    def decode(self, raw: ItemSource) -> ItemArray:
        """One item in the configured form, of `item_shape`. Raises UndecodableError."""

    @abstractmethod
    def encode(self, item: ItemArray) -> bytes:
        """The bytes of a file with `suffix` that decodes to exactly `item`."""

    def from_array(self, array: npt.NDArray[Any]) -> ItemArray:
        """An item that `encode` takes, from an array of another program. Raises UndecodableError."""
        raise UndecodableError(f"an array of shape {array.shape} is no {self.kind}")

    def raw(self, text: str) -> ItemSource:
        """The item that a user names on the command line: a path, unless the modality accepts items themselves."""
        return Path(text)

    def to_row(self, item: ItemArray) -> Mapping[str, Any] | None:
        """The item as columns of a row, for a modality whose versions hold rows; None for files."""
        return None

    @property
    def form(self) -> Mapping[str, Any]:
        """The settings that `from_row` needs to read the rows of a version."""
        return {}

    def from_row(self, row: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """(the item, the other columns) of a row that `to_row` wrote."""
        raise NotImplementedError(f"{self.kind} items are files")

    def fitted(self, items: Items, labels: Labels) -> Self:
        """The modality with what it learns itself from the training items and their classes, such as tokens."""
        return self

    @property
    def state(self) -> Mapping[str, bytes]:
        """What `fitted` added, as the files of `state_files`."""
        return {}

    def with_state(self, state: Mapping[str, bytes]) -> Self:
        """The modality with a saved `state`."""
        return self

    @property
    @abstractmethod
    def item_shape(self) -> tuple[int, ...]:
        """Shape of one decoded item."""

    @property
    @abstractmethod
    def tensor_shape(self) -> tuple[int, ...]:
        """Shape of one item as the networks see it. Some modalities know it only after `fitted`."""

    @property
    @abstractmethod
    def latent_dim(self) -> int:
        """The default length of z for items of this shape."""

    @abstractmethod
    def to_tensor(self, items: Items) -> Tensors:
        """(B, *item_shape) to (B, *tensor_shape)."""

    @abstractmethod
    def from_tensor(self, tensor: Tensors) -> Items:
        """(B, *tensor_shape) to (B, *item_shape)."""

    @abstractmethod
    def render(
        self,
        models: Mapping[str, Callable[..., Sequence[Tensors]]],
        z: Floats,
        label: Floats,
        rngs: Sequence[np.random.Generator],
        sampling: Any,
    ) -> Items:
        """Items from codes z (N, latent_dim) and labels (N, classes) by the networks of `Network.exported`; the draws
        of item n come from generator n."""

    def errors(
        self, models: Mapping[str, Callable[..., Sequence[Tensors]]], z: Floats, label: Floats, items: Items
    ) -> Floats:
        """(N,) reconstruction error of codes z: mean squared error, or nats per token."""
        difference = self.to_tensor(items) - models["generator"](z)[0]
        out: Floats = np.square(difference).reshape(len(items), -1).mean(axis=1)
        return out

    def faults(self, items: Items) -> npt.NDArray[np.str_]:
        """(N,) why a synthetic item is unusable, a key of `fault_messages`; "" for the others."""
        return np.full(len(items), "", dtype="U16")

    def measure(self, train: Items, test: Items, made: Items) -> Mapping[str, float]:
        """The values of `figures` on items in the configured form. Raises MetricSkippedError."""
        return {}

    def draw_noise(self, rng: np.random.Generator, size: int) -> Mapping[str, Tensors]:
        """The random inputs of `Network.generate` for a batch, (B, ...) each."""
        return {}

    @abstractmethod
    def draw_perturbation(self, rng: np.random.Generator, size: int, *, strong: bool) -> Mapping[str, Tensors]:
        """The random inputs of `perturb` for a batch, (B, ...) each. Strong ones may hide much of an item."""

    @abstractmethod
    def perturb(self, x: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        """Items (B, *tensor_shape), or as a discriminator sees them, changed slightly against overfitting,
        differentiable (keras.ops)."""

    @abstractmethod
    def features(self, items: Items) -> Floats:
        """(N, d) features in which a linear model separates classes; fixed: nothing is learned or downloaded."""

    def tensor_features(self, tensor: Tensors) -> Floats:
        """(N, d) the `features` of the items in a tensor (N, *tensor_shape)."""
        return self.features(self.from_tensor(tensor))

    def round_trip(self, items: Items) -> Items | None:
        """Real items converted to tensors and back, if that loses something: the best that any model can reach. None
        if nothing is lost."""
        return None

    @abstractmethod
    def closeness(self, items: Items) -> Floats:
        """(N, d) vectors whose Euclidean distance says how close two items are to being the same."""

    @abstractmethod
    def similarity(self, fingerprints: Sequence[Fingerprint]) -> Similarity:
        """The similarity of items, by the fingerprints of their probes."""

    @abstractmethod
    def sheet(self, items: Items, titles: Sequence[str]) -> bytes:
        """A file with `sheet_suffix` that shows items, the same number under each title: item k is under title
        k // (len(items) // len(titles))."""

    @abstractmethod
    def preview(self, item: ItemArray) -> Sequence[Preview]:
        """What a page shows of an item in the configured form: pictures, sounds, plain text. The size is bounded for
        every item."""

    @abstractmethod
    def describe(self, probes: Sequence[DecodedInfo]) -> Mapping[str, Mapping[str, int]]:
        """Counts of traits for `inspect`, such as {"size": {"8x8": 1797}, "mode": {"L": 1797}}."""
