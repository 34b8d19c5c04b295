"""The sections of the config as frozen models. Defaults are here, or in the settings of the kind they belong to."""

import functools
import os
import re
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import pydantic
import pydantic.json_schema
from pydantic_core import PydanticCustomError

from genset.engine import ENGINES, Engine, Local
from genset.export import EXPORTERS
from genset.export.folder import FolderExporter
from genset.interfaces import (
    Action,
    Exporter,
    Family,
    Figure,
    Kinds,
    Modality,
    Network,
    Prior,
    Sampling,
    Section,
    Step,
)
from genset.modalities import MODALITIES
from genset.modalities.composition import step_kinds
from genset.models import FAMILIES, PRIORS
from genset.models.priors import GaussianMixture
from genset.models.schedule import Train
from genset.models.vae import VAE
from genset.quality import FIGURES, gates
from genset.quality.metric_inputs import SEEDS
from genset.store import check_url
from genset.yaml_source import ConfigError, Fault, Tree, did_you_mean, dotted, override, read, write

EVERY_FIGURE: Mapping[str, Figure] = {
    **FIGURES,
    **{figure.name: figure for table in MODALITIES.values() for figure in table.figures},
}
DEFAULT_ROOT = "out"
DEFAULT_PER_CLASS = 200
DEFAULT_RATIOS = (0.8, 0.1, 0.1)
_TAG = re.compile(r"<[a-z0-9_]+>")  # how `Kinds` marks a kind in the location of an error
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"


def _text_list(value: Any) -> Any:
    """A single text as a list of one; other values unchanged."""
    return [value] if isinstance(value, str) else value


def _action(value: Any) -> Any:
    """A word means a rule of that kind."""
    if not isinstance(value, (str, dict, Section)):
        raise PydanticCustomError("action", f"must be {', '.join(typing.get_args(Action))}, or a section with `kind:`")
    return {"kind": value} if isinstance(value, str) else value


def _target(value: Any) -> Any:
    """max, median, a whole number, or a whole number for each label."""
    numbers = value.values() if isinstance(value, dict) else [value]
    whole = all(isinstance(number, int) and not isinstance(number, bool) and number >= 0 for number in numbers)
    if value not in ("max", "median") and not whole:
        raise PydanticCustomError("target", "must be max, median, a whole number, or a whole number for each label")
    return value


def _gate(text: str, figures: Mapping[str, Figure]) -> str:
    gates.parse(text, figures)
    return text


Target = Annotated[
    Any, pydantic.PlainValidator(_target, json_schema_input_type=Literal["max", "median"] | int | dict[str, int])
]
Ratio = Annotated[float, pydantic.Field(ge=0, le=1)]


class Data(Section):
    """Where the real items are, and which of their columns are labels and groups."""

    source: Annotated[
        list[Annotated[str, pydantic.Field(min_length=1)]],
        pydantic.BeforeValidator(_text_list, json_schema_input_type=str | list[str]),
    ] = pydantic.Field(min_length=1)
    """Folder, version, table or container (IDX, .npz, Parquet, Arrow, WebDataset's tar, JSON lines), or a list of them;
    relative to the config file."""
    label: str | None = pydantic.Field(None, min_length=1)
    """The column that holds the class, if it is not the usual one."""
    labels: dict[str, str | None] = pydantic.Field(default_factory=dict)
    """New names for classes, to join several sources: {OLD: NEW}, {SOURCE/OLD: NEW} for one source only, and
    {OLD: null} to leave a class out."""
    group: str | None = None
    """Items of one group are all in the same split: a metadata column, or a regular expression with (?P<group>...)."""

    @pydantic.field_validator("group")
    @classmethod
    def _is_pattern(cls, value: str | None) -> str | None:
        if value is not None:
            check_group(value)
        return value


class NearDuplicates(Section):
    """Items that are nearly the same. Unless this is off, they are always in the same part of the split."""

    kind: Action = "report"
    """off: no search; report: report and keep them; quarantine: keep one of them."""
    threshold: float | None = pydantic.Field(None, gt=0, le=1)
    """Similarity at or above which two items are near-duplicates; equal items have 1. Default: that of the modality."""


