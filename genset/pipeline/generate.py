"""Sample items from a trained model, each from its own seed, and draw again what is too near to a train item."""

import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from genset.config import DEFAULT_PER_CLASS, Config, Generate
from genset.config import load as load_config
from genset.dataset import Dataset, Record, check_label
from genset.errors import GensetError
from genset.interfaces import Floats, Items, Modality, Prior, Quarantined
from genset.models.runtime import BATCH, Sampler
from genset.pipeline import prepare as preparing
from genset.pipeline.job import Job
from genset.quality.neighbours import nearest
from genset.seeds import generator, item_id
from genset.versions import CONFIG, WORK, Version, verify_sums

GENERATOR = "generator.onnx"
PRIOR = "prior.npz"
MOST_TRIES = 20  # draws for one item
Places = list[tuple[str, int]]  # (label, number) of each item


@dataclass(frozen=True)
class Generator:
    """A trained model, ready to sample without TensorFlow."""

    sampler: Sampler
    prior: Prior
    arrays: Mapping[str, Any]
    modality: Modality
    classes: tuple[str, ...]
    seed: int  # of the run that trained it
    limit: float  # distance to a train item below which an item is a near copy
    reference: str  # what the items name as their model: equal models have equal references

    @classmethod
    def from_parts(
        cls, model: bytes | Path, arrays: Mapping[str, Any], config: Config, facts: Mapping[str, Any]
    ) -> Self:
        """Put a generator together from what training made; `facts` are those of the manifest."""
        classes = tuple(check_label(label, GENERATOR) if label else "" for label in facts["classes"])
        return cls(
            Sampler(model),
            config.model.prior,
            arrays,
            config.items,
            classes,
            config.seed,
            facts["copy_limit"],
            facts["reference"],
        )

    @classmethod
    def open(cls, version: Version) -> Self:
        """A model version, read. Raises GensetError when its files are not those that were written."""
        wrong = verify_sums(version, (GENERATOR, PRIOR))
        if wrong:
            raise GensetError(
                f"{wrong[0]} has changed since it was written",
                where=str(version.path),
                hint="Train the model again with --force, or bring the file back.",
            )
        model = version.manifest["model"]
        config = load_config(version.path / CONFIG)
        arrays = np.load(io.BytesIO((version.path / PRIOR).read_bytes()), allow_pickle=False)
        return cls.from_parts(version.path / GENERATOR, dict(arrays), config, model)

    def sample(self, label: str, seed: int, numbers: Iterable[int]) -> Items:
        """Items of one class by their numbers, unfiltered: number 7 is the same item whatever else is asked for."""
        return self.at([(label, number) for number in numbers], seed, 0)

    def at(self, places: Places, seed: int, attempt: int) -> Items:
        """(N, ...) items of (label, number) places."""
        z = np.zeros((len(places), self.sampler.latent_dim), np.float32)
        for label in dict.fromkeys(label for label, _ in places):
            rows = [row for row, (other, _) in enumerate(places) if other == label]
            rngs = [generator(seed, "generate", label, places[row][1], attempt) for row in rows]
            z[rows] = self.prior.draw(self.arrays, self.classes.index(label), rngs)
        return self.modality.from_tensor(self.sampler(z))


@dataclass(frozen=True)
class Made:
    """Generated items with their records, and what was drawn again or given up, by reason."""

    dataset: Dataset
    items: Items
    redrawn: dict[str, int]
    given_up: dict[str, int]  # by label


def make(
    model: Generator,
    wanted: Mapping[str, int],
    train: Floats | None,
    job: Job,
    *,
    seed: int,
    start: Mapping[str, int] | None = None,
) -> Made:
    """`wanted` items of each label, in the order of labels and numbers; numbers begin at `start`, or at 0.

    `train` are the closeness vectors of the train items, (N, d): what lies within the model's limit of one of them
    is drawn again, MOST_TRIES times at most. None turns that off.
    """
    first = start or {}
    places: Places = [(label, first.get(label, 0) + n) for label, count in wanted.items() for n in range(count)]
    items = np.zeros((len(places), *model.modality.item_shape), np.uint8)
    tries = np.zeros(len(places), np.int64)
    waiting = np.arange(len(places))
    redrawn: Counter[str] = Counter()
    for attempt in range(MOST_TRIES):
        made = _in_batches(model, [places[i] for i in waiting], seed, attempt, job)
        items[waiting], tries[waiting] = made, attempt
        refused = _near_copies(model, made, train)
        waiting = waiting[refused]
        if not len(waiting):
            break
        redrawn["near_copy"] += len(waiting)
    kept = np.setdiff1d(np.arange(len(places)), waiting)
    given_up = Counter(places[i][0] for i in waiting)
    records = [_record(places[i], int(tries[i]), seed, model.reference) for i in kept]
    return Made(Dataset(model.modality.kind, tuple(records)), items[kept], dict(redrawn), dict(given_up))


