"""Sample items from a trained model, each from its own seed, and resample those that a filter rejects."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from genset.config import DEFAULT_PER_CLASS, Config, Generate
from genset.config import load as load_config
from genset.dataset import Dataset, Record, check_label
from genset.errors import GensetError
from genset.interfaces import Floats, Items, Labels, Modality, Prior, Quarantined, Sampling
from genset.modalities import MODALITIES
from genset.models.npz import load_npz
from genset.models.onnx_network import BATCH, OnnxNetwork
from genset.pipeline import prepare as preparing
from genset.pipeline.job import Job
from genset.quality.label_filter import LabelFilter, own_probability
from genset.quality.neighbours import nearest
from genset.seeds import item_id, rng_for
from genset.sums import verified
from genset.versions import CONFIG, MANIFEST, WORK, Version, roots_of

CODES = "codes"  # the network from draws of the density to codes, if they differ
ENCODER = "encoder.onnx"
PRIOR = "prior.npz"
JUDGE = "judge.npz"
RARE = 3  # a class with at most so many training items is too small to fit a density
MAX_ATTEMPTS = 20  # samples for one item
_TIE = 1e-5  # tolerance: sums in another order must not decide about the item that the limit comes from
_MAX_BATCHES = 8  # sampled together
_REJECTED = {
    "near_copy": "was too near to a training item",
    "wrong_label": "looked like another class",
    "blank": "was blank",
    **{reason: f"was {told}" for table in MODALITIES.values() for reason, told in table.faults_told.items()},
}
Places = list[tuple[str, int]]  # (label, number) of each item


@dataclass(frozen=True)
class Limits:
    """Limits for synthetic items: measured on real items when the model was trained, and saved with it."""

    copy: float  # distance to a training item; at or below it an item is a near copy
    blank: float  # range of the values of a closeness vector; below it an item is blank
    label: float = 0.0  # probability of its own label; below it an item looks like another class
    error: float = 0.0  # the largest reconstruction error of a held-out item; 0 if unknown


@dataclass(frozen=True)
class Filters:
    """Which items are resampled besides blank ones."""

    train: Floats | None  # (N, d) closeness vectors of the training items, to find near copies; None: no check
    wrong_labels: bool = True

    @classmethod
    def from_section(cls, section: Generate, train: Callable[[], Floats]) -> Self:
        """The filters that the config requests."""
        return cls(train() if section.near_copies == "reject" else None, section.wrong_labels == "reject")


@dataclass(frozen=True)
class Generator:
    """A trained model, ready to sample without TensorFlow."""

    models: Mapping[str, OnnxNetwork]  # those that `Family.sampler` named
    prior: Prior
    arrays: Mapping[str, Any]
    modality: Modality
    classes: tuple[str, ...]
    seed: int  # of the run that trained it
    limits: Limits
    judge: LabelFilter | None  # finds wrong labels; None for a single class
    reference: str  # recorded in the metadata of each item: equal models have equal references
    sampling: Sampling

    @classmethod
    def from_parts(
        cls,
        models: Mapping[str, bytes],
        arrays: Mapping[str, Any],
        config: Config,
        modality: Modality,
        facts: Mapping[str, Any],
        judge: LabelFilter | None,
        where: str = "",
    ) -> Self:
        """Combine the results of a training; `facts` are those of the manifest, `where` names the model in errors."""
        classes = tuple(check_label(label, MANIFEST) if label else "" for label in facts["classes"])
        return cls(
            {name: OnnxNetwork(model, where) for name, model in models.items()},
            config.model.density,
            arrays,
            modality,
            classes,
            config.seed,
            Limits(**facts["limits"]),
            judge,
            facts["reference"],
            config.generate.sampling,
        )

    @classmethod
    def open(cls, version: Version) -> Self:
        """Read a model version. Raises GensetError if its files differ from those that were written."""
        model = version.manifest["model"]
        arrays = [PRIOR, JUDGE] if model["judge"] else [PRIOR]
        networks = {name: f"{name}.onnx" for name in model["networks"]}
        config = load_config(version.path / CONFIG)
        state = config.items.state_files
        hint = "Train the model again with --force, or restore the file."
        files = verified(version, (*networks.values(), *arrays, *state), hint)
        modality = config.items.restored({name: files[name] for name in state})
        prior, *judges = (load_npz(files[name], str(version.path / name)) for name in arrays)
        judge = LabelFilter(judges[0]) if judges else None
        models = {name: files[file] for name, file in networks.items()}
        return cls.from_parts(models, prior, config, modality, model, judge, str(version.path))

    def sample(self, label: str, seed: int, numbers: Iterable[int]) -> Items:
        """Items of one class by number, unfiltered: number 7 is the same item in every request."""
        return self.at([(label, number) for number in numbers], seed, 0)

    def at(self, places: Places, seed: int, attempt: int) -> Items:
        """(N, ...) items of (label, number) places."""
        return self.decode(self.codes(places, seed, attempt), places, seed, attempt)

    def details(self) -> dict[str, Any]:
        """What is recorded beside each item, besides its number."""
        sampling = self.sampling.model_dump(exclude_defaults=True)
        return {"sampling": sampling} if sampling else {}

    @property
    def origin(self) -> str:
        """The ids of the parent items: none for a sampled item."""
        return ""

    @property
    def hint(self) -> str:
        """What to do if every item is rejected as a near copy."""
        return "Train longer, or look at the model's samples.png and curves.png."

    def decode(self, z: Floats, places: Places, seed: int, attempt: int) -> Items:
        """(N, ...) items of (N, latent_dim) codes; other random draws depend on the place, seed and attempt."""
        rngs = [rng_for(seed, "render", label, number, attempt) for label, number in places]
        label = self.one_hot([label for label, _ in places])
        return self.modality.render(self.models, z, label, rngs, self.sampling)

    def one_hot(self, labels: Sequence[str]) -> Floats:
        """(N, classes) one-hot rows of labels."""
        out = np.zeros((len(labels), len(self.classes)), np.float32)
        out[np.arange(len(labels)), [self.classes.index(label) for label in labels]] = 1
        return out

    def codes(self, places: Places, seed: int, attempt: int) -> Floats:
        """(N, latent_dim) codes of (label, number) places."""
        z = np.zeros((len(places), self.models.get(CODES, next(iter(self.models.values()))).input_width), np.float32)
        for label in dict.fromkeys(label for label, _ in places):
            rows = [row for row, (other, _) in enumerate(places) if other == label]
            rngs = [rng_for(seed, "generate", label, places[row][1], attempt) for row in rows]
            z[rows] = self.prior.draw(self.arrays, self.classes.index(label), rngs)
        return self.models[CODES](z)[0] if CODES in self.models and len(z) else z


class Draws(Protocol):
    """Where items come from: samples of the density, or variations of the user's items."""

    @property
    def origin(self) -> str:
        """The ids of the parents of each item."""

    @property
    def hint(self) -> str:
        """What to do if every item is rejected as a near copy."""

    def at(self, places: Places, seed: int, attempt: int) -> Items:
        """(N, ...) items of (label, number) places; another attempt gives other items."""

    def details(self) -> dict[str, Any]:
        """What is recorded beside each item, besides its number."""


