"""The sections of the config as frozen models. Defaults are here, or in the settings of the kind they belong to."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

import pydantic
from pydantic_core import PydanticCustomError

from genset.config.clean_section import Clean
from genset.config.split_section import Split
from genset.config.values import check_group, text_list
from genset.engine import ENGINES, Engine, Local
from genset.export import EXPORTERS
from genset.export.folder import FolderExporter
from genset.interfaces import Exporter, Family, Kinds, Modality, Prior, Sampling, Section
from genset.modalities import MODALITIES
from genset.models import FAMILIES, PRIORS
from genset.models.priors import GaussianMixture
from genset.models.schedule import Train
from genset.models.vae import VAE
from genset.quality.metric_inputs import SEEDS
from genset.versions.remote import check_url

DEFAULT_ROOT = "out"
DEFAULT_PER_CLASS = 200
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"


def _target(value: Any) -> Any:
    """max, median, a whole number, or a whole number for each label."""
    numbers = value.values() if isinstance(value, dict) else [value]
    whole = all(isinstance(number, int) and not isinstance(number, bool) and number >= 0 for number in numbers)
    if value not in ("max", "median") and not whole:
        raise PydanticCustomError("target", "must be max, median, a whole number, or a whole number for each label")
    return value


Target = Annotated[
    Any, pydantic.PlainValidator(_target, json_schema_input_type=Literal["max", "median"] | int | dict[str, int])
]


class Data(Section):
    """Where the real items are, and which of their columns are labels and groups."""

    source: Annotated[
        list[Annotated[str, pydantic.Field(min_length=1)]],
        pydantic.BeforeValidator(text_list, json_schema_input_type=str | list[str]),
    ] = pydantic.Field(min_length=1)
    """Folder, version, table or container (IDX, .npz, Parquet, Arrow, WebDataset's tar, JSON lines), or a list of them;
    relative to the config file."""
    label: str | None = pydantic.Field(None, min_length=1)
    """The column that holds the class, if it is not the usual one."""
    labels: dict[str, str | None] = pydantic.Field(default_factory=dict)
    """New names for classes, to join several sources: {OLD: NEW}, {SOURCE/OLD: NEW} for one source only, and
    {OLD: null} to leave a class out."""
    group: str | None = None
    """All items of a group are in the same split: a metadata column, or a regular expression for the path, with
    (?P<group>...)."""

    @pydantic.field_validator("group")
    @classmethod
    def _is_pattern(cls, value: str | None) -> str | None:
        if value is not None:
            check_group(value)
        return value


class Model(Section):
    """Which model is trained."""

    family: Annotated[Family, Kinds(FAMILIES)] = VAE()
    """The model family and its training rule."""
    network: Any = "conv"
    """The networks; the modality defines which there are."""
    latent_dim: int | None = pydantic.Field(None, ge=1, le=1024)
    """Length of the latent code z. Default: chosen for the data."""
    prior: Annotated[Prior, Kinds(PRIORS)] = GaussianMixture()
    """The density on z that is sampled; a GAN without a warm start uses its own."""

    @property
    def density(self) -> Prior:
        """The density that z is sampled from."""
        return self.family.density(self.prior)


class Generate(Section):
    """How many items are generated, and which of them are rejected."""

    one_of: ClassVar[tuple[str, ...]] = ("per_class", "count")
    per_class: int | None = pydantic.Field(None, ge=0)
    """Number of items for each class."""
    count: int | None = pydantic.Field(None, ge=0)
    """Number of items in total, in the proportions of the training set."""
    near_copies: Literal["reject", "keep"] = "reject"
    """reject: replace generated items that are closer to a training item than 99% of real held-out items are; keep: no
    check."""
    wrong_labels: Literal["reject", "keep"] = "reject"
    """reject: replace generated items that a classifier assigns to another class, until they are as rare as among real
    items; keep: no check."""
    sampling: Any = Sampling()
    """How items are sampled from the model's output; the modality defines the keys."""
    rare_classes: Literal["vary", "leave_out"] = "vary"
    """Classes of 1 to 3 training items. vary: vary them in the way other classes vary; leave_out: generate none."""

    @pydantic.model_validator(mode="after")
    def _one_number(self) -> Self:
        if self.per_class is not None and self.count is not None:
            raise ValueError("give per_class or count, not both")
        return self


class Augment(Section):
    """Transformed copies of the real training items."""

    copies: int = pydantic.Field(0, ge=0, le=1000)
    """Copies of each training item."""
    steps: list[Any] | None = None
    """Transforms, in order. Default: mild ones of the modality."""


class Balance(Section):
    """Items added to small classes of the training set and, if requested, left out of large ones."""

    renamed: ClassVar[Mapping[str, str]] = {"most_copies": "max_copies"}
    target: Target = None
    """Number of items in each class: max, median, a number, or a number for each label. Default: add none."""
    fill: Literal["generated", "augmented", "both"] | None = None
    """Add generated items, augmented items (transformed copies of real ones), or both (half each). Default: generated
    items if there is a model, otherwise augmented ones."""
    max_copies: int = pydantic.Field(20, ge=1)
    """Maximum number of augmented copies of one item when copies fill a class."""
    shrink: bool = False
    """Whether classes above the target lose items, synthetic ones first. Your files are not changed."""
    by: Annotated[
        list[str],
        pydantic.BeforeValidator(text_list, json_schema_input_type=str | list[str]),
    ] = pydantic.Field(["label"], min_length=1)
    """The column to balance: the label, a metadata column, or several together, such as [label, speaker]."""

    @pydantic.model_validator(mode="after")
    def _has_target(self) -> Self:
        if self.shrink and self.target is None:
            raise ValueError("shrink needs a target: set balance.target")
        return self

    @property
    def copies(self) -> bool:
        """Whether the config explicitly requests copies."""
        return self.target is not None and self.fill in ("augmented", "both")


class Quality(Section):
    """Which conditions the result must meet."""

    gates: list[str] = pydantic.Field(default_factory=list)
    """Conditions such as "cas_ratio >= 0.9": if one fails, the run ends with exit code 1."""
    seeds: int = pydantic.Field(SEEDS, ge=1, le=100)
    """Number of classifiers with different seeds whose results are averaged. Fewer are faster and less exact."""


class Output(Section):
    """Where versions are written, and in which format."""

    root: str | None = None
    """The output root, relative to the config file. Default: `out` in the working directory."""
    tensorboard: str | None = None
    """Folder for TensorBoard logs of the training, relative to the config file. Default: none."""
    format: Annotated[Exporter, Kinds(EXPORTERS)] = FolderExporter()
    """The format of a dataset version."""
    publish: Annotated[str, pydantic.AfterValidator(check_url)] | None = None
    """URL, such as `s3://bucket/folder`, to which a run uploads its versions at the end unless a gate failed."""


class Config(Section):
    """The complete config. `config_class` returns the class for one modality, whose sections know its kinds."""

    name: str = pydantic.Field(pattern=NAME_PATTERN)
    """Versions are written to OUT/models/NAME and OUT/datasets/NAME."""
    seed: int = pydantic.Field(0, ge=0, lt=2**63)
    """Seed of every random draw of a run."""
    modality: Any
    """What the items are: image, text or sound."""
    data: Data
    """The real items."""
    clean: Clean = Clean()
    split: Split = Split()
    model: Model = Model()
    train: Train = Train()
    generate: Generate = Generate()
    augment: Augment = Augment()
    balance: Balance = Balance()
    quality: Quality = Quality()
    output: Output = Output()
    engine: Annotated[Engine, Kinds(ENGINES)] = Local()

    @property
    def items(self) -> Modality:
        """The modality, ready to read and write items."""
        return MODALITIES[self.modality.kind](self.modality)