class Check(Section):
    """A rule that checks each item alone."""

    kind: Action = "report"
    """off: no check; report: report and keep the item; quarantine: leave the item out."""
    threshold: float | None = pydantic.Field(None, ge=0)
    """Score at or above which an item is reported. Default: that of the rule."""


Checked = Annotated[Check, pydantic.BeforeValidator(_action, json_schema_input_type=Action | Check)]


class Clean(Section):
    """Which problems are searched before training. Items that cannot be decoded or are empty are always quarantined.

    `config_class` adds the rules of a modality; a word means {kind: word}.
    """

    exact_duplicates: Action = "quarantine"
    """Items with equal decoded content: the first is kept."""
    near_duplicates: Annotated[
        NearDuplicates,
        pydantic.BeforeValidator(_action, json_schema_input_type=Action | NearDuplicates),
    ] = NearDuplicates()
    """Items that differ only a little, such as in size, compression, loudness or case; a word means {kind: word}."""
    wrong_labels: Checked = Check()
    """Labels that cross-validated classifiers contradict, and duplicates with two different labels. The score, from 0
    to 1, says how much more probable another class is. Default threshold: 0.5, higher for classes that are hard to
    recognise."""
    outliers: Checked = Check(kind="off")
    """Items that are far from all others. The score is the distance to the nearest ones, in usual deviations. Default
    threshold: 4."""

    def named(self) -> Self:
        """The section with every rule off that was not named, except duplicates: for commands that do other work."""
        own = (*self.model_fields_set, "exact_duplicates", "near_duplicates")
        return self.model_copy(update={rule: Check(kind="off") for rule in type(self).model_fields if rule not in own})

    def check(self, rule: str) -> Check:
        """The setting of a rule of the modality; off in a section that belongs to no modality."""
        found: Check = getattr(self, rule, Check(kind="off"))
        return found


def _rest_or_count(value: Any) -> Any:
    if value != "rest" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise PydanticCustomError("count", "must be rest or a whole number of at least 1")
    return value