@dataclass(frozen=True)
class Made:
    """Generated items with their records, and counts of what was resampled or given up, by reason."""

    dataset: Dataset
    items: Items
    redrawn: dict[str, int]
    given_up: dict[tuple[str, str], int]  # by label and the reason of the last rejection


def make(
    model: Generator,
    wanted: Mapping[str, int],
    filters: Filters,
    job: Job,
    *,
    seed: int,
    start: Mapping[str, int] | None = None,
    draws: Draws | None = None,
) -> Made:
    """`wanted` items of each label, in the order of labels and numbers; numbers begin at `start`, or at 0.

    Rejected items are resampled, up to MAX_ATTEMPTS times. Raises GensetError if no item passes.
    """
    drawing, tally = Drawing(model, filters, seed, draws or model), Tally(sum(wanted.values()))
    parts = []
    for part in job.engine.map(drawing, stretches(wanted, start or {}, at_once(tally.wanted, job.engine.slots()))):
        parts.append(part)
        tally.add(part.redrawn, part.given_up, len(part.records))
        job.progress.tick("generate", tally.done, tally.wanted, "")
    tally.check(model, drawing.draws.hint)
    none = np.zeros((0, *model.modality.item_shape), model.modality.item_dtype)
    items = np.concatenate([none, *(part.items for part in parts)])
    dataset = Dataset(model.modality.kind, tuple(record for part in parts for record in part.records))
    return Made(dataset, items, tally.redrawn, tally.given_up)


@dataclass(frozen=True)
class Part:
    """The result for some places: records and items of those that passed, counts of the others by reason."""

    records: list[Record]
    items: Items
    redrawn: Counter[str]
    given_up: Counter[tuple[str, str]]


