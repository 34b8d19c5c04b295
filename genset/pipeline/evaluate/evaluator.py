"""All figures of made items beside real ones: from records and their items to a verdict."""

import importlib.metadata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from genset.config.by_modality import EVERY_FIGURE
from genset.dataset import Record
from genset.engine import Engine
from genset.errors import GensetError
from genset.interfaces import (
    ItemArray,
    Items,
    Labels,
    MetricInfo,
    MetricInputs,
    MetricSkippedError,
    MetricValue,
    Modality,
)
from genset.pipeline.augment.copies import Copy, Recipe, copies_in_turn, transform_copy
from genset.pipeline.augment.mixing import PartnerPool, TrainContext
from genset.pipeline.evaluate.cache import Arrays, FeatureCache
from genset.pipeline.evaluate.verdict import Verdict
from genset.quality import gates, measure
from genset.quality.classifier import Classifier
from genset.quality.feature_space import Embedding, unseen_rows
from genset.quality.metric_inputs import (
    SEEDS,
    ItemFeatures,
    ReferenceModels,
    build_inputs,
    learn_embedding,
    standardise_in_place,
    train_classifiers,
)
from genset.quality.privacy import suspects
from genset.seeds import rng_for

_SENT = 2000  # items of a part that are sent to tensors and back, to see what is lost
_MOST_AUGMENTED = 4000  # transformed copies to compare with
SUSPECTS_LISTED = 1000  # made items that are named as much like a train item, at most
_FEW_FOR_FRECHET = 10  # items for each value of the space, below which a covariance is guesswork


@dataclass(frozen=True)
class LabelledItems:
    """Some items of one part, with their records, in one order."""

    records: Sequence[Record]
    items: Items

    def labels(self, classes: Sequence[str]) -> Labels:
        """(N,) the number of each item's class."""
        index = {label: number for number, label in enumerate(classes)}
        return np.array([index[record.label] for record in self.records], np.int64)