class Split(Section):
    """How the real items are split into train, validation and test."""

    one_of: ClassVar[tuple[str, ...]] = ("ratios", "counts")
    renamed: ClassVar[Mapping[str, str]] = {"by": "stratify", "keep": "previous"}
    ratios: Annotated[tuple[Ratio, Ratio, Ratio], pydantic.Field(strict=False)] = DEFAULT_RATIOS
    """Fractions of training, validation and test items; they add up to 1."""
    counts: (
        Annotated[
            tuple[
                Annotated[Any, pydantic.PlainValidator(_rest_or_count, json_schema_input_type=Literal["rest"] | int)],
                Annotated[int, pydantic.Field(ge=0)],
                Annotated[int, pydantic.Field(ge=0)],
            ],
            pydantic.Field(strict=False),
        ]
        | None
    ) = None
    """Numbers of training, validation and test items instead of ratios, such as [rest, 100, 100]; without `rest` the
    remaining items are left out."""
    stratify: Annotated[
        list[str],
        pydantic.BeforeValidator(_text_list, json_schema_input_type=str | list[str]),
    ] = pydantic.Field(default_factory=list)
    """Columns that are stratified besides the label: each split gets every value in proportion, as far as possible."""
    previous: str | None = None
    """A dataset version whose items keep their split, so that a dataset can grow; relative to the config file."""

    @pydantic.model_validator(mode="after")
    def _one_measure(self) -> Self:
        if self.counts is not None and "ratios" in self.model_fields_set:
            raise ValueError("give ratios or counts, not both")
        return self

    @pydantic.model_serializer(mode="wrap")
    def _one_written(self, handler: pydantic.SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the default ratios where counts are given, so that the written section can be read again."""
        values: dict[str, Any] = handler(self)
        return values if self.counts is None else {name: value for name, value in values.items() if name != "ratios"}

    @pydantic.field_validator("ratios")
    @classmethod
    def _adds_up(cls, value: tuple[float, float, float]) -> tuple[float, float, float]:
        if abs(sum(value) - 1) > 1e-6:
            raise ValueError(f"must add up to 1, adds up to {sum(value):g}")
        if value[0] == 0:
            raise ValueError("the training fraction must not be 0")
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
    """Items for each class."""
    count: int | None = pydantic.Field(None, ge=0)
    """Items in total, in the proportions of the training set."""
    near_copies: Literal["reject", "keep"] = "reject"
    """reject: resample items that are nearer to a training item than 99% of real held-out items are; keep: no check."""
    wrong_labels: Literal["reject", "keep"] = "reject"
    """reject: resample items that a classifier puts in another class, until they are as rare as among real items;
    keep: no check."""
    sampling: Any = Sampling()
    """How items are sampled from the model's output; the modality defines the keys."""
    rare_classes: Literal["vary", "leave_out"] = "vary"
    """Classes of 1 to 3 training items. vary: vary them as other classes vary; leave_out: generate none."""

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
    """Items that each class should have: max, median, a number, or a number for each label. Default: add none."""
    fill: Literal["generated", "augmented", "both"] | None = None
    """Which items are added: generated ones, transformed copies of real items, or both in equal parts. Default:
    generated items if there is a model, otherwise copies."""
    max_copies: int = pydantic.Field(20, ge=1)
    """Maximum number of augmented copies of one item when copies fill a class."""
    shrink: bool = False
    """Whether classes above the target lose items, synthetic ones first. Your files are not changed."""
    by: Annotated[
        list[str],
        pydantic.BeforeValidator(_text_list, json_schema_input_type=str | list[str]),
    ] = pydantic.Field(["label"], min_length=1)
    """The column to balance: the label, a metadata column, or several together, such as [label, speaker]."""

    @pydantic.model_validator(mode="after")
    def _has_target(self) -> Self:
        if self.shrink and self.target is None:
            raise ValueError("shrink needs a target")
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


def check_group(text: str) -> str:
    """A column name, or a pattern with (?P<group>...). Raises ValueError."""
    if not re.fullmatch(r"\w+", text):
        try:
            names = re.compile(text).groupindex
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        if "group" not in names:
            raise ValueError("the regular expression must name a (?P<group>...)")
    return text


@functools.cache
def config_class(modality: str) -> type[Config]:
    """The config class of one modality, with its settings, networks and transforms."""
    kinds = MODALITIES[modality]
    network = Annotated[Network, Kinds(kinds.networks), pydantic.Field(validate_default=True)]
    step = Annotated[Step, Kinds(step_kinds(kinds))]
    name, network_class = next(iter(kinds.networks.items()))
    first = network_class(kind=name)
    described = {"network": "The networks.", "steps": Augment.model_fields["steps"].description}
    model = pydantic.create_model(
        "Model", __base__=Model, network=(network, pydantic.Field(first, description=described["network"]))
    )
    augment = pydantic.create_model(
        "Augment",
        __base__=Augment,
        steps=(list[step] | None, pydantic.Field(None, description=described["steps"])),
    )
    return pydantic.create_model(
        f"{modality.capitalize()}Config",
        __base__=Config,
        modality=(Annotated[Section, Kinds({modality: kinds.Settings})], ...),
        clean=(clean_class(modality), clean_class(modality)()),
        model=(model, model()),
        generate=(_generate_class(modality), _generate_class(modality)()),
        augment=(augment, augment()),
        quality=(_quality_class(modality), _quality_class(modality)()),
    )


@functools.cache
def clean_class(modality: str) -> type[Clean]:
    """The `clean` section of one modality, with its rules."""
    fields: dict[str, Any] = {
        name: (
            Checked,
            pydantic.Field(Check(kind=rule.kind), description=f"{rule.what} Default threshold: {rule.threshold:g}."),
        )
        for name, rule in MODALITIES[modality].rules.items()
    }
    return pydantic.create_model("Clean", __base__=Clean, **fields)


@functools.cache
def _quality_class(modality: str) -> type[Quality]:
    known = {**FIGURES, **{figure.name: figure for figure in MODALITIES[modality].figures}}
    gate = Annotated[str, pydantic.AfterValidator(functools.partial(_gate, figures=known))]
    described = Quality.model_fields["gates"].description
    return pydantic.create_model(
        "Quality",
        __base__=Quality,
        gates=(list[gate], pydantic.Field(default_factory=list, description=described)),
    )


@functools.cache
def _generate_class(modality: str) -> type[Generate]:
    sampling = MODALITIES[modality].Sampling
    described = "How items are sampled from the model's output."
    return pydantic.create_model(
        "Generate", __base__=Generate, sampling=(sampling, pydantic.Field(sampling(), description=described))
    )


def load(path: Path, overrides: Iterable[str] = ()) -> Config:
    """Read a config file. Raises ConfigError with all faults, each with its line."""
    overrides = list(overrides)
    tree = read(path)
    for text in overrides:
        _make_room(tree, text.partition("=")[0])
    config = check(override(tree, overrides))
    folder = path.parent.absolute()
    source = [os.path.normpath(folder / source) for source in config.data.source]
    steps = config.augment.steps and [step.placed(folder) for step in config.augment.steps]
    output, previous = config.output, config.split.previous
    places = {"root": output.root, "tensorboard": output.tensorboard}
    places = {name: place and os.path.normpath(folder / place) for name, place in places.items()}
    return config.model_copy(
        update={
            "data": config.data.model_copy(update={"source": source}),
            "split": config.split.model_copy(update={"previous": previous and os.path.normpath(folder / previous)}),
            "augment": config.augment.model_copy(update={"steps": steps}),
            "output": output.model_copy(update=places),
        }
    )


def _make_room(tree: Tree, key: str) -> None:
    """Remove the keys that an override of `key` excludes: train.steps=5 replaces train.seconds."""
    name, _, last = key.partition(".")
    section = tree.values.get(name)
    rivals = {"train": Train.one_of, "generate": Generate.one_of, "split": Split.one_of}.get(name, ())
    if isinstance(section, dict) and last in rivals:
        for rival in rivals:
            section.pop(rival, None)


def check(tree: Tree) -> Config:
    """The config that values describe. Raises ConfigError with every fault."""
    faults = list(tree.faults)
    modality = tree.values.get("modality")
    kind = modality.get("kind") if isinstance(modality, dict) else modality
    known = isinstance(kind, str) and kind in MODALITIES
    model = config_class(kind if known else next(iter(MODALITIES)))
    try:
        config = model.model_validate(tree.values)
    except pydantic.ValidationError as error:
        faults += [_fault(one, tree, model) for one in error.errors()]
    if modality is not None and not known:
        # Without a modality the kinds below cannot be checked; the table of modalities lists what exists.
        faults = [fault for fault in faults if not fault.key.startswith(("modality", "augment.steps", "model.network"))]
        faults.append(Fault(tree.place(("modality",)), "modality", _not_among(kind, list(MODALITIES))))
    if faults:
        raise ConfigError(faults)
    return config


def dump(config: Config) -> str:
    """The config as YAML that `load` reads to the same config. It does not say where to write."""
    values = config.model_dump(mode="json")
    values["output"] = {"format": values["output"]["format"]}
    values = {key: _without_none(value) for key, value in values.items()}
    return write(values)


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(child) for key, child in value.items() if child is not None}
    return [_without_none(child) for child in value] if isinstance(value, list) else value


