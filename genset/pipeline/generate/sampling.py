"""Sample items from a trained model, each from its own seed, and resample those that a filter rejects."""

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
_TIE = 1e-5  # tolerance: sums in another order must not decide about the item that the limit comes from
_MAX_BATCHES = 8  # sampled together
_REJECTED = {
    "near_copy": "was too near to a training item",
    "wrong_label": "looked like another class",
    "blank": "was blank",
    **{reason: f"was {told}" for table in MODALITIES.values() for reason, told in table.fault_messages.items()},
}


@dataclass(frozen=True)
class GeneratedItems:
    """Generated items with their records, and counts of what was resampled or given up, by reason."""

    dataset: Dataset
    items: Items
    redrawn: dict[str, int]
    given_up: dict[tuple[str, str], int]  # by label and the reason of the last rejection


def generate_items(
    model: SampleModel,
    wanted: Mapping[str, int],
    filters: Filters,
    job: Job,
    *,
    seed: int,
    start: Mapping[str, int] | None = None,
    draws: SampleSource | None = None,
) -> GeneratedItems:
    """`wanted` items of each label, in the order of labels and numbers; numbers begin at `start`, or at 0.

    Rejected items are resampled, up to MAX_ATTEMPTS times. Raises GensetError if no item passes.
    """
    drawing, tally = FilteredSampler(model, filters, seed, draws or model), GenerationTally(sum(wanted.values()))
    parts = []
    for part in job.engine.map(
        drawing, place_chunks(wanted, start or {}, items_per_task(tally.requested, job.engine.slots()))
    ):
        parts.append(part)
        tally.add(part.redrawn, part.given_up, len(part.records))
        job.progress.tick("generate", tally.done, tally.requested, "")
    tally.check(model, drawing.source.hint)
    none = np.zeros((0, *model.modality.item_shape), model.modality.item_dtype)
    items = np.concatenate([none, *(part.items for part in parts)])
    dataset = Dataset(model.modality.kind, tuple(record for part in parts for record in part.records))
    return GeneratedItems(dataset, items, tally.redrawn, tally.given_up)


@dataclass(frozen=True)
class SampledPart:
    """The result for some places: records and items of those that passed, counts of the others by reason."""

    records: list[Record]
    items: Items
    redrawn: Counter[str]
    given_up: Counter[tuple[str, str]]


@dataclass(frozen=True)
class FilteredSampler:
    """Samples items for places. Each draw depends on the place alone, so places can be divided in any way."""

    model: SampleModel
    filters: Filters
    seed: int
    source: SampleSource

    def __call__(self, places: Places) -> SampledPart:
        """The result for some places."""
        items = np.zeros((len(places), *self.model.modality.item_shape), self.model.modality.item_dtype)
        tries = np.zeros(len(places), np.int64)
        waiting = np.arange(len(places))
        redrawn: Counter[str] = Counter()
        reasons = np.full(len(places), "", dtype="U16")
        for attempt in range(MAX_ATTEMPTS):
            made = self.source.items_at([places[i] for i in waiting], self.seed, attempt)
            items[waiting], tries[waiting] = made, attempt
            reasons = _rejected(self.model, made, [places[i][0] for i in waiting], self.filters)
            waiting, reasons = waiting[reasons != ""], reasons[reasons != ""]
            if not len(waiting):
                break
            redrawn.update(reasons.tolist())
        kept = np.setdiff1d(np.arange(len(places)), waiting)
        given_up = Counter((places[i][0], str(reason)) for i, reason in zip(waiting, reasons, strict=True))
        reference = self.model.reference
        records = [_record(places[i], int(tries[i]), self.seed, reference, self.source) for i in kept]
        return SampledPart(records, items[kept], redrawn, given_up)


@dataclass
class GenerationTally:
    """Counts of a generation, over all its parts."""

    requested: int
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

    def check(self, model: SampleModel, hint: str) -> None:
        """Raises GensetError, with a hint, if no place has an item."""
        if self.kept or not self.requested:
            return
        reasons: Counter[str] = Counter()
        for (_, reason), count in self.given_up.items():
            reasons[reason] += count
        most, count = reasons.most_common(1)[0]
        raise GensetError(
            f"could not generate any of {self.requested:,} items: {MAX_ATTEMPTS} attempts each were rejected; "
            f"most often ({count:,} items) the last one {_REJECTED[most]}",
            where=model.reference,
            hint=hint if most == "near_copy" else model.hint,
        )


def items_per_task(count: int, workers: int) -> int:
    """How many items are sampled together: full batches, few enough that every worker gets some."""
    batches = -(-count // (BATCH * workers))
    return BATCH * max(1, min(batches, _MAX_BATCHES))


def place_range(wanted: Mapping[str, int], first: int, most: int) -> Places:
    """The places from number `first` on, counted over all labels in order; at most `most`."""
    out: Places = []
    for label, count in wanted.items():
        out += [(label, number) for number in range(max(0, first), min(count, first + most))]
        first -= count
    return out


def place_chunks(wanted: Mapping[str, int], start: Mapping[str, int], most: int) -> Iterator[Places]:
    """The places of the items in order, in pieces of at most `most`; numbers begin at `start`, or at 0."""
    for first in range(0, sum(wanted.values()), most):
        yield [(label, start.get(label, 0) + number) for label, number in place_range(wanted, first, most)]


def _rejected(model: SampleModel, made: Items, labels: Sequence[str], filters: Filters) -> npt.NDArray[np.str_]:
    """(N,) why each item is rejected; "" for the others."""
    reasons = np.full(len(made), "", dtype="U16")
    if not len(made):
        return reasons
    close = model.modality.closeness(made)
    if filters.wrong_labels and model.label_filter and model.limits.label:
        index: Labels = np.array([model.classes.index(label) for label in labels])
        sure = own_probability(model.label_filter.probabilities(model.modality.features(made)), index)
        reasons[sure < model.limits.label - _TIE] = "wrong_label"
    if filters.train is not None:
        reasons[nearest(close, filters.train) <= model.limits.copy] = "near_copy"
    reasons[spread(close) < model.limits.blank] = "blank"
    found = model.modality.faults(made)
    return np.where(found != "", found, reasons)


def _record(place: tuple[str, int], attempt: int, seed: int, reference: str, draws: SampleSource) -> Record:
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


def rejected_problems(counts: Mapping[tuple[str, str], int]) -> list[Problem]:
    """Items that could not be generated, by label and reason, as problems."""
    return [
        Problem(label, reason, f"left out {count} items: each of {MAX_ATTEMPTS} attempts {_REJECTED[reason]}")
        for (label, reason), count in sorted(counts.items())
    ]