@dataclass(frozen=True)
class Evaluator:
    """How thoroughly items are judged, and with what help."""

    modality: Modality
    engine: Engine
    cache: FeatureCache | None = None
    seeds: int = SEEDS
    no_augmented_reason: str = ""  # why ordinary transformed copies are not compared with, where they are not

    def verdict(
        self,
        classes: tuple[str, ...],
        train: LabelledItems,
        test: LabelledItems,
        made: LabelledItems,
        conditions: Sequence[str] = (),
    ) -> Verdict:
        """All figures of made items beside real ones, and the gates that fail."""
        inputs = self._inputs(classes, train, test, made)
        sizes = {"train": len(train.records), "test": len(test.records), "made": len(made.records)}
        measured, skipped = measure(inputs)
        try:
            own = self.modality.measure(train.items, test.items, made.items)
            measured |= {name: MetricValue(value, sizes) for name, value in own.items()}
        except MetricSkippedError as reason:
            skipped |= {figure.name: str(reason) for figure in self.modality.figures}
        verdict = Verdict(
            {name: rounded(measured[name].value) for name in EVERY_FIGURE if name in measured},
            skipped,
            sizes,
            inputs.space_names["space"],
            details={name: detail(figure, measured[name]) for name, figure in EVERY_FIGURE.items() if name in measured},
            spaces=inputs.space_names,
            suspicious=_suspicious(inputs, train.records, made.records),
            notes=_notes(inputs),
        )
        return with_failed_gates(verdict, conditions, self.modality.kind)

    def _inputs(
        self, classes: tuple[str, ...], train: LabelledItems, test: LabelledItems, made: LabelledItems
    ) -> MetricInputs:
        seen = [self._features(side.items, side.labels(classes), side.records) for side in (train, test, made)]
        fresh = unseen_rows(len(train.records))
        back = self._there_and_back(
            classes, LabelledItems([train.records[row] for row in fresh], train.items[fresh]), test
        )
        scale = standardise_in_place([*seen, *back], shared=self.modality.shared_unit)
        learned = self._learned(seen[0], train.records, len(classes))
        compared = learned.classifiers and not self.no_augmented_reason
        copies = self._copies(classes, train, len(made.records)) if compared else None
        if copies:
            scale.apply_in_place(copies.features)
        found = build_inputs(classes, seen[0], seen[1], seen[2], back, copies, learned)
        return replace(found, no_augmented_reason=self.no_augmented_reason) if self.no_augmented_reason else found

    def _features(self, items: Items, labels: Labels, of: Sequence[Record], *how: Any) -> ItemFeatures:
        """The features of items; `of` and `how` say which these are."""

        def make() -> Arrays:
            some = items if len(items) else np.zeros((1, *self.modality.item_shape), self.modality.item_dtype)
            rows = self.modality.features(some), self.modality.closeness(some)
            return dict(zip(("features", "closeness"), (part[: len(items)] for part in rows), strict=True))

        arrays = self._known("features", of, make, *how)
        return ItemFeatures(arrays["features"], arrays["closeness"], labels)

    def _learned(self, train: ItemFeatures, of: Sequence[Record], classes: int) -> ReferenceModels:
        def space() -> Arrays:
            return learn_embedding(train, classes).arrays

        found = Embedding.from_arrays(self._known("space", of, space, train.labels.tolist()))
        return ReferenceModels(self._judges(train, of, classes), found)

    def _judges(self, train: ItemFeatures, of: Sequence[Record], classes: int) -> tuple[Classifier, ...]:
        def make() -> Arrays:
            trained = train_classifiers(train, classes, self.seeds)
            return {f"{n}_{name}": layer for n, one in enumerate(trained) for name, layer in one.layers.items()}

        arrays = self._known("judges", of, make, train.labels.tolist(), self.seeds)
        names = sorted({name.partition("_")[0] for name in arrays}, key=int)
        return tuple(
            Classifier({name.partition("_")[2]: layer for name, layer in arrays.items() if name.startswith(f"{n}_")})
            for n in names
        )

    def _known(self, what: str, of: Sequence[Record], make: Callable[[], Arrays], *how: Any) -> Arrays:
        contents = [record.content for record in of]
        if self.cache is None or not all(contents):
            return make()
        libraries = [importlib.metadata.version(name) for name in ("numpy", "scikit-learn", "scipy")]
        return self.cache.arrays([what, self.modality.kind, self.modality.settings, libraries, contents, *how], make)

    def _there_and_back(self, classes: Sequence[str], *sides: LabelledItems) -> list[ItemFeatures]:
        """Some items of each side, sent to tensors and back; none where nothing is lost on the way, or one is empty."""
        out = []
        for side in sides:
            step = max(1, -(-len(side.items) // _SENT))
            back = self.modality.round_trip(side.items[::step]) if len(side.items) else None
            if back is None:
                return []
            labels = side.labels(classes)[::step]
            found = self.modality.features(back), self.modality.closeness(back)
            out.append(ItemFeatures(*found, labels))
        return out

    def _copies(self, classes: Sequence[str], train: LabelledItems, count: int) -> ItemFeatures | None:
        """As many ordinary transformed copies of train items as there are made ones; None where there are no steps."""
        steps = tuple(step.for_modality(self.modality) for step in self.modality.default_steps)
        order = rng_for(0, "judge", "augmented").permutation(len(train.records))
        records = [train.records[row] for row in order]
        row = {record.id: int(place) for record, place in zip(records, order, strict=True)}
        wanted = min(count, _MOST_AUGMENTED)
        plan = copies_in_turn(records, {}, wanted, -(-wanted // len(records)))
        if not steps or not plan:
            return None

        recipe, pool = Recipe(steps, 0), PartnerPool(records)

        def item_of(record: Record) -> ItemArray:
            item: ItemArray = train.items[row[record.id]]
            return item

        def one(copy: Copy) -> ItemArray | None:
            company = TrainContext(copy.parent, pool, item_of, None)
            made = transform_copy(item_of(copy.parent), copy, recipe, company)
            return made.item if made else None

        made = [
            (copy.parent, item) for copy, item in zip(plan, self.engine.map(one, plan), strict=True) if item is not None
        ]
        if not made:
            return None
        side = LabelledItems([parent for parent, _ in made], _in_form([item for _, item in made], self.modality))
        return self._features(side.items, side.labels(classes), side.records, "augmented", steps, len(train.records))


def _in_form(items: Sequence[Items], modality: Modality) -> Items:
    """(N, *item_shape) items that a transform may have left longer or shorter: cut, or copies_in_turn up with zeros."""
    out = np.zeros((len(items), *modality.item_shape), modality.item_dtype)
    for row, item in enumerate(items):
        length = min(len(item), out.shape[1])
        out[row, :length] = item[:length]
    return out


def with_failed_gates(verdict: Verdict, conditions: Sequence[str], kind: str) -> Verdict:
    """The verdict with the gates that fail. Raises GensetError for a gate on a figure of another modality."""
    parsed = [gates.parse(text, EVERY_FIGURE) for text in conditions]
    for gate in parsed:
        if gate.figure not in verdict.figures and gate.figure not in verdict.skipped:
            raise GensetError(
                f"{gate.figure} is no figure of {kind} items here",
                where=f"gate {gate}",
                hint=f"There are {', '.join(verdict.figures)}.",
            )
    return replace(verdict, failed_gates=gates.failures(parsed, verdict.figures, verdict.skipped))


def rounded(value: float) -> float:
    """Four decimals, or four digits of what is smaller: what differs beyond that is noise of the processor."""
    return round(value, 4) if abs(value) >= 0.1 else float(f"{value:.4g}")


def detail(figure: MetricInfo, measured: MetricValue) -> dict[str, Any]:
    """All that belongs to the value of a figure, as JSON holds it; null where a range has no end."""
    ends = [None if np.isinf(end) else end for end in (figure.low, figure.high)]
    inside = measured.interval and [rounded(min(max(end, figure.low), figure.high)) for end in measured.interval]
    return {
        "value": rounded(measured.value),
        "interval": inside,
        "real": None if measured.real is None else rounded(measured.real),
        "n": dict(measured.n),
        "classes": {label: rounded(value) for label, value in measured.classes.items()},
        "goal": figure.goal,
        "target": figure.target,
        "range": ends,
        "group": figure.group,
        "space": figure.space,
        "source": figure.source,
        "what": figure.what,
    }


def _suspicious(inputs: MetricInputs, train: Sequence[Record], made: Sequence[Record]) -> list[dict[str, Any]]:
    return [
        {
            "made": _place(made[found.synthetic]),
            "real": _place(train[found.train]),
            "distance": rounded(found.distance),
            "ratio": rounded(found.ratio),
        }
        for found in suspects(inputs)[:SUSPECTS_LISTED]
    ]


def _place(record: Record) -> str:
    """Where a person finds an item; the id of one that was not written yet."""
    return record.place or record.id


def _notes(inputs: MetricInputs) -> list[str]:
    """What is to be kept in mind with the figures."""
    count, values = min(len(inputs.test), len(inputs.synthetic)), inputs.test.space.shape[1]
    if 2 <= count < _FEW_FOR_FRECHET * values:
        return [f"{count} items are few for {values} values: trust kernel_distance more than frechet"]
    return []
