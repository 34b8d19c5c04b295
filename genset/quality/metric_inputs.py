"""From features to what the metrics judge."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from genset.interfaces import Evidence, Floats, Labels, Part
from genset.quality.classifier import Classifier
from genset.quality.feature_space import Embedding, Scale, unseen
from genset.quality.neighbours import Neighbours

SEEDS = 5  # classifiers a figure is the mean of


@dataclass(frozen=True)
class Features:
    """The features of some items."""

    features: Floats
    closeness: Floats
    labels: Labels


def standardise(parts: Sequence[Features], *, shared: bool) -> Scale:
    """Bring features, as their modality gives them, to units of the first part, the real train items; these units.

    The arrays are changed where they stand: of very many items there is no place for two of them. `shared`: all
    features are in one unit already.
    """
    scale = Scale.of(parts[0].features, shared=shared)
    for part in parts:
        scale.within(part.features)
    return scale


def judges(train: Features, classes: int, seeds: int = SEEDS) -> tuple[Classifier, ...]:
    """Classifiers trained on standardised real train items; none where there are no two classes."""
    if len(set(train.labels.tolist())) < 2:
        return ()
    return tuple(Classifier.trained(train.features, train.labels, classes, seed) for seed in range(seeds))


def embedding(train: Features, classes: int) -> Embedding:
    """The space in which distributions are compared, learned from half of the standardised real train items."""
    return Embedding.learned(train.features, train.labels, classes)


@dataclass(frozen=True)
class Learned:
    """What was learned from the real train part before anything is judged."""

    judges: tuple[Classifier, ...]
    embedding: Embedding

    @classmethod
    def of(cls, train: Features, classes: int) -> Self:
        """Learn it now."""
        return cls(judges(train, classes), embedding(train, classes))


def gather(
    classes: tuple[str, ...],
    train: Features,
    test: Features,
    made: Features,
    back: Sequence[Features] = (),
    augmented: Features | None = None,
    learned: Learned | None = None,
) -> Evidence:
    """See all parts, standardised, as the judges do, which are trained on train unless they are given in `learned`.

    `back`: train items that the space was not learned on, and test, sent to tensors and back, where something is lost
    on that way; `augmented`: copies of train.
    """
    learned = learned or Learned.of(train, len(classes))
    space = learned.embedding

    def seen(of: Features) -> Part:
        return Part(of.features, space(of.features), of.closeness, of.labels)

    parts = [seen(part) for part in (train, test, made)]
    names = {
        "space": space.named(len(train.labels)),
        "features": f"fixed features, standardised on {len(train.labels)} real train items: "
        f"{train.features.shape[1]} values",
        "closeness": f"what near copies are told by: {train.closeness.shape[1]} values",
        "items": "the items themselves",
    }
    return Evidence(
        classes,
        parts[0],
        parts[1],
        parts[2],
        unseen(len(train.labels)),
        learned.judges,
        Neighbours(*(part.closeness for part in parts)),
        names,
        (seen(back[0]), seen(back[1])) if back else None,
        seen(augmented) if augmented else None,
    )
