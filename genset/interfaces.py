"""READ FIRST. What people add to genset: a Modality, Network, Family, Prior, Augmentation, Metric or Exporter.

One rule decides where a line belongs: does it look past axis 0? What one item is (pixels, tokens, samples)
belongs to a modality. Code that counts, hashes, shuffles, splits, seeds or versions belongs to the pipeline.
A family knows a latent vector `z`, labels and a training rule, and sums over all axes but 0.

Each kind is a settings class (`Section`, read from the config) that also does the work, and is listed in ONE table.
Reading a config must not import TensorFlow, so code that needs keras imports it inside the function that trains.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import pydantic
from pydantic_core import PydanticCustomError, core_schema

from genset.yaml_source import did_you_mean

if TYPE_CHECKING:
    from genset.dataset import Item as VersionItem
    from genset.dataset import Record
    from genset.versions import Draft

Item = npt.NDArray[Any]  # one decoded item, in the compact form of its modality: of `Modality.item_dtype`
Items = npt.NDArray[Any]  # (N, ...) items of one shape
Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]  # (N,) index of each item's class
Keys = npt.NDArray[np.uint64]  # (N, K): items that share one are looked at together
Pairs = npt.NDArray[np.int64]  # (P, 2) row numbers
Tensors = npt.NDArray[Any]  # (B, ...) items as the networks see them: float32 in [0, 1], or int32 numbers of tokens
Trunk = Literal["encoder", "discriminator"]  # the network whose body maps items to features
Tensor = Any  # a keras tensor: only code that trains sees one


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a recording that is an item by itself."""

    path: Path
    start: float  # seconds
    stop: float


Sketch = npt.NDArray[Any]  # small arrays that near-duplicates are found by; each modality has its own shape
Raw = Path | str | Piece  # what an item is read from: a file, a text of a file of many, a part of a recording
INFORMATION = "information"  # the kind of a note that is no problem
Action = Literal["off", "report", "quarantine"]


class Section(pydantic.BaseModel):
    """A part of the config: frozen, strict, without unknown keys."""

    model_config = pydantic.ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    renamed: ClassVar[Mapping[str, str]] = {}  # {old key: new key}: the error for an old key names the new one
    renamed_values: ClassVar[Mapping[str, Mapping[str, str]]] = {}  # {key: {old word: new word}}, likewise
    formerly: ClassVar[str] = ""  # the old name of this kind of a table: the error for it names the new one


