"""From features to what the metrics judge."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genset.interfaces import Evidence, Floats, Labels, Part
from genset.quality.classifier import Classifier
from genset.quality.neighbours import Neighbours

SEEDS = 5  # classifiers a figure is the mean of
_COMPONENTS = 32


@dataclass(frozen=True)
class Features:
    """The features of some items, as their modality gives them."""

    features: Floats
    closeness: Floats
    labels: Labels


_LEAST_UNIT = 0.2  # of the root mean square of all deviations


def standardised(train: Features, others: Sequence[Features]) -> list[Floats]:
    """The features of each of `others` in units of the spread of train.

    Of a feature that hardly varies in train, such as a corner that is nearly always black, a unit would be next to
    nothing, and one real item that differs there would count for more than all others: no unit is below a share of the
    usual one.
    """
    mean, deviation = train.features.mean(axis=0), train.features.std(axis=0)
    deviation = np.maximum(deviation, _LEAST_UNIT * np.sqrt(np.square(deviation).mean()) + np.float32(1e-6))
    return [(part.features - mean) / deviation for part in others]


def judges(train: Features, classes: int, seeds: int = SEEDS) -> tuple[Classifier, ...]:
    """Classifiers trained on real train items; none where there are no two classes."""
    if len(set(train.labels.tolist())) < 2:
        return ()
    (scaled,) = standardised(train, [train])
    return tuple(Classifier.trained(scaled, train.labels, classes, seed) for seed in range(seeds))


def gather(
    classes: tuple[str, ...],
    train: Features,
    test: Features,
    made: Features,
    back: Sequence[Features] = (),
    augmented: Features | None = None,
    trained: tuple[Classifier, ...] | None = None,
) -> Evidence:
    """See all parts as the judges do, which are trained on train unless they are given as `trained`.

    `back`: train and test sent to tensors and back, where something is lost on that way; `augmented`: copies of train.
    """
    if trained is None:
        trained = judges(train, len(classes))
    told = (train, test, made, *back, *([augmented] if augmented else []))
    scaled = standardised(train, told)
    real = f"{len(train.labels)} real train items"
    spaces = [trained[0].hidden(part) for part in scaled] if trained else _principal(scaled)
    what = "hidden layer of a classifier trained on" if trained else "principal components of"
    parts = [
        Part(features, space, part.closeness, part.labels)
        for features, space, part in zip(scaled, spaces, told, strict=True)
    ]
    names = {
        "space": f"{what} {real}: {spaces[0].shape[1]} values",
        "features": f"fixed features, standardised on {real}: {scaled[0].shape[1]} values",
        "closeness": f"what near copies are told by: {train.closeness.shape[1]} values",
        "items": "the items themselves",
    }
    there_and_back = (parts[3], parts[4]) if back else None
    near = Neighbours(*(part.closeness for part in parts[:3]))
    copies = parts[-1] if augmented else None
    return Evidence(classes, parts[0], parts[1], parts[2], trained, near, names, there_and_back, copies)


def _principal(parts: list[Floats]) -> list[Floats]:
    _, _, axes = np.linalg.svd(parts[0], full_matrices=False)
    return [part @ axes[:_COMPONENTS].T for part in parts]
