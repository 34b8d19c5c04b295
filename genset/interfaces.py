"""READ FIRST. The five things people add to genset: a Modality, a Family, an Augmentation, a Metric, an Exporter.

One rule decides where a line lives: does it look past axis 0? What one item is (pixels, tokens, samples)
belongs to a modality. Whatever counts, hashes, shuffles, splits, seeds or versions belongs to the pipeline.
A family knows a latent vector `z`, labels and a training rule, and sums over all axes but 0.

Each kind of thing is a settings class (`Section`, read from the config) that also does the work, listed in ONE table.
Reading a config must not import TensorFlow, so whoever needs keras imports it inside the function that trains.
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
Trunk = Literal["encoder", "discriminator"]  # what a network from items to features is the body of
Tensor = Any  # a keras tensor: only code that trains sees one


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a recording that is an item of its own."""

    path: Path
    start: float  # seconds
    stop: float


Sketch = npt.NDArray[Any]  # little arrays by which near-duplicates are told; their shape is the modality's affair
Raw = Path | str | Piece  # what an item is read from: a file, text that stood among others in one, a part of one
INFORMATION = "information"  # the kind of a note that tells of no problem
Action = Literal["off", "report", "quarantine"]


class Section(pydantic.BaseModel):
    """A part of the config: frozen, strict, without unknown keys."""

    model_config = pydantic.ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    renamed: ClassVar[Mapping[str, str]] = {}  # {old key: new key}: an old key is answered with the new one
    renamed_values: ClassVar[Mapping[str, Mapping[str, str]]] = {}  # {key: {old word: new word}}, likewise
    formerly: ClassVar[str] = ""  # the old name of this kind, where it is one of a table: answered with the new one