class Kinds:
    """Annotation of a config key: a section picked from `table` by its `kind:`; a bare word means {kind: word}, and a
    section with a key named like its kind needs no `kind:`."""

    def __init__(self, table: Mapping[str, type[Section]]) -> None:
        self.table = table

    def __get_pydantic_core_schema__(
        self, source: Any, handler: pydantic.GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        # The tag has angle brackets in an error's location, as it is no key of the user's file.
        choices = {f"<{kind}>": handler.generate_schema(section) for kind, section in self.table.items()}
        tagged = core_schema.tagged_union_schema(choices, discriminator=self._tag)
        return core_schema.no_info_before_validator_function(self._expand, tagged)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> dict[str, Any]:
        sections = handler(schema)["oneOf"]
        return {"anyOf": [{"type": "string", "enum": list(self.table)}, *sections]}

    @staticmethod
    def _tag(value: Any) -> str:
        return f"<{value['kind'] if isinstance(value, dict) else value.kind}>"

    def _expand(self, value: Any) -> Any:
        if isinstance(value, Section):
            return value
        value = {"kind": value} if isinstance(value, str) else value
        if not isinstance(value, dict):
            raise PydanticCustomError("kind_type", "must be a word or a section with `kind:`")
        named = [key for key in value if key in self.table and key in self.table[key].model_fields]
        if "kind" not in value and len(named) == 1:  # {one_of: [...]} is {kind: one_of, one_of: [...]}
            value = {"kind": named[0], **value}
        kind = value.get("kind", next((key for key in value if did_you_mean(key, self.table)), None))
        if "kind" not in value or not isinstance(kind, str) or kind not in self.table:
            now = next((name for name, section in self.table.items() if kind and section.formerly == kind), "")
            raise PydanticCustomError("kind", "no such kind", {"got": kind, "kinds": list(self.table), "now": now})
        return value


@dataclass(frozen=True, slots=True)
class Choice:
    """A config key with a value that suits the user's items, and the reason."""

    key: str
    value: Any
    why: str
    sure: bool = True  # False: only a suggestion, written to the config as a comment


@dataclass(frozen=True, slots=True)
class Probe:
    """What one file decodes to, before it is converted to the configured form."""

    digest: str  # of the decoded content: the same pixels in a PNG and a BMP have one digest
    traits: Mapping[str, Any]  # what the modality's `settle` and `inspect` need, such as width and mode
    loadable: str = ""  # suffix with which every common loader reads the file's own bytes; "": encode it again
    sketch: Sketch | None = None  # by which near-duplicates are found; None if it was not requested
    values: Mapping[str, float | str] = field(
        default_factory=dict
    )  # the values that rules check, if they were requested


@dataclass(frozen=True, slots=True)
class Rule:
    """A possible problem of one item, measured by one value: the higher, the worse."""

    what: str  # one line about such items: the docstring of the config key
    reason: str  # the reason in a report, with {value}, {inverse} (1 - value), {usual} (of the dataset), {score}
    threshold: float  # of the score, if the config gives none
    measure: Literal["value", "deviation", "rarity"] = "deviation"
    """What the score is. value: the value itself; deviation: how many usual deviations (at least `least`) the value is
    above the median of the dataset; rarity: the fraction of items with another value, which is a word or a number that
    names a kind."""
    least: float = 0.0  # lower bound of the usual deviation, in units of the value
    most: float = float("inf")  # upper bound of the usual deviation
    bound: float = -float("inf")  # a value below it is never reported
    both: bool = False  # whether a value far below the median is a problem too
    log: bool = False  # whether to compare ratios, not differences: `least` is a natural logarithm
    kind: Action = "report"  # the default action


class Likeness(ABC):
    """How similar items are, by their fingerprints. Candidate pairs are found by keys."""

    keys: Keys  # (N, K): near-duplicates share at least one key, other items seldom

    @abstractmethod
    def __call__(self, pairs: Pairs) -> Floats:
        """(P,) similarity of pairs of row numbers, from 0 to 1 for equal items; the order in a pair may matter."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One item in a user's file, before it is decoded."""

    content: str | None = None  # the item itself, if the file holds several; None if the file is the item
    place: str = ""  # position in the file, such as a line number
    label: str | None = None  # given beside the item; None if only the path of the file can say
    columns: Mapping[str, str] = field(default_factory=dict)  # the other columns
    fault: str = ""  # why there is no item at this position
    piece: tuple[float, float] | None = None
    """(start, stop) in seconds, if the item is a part of a recording: parts of one file are one group."""


UNDECODABLE = "undecodable"  # the kind of problem that follows


class UndecodableError(Exception):
    """A file that holds no item of this modality; the text is the reason for the report."""


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
        from items as `real` and `synthetic` return them, a discriminator without its last layer."""

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
    def rebuilt(self, nets: "Networks", z: Tensor) -> Tensor:
        """(B, *tensor_shape) reconstructions from codes z (B, latent_dim), differentiable (keras.ops); networks for
        tokens return (B, T, tokens) probabilities, used only by `Family.keras_model`."""

    def made(self, nets: "Networks", batch: "Batch") -> Tensor:
        """(B, ...) synthetic items from the codes "z" and labels of a batch, as a discriminator sees them,
        differentiable."""
        return self.rebuilt(nets, batch["z"])

    def real(self, modality: "Modality", x: Tensor) -> Tensor:
        """(B, ...) real items x (B, *tensor_shape) as a discriminator sees them."""
        return x

    def items(self, made: Tensor) -> Tensor:
        """(B, *tensor_shape) the items that an output of `synthetic` encodes."""
        return made

    @abstractmethod
    def exported(self, nets: "Networks", modality: "Modality") -> Mapping[str, Any]:
        """The keras models that `modality.render` samples with, by name; the first one takes codes."""


Drawn = dict[
    str, Any
]  # the parameters drawn for one application of a transform: plain values, recorded beside the item


@dataclass(frozen=True, slots=True)
class Partner:
    """A second real training item, for a transform that mixes two."""

    record: "Record"
    item: Item


class Company(ABC):
    """The label of the item that is transformed, and the other training items that it can be mixed with."""

    @property
    @abstractmethod
    def label(self) -> str:
        """The class of the item."""

    @abstractmethod
    def partner(self, rng: np.random.Generator, among: Literal["same_class", "any_class"]) -> Partner | None:
        """Another training item, drawn at random; None if there is none. Always takes one number from the generator."""

    @abstractmethod
    def between(self, partner: Partner, share: float, rng: np.random.Generator) -> Item:
        """The item that a model decodes from a code between the unchanged item and the partner, `share` of the way.
        Raises GensetError without a model."""


class Step(Section):
    """One element of the transform language: a transform, or a step that chooses among steps."""

    kind: str
    p: float = pydantic.Field(1.0, ge=0, le=1)
    """Probability that the step is applied to an item."""
    only_for: list[str] | None = pydantic.Field(None, min_length=1)
    """The classes that the step applies to. Default: all."""
    not_for: list[str] | None = None
    """Classes that the step does not change, such as ["6", "9"] for a mirror."""

    def placed(self, start: Path) -> Self:
        """The step with paths relative to a folder: that of the config file that contains them."""
        return self

    def bound(self, modality: "Modality") -> Self:
        """The step for items of a modality, such as sounds of one sample rate. Raises GensetError if a file that the
        step needs is missing."""
        return self

    def fits(self, label: str) -> bool:
        """Whether the step applies to items of a class."""
        return label not in (self.not_for or ()) and (self.only_for is None or label in self.only_for)

    def parts(self) -> Sequence["Step"]:
        """The steps that this one chooses among; none for a transform."""
        return ()

    def take(self, item: Item, rng: np.random.Generator, company: Company) -> tuple[Item, list[Drawn]]:
        """(the item, transformed if the step applies to its class and `p` allows it; one row of drawn parameters for
        each transform that was applied)."""
        if not self.fits(company.label) or rng.random() >= self.p:
            return item, []
        return self.run(item, rng, company)

    @abstractmethod
    def run(self, item: Item, rng: np.random.Generator, company: Company) -> tuple[Item, list[Drawn]]:
        """(the transformed item, the drawn parameters). Every draw comes from `rng`."""


class Augmentation(Step):
    """A label-preserving transform of one item."""

    scaled: ClassVar[tuple[str, ...]] = ()  # settings that say how strong the change is: 0 is no change

    def at(self, strength: float) -> Self:
        """The step with its `scaled` settings multiplied by a strength."""
        return self.model_copy(update={name: strength * getattr(self, name) for name in self.scaled})

    def run(self, item: Item, rng: np.random.Generator, company: Company) -> tuple[Item, list[Drawn]]:
        """(the transformed item, the one row of drawn parameters)."""
        drawn = self.draw(rng)
        return self.apply(item, rng, **drawn), [{"kind": self.kind, **drawn}]

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Drawn:
        """The parameters of one application: plain numbers, recorded beside the item."""

    @abstractmethod
    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        """The transformed item: same dtype and range, and the same shape if the modality's items have a fixed one."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """What a browser can show or play of one item, without HTML: the page decides where to put it."""

    media_type: str  # such as image/png
    data: bytes


class Mixing(Step):
    """A transform that mixes in a second item: the first keeps at least half of its label."""

    partners: Literal["same_class", "any_class"] = "any_class"
    """The class of the second item. any_class: any; the column `soft_label` of the metadata then says how much of
    each class is in the item."""

    def run(self, item: Item, rng: np.random.Generator, company: Company) -> tuple[Item, list[Drawn]]:
        """(the mixed item, the drawn parameters with the partner and its share); the unchanged item if there is no
        other one."""
        partner, drawn = company.partner(rng, self.partners), self.draw(rng)
        if partner is None:
            return item, []
        mixed, share = self.mixed(item, partner, rng, company, **drawn)
        details = {"partner": partner.record.id, "partner_label": partner.record.label, "share": share}
        return mixed, [{"kind": self.kind, **drawn, **details}]

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Drawn:
        """The parameters of one application."""

    @abstractmethod
    def mixed(
        self, item: Item, partner: Partner, rng: np.random.Generator, company: Company, **drawn: Any
    ) -> tuple[Item, float]:
        """(the mixed item, with the shape, dtype and range of the first; the partner's share of it, in [0, 0.5])."""


class Sampling(Section):
    """How items are sampled from a model's output; a modality whose models draw no random numbers has no keys."""

    def steady(self) -> Self:
        """The same with as little randomness as possible, for items that are shown side by side."""
        return self


class Modality(ABC):
    """What one item is: how it is read, written, compared, transformed and converted to tensors."""

    kind: ClassVar[str]
    Settings: ClassVar[type[Section]]
    suffixes: ClassVar[tuple[str, ...]]  # of files that hold items, lower case
    suffix: ClassVar[str]  # of files that genset writes
    networks: ClassVar[Mapping[str, type[Network]]]
    augmentations: ClassVar[Mapping[str, type[Step]]]
    default_steps: ClassVar[tuple[Step, ...]]  # mild transforms that rarely change a label
    wide_steps: ClassVar[
        tuple[Augmentation, ...]
    ] = ()  # the transforms that rand_augment and trivial_augment choose among
    Sampling: ClassVar[type[Sampling]] = Sampling
    sheet_suffix: ClassVar[str] = ".png"  # of the file that shows samples
    item_dtype: ClassVar[Literal["uint8", "int16"]] = "uint8"
    state_files: ClassVar[tuple[str, ...]] = ()  # files in a model's folder with what is learned besides the networks
    adversarial_space: ClassVar[Literal["items", "codes"]] = "items"  # what a GAN generates, by default
    adversarial_reconstruction_weight: ClassVar[float] = 0.0  # of the reconstruction loss of a GAN on items
    adversarial_warm_start: ClassVar[float] = 0.3  # default fraction of the budget for the warm start of a GAN
    free_bits: ClassVar[float] = 0.0  # nats of each value of z that cost a VAE nothing
    array_axes: ClassVar[tuple[int, ...]] = ()  # numbers of axes that arrays of other programs may have
    tensor_dtype: ClassVar[Literal["float32", "int32"]] = "float32"
    fixed_shape: ClassVar[bool] = True  # whether all items have one shape; otherwise a shorter item is no other kind
    feature: ClassVar[str] = (
        ""  # the feature type of Hugging Face's `datasets` for an item that is a file: Image or Audio
    )
    rows: ClassVar[bool] = False  # whether a version holds rows instead of files
    class_column: ClassVar[str] = ""  # the setting that names the class column, if items are rows of tables
    near: ClassVar[float]  # default similarity at or above which two items are near-duplicates
    denoises: ClassVar[bool] = False  # whether the reconstruction target of a perturbed item is the unperturbed one
    figures: ClassVar[tuple["Figure", ...]] = ()  # figures that only this modality has
    shared_unit: ClassVar[bool] = False  # whether all features have one unit; otherwise each is divided by its spread
    rules: ClassVar[Mapping[str, Rule]] = {}  # possible problems of single items, by name
    faults_told: ClassVar[Mapping[str, str]] = {}  # reasons that `faults` may return, each with its text: "it was ..."

    @abstractmethod
    def __init__(self, settings: Any) -> None:
        """A modality with settings, of which some may be open; decode, encode and tensors follow them."""

    settings: Any

    def opened(self, files: Sequence[Path]) -> Self:
        """The modality with what the user's files say before any is decoded, such as the names of columns."""
        return self

    def entries(self, path: Path, *, top: bool) -> Iterable[Entry]:
        """The items of a file, in order; `top`: the file is in no class folder. Raises OSError."""
        return (Entry(),)

    def file_label(self, path: Path) -> str:
        """The label that the name of a file outside class folders gives; "" for none."""
        return ""

    @abstractmethod
    def probe(self, raw: Raw, *, sketched: bool = False, measured: bool = False) -> Probe:
        """Decode an item without conversion; compute its fingerprint and the values of the rules if requested.

        Raises UndecodableError with the reason.
        """

    def measured(self, probes: Sequence[Probe]) -> Mapping[str, npt.NDArray[Any]]:
        """(N,) the value of each rule, by name: those of the probes, and those that only all probes together give."""
        return {name: np.array([probe.values[name] for probe in probes]) for name in self.rules}

    @classmethod
    @abstractmethod
    def settle(cls, settings: Any, probes: Sequence[Probe]) -> Any:
        """The settings, with what the user left open (size, rate, length) taken from the data."""

    def choices(self, probes: Sequence[Probe]) -> Sequence[Choice]:
        """The settings that suit the user's items, as config keys, with the reasons."""
        return ()

    def conversions(self, probes: Sequence[Probe]) -> str:
        """One line about what the configured form changes in the items; "" if nothing worth reporting."""
        return ""

    def beside(self, probes: Sequence[Probe]) -> Self:
        """The modality that can write items in their own size, where that depends on all items, such as the sample
        rate of sounds."""
        return self

    @abstractmethod
    def native(self, raw: Raw) -> Item:
        """One item in its own size. Raises UndecodableError."""

    @abstractmethod
    def decode(self, raw: Raw) -> Item:
        """One item in the configured form, of `item_shape`. Raises UndecodableError."""

    @abstractmethod
    def encode(self, item: Item) -> bytes:
        """The bytes of a file with `suffix` that decodes to exactly `item`."""

    def from_array(self, array: npt.NDArray[Any]) -> Item:
        """An item that `encode` takes, from an array of another program. Raises UndecodableError."""
        raise UndecodableError(f"an array of shape {array.shape} is no {self.kind}")

    def raw(self, text: str) -> Raw:
        """The item that a user names on the command line: a path, unless the modality accepts items themselves."""
        return Path(text)

    def fields(self, item: Item) -> Mapping[str, Any] | None:
        """The item as columns of a row, for a modality whose versions hold rows; None for files."""
        return None

    @property
    def form(self) -> Mapping[str, Any]:
        """The settings that `content` needs to read the rows of a version."""
        return {}

    def content(self, row: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """(the item, the other columns) of a row that `fields` wrote."""
        raise NotImplementedError(f"{self.kind} items are files")

    def learned(self, items: Items, labels: Labels) -> Self:
        """The modality with what it learns itself from the training items and their classes, such as tokens."""
        return self

    @property
    def state(self) -> Mapping[str, bytes]:
        """What `learned` added, as the files of `state_files`."""
        return {}

    def restored(self, state: Mapping[str, bytes]) -> Self:
        """The modality with a saved `state`."""
        return self

    @property
    @abstractmethod
    def item_shape(self) -> tuple[int, ...]:
        """Shape of one decoded item."""

    @property
    @abstractmethod
    def tensor_shape(self) -> tuple[int, ...]:
        """Shape of one item as the networks see it. Some modalities know it only after `learned`."""

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
        """(N,) why a synthetic item is unusable, a key of `faults_told`; "" for the others."""
        return np.full(len(items), "", dtype="U16")

    def measure(self, train: Items, test: Items, made: Items) -> Mapping[str, float]:
        """The values of `figures` on items in the configured form. Raises SkipError."""
        return {}

    def draw_noise(self, rng: np.random.Generator, size: int) -> Mapping[str, Tensors]:
        """The random inputs of `Network.synthetic` for a batch, (B, ...) each."""
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

    def there_and_back(self, items: Items) -> Items | None:
        """Real items converted to tensors and back, if that loses something: the best that any model can reach. None
        if nothing is lost."""
        return None

    @abstractmethod
    def closeness(self, items: Items) -> Floats:
        """(N, d) vectors whose Euclidean distance says how close two items are to being the same."""

    @abstractmethod
    def likeness(self, sketches: Sequence[Sketch]) -> Likeness:
        """The similarity of items, by the fingerprints of their probes."""

    @abstractmethod
    def sheet(self, items: Items, titles: Sequence[str]) -> bytes:
        """A file with `sheet_suffix` that shows items, the same number under each title: item k is under title
        k // (len(items) // len(titles))."""

    @abstractmethod
    def exhibit(self, item: Item) -> Sequence[Exhibit]:
        """What a page shows of an item in the configured form: pictures, sounds, plain text. The size is bounded for
        every item."""

    @abstractmethod
    def describe(self, probes: Sequence[Probe]) -> Mapping[str, Mapping[str, int]]:
        """Counts of traits for `inspect`, such as {"size": {"8x8": 1797}, "mode": {"L": 1797}}."""


Batch = Mapping[str, Tensor]
"""What a loss sees of some items: "x" (B, *tensor_shape), "label" (B, classes) as one-hot rows, and the random inputs
that the stage drew for this step; if the stage requests them, "z" (B, length of a draw), draws of the density for the
same labels, and "code" (B, latent_dim), the codes of the items."""


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
    """(steps, maximum share): the next stage cannot use the result of fewer steps. If `share` of a budget in seconds
    has no time for them, the stage gets a larger share, up to this maximum."""
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
    """A model family: its settings and its training rule. Sums over all axes but 0 and never looks further."""

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


@dataclass(frozen=True)
class FeatureSet:
    """The features of some items, in each of the spaces in which metrics compare them."""

    features: Floats  # (N, d) `Modality.features`, standardised on the real training items
    space: Floats  # (N, e) where distributions are compared: hidden layer of a classifier and principal components
    closeness: Floats  # (N, f) `Modality.closeness`
    labels: Labels  # (N,)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class MetricInputs:
    """What metrics compare: real training, real held-out and synthetic items."""

    classes: tuple[str, ...]
    train: FeatureSet
    test: FeatureSet
    synthetic: FeatureSet
    unseen: Labels  # (M,) rows of the training items that the space was not learned on
    classifiers: tuple[Any, ...]  # trained on the real training items, one for each seed; none without classes
    neighbours: Any  # the nearest items between the sets by `FeatureSet.closeness`, searched once
    space_names: Mapping[str, str]  # descriptions of `FeatureSet.features`, `space` and `closeness`
    round_trip: tuple[FeatureSet, FeatureSet] | None = None
    """Real training and held-out items, converted to tensors and back; None where this conversion loses nothing."""
    augmented: FeatureSet | None = None
    """Augmented copies of real training items, to compare the synthetic ones with; None without any."""
    no_augmented_reason: str = "no augmented copies were generated"
    """Why there are no augmented copies, where there are none."""


class SkipError(Exception):
    """A metric that cannot be computed on these inputs; the text is the reason."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What one figure means: printed with every value."""

    name: str
    goal: Literal["higher", "lower", "target", "neutral"]
    what: str  # one line of explanation
    low: float = 0.0
    high: float = float("inf")
    headline: bool = False
    target: float | None = None  # the value that a figure with the goal "target" should be near
    group: Literal["utility", "fidelity", "diversity", "privacy", "items"] = "items"
    source: str = ""  # the publication of the formula
    space: Literal["features", "space", "closeness", "items"] = (
        "items"  # where it looks: a part of `FeatureSet`, or the items
    )


@dataclass(frozen=True, slots=True)
class Measured:
    """The value of a figure, and the evidence for it."""

    value: float
    n: Mapping[str, int] = field(default_factory=dict)  # number of items of each set that were used
    interval: tuple[float, float] | None = None  # 95% confidence interval
    real: float | None = None  # the value that real training items reach in place of synthetic ones: the best possible
    classes: Mapping[str, float] = field(default_factory=dict)  # the value for each class alone


class Metric(ABC):
    """One or more figures that are computed together."""

    figures: ClassVar[tuple[Figure, ...]]

    @abstractmethod
    def compute(self, inputs: MetricInputs) -> Mapping[str, Measured | SkipError]:
        """The figures by name, or why one cannot be computed. Raises SkipError if none can be computed."""


class Exporter(Section):
    """A format in which a dataset version is written into its folder."""

    kind: str

    suffix: ClassVar[str] = ""  # of its files, if each holds many items
    loader: ClassVar[str] = ""  # the builder of Hugging Face's `datasets` that reads it; "" without one
    media_type: ClassVar[str] = ""  # of its files, if each holds many items

    def ready(self) -> None:
        """Raises GensetError, with what to do, if a package that it needs is not installed."""

    @abstractmethod
    def pattern(self, split: str, *, rows: bool) -> str:
        """Pattern of the files of a split, relative to the version; `rows`: items are rows instead of files."""

    @abstractmethod
    def write(self, draft: "Draft", items: Iterable["VersionItem"], modality: Modality) -> None:
        """Write the items, in order, to the draft of a version."""


@dataclass(frozen=True)
class Quarantined:
    """An item that was left out or is only reported, with the reason."""

    path: str
    kind: str  # of the rule: undecodable, empty, exact_duplicate, ...
    detail: str
    score: float | None = None  # how clear the case is, if the rule measures it; on the scale of its threshold

    def as_dict(self) -> dict[str, Any]:
        """The JSON object; without a score if there is none."""
        values = {"path": self.path, "kind": self.kind, "detail": self.detail}
        return values if self.score is None else {**values, "score": self.score}


@dataclass
class Progress:
    """How long tasks report that they advance: the console decides what to show."""

    tick: Callable[[str, int, int, str], None] = field(default=lambda stage, done, total, note: None)
    say: Callable[[str], None] = field(default=lambda text: None)

    @classmethod
    def silent(cls) -> Self:
        """Tell nothing."""
        return cls()
