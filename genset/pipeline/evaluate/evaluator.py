"""Computes all figures of synthetic items against real ones."""

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

_MAX_ROUND_TRIP = 2000  # items of a split that are converted to tensors and back, to measure the loss
_MAX_AUGMENTED = 4000  # augmented copies, as a baseline
SUSPECTS_LISTED = 1000  # at most so many near copies of training items are listed
_FEW_FOR_FRECHET = 10  # items per dimension of the feature space; with fewer a covariance is unreliable


@dataclass(frozen=True)
class LabelledItems:
    """Items with their records, in the same order."""

    records: Sequence[Record]
    items: Items

    def labels(self, classes: Sequence[str]) -> Labels:
        """(N,) index of each item's class."""
        index = {label: number for number, label in enumerate(classes)}
        return np.array([index[record.label] for record in self.records], np.int64)


@dataclass(frozen=True)
class Evaluator:
    """Settings of an evaluation."""

    modality: Modality
    engine: Engine
    cache: FeatureCache | None = None
    seeds: int = SEEDS
    no_augmented_reason: str = ""  # why there is no baseline of augmented copies; "" if there is one

    def verdict(
        self,
        classes: tuple[str, ...],
        train: LabelledItems,
        test: LabelledItems,
        synthetic: LabelledItems,
        conditions: Sequence[str] = (),
    ) -> Verdict:
        """All figures of synthetic items against real ones, and the gates that fail."""
        inputs = self._inputs(classes, train, test, synthetic)
        sizes = {"train": len(train.records), "test": len(test.records), "made": len(synthetic.records)}
        measured, skipped = measure(inputs)
        try:
            own = self.modality.measure(train.items, test.items, synthetic.items)
            measured |= {name: MetricValue(value, sizes) for name, value in own.items()}
        except MetricSkippedError as reason:
            skipped |= {figure.name: str(reason) for figure in self.modality.figures}
        verdict = Verdict(
            {name: rounded(measured[name].value) for name in EVERY_FIGURE if name in measured},
            skipped,
            sizes,
            inputs.space_names["space"],
            details={
                name: figure_details(figure, measured[name])
                for name, figure in EVERY_FIGURE.items()
                if name in measured
            },
            spaces=inputs.space_names,
            suspicious=_suspicious(inputs, train.records, synthetic.records),
            notes=_notes(inputs),
        )
        return with_failed_gates(verdict, conditions, self.modality.kind)

    def _inputs(
        self, classes: tuple[str, ...], train: LabelledItems, test: LabelledItems, synthetic: LabelledItems
    ) -> MetricInputs:
        features = [self._features(part.items, part.labels(classes), part.records) for part in (train, test, synthetic)]
        unseen = unseen_rows(len(train.records))
        round_trips = self._round_trips(
            classes, LabelledItems([train.records[row] for row in unseen], train.items[unseen]), test
        )
        scale = standardise_in_place([*features, *round_trips], shared=self.modality.shared_unit)
        models = self._reference_models(features[0], train.records, len(classes))
        has_baseline = models.classifiers and not self.no_augmented_reason
        copies = self._augmented(classes, train, len(synthetic.records)) if has_baseline else None
        if copies:
            scale.apply_in_place(copies.features)
        inputs = build_inputs(classes, features[0], features[1], features[2], round_trips, copies, models)
        return replace(inputs, no_augmented_reason=self.no_augmented_reason) if self.no_augmented_reason else inputs

    def _features(self, items: Items, labels: Labels, records: Sequence[Record], *key: Any) -> ItemFeatures:
        """The features of items, which are cached by their records and the rest of the key."""

        def compute() -> Arrays:
            batch = items if len(items) else np.zeros((1, *self.modality.item_shape), self.modality.item_dtype)
            arrays = {"features": self.modality.features(batch), "closeness": self.modality.closeness(batch)}
            return {name: array[: len(items)] for name, array in arrays.items()}

        arrays = self._cached("features", records, compute, *key)
        return ItemFeatures(arrays["features"], arrays["closeness"], labels)

    def _reference_models(self, train: ItemFeatures, records: Sequence[Record], classes: int) -> ReferenceModels:
        """The classifiers and the embedding that are learned from the training set."""

        def compute() -> Arrays:
            return learn_embedding(train, classes).arrays

        embedding = Embedding.from_arrays(self._cached("space", records, compute, train.labels.tolist()))
        return ReferenceModels(self._classifiers(train, records, classes), embedding)

    def _classifiers(self, train: ItemFeatures, records: Sequence[Record], classes: int) -> tuple[Classifier, ...]:
        def compute() -> Arrays:
            classifiers = train_classifiers(train, classes, self.seeds)
            return {
                f"{n}_{name}": layer
                for n, classifier in enumerate(classifiers)
                for name, layer in classifier.layers.items()
            }

        arrays = self._cached("judges", records, compute, train.labels.tolist(), self.seeds)
        names = sorted({name.partition("_")[0] for name in arrays}, key=int)
        return tuple(
            Classifier({name.partition("_")[2]: layer for name, layer in arrays.items() if name.startswith(f"{n}_")})
            for n in names
        )

    def _cached(self, kind: str, records: Sequence[Record], compute: Callable[[], Arrays], *key: Any) -> Arrays:
        """Arrays of a kind, from the cache where the contents of all records are known."""
        contents = [record.content for record in records]
        if self.cache is None or not all(contents):
            return compute()
        libraries = [importlib.metadata.version(name) for name in ("numpy", "scikit-learn", "scipy")]
        return self.cache.arrays([kind, self.modality.kind, self.modality.settings, libraries, contents, *key], compute)

    def _round_trips(self, classes: Sequence[str], *parts: LabelledItems) -> list[ItemFeatures]:
        """Some items of each part, converted to tensors and back; [] if that loses nothing, or if a part is empty."""
        out = []
        for part in parts:
            step = max(1, -(-len(part.items) // _MAX_ROUND_TRIP))
            items = self.modality.round_trip(part.items[::step]) if len(part.items) else None
            if items is None:
                return []
            labels = part.labels(classes)[::step]
            out.append(ItemFeatures(self.modality.features(items), self.modality.closeness(items), labels))
        return out

    def _augmented(self, classes: Sequence[str], train: LabelledItems, count: int) -> ItemFeatures | None:
        """A baseline: `count` copies of training items with the default transforms; None if there are none."""
        steps = tuple(step.for_modality(self.modality) for step in self.modality.default_steps)
        order = rng_for(0, "judge", "augmented").permutation(len(train.records))
        records = [train.records[row] for row in order]
        rows = {record.id: int(row) for record, row in zip(records, order, strict=True)}
        count = min(count, _MAX_AUGMENTED)
        plan = copies_in_turn(records, {}, count, -(-count // len(records)))
        if not steps or not plan:
            return None

        recipe, pool = Recipe(steps, 0), PartnerPool(records)

        def item_of(record: Record) -> ItemArray:
            item: ItemArray = train.items[rows[record.id]]
            return item

        def transformed_item(copy: Copy) -> ItemArray | None:
            context = TrainContext(copy.parent, pool, item_of, None)
            transformed = transform_copy(item_of(copy.parent), copy, recipe, context)
            return transformed.item if transformed else None

        items = self.engine.map(transformed_item, plan)
        pairs = [(copy.parent, item) for copy, item in zip(plan, items, strict=True) if item is not None]
        if not pairs:
            return None
        stacked = _stack_to_shape([item for _, item in pairs], self.modality)
        part = LabelledItems([parent for parent, _ in pairs], stacked)
        return self._features(part.items, part.labels(classes), part.records, "augmented", steps, len(train.records))


def _stack_to_shape(items: Sequence[Items], modality: Modality) -> Items:
    """(N, *item_shape) items: those that a transform changed in length are truncated or padded with zeros."""
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
                f"{gate.figure} is not a figure of {kind} items",
                where=f"gate {gate}",
                hint=f"Use one of {', '.join(verdict.figures)}.",
            )
    return replace(verdict, failed_gates=gates.failures(parsed, verdict.figures, verdict.skipped))


def rounded(value: float) -> float:
    """The value with four decimals, or four digits if it is below 0.1: further digits differ between processors."""
    return round(value, 4) if abs(value) >= 0.1 else float(f"{value:.4g}")


def figure_details(figure: MetricInfo, measured: MetricValue) -> dict[str, Any]:
    """The value of a figure with its interval, sizes and meaning, for JSON; null for the open end of a range."""
    ends = [None if np.isinf(end) else end for end in (figure.low, figure.high)]
    interval = measured.interval and [rounded(min(max(end, figure.low), figure.high)) for end in measured.interval]
    return {
        "value": rounded(measured.value),
        "interval": interval,
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


def _suspicious(inputs: MetricInputs, train: Sequence[Record], synthetic: Sequence[Record]) -> list[dict[str, Any]]:
    return [
        {
            "made": _location(synthetic[suspect.synthetic]),
            "real": _location(train[suspect.train]),
            "distance": rounded(suspect.distance),
            "ratio": rounded(suspect.ratio),
        }
        for suspect in suspects(inputs)[:SUSPECTS_LISTED]
    ]


def _location(record: Record) -> str:
    """The file of an item; its id if it is not written yet."""
    return record.place or record.id


def _notes(inputs: MetricInputs) -> list[str]:
    """Caveats about the figures."""
    count, dimensions = min(len(inputs.test), len(inputs.synthetic)), inputs.test.space.shape[1]
    if 2 <= count < _FEW_FOR_FRECHET * dimensions:
        return [f"frechet is unreliable with {count} items in {dimensions} dimensions: use kernel_distance"]
    return []
