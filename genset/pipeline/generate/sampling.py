"""Sample items from a trained model, each with its own random stream, and replace those that a filter rejects."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from genset.dataset import Dataset, Record
from genset.errors import GensetError
from genset.interfaces import Items, Labels, Problem
from genset.modalities import MODALITIES
from genset.models.onnx_network import BATCH
from genset.pipeline.generate.generator import Filters, Places, SampleModel, SampleSource, spread
from genset.pipeline.job import Job
from genset.quality.label_filter import own_probability
from genset.quality.neighbours import nearest
from genset.seeds import item_id

MAX_ATTEMPTS = 20  # samples for one item
_TIE = 1e-5  # tolerance: the order of a sum must not decide about the item that defines the limit
_MAX_BATCHES = 8  # of one task
_REJECTED = {
    "near_copy": "was a near copy of a training item",
    "wrong_label": "looked like another class",
    "blank": "was blank",
    **{
        reason: f"was {message}"
        for modality in MODALITIES.values()
        for reason, message in modality.fault_messages.items()
    },
}


@dataclass(frozen=True)
class GeneratedItems:
    """Generated items with their records, and counts of rejections by reason."""

    dataset: Dataset
    items: Items
    redrawn: dict[str, int]  # rejections, each followed by another attempt
    given_up: dict[tuple[str, str], int]  # items without a further attempt, by label and last reason


def generate_items(
    model: SampleModel,
    requested: Mapping[str, int],
    filters: Filters,
    job: Job,
    *,
    seed: int,
    start: Mapping[str, int] | None = None,
    source: SampleSource | None = None,
) -> GeneratedItems:
    """The `requested` number of items of each label, in the order of labels and numbers; numbers begin at `start`.

    A rejected item is sampled again, up to MAX_ATTEMPTS times. Raises GensetError if no item passes.
    """
    sampler, tally = FilteredSampler(model, filters, seed, source or model), GenerationTally(sum(requested.values()))
    parts = []
    size = items_per_task(tally.requested, job.engine.slots())
    for part in job.engine.map(sampler, place_chunks(requested, start or {}, size)):
        parts.append(part)
        tally.add(part.redrawn, part.given_up, len(part.records))
        job.progress.tick("generate", tally.done, tally.requested, "")
    tally.check(model, sampler.source.hint)
    empty = np.zeros((0, *model.modality.item_shape), model.modality.item_dtype)
    items = np.concatenate([empty, *(part.items for part in parts)])
    dataset = Dataset(model.modality.kind, tuple(record for part in parts for record in part.records))
    return GeneratedItems(dataset, items, tally.redrawn, tally.given_up)


@dataclass(frozen=True)
class SampledPart:
    """The records and items of the places that passed, and counts of rejections by reason."""

    records: list[Record]
    items: Items
    redrawn: Counter[str]
    given_up: Counter[tuple[str, str]]


@dataclass(frozen=True)
class FilteredSampler:
    """Samples items and filters them. Each draw depends only on its place, so tasks can be of any size."""

    model: SampleModel
    filters: Filters
    seed: int
    source: SampleSource

    def __call__(self, places: Places) -> SampledPart:
        """Sample the items of places."""
        items = np.zeros((len(places), *self.model.modality.item_shape), self.model.modality.item_dtype)
        attempts = np.zeros(len(places), np.int64)
        waiting = np.arange(len(places))
        redrawn: Counter[str] = Counter()
        reasons = np.full(len(places), "", dtype="U16")
        for attempt in range(MAX_ATTEMPTS):
            batch = self.source.items_at([places[i] for i in waiting], self.seed, attempt)
            items[waiting], attempts[waiting] = batch, attempt
            reasons = _rejection_reasons(self.model, batch, [places[i][0] for i in waiting], self.filters)
            waiting, reasons = waiting[reasons != ""], reasons[reasons != ""]
            if not len(waiting):
                break
            redrawn.update(reasons.tolist())
        kept = np.setdiff1d(np.arange(len(places)), waiting)
        given_up = Counter((places[i][0], str(reason)) for i, reason in zip(waiting, reasons, strict=True))
        reference = self.model.reference
        records = [_record(places[i], int(attempts[i]), self.seed, reference, self.source) for i in kept]
        return SampledPart(records, items[kept], redrawn, given_up)


@dataclass
class GenerationTally:
    """Counts of a generation over all tasks."""

    requested: int  # items
    done: int = 0  # places that were sampled
    kept: int = 0
    redrawn: dict[str, int] = field(default_factory=dict)  # by reason
    given_up: dict[tuple[str, str], int] = field(default_factory=dict)  # by label and reason

    def add(self, redrawn: Mapping[str, int], given_up: Mapping[tuple[str, str], int], kept: int) -> None:
        """Add the counts of a task."""
        for reason, count in redrawn.items():  # in place: the manifest of the version refers to these mappings
            self.redrawn[reason] = self.redrawn.get(reason, 0) + count
        for key, count in given_up.items():
            self.given_up[key] = self.given_up.get(key, 0) + count
        self.kept += kept
        self.done += kept + sum(given_up.values())

    def check(self, model: SampleModel, hint: str) -> None:
        """Raises GensetError, with the hint, if no item passed."""
        if self.kept or not self.requested:
            return
        reasons: Counter[str] = Counter()
        for (_, reason), count in self.given_up.items():
            reasons[reason] += count
        most, count = reasons.most_common(1)[0]
        raise GensetError(
            f"could not generate any of {self.requested:,} items: each was rejected {MAX_ATTEMPTS} times. "
            f"Most frequent reason in the last attempt: it {_REJECTED[most]} ({count:,} items)",
            where=model.reference,
            hint=hint if most == "near_copy" else model.hint,
        )


def items_per_task(count: int, workers: int) -> int:
    """The number of items of one task: full batches, and few enough that every worker gets some."""
    batches = -(-count // (BATCH * workers))
    return BATCH * max(1, min(batches, _MAX_BATCHES))


def place_range(requested: Mapping[str, int], first: int, limit: int) -> Places:
    """At most `limit` places from number `first`, counted over all labels in order."""
    out: Places = []
    for label, count in requested.items():
        out += [(label, number) for number in range(max(0, first), min(count, first + limit))]
        first -= count
    return out


def place_chunks(requested: Mapping[str, int], start: Mapping[str, int], limit: int) -> Iterator[Places]:
    """All places in order, in chunks of at most `limit`; the numbers of a label begin at `start`, or at 0."""
    for first in range(0, sum(requested.values()), limit):
        yield [(label, start.get(label, 0) + number) for label, number in place_range(requested, first, limit)]


def _rejection_reasons(
    model: SampleModel, items: Items, labels: Sequence[str], filters: Filters
) -> npt.NDArray[np.str_]:
    """(N,) the reason why each item is rejected; "" for items that pass."""
    reasons = np.full(len(items), "", dtype="U16")
    if not len(items):
        return reasons
    closeness = model.modality.closeness(items)
    if filters.wrong_labels and model.label_filter and model.limits.label:
        index: Labels = np.array([model.classes.index(label) for label in labels])
        confidence = own_probability(model.label_filter.probabilities(model.modality.features(items)), index)
        reasons[confidence < model.limits.label - _TIE] = "wrong_label"
    if filters.train is not None:
        reasons[nearest(closeness, filters.train) <= model.limits.copy] = "near_copy"
    reasons[spread(closeness) < model.limits.blank] = "blank"
    faults = model.modality.faults(items)
    return np.where(faults != "", faults, reasons)


def _record(place: tuple[str, int], attempt: int, seed: int, reference: str, source: SampleSource) -> Record:
    label, number = place
    details = source.details()
    name = item_id("g", reference, seed, label, number, *([json.dumps(details)] if details else []))
    drawn = json.dumps([{"number": number, "attempt": attempt, **details}])
    return Record(
        name,
        Path(),
        label,
        "generated",
        origin=source.origin,
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


def rejected_problems(counts: Mapping[tuple[str, str], int]) -> list[Problem]:
    """Items that could not be generated, by label and reason, as problems."""
    return [Problem(label, reason, _missing(reason, count)) for (label, reason), count in sorted(counts.items())]


def _missing(last_reason: str, count: int) -> str:
    """How many items are missing, and why the last attempt for each was rejected."""
    items = "1 item is missing" if count == 1 else f"{count:,} items are missing"
    each = "" if count == 1 else " for each"
    return f"{items}: all {MAX_ATTEMPTS} attempts{each} were rejected; the last one {_REJECTED[last_reason]}"
