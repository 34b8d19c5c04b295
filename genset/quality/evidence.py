"""From features to what the metrics judge."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genset.interfaces import Evidence, Floats, Labels, Part
from genset.quality.classifier import Classifier

SEEDS = 3  # classifiers a figure is the mean of
_COMPONENTS = 32


@dataclass(frozen=True)
class Features:
    """The features of some items, as their modality gives them."""

    features: Floats
    closeness: Floats
    labels: Labels


def gather(
    classes: tuple[str, ...], train: Features, test: Features, made: Features, back: Sequence[Features] = ()
) -> Evidence:
    """Standardise on train, train the judges on train, and see all parts through them.

    `back`: train and test sent to tensors and back, where something is lost on that way.
    """
    mean, deviation = train.features.mean(axis=0), train.features.std(axis=0) + 1e-3
    told = (train, test, made, *back)
    scaled = [(part.features - mean) / deviation for part in told]
    judges: tuple[Classifier, ...] = ()
    if len(set(train.labels.tolist())) > 1:
        judges = tuple(Classifier(scaled[0], train.labels, len(classes), seed) for seed in range(SEEDS))
        spaces = [judges[0].hidden(part) for part in scaled]
        name = f"hidden layer of a classifier trained on {len(train.labels)} real train items"
    else:
        spaces = _principal(scaled)
        name = f"principal components of {len(train.labels)} real train items"
    parts = [
        Part(features, space, part.closeness, part.labels)
        for features, space, part in zip(scaled, spaces, told, strict=True)
    ]
    there_and_back = (parts[3], parts[4]) if back else None
    return Evidence(classes, parts[0], parts[1], parts[2], judges, name, there_and_back)


def _principal(parts: list[Floats]) -> list[Floats]:
    _, _, axes = np.linalg.svd(parts[0], full_matrices=False)
    return [part @ axes[:_COMPONENTS].T for part in parts]