@dataclass(frozen=True)
class Drawing:
    """Samples items for places. Each draw depends on the place alone, so places can be divided in any way."""

    model: Generator
    filters: Filters
    seed: int
    draws: Draws

    def __call__(self, places: Places) -> Part:
        """The result for some places."""
        items = np.zeros((len(places), *self.model.modality.item_shape), self.model.modality.item_dtype)
        tries = np.zeros(len(places), np.int64)
        waiting = np.arange(len(places))
        redrawn: Counter[str] = Counter()
        reasons = np.full(len(places), "", dtype="U16")
        for attempt in range(MAX_ATTEMPTS):
            made = self.draws.at([places[i] for i in waiting], self.seed, attempt)
            items[waiting], tries[waiting] = made, attempt
            reasons = _rejected(self.model, made, [places[i][0] for i in waiting], self.filters)
            waiting, reasons = waiting[reasons != ""], reasons[reasons != ""]
            if not len(waiting):
                break
            redrawn.update(reasons.tolist())
        kept = np.setdiff1d(np.arange(len(places)), waiting)
        given_up = Counter((places[i][0], str(reason)) for i, reason in zip(waiting, reasons, strict=True))
        reference = self.model.reference
        records = [_record(places[i], int(tries[i]), self.seed, reference, self.draws) for i in kept]
        return Part(records, items[kept], redrawn, given_up)


@dataclass
class Tally:
    """Counts of a generation, over all its parts."""

    wanted: int
    done: int = 0  # places that were sampled
    kept: int = 0
    redrawn: dict[str, int] = field(default_factory=dict)  # by reason
    given_up: dict[tuple[str, str], int] = field(default_factory=dict)  # by label and reason

    def add(self, redrawn: Mapping[str, int], given_up: Mapping[tuple[str, str], int], kept: int) -> None:
        """Count a part."""
        for reason, count in redrawn.items():  # in place: the report of the version holds these mappings already
            self.redrawn[reason] = self.redrawn.get(reason, 0) + count
        for which, count in given_up.items():
            self.given_up[which] = self.given_up.get(which, 0) + count
        self.kept += kept
        self.done += kept + sum(given_up.values())

    def check(self, model: Generator, hint: str) -> None:
        """Raises GensetError, with a hint, if no place has an item."""
        if self.kept or not self.wanted:
            return
        reasons: Counter[str] = Counter()
        for (_, reason), count in self.given_up.items():
            reasons[reason] += count
        most, count = reasons.most_common(1)[0]
        raise GensetError(
            f"could not generate any of {self.wanted:,} items: {MAX_ATTEMPTS} attempts each were rejected; most often "
            f"({count:,} items) the last one {_REJECTED[most]}",
            where=model.reference,
            hint=hint if most == "near_copy" else model.hint,
        )