class Kinds:
    """Annotation of a config key: a section picked from `table` by its `kind:`; a bare word stands for {kind: word},
    and a section with a key named as its kind needs no `kind:`."""

    def __init__(self, table: Mapping[str, type[Section]]) -> None:
        self.table = table

    def __get_pydantic_core_schema__(
        self, source: Any, handler: pydantic.GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        # The tag stands in angle brackets in an error's location, where it is no key of the user's file.
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
    """A key of the config that suits a user's items, and why."""

    key: str
    value: Any
    why: str
    sure: bool = True  # what is not is only suggested: it stands in the config as a comment


@dataclass(frozen=True, slots=True)
class Probe:
    """What one file decodes to, before it is brought to the configured form."""

    digest: str  # of the decoded content: the same pixels in a PNG and a BMP have one digest
    traits: Mapping[str, Any]  # what the modality's `settle` and `inspect` want to know, such as width and mode
    loadable: str = ""  # suffix under which every common loader reads the file's own bytes; "" to write it anew
    sketch: Sketch | None = None  # by which near-duplicates are told; None where it was not asked for
    values: Mapping[str, float | str] = field(default_factory=dict)  # what rules look at, where that was asked for


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that may be wrong with one item, told by one value of it: the higher, the worse."""

    what: str  # what such an item is, in a line: the docstring of its key in the config
    told: str  # the reason of one, with {value}, {inverse} (1 less that), {usual} (of the set) and {score} filled in
    threshold: float  # of the score, where the config gives none
    measure: Literal["value", "deviation", "rarity"] = "deviation"
    """What the score is. value: the value itself; deviation: by how many usual deviations (of the median, at least
    `least`) the value is above the set's median; rarity: the share of items that have another value, which is a word or
    a number that stands for a kind."""
    least: float = 0.0  # what a usual deviation is taken to be at least, in units of the value
    most: float = float("inf")  # what it is taken to be at most, however different the items are
    bound: float = -float("inf")  # a value below it is never told of, however far from the others
    both: bool = False  # whether a value far below the median is as odd
    log: bool = False  # whether ratios count, not differences: `least` is of the natural logarithm
    kind: Action = "report"  # what is done where the config says nothing


class Likeness(ABC):
    """How nearly alike items are, by their sketches. The pairs that are asked for are found by keys."""

    keys: Keys  # (N, K): near-duplicates share at least one, others seldom

    @abstractmethod
    def __call__(self, pairs: Pairs) -> Floats:
        """(P,) how alike the pairs of row numbers are, from 0 to 1 for the same; the order in a pair may matter."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One item as it stands in a user's file."""

    content: str | None = None  # the item itself, where the file holds several; None where the file is the item
    place: str = ""  # in the file, such as a line number
    label: str | None = None  # that stands beside it; None where only the place of the file can tell
    columns: Mapping[str, str] = field(default_factory=dict)  # what else stands beside it
    fault: str = ""  # why there is no item here
    piece: tuple[float, float] | None = None
    """From where to where in the file, in seconds, where it is a part of it: parts of one file are one group."""


UNDECODABLE = "undecodable"  # the kind of problem that follows


class UndecodableError(Exception):
    """A file that holds no item of this modality; the text is the reason, for the report."""


@dataclass(frozen=True, slots=True)
class Networks:
    """The keras models of one family, by role: "encoder", "decoder", "generator", ...; and what they are built by."""

    models: Mapping[str, Any]
    network: "Network"

    def __getitem__(self, role: str) -> Any:
        return self.models[role]


class Network(Section):
    """How a modality's encoders and decoders are built: settings and builders together, a class for each kind."""

    kind: str

    @abstractmethod
    def trunk(self, modality: "Modality", role: Trunk) -> Any:
        """A keras model from (B, *modality.tensor_shape) to (B, d) features, an encoder but for its last layer; or from
        items as `real` and `made` have them, a discriminator but for its last layer."""

    @abstractmethod
    def decoder(self, modality: "Modality", latent_dim: int, classes: int) -> Any:
        """A keras model that rebuilds items from codes: with inputs and outputs that the other methods know."""

    @abstractmethod
    def reconstruction_loss(
        self, nets: "Networks", z: Tensor, x: Tensor, batch: "Batch", likelihood: Callable[[Tensor, Tensor], Tensor]
    ) -> Tensor:
        """() negative log-likelihood of items x (B, *tensor_shape) given codes z (B, latent_dim), in nats an item.
        `likelihood` (x, rebuilt) is for values in [0, 1]; tokens always have their cross-entropy."""

    @abstractmethod
    def rebuilt(self, nets: "Networks", z: Tensor) -> Tensor:
        """(B, *tensor_shape) what the decoder makes of codes z (B, latent_dim), differentiable (keras.ops); of networks
        for tokens (B, T, tokens) probabilities, and only what `whole` saves."""

    def made(self, nets: "Networks", batch: "Batch") -> Tensor:
        """(B, ...) items of the codes "z" and labels of a batch as a discriminator sees them, differentiable."""
        return self.rebuilt(nets, batch["z"])

    def real(self, modality: "Modality", x: Tensor) -> Tensor:
        """(B, ...) real items x (B, *tensor_shape) as a discriminator sees them."""
        return x

    def items(self, made: Tensor) -> Tensor:
        """(B, *tensor_shape) the items that `made` stands for."""
        return made

    @abstractmethod
    def exported(self, nets: "Networks", modality: "Modality") -> Mapping[str, Any]:
        """The keras models that `modality.render` samples with, by name; the first takes codes."""


Drawn = dict[str, Any]  # what was drawn for one application of a transform: plain values, written beside the item


@dataclass(frozen=True, slots=True)
class Partner:
    """A second real item of the train part, for a transform that mixes two."""

    record: "Record"
    item: Item


class Company(ABC):
    """What an item that is transformed stands among."""

    @property
    @abstractmethod
    def label(self) -> str:
        """The class of the item."""

    @abstractmethod
    def partner(self, rng: np.random.Generator, among: Literal["same_class", "any_class"]) -> Partner | None:
        """Another train item, drawn; None where there is none. Takes one number from the generator in any case."""

    @abstractmethod
    def between(self, partner: Partner, share: float, rng: np.random.Generator) -> Item:
        """What a model makes of the codes of the item, as it was found, and of the partner, `share` of the way between
        them. Raises GensetError without a model."""


class Step(Section):
    """One element of the transform language: a transform, or what chooses among steps."""

    kind: str
    p: float = pydantic.Field(1.0, ge=0, le=1)
    """Probability that the step is applied to an item."""
    only_for: list[str] | None = pydantic.Field(None, min_length=1)
    """The classes that the step is for; all when not given."""
    not_for: list[str] | None = None
    """Classes that the step leaves alone, such as ["6", "9"] for a mirror."""

    def placed(self, start: Path) -> Self:
        """The step with paths that start at a folder: that of the config in which they stand."""
        return self

    def bound(self, modality: "Modality") -> Self:
        """The step as it is for items of a modality, such as sounds of a rate. Raises GensetError for files that the
        step takes and that are not there."""
        return self

    def fits(self, label: str) -> bool:
        """Whether the step is for items of a class."""
        return label not in (self.not_for or ()) and (self.only_for is None or label in self.only_for)

    def parts(self) -> Sequence["Step"]:
        """The steps that it chooses among; none for a transform."""
        return ()

    def take(self, item: Item, rng: np.random.Generator, company: Company) -> tuple[Item, list[Drawn]]:
        """The item, transformed if the step is for its class and `p` says so; and what was drawn, a row for each
        transform that was really applied."""
        if not self.fits(company.label) or rng.random() >= self.p:
            return item, []
        return self.run(item, rng, company)

    @abstractmethod
    def run(self, item: Item, rng: np.random.Generator, company: Company) -> tuple[Item, list[Drawn]]:
        """The transformed item, and what was drawn. Every draw comes from the generator that is passed in."""


class Augmentation(Step):
    """A label-preserving transform of one item."""

    scaled: ClassVar[tuple[str, ...]] = ()  # settings that say how much is changed: 0 is nothing

    def at(self, strength: float) -> Self:
        """The step with so much of its `scaled` settings."""
        return self.model_copy(update={name: strength * getattr(self, name) for name in self.scaled})

    def run(self, item: Item, rng: np.random.Generator, company: Company) -> tuple[Item, list[Drawn]]:
        """The transformed item, and the one row of what was drawn."""
        drawn = self.draw(rng)
        return self.apply(item, rng, **drawn), [{"kind": self.kind, **drawn}]

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Drawn:
        """The parameters of one application: plain numbers, written beside the item."""

    @abstractmethod
    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        """The transformed item: same dtype and range, and same shape where the modality's items have a fixed one."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """What a browser can show or play of one item, without a word of HTML: a page decides where it stands."""

    media_type: str  # such as image/png
    data: bytes


class Mixing(Step):
    """A transform that takes a second item: the first keeps at least half of its label."""

    partners: Literal["same_class", "any_class"] = "any_class"
    """Whether the second item is of the same class, or of any: `soft_label` in the metadata then says how much of
    each."""

    def run(self, item: Item, rng: np.random.Generator, company: Company) -> tuple[Item, list[Drawn]]:
        """The mixed item, and what was drawn with the partner and its share; the item itself where there is no other
        one."""
        partner, drawn = company.partner(rng, self.partners), self.draw(rng)
        if partner is None:
            return item, []
        mixed, share = self.mixed(item, partner, rng, company, **drawn)
        told = {"partner": partner.record.id, "partner_label": partner.record.label, "share": share}
        return mixed, [{"kind": self.kind, **drawn, **told}]

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Drawn:
        """The parameters of one application."""

    @abstractmethod
    def mixed(
        self, item: Item, partner: Partner, rng: np.random.Generator, company: Company, **drawn: Any
    ) -> tuple[Item, float]:
        """(the mixed item, of the first one's shape, dtype and range; the share of the partner in it, in [0, 0.5])."""


class Sampling(Section):
    """How items are drawn from a model's output; a modality whose models draw no numbers of their own has no keys."""

    def steady(self) -> Self:
        """The same with as little left to chance as there can be: for items that are set beside each other."""
        return self


class Modality(ABC):
    """What one item is: how it is read, written, compared, transformed and turned into tensors."""

    kind: ClassVar[str]
    Settings: ClassVar[type[Section]]
    suffixes: ClassVar[tuple[str, ...]]  # of files that are taken for items, lower case
    suffix: ClassVar[str]  # of files that genset writes
    networks: ClassVar[Mapping[str, type[Network]]]
    augmentations: ClassVar[Mapping[str, type[Step]]]
    default_steps: ClassVar[tuple[Step, ...]]  # mild transforms that rarely change a label
    wide_steps: ClassVar[tuple[Augmentation, ...]] = ()  # what rand_augment and trivial_augment choose among
    Sampling: ClassVar[type[Sampling]] = Sampling
    sheet_suffix: ClassVar[str] = ".png"  # of the file that shows samples
    item_dtype: ClassVar[Literal["uint8", "int16"]] = "uint8"
    state_files: ClassVar[tuple[str, ...]] = ()  # in a model's folder, of what is learned beside the networks
    adversarial_space: ClassVar[Literal["items", "codes"]] = "items"  # where a GAN plays, unless told otherwise
    adversarial_anchor: ClassVar[float] = 0.0  # weight of rebuilding real items while a GAN plays with items
    adversarial_warm_start: ClassVar[float] = 0.3  # share of the budget before a GAN plays with items
    free_bits: ClassVar[float] = 0.0  # nats of each value of z that a VAE need not pay for
    array_axes: ClassVar[tuple[int, ...]] = ()  # of arrays that may be items, as other programs keep them
    tensor_dtype: ClassVar[Literal["float32", "int32"]] = "float32"
    fixed_shape: ClassVar[bool] = True  # whether all items have the one shape; a shorter one is no other kind otherwise
    feature: ClassVar[str] = ""  # what Hugging Face's `datasets` call an item that is a file: Image or Audio
    rows: ClassVar[bool] = False  # whether a version holds rows, not files
    class_column: ClassVar[str] = ""  # the setting that names the column of the class, where items are rows of tables
    near: ClassVar[float]  # likeness from which on two items are near-duplicates, unless told otherwise
    denoises: ClassVar[bool] = False  # whether a perturbed item is to be rebuilt as it was, not as it is seen
    figures: ClassVar[tuple["Figure", ...]] = ()  # that only this modality has
    shared_unit: ClassVar[bool] = (
        False  # whether all features are in one unit; each is measured by its spread otherwise
    )
    rules: ClassVar[Mapping[str, Rule]] = {}  # what may be wrong with single items, by name
    faults_told: ClassVar[Mapping[str, str]] = {}  # what `faults` may find, with how it is told: "it was ..."

    @abstractmethod
    def __init__(self, settings: Any) -> None:
        """A modality with settings as far as they are settled; decode, encode and tensors follow them."""

    settings: Any

    def opened(self, files: Sequence[Path]) -> Self:
        """The modality that knows what the user's files tell before any is decoded, such as the names of columns."""
        return self

    def entries(self, path: Path, *, top: bool) -> Iterable[Entry]:
        """The items of a file, in order; `top` for one that stands in no class folder. Raises OSError."""
        return (Entry(),)

    def file_label(self, path: Path) -> str:
        """The label that the name of a file outside the class folders gives, "" for none."""
        return ""

    @abstractmethod
    def probe(self, raw: Raw, *, sketched: bool = False, measured: bool = False) -> Probe:
        """Decode an item as it is, and sketch it and measure what the rules look at if asked to.

        Raises UndecodableError with the reason.
        """

    def measured(self, probes: Sequence[Probe]) -> Mapping[str, npt.NDArray[Any]]:
        """(N,) the value of each rule, by name: those of probes that were sketched and measured, and what only all of
        them together tell."""
        return {name: np.array([probe.values[name] for probe in probes]) for name in self.rules}

    @classmethod
    @abstractmethod
    def settle(cls, settings: Any, probes: Sequence[Probe]) -> Any:
        """The settings with whatever the user left open (size, rate, length) taken from the data."""

    def choices(self, probes: Sequence[Probe]) -> Sequence[Choice]:
        """The settings that are settled for the user's items, as a config can say them, with the reasons."""
        return ()

    def conversions(self, probes: Sequence[Probe]) -> str:
        """What the configured form changes of the items, in a line; "" for nothing worth telling."""
        return ""

    def beside(self, probes: Sequence[Probe]) -> Self:
        """The modality that can write items in their own size, when it must know of all of them for that: the rate of
        sounds, say."""
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
        """An item that `encode` takes, from an array as other programs keep it. Raises UndecodableError."""
        raise UndecodableError(f"an array of shape {array.shape} is no {self.kind}")

    def raw(self, text: str) -> Raw:
        """What a user gives on the command line as an item: a path, unless the modality takes items themselves."""
        return Path(text)

    def fields(self, item: Item) -> Mapping[str, Any] | None:
        """The item as columns of a row, for a modality of which a version holds rows; None for one of files."""
        return None

    @property
    def form(self) -> Mapping[str, Any]:
        """The settings that `content` needs to read the rows of a version again."""
        return {}

    def content(self, row: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """(the item, the other columns) of a row that `fields` made."""
        raise NotImplementedError(f"{self.kind} items are files")

    def learned(self, items: Items, labels: Labels) -> Self:
        """The modality with what it learns from the train items and their classes itself, such as tokens."""
        return self

    @property
    def state(self) -> Mapping[str, bytes]:
        """What `learned` learned, as files by `state_files`."""
        return {}

    def restored(self, state: Mapping[str, bytes]) -> Self:
        """The modality as it was learned."""
        return self

    @property
    @abstractmethod
    def item_shape(self) -> tuple[int, ...]:
        """Shape of one decoded item."""

    @property
    @abstractmethod
    def tensor_shape(self) -> tuple[int, ...]:
        """Shape of one item as the networks see it. For some modalities only known once it has `learned`."""

    @property
    @abstractmethod
    def latent_dim(self) -> int:
        """A length of z that suits items of this shape, where the config gives none."""

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
        """Items of codes z (N, latent_dim) and labels (N, classes) by the networks that `Network.exported` named; what
        is drawn for the n-th comes from the n-th generator."""

    def errors(
        self, models: Mapping[str, Callable[..., Sequence[Tensors]]], z: Floats, label: Floats, items: Items
    ) -> Floats:
        """(N,) how badly codes z rebuild items: mean squared error, or nats a token."""
        difference = self.to_tensor(items) - models["generator"](z)[0]
        out: Floats = np.square(difference).reshape(len(items), -1).mean(axis=1)
        return out

    def faults(self, items: Items) -> npt.NDArray[np.str_]:
        """(N,) why a made item is of no use, one of `faults_told`; "" for the others."""
        return np.full(len(items), "", dtype="U16")

    def measure(self, train: Items, test: Items, made: Items) -> Mapping[str, float]:
        """The values of `figures`, on items in the configured form. Raises SkipError."""
        return {}

    def draw_noise(self, rng: np.random.Generator, size: int) -> Mapping[str, Tensors]:
        """The random inputs of `Network.made` for a batch, (B, ...) each."""
        return {}

    @abstractmethod
    def draw_perturbation(self, rng: np.random.Generator, size: int, *, strong: bool) -> Mapping[str, Tensors]:
        """The random inputs of `perturb` for a batch, (B, ...) each. Strong ones may leave much of an item out."""

    @abstractmethod
    def perturb(self, x: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        """Items (B, *tensor_shape), or as a discriminator sees them, changed a little, differentiably, against learning
        them by heart (keras.ops)."""

    @abstractmethod
    def features(self, items: Items) -> Floats:
        """(N, d) features in which a linear model tells classes apart; fixed, nothing is learned or fetched."""

    def tensor_features(self, tensor: Tensors) -> Floats:
        """(N, d) the `features` of the items that a tensor (N, *tensor_shape) stands for."""
        return self.features(self.from_tensor(tensor))

    def there_and_back(self, items: Items) -> Items | None:
        """Real items as the best of models could only make them, where the way from tensors to items loses something:
        the ceiling of what is to be reached. None where nothing is lost."""
        return None

    @abstractmethod
    def closeness(self, items: Items) -> Floats:
        """(N, d) vectors whose Euclidean distance says how nearly two items are the same item."""

    @abstractmethod
    def likeness(self, sketches: Sequence[Sketch]) -> Likeness:
        """What tells near-duplicates among items, by the sketches of their probes."""

    @abstractmethod
    def sheet(self, items: Items, titles: Sequence[str]) -> bytes:
        """A file with `sheet_suffix` that shows items, as many under each title: item k stands under title
        k // (len(items) // len(titles))."""

    @abstractmethod
    def exhibit(self, item: Item) -> Sequence[Exhibit]:
        """What a page shows of an item (in the configured form): pictures, sounds, plain text. Of bounded size,
        whatever the item."""

    @abstractmethod
    def describe(self, probes: Sequence[Probe]) -> Mapping[str, Mapping[str, int]]:
        """Counts of traits for `inspect`, such as {"size": {"8x8": 1797}, "mode": {"L": 1797}}."""


Batch = Mapping[str, Tensor]
"""What a loss sees of some items: "x" (B, *tensor_shape), "label" (B, classes) as one-hot rows, and what the stage
drew for this step; "z" (B, length of a draw), draws of the density for the same labels, and "code" (B, latent_dim), the
items' own codes, where the stage says so."""


@dataclass(frozen=True, slots=True)
class LossContext:
    """When a loss is asked for, and what only the trainer's backend can do."""

    progress: Tensor  # of the stage, in [0, 1]
    lazy: bool  # whether costly terms are due: see `TrainingStage.lazy_every`
    learning: bool  # whether weights will follow; False on the validation part
    tuned: Tensor  # the value that the trainer chose among `TrainingStage.tuned`
    gradient: Callable[[Callable[[Tensor], Tensor], Tensor], Tensor]
    """(function from (B, ...) to (B, ...), x) -> d sum(function(x)) / dx, itself differentiable."""


@dataclass(frozen=True, slots=True)
class Update:
    """One optimiser step on some networks: a GAN has two, the others one."""

    name: str
    roles: tuple[str, ...]  # the networks whose weights it changes
    loss: Callable[[Networks, Batch, LossContext], Mapping[str, Tensor]]
    """The first of the named losses is minimised."""
    rate: float = 1.0  # factor on the learning rate
    beta_1: float = 0.9  # Adam's
    beta_2: float = 0.999


@dataclass(frozen=True, slots=True)
class TrainingStage:
    """A part of a training with updates of its own: an autoencoder has one, a GAN that starts warm two."""

    name: str
    updates: tuple[Update, ...]
    draw: Callable[[np.random.Generator, int], Mapping[str, Tensors]]
    """(generator, B) -> the random inputs of one step, so that no training rule draws anything itself."""
    share: float = 1.0  # of the budget
    needs: tuple[int, float] = (0, 1.0)
    """(steps, most): with fewer steps than that the next stage is of no use, so that a budget in seconds which has no
    place for them in `share` gives more, up to `most` of it."""
    learning_rate: float = 2e-3  # at the start, where the config gives none
    largest_batch: int = 128
    evaluations: int = 40  # on the validation part, in the whole of the stage
    patience: int = 12  # evaluations in a row that were not the best, after which it ends, where the config gives none
    samples: bool = False
    """Whether its batches carry "z" drawn from the density on z, and its progress is told by what it samples."""
    space: Literal["items", "codes"] = "items"  # what its samples are, and are compared with
    average: tuple[str, ...] = ()  # networks of which the running mean of the weights is kept, not the last ones
    lazy_every: int = 1  # costly terms of the losses are due in every so-many-th step
    tuned: tuple[float, ...] = (
        0.0,
    )  # values to choose `LossContext.tuned` from: by short trials where there are several


class Family(Section):
    """A model family: its settings and its training rule. Sums over all axes but 0 and never looks further."""

    kind: str

    @abstractmethod
    def build(self, modality: Modality, network: Network, latent_dim: int, classes: int) -> Networks:
        """The networks of this family, untrained."""

    @abstractmethod
    def stages(self, modality: Modality, latent_dim: int, items: int) -> tuple[TrainingStage, ...]:
        """The parts of the training on so many train items, in order."""

    def settled(self, shares: Sequence[float], tuned: Sequence[float]) -> Self:
        """The same family with what the training chose: each stage's share of all the steps, and its tuned value."""
        return self

    def fitted(self, modality: type[Modality]) -> Self:
        """The same family with what was left to the modality. Raises GensetError for what it does not allow."""
        return self

    def density(self, prior: "Prior") -> "Prior":
        """What z is drawn from: the density the config asks for, unless the family has one of its own."""
        return prior

    def notes(self, row: Mapping[str, float], modality: Modality) -> Sequence[tuple[str, str]]:
        """(kind, text) of what is to be told of the training by the row of its history that is kept; INFORMATION is no
        problem."""
        return ()

    def codes(self, nets: Networks, x: Tensor) -> Tensor:
        """(B, latent_dim) codes of items: what a density is fitted to."""
        raise NotImplementedError(f"{self.kind} has no encoder")

    def encoder(self, nets: Networks, modality: Modality) -> Any:
        """The keras model from items (B, *tensor_shape) to codes (B, latent_dim) that is exported; None without one."""
        if "encoder" not in nets.models:
            return None
        import keras

        x = keras.Input(modality.tensor_shape, dtype=modality.tensor_dtype, name="x")
        return keras.Model(x, self.codes(nets, x), name="codes")

    def sampler(self, nets: Networks, modality: Modality) -> Mapping[str, Any]:
        """The keras models that are exported, by name: those of `Network.exported`, and "codes", from draws of the
        density to codes, where they differ."""
        return nets.network.exported(nets, modality)

    @abstractmethod
    def whole(self, nets: Networks, modality: Modality) -> Any:
        """The one keras model that is saved for people who want to go on in Keras."""


class Prior(Section):
    """A density on z, fitted after training, from which generation draws."""

    kind: str
    learns: ClassVar[bool] = True  # whether it is fitted to codes; the others are fixed beforehand

    def length(self, latent_dim: int, classes: int) -> int:
        """Length of what it draws."""
        return latent_dim

    @abstractmethod
    def fit(
        self, codes: npt.NDArray[np.float64], labels: Labels, classes: int, seed: int
    ) -> dict[str, npt.NDArray[Any]]:
        """Plain arrays that `draw` understands: they are saved beside the model."""

    @abstractmethod
    def draw(self, arrays: Mapping[str, npt.NDArray[Any]], label: int, rngs: Sequence[np.random.Generator]) -> Floats:
        """(N, latent_dim) codes of one class, the n-th from the n-th generator alone."""


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
    """What one figure is: printed with it, so that a number never stands alone."""

    name: str
    goal: Literal["higher", "lower", "target", "neutral"]
    what: str  # one line, in the user's words
    low: float = 0.0
    high: float = float("inf")
    headline: bool = False
    target: float | None = None  # what a figure with the goal "target" should be near to
    group: Literal["utility", "fidelity", "diversity", "privacy", "items"] = "items"
    source: str = ""  # where the formula is published
    space: Literal["features", "space", "closeness", "items"] = (
        "items"  # where it looks: a part of `FeatureSet`, or the items
    )


@dataclass(frozen=True, slots=True)
class Measured:
    """The value of a figure, and what it rests on."""

    value: float
    n: Mapping[str, int] = field(default_factory=dict)  # items of each part that were looked at
    interval: tuple[float, float] | None = None  # of 95%
    real: float | None = None  # what real train items reach in place of the made ones: the best to hope for
    classes: Mapping[str, float] = field(default_factory=dict)  # the same of each class alone


class Metric(ABC):
    """One or more figures computed together from the same work."""

    figures: ClassVar[tuple[Figure, ...]]

    @abstractmethod
    def compute(self, inputs: MetricInputs) -> Mapping[str, Measured | SkipError]:
        """The figures by name, or why one cannot be computed. Raises SkipError when that holds for all of them."""


class Exporter(Section):
    """A form in which a dataset version is written into its folder."""

    kind: str

    suffix: ClassVar[str] = ""  # of its files, where each holds many items
    loader: ClassVar[str] = ""  # the builder of Hugging Face's `datasets` that reads it; "" without one
    media_type: ClassVar[str] = ""  # of its files, where each holds many items

    def ready(self) -> None:
        """Raises GensetError, with the cure, where something that it needs is not installed."""

    @abstractmethod
    def pattern(self, split: str, *, rows: bool) -> str:
        """Pattern of the files of a split, relative to the version, where items are rows or not."""

    @abstractmethod
    def write(self, draft: "Draft", items: Iterable["VersionItem"], modality: Modality) -> None:
        """Write the items, in order, into the draft of a version."""


@dataclass(frozen=True)
class Quarantined:
    """An item that was left out, or is only reported, with the reason."""

    path: str
    kind: str  # of the rule: undecodable, empty, exact_duplicate, ...
    detail: str
    score: float | None = None  # how clear the case is, where the rule tells: its threshold is on the same scale

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it; without a score where there is none."""
        told = {"path": self.path, "kind": self.kind, "detail": self.detail}
        return told if self.score is None else {**told, "score": self.score}


@dataclass
class Progress:
    """How long work tells that it is getting on: the console decides what is shown."""

    tick: Callable[[str, int, int, str], None] = field(default=lambda stage, done, total, note: None)
    say: Callable[[str], None] = field(default=lambda text: None)

    @classmethod
    def silent(cls) -> Self:
        """Tell nothing."""
        return cls()
