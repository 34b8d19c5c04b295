"""From the features of items to the inputs of the metrics."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from genset.interfaces import FeatureSet, Floats, Labels, MetricInputs
from genset.quality.classifier import Classifier
from genset.quality.feature_space import Embedding, Scale, unseen_rows
from genset.quality.neighbours import Neighbours

SEEDS = 5  # classifiers for each figure, which is their mean


@dataclass(frozen=True)
class ItemFeatures:
    """The features of some items, as their modality computes them."""

    features: Floats  # (N, d)
    closeness: Floats  # (N, f)
    labels: Labels  # (N,)


def standardise_in_place(sets: Sequence[ItemFeatures], *, shared: bool) -> Scale:
    """Standardise all feature arrays by the first set, the real training items; return its scale.

    The arrays are overwritten: with very many items, memory cannot hold a copy. `shared`: all features have the same
    unit already.
    """
    scale = Scale.from_features(sets[0].features, shared=shared)
    for one in sets:
        scale.apply_in_place(one.features)
    return scale


def train_classifiers(train: ItemFeatures, classes: int, seeds: int = SEEDS) -> tuple[Classifier, ...]:
    """Classifiers trained on standardised real training items; none where there are fewer than two classes."""
    if len(set(train.labels.tolist())) < 2:
        return ()
    return tuple(Classifier.train(train.features, train.labels, classes, seed) for seed in range(seeds))


def learn_embedding(train: ItemFeatures, classes: int) -> Embedding:
    """The space in which distributions are compared, learned from half of the standardised real training items."""
    return Embedding.learn(train.features, train.labels, classes)


@dataclass(frozen=True)
class ReferenceModels:
    """Models of the real training items, which all metrics share."""

    classifiers: tuple[Classifier, ...]
    embedding: Embedding

    @classmethod
    def train(cls, items: ItemFeatures, classes: int) -> Self:
        """Train them on standardised real training items."""
        return cls(train_classifiers(items, classes), learn_embedding(items, classes))


def build_inputs(
    classes: tuple[str, ...],
    train: ItemFeatures,
    test: ItemFeatures,
    synthetic: ItemFeatures,
    round_trip: Sequence[ItemFeatures] = (),
    augmented: ItemFeatures | None = None,
    models: ReferenceModels | None = None,
) -> MetricInputs:
    """The inputs of the metrics from standardised features; reference models are trained unless `models` gives them.

    `round_trip`: training items that the space was not learned on, and test items, converted to tensors and back,
    where this loses something; `augmented`: copies of training items.
    """
    models = models or ReferenceModels.train(train, len(classes))

    def embedded(items: ItemFeatures) -> FeatureSet:
        return FeatureSet(items.features, models.embedding(items.features), items.closeness, items.labels)

    sets = embedded(train), embedded(test), embedded(synthetic)
    return MetricInputs(
        classes,
        *sets,
        unseen_rows(len(train.labels)),
        models.classifiers,
        Neighbours(*(one.closeness for one in sets)),
        _space_names(train, models.embedding),
        (embedded(round_trip[0]), embedded(round_trip[1])) if round_trip else None,
        embedded(augmented) if augmented else None,
    )


def _space_names(train: ItemFeatures, embedding: Embedding) -> dict[str, str]:
    """Descriptions of the spaces in which figures compare items, by the names that `MetricInfo.space` has."""
    count, values = train.features.shape
    return {
        "space": embedding.description(count),
        "features": f"{values} fixed features, standardised on {count} real training items",
        "closeness": f"{train.closeness.shape[1]} features that show near copies",
        "items": "the items themselves",
    }