def _in_batches(model: Generator, places: Places, seed: int, attempt: int, job: Job) -> Items:
    parts = [places[start : start + BATCH] for start in range(0, len(places), BATCH)]
    out = [np.zeros((0, *model.modality.item_shape), np.uint8)]
    for made in job.engine.map(lambda part: model.at(part, seed, attempt), parts):
        out.append(made)
        if attempt == 0:
            job.progress.tick("generate", min(BATCH * (len(out) - 1), len(places)), len(places), "")
    return np.concatenate(out)


def _near_copies(model: Generator, made: Items, train: Floats | None) -> Any:
    if train is None or not len(made):
        return np.zeros(len(made), bool)
    return nearest(model.modality.closeness(made), train) <= model.limit


def _record(place: tuple[str, int], attempt: int, seed: int, reference: str) -> Record:
    label, number = place
    name = item_id("g", reference, seed, label, number)
    drawn = f'[{{"number": {number}, "attempt": {attempt}}}]'
    return Record(name, Path(), label, "generated", split="train", transform=drawn, seed=str(seed), model=reference)


def next_numbers(records: Iterable[Record], reference: str, seed: int) -> dict[str, int]:
    """The first free number of each label among items that the same model made with the same seed."""
    out: dict[str, int] = {}
    for record in records:
        if record.source == "generated" and (record.model, record.seed) == (reference, str(seed)):
            number = json.loads(record.transform)[0]["number"]
            out[record.label] = max(out.get(record.label, 0), number + 1)
    return out


def given_up(made: Made) -> list[Quarantined]:
    """Items that were asked for and not made, as problems."""
    return [
        Quarantined(
            label, "near_copy", f"left out: {count}, as each of {MOST_TRIES} draws was too near to a train item"
        )
        for label, count in made.given_up.items()
    ]


def shares(counts: Mapping[str, int], total: int) -> dict[str, int]:
    """`total` divided in the proportions of `counts`, by largest remainder; ties go to the first label."""
    whole = sum(counts.values())
    exact = {label: total * count / whole for label, count in counts.items()}
    out = {label: int(value) for label, value in exact.items()}
    rest = sorted(exact, key=lambda label: out[label] - exact[label])[: total - sum(out.values())]
    return {label: count + (label in rest) for label, count in out.items()}


def wanted(train_counts: Mapping[str, int], section: Generate) -> dict[str, int]:
    """How many items of each label a section asks for: `count` in the proportions of the train part, or `per_class`."""
    if section.count is not None:
        return shares(train_counts, section.count)
    return dict.fromkeys(train_counts, DEFAULT_PER_CLASS if section.per_class is None else section.per_class)


def learned(version: Version, job: Job, cure: str) -> preparing.Prepared:
    """The items that a model learned from, with the splits they had.

    Raises GensetError, with the cure, when those items are no longer what and where they were.
    """
    identity = version.manifest["inputs"]["identity"]
    for work in {version.path.parents[2] / WORK / version.name, job.root.path / WORK / version.name}:
        prepared = preparing.kept(work, identity)
        if prepared:
            return prepared
    config = load_config(version.path / CONFIG)
    try:
        prepared = preparing.prepare(config, job)
    except GensetError as error:
        raise GensetError(
            f"what {version.reference} learned from cannot be read ({error.message})", where=error.where, hint=cure
        ) from None
    if prepared.identity != identity:
        raise GensetError(
            f"what {version.reference} learned from has changed", where=", ".join(config.data.source), hint=cure
        )
    return prepared


def train_closeness(prepared: preparing.Prepared) -> Floats:
    """Closeness vectors of the items a model learned from: what near copies are told by."""
    return prepared.modality.closeness(prepared.part("train")[0])