def at_once(count: int, workers: int) -> int:
    """How many items are sampled together: full batches, few enough that every worker gets some."""
    batches = -(-count // (BATCH * workers))
    return BATCH * max(1, min(batches, _MAX_BATCHES))


def stretch(wanted: Mapping[str, int], first: int, most: int) -> Places:
    """The places from number `first` on, counted over all labels in order; at most `most`."""
    out: Places = []
    for label, count in wanted.items():
        out += [(label, number) for number in range(max(0, first), min(count, first + most))]
        first -= count
    return out


def stretches(wanted: Mapping[str, int], start: Mapping[str, int], most: int) -> Iterator[Places]:
    """The places of the items in order, in pieces of at most `most`; numbers begin at `start`, or at 0."""
    for first in range(0, sum(wanted.values()), most):
        yield [(label, start.get(label, 0) + number) for label, number in stretch(wanted, first, most)]


def _rejected(model: Generator, made: Items, labels: Sequence[str], filters: Filters) -> npt.NDArray[np.str_]:
    """(N,) why each item is rejected; "" for the others."""
    reasons = np.full(len(made), "", dtype="U16")
    if not len(made):
        return reasons
    close = model.modality.closeness(made)
    if filters.wrong_labels and model.judge and model.limits.label:
        index: Labels = np.array([model.classes.index(label) for label in labels])
        sure = own_probability(model.judge.probabilities(model.modality.features(made)), index)
        reasons[sure < model.limits.label - _TIE] = "wrong_label"
    if filters.train is not None:
        reasons[nearest(close, filters.train) <= model.limits.copy] = "near_copy"
    reasons[spread(close) < model.limits.blank] = "blank"
    found = model.modality.faults(made)
    return np.where(found != "", found, reasons)


def spread(close: Floats) -> Floats:
    """(N,) range of the values of each closeness vector: 0 for a uniform item."""
    out: Floats = np.ptp(close, axis=1)
    return out


def _record(place: tuple[str, int], attempt: int, seed: int, reference: str, draws: Draws) -> Record:
    label, number = place
    details = draws.details()
    name = item_id("g", reference, seed, label, number, *([json.dumps(details)] if details else []))
    drawn = json.dumps([{"number": number, "attempt": attempt, **details}])
    return Record(
        name,
        Path(),
        label,
        "generated",
        origin=draws.origin,
        split="train",
        transform=drawn,
        seed=str(seed),
        model=reference,
    )


def next_numbers(records: Iterable[Record], reference: str, seed: int) -> dict[str, int]:
    """The first free number of each label among items of the same model and seed."""
    out: dict[str, int] = {}
    for record in records:
        if record.source == "generated" and (record.model, record.seed) == (reference, str(seed)):
            number = json.loads(record.transform)[0]["number"]
            out[record.label] = max(out.get(record.label, 0), number + 1)
    return out


def given_up(counts: Mapping[tuple[str, str], int]) -> list[Quarantined]:
    """Items that could not be generated, by label and reason, as problems."""
    return [
        Quarantined(label, reason, f"left out {count} items: each of {MAX_ATTEMPTS} attempts {_REJECTED[reason]}")
        for (label, reason), count in sorted(counts.items())
    ]


def shares(counts: Mapping[str, int], total: int) -> dict[str, int]:
    """`total` divided in the proportions of `counts`, by largest remainder; ties go to the first label."""
    everything = sum(counts.values())
    exact = {label: total * count / max(1, everything) for label, count in counts.items()}
    out = {label: int(value) for label, value in exact.items()}
    rest = sorted(exact, key=lambda label: out[label] - exact[label])[: total - sum(out.values())]
    return {label: count + (label in rest) for label, count in out.items()}


def wanted(train_counts: Mapping[str, int], section: Generate) -> dict[str, int]:
    """The number of items of each label: `count` in the proportions of the training set, or `per_class`."""
    included = {label: count for label, count in train_counts.items() if label not in left_out(train_counts, section)}
    none = dict.fromkeys(train_counts, 0)
    if section.count is not None:
        return {**none, **shares(included, section.count)}
    return {**none, **dict.fromkeys(included, DEFAULT_PER_CLASS if section.per_class is None else section.per_class)}


def left_out(train_counts: Mapping[str, int], section: Generate) -> set[str]:
    """The rare classes for which nothing is generated."""
    if section.rare_classes == "vary":
        return set()
    return {label for label, count in train_counts.items() if count <= RARE}


def rare(train_counts: Mapping[str, int], section: Generate) -> list[Quarantined]:
    """A problem for each class with very few items."""
    done = {
        "vary": "generated items vary them as items of other classes vary: check them",
        "leave_out": "nothing is generated for it",
    }[section.rare_classes]
    return [
        Quarantined(label, "rare_class", f"{count} training item{'s' * (count != 1)}: {done}")
        for label, count in train_counts.items()
        if count <= RARE and len(train_counts) > 1
    ]


def learned(version: Version, job: Job, hint: str) -> preparing.Prepared:
    """The items that a model was trained on, with their splits.

    Raises GensetError, with the hint, if those items have moved or changed.
    """
    identity = version.manifest["inputs"]["identity"]
    for work in {root.path / WORK / version.name for root in (*roots_of(version), job.root)}:
        prepared = preparing.kept(work, identity)
        if prepared:
            return prepared
    config = load_config(version.path / CONFIG)
    try:
        prepared = preparing.prepare(config, job)
    except GensetError as error:
        raise GensetError(
            f"the training items of {version.reference} cannot be read ({error.message})", where=error.where, hint=hint
        ) from None
    if prepared.identity != identity:
        raise GensetError(
            f"the training items of {version.reference} have changed", where=", ".join(config.data.source), hint=hint
        )
    return prepared


def train_closeness(prepared: preparing.Prepared) -> Floats:
    """Closeness vectors of the training items of a model, with which near copies are found."""
    return prepared.modality.closeness(prepared.part("train")[0])