def section(cls: type[Section], tree: Tree, key: str) -> Any:
    """One section alone, from a command's flags and overrides. Raises ConfigError."""
    try:
        return cls.model_validate(tree.values.get(key, {}))
    except pydantic.ValidationError as error:
        raise ConfigError([*tree.faults, *(_fault(one, tree, cls, (key,)) for one in error.errors())]) from None


def _fault(error: Any, tree: Tree, model: type[Section], above: tuple[str, ...] = ()) -> Fault:
    """A pydantic error in plain words, at its place in the file."""
    location = error["loc"]
    key = above + tuple(part for part in location if not (isinstance(part, str) and _TAG.fullmatch(part)))
    return Fault(tree.place(key), dotted(key), _words(error, location, model))


_EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "model_type": "a section with keys",
    "dict_type": "a section with keys",
    "int_from_float": "a whole number",
    "is_instance_of": "a section with keys",
}  # by pydantic's types of errors
_LIMITS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("greater than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}
_FIXED = {
    "string_pattern_mismatch": "must be letters, digits, dots, dashes and underscores, starting with a letter or "
    "digit; got {got!r}",
    "string_too_short": "must not be empty",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
}


def _words(error: Any, location: tuple[Any, ...], model: type[Section]) -> str:
    kind, context, got = error["type"], error.get("ctx", {}), error["input"]
    if kind == "extra_forbidden":
        return _unknown_key(_section_of(model, location), str(location[-1]))
    if kind == "missing":
        return "an item is missing" if location and isinstance(location[-1], int) else "required key is missing"
    if kind == "kind":
        return _not_among(context["got"], context["kinds"], context["now"])
    if kind == "literal_error":
        words = [word.strip("'") for word in re.findall(r"'[^']*'", context["expected"])]
        new_words = _section_of(model, location).renamed_values.get(str(location[-1]), {})
        return _not_among(got, words, new_words.get(str(got), ""))
    if kind in _LIMITS:
        words_of_limit, name = _LIMITS[kind]
        return f"must be {words_of_limit} {context[name]:g}, got {got}"
    if kind in _FIXED:
        return _FIXED[kind].format(got=got, **context)
    if kind == "string_type" and isinstance(got, int) and not isinstance(got, bool):
        return f'must be text, got {got}: write "{got}"'
    if kind in _EXPECTED:
        return f"must be {_EXPECTED[kind]}, got {_shown(got)}"
    message = str(error["msg"]).removeprefix("Value error, ")
    return message if kind == "value_error" else f"{message}, got {_shown(got)}"


def _unknown_key(section: type[Section], key: str) -> str:
    now = section.renamed.get(key)
    return f"this key is now called {now!r}" if now else f"unknown key{did_you_mean(key, list(section.model_fields))}"


def _not_among(got: object, kinds: list[str], now: str = "") -> str:
    """What to say of a word that is none of the known ones; `now` is its new name, where it was renamed."""
    return (
        f"{got!r} is now called {now!r}"
        if now
        else f"must be one of {', '.join(kinds)}; got {_shown(got)}{did_you_mean(got, kinds)}"
    )


def _shown(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "nothing"}[value]
    if isinstance(value, (dict, list)):
        return "a section" if isinstance(value, dict) else "a list"
    return repr(value)


def _section_of(model: Any, location: tuple[Any, ...]) -> type[Section]:
    """The section that contains a fault."""
    kinds = Kinds({})
    for part in location[:-1]:
        if isinstance(part, int):
            continue
        if isinstance(part, str) and _TAG.fullmatch(part):
            model = kinds.table[part[1:-1]]
            continue
        field = model.model_fields.get(part)
        if field is None:  # the branch of a union, which is no key
            break
        found = [*field.metadata, *_annotations(field.annotation)]
        kinds = next((one for one in found if isinstance(one, Kinds)), kinds)
        if isinstance(field.annotation, type) and issubclass(field.annotation, pydantic.BaseModel):
            model = field.annotation
    section: type[Section] = model
    return section


def _annotations(annotation: Any) -> list[Any]:
    """All metadata inside an annotation, such as that of list[Annotated[X, Kinds(...)]] | None."""
    inner = [one for argument in typing.get_args(annotation) for one in _annotations(argument)]
    return [*getattr(annotation, "__metadata__", ()), *inner]
