"""Metric: figures that compare synthetic items with real ones."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from genset.interfaces.arrays import Floats, Labels


@dataclass(frozen=True)
class FeatureSet:
    """The features of some items, in each of the spaces in which metrics compare them."""

    features: Floats  # (N, d) `Modality.features`, standardised on the real training items
    space: Floats  # (N, e) where distributions are compared: hidden layer of a classifier and principal components
    closeness: Floats  # (N, f) `Modality.closeness`
    labels: Labels  # (N,)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class MetricInputs:
    """What metrics compare: real training, real held-out and synthetic items."""

    classes: tuple[str, ...]
    train: FeatureSet
    test: FeatureSet
    synthetic: FeatureSet
    unseen: Labels  # (M,) rows of the training items that the space was not learned on
    classifiers: tuple[Any, ...]  # trained on the real training items, one for each seed; none without classes
    neighbours: Any  # the nearest items between the sets by `FeatureSet.closeness`, searched once
    space_names: Mapping[str, str]  # descriptions of `FeatureSet.features`, `space` and `closeness`
    round_trip: tuple[FeatureSet, FeatureSet] | None = None
    """Real training and held-out items, converted to tensors and back; None where this conversion loses nothing."""
    augmented: FeatureSet | None = None
    """Augmented copies of real training items, to compare the synthetic ones with; None without any."""
    no_augmented_reason: str = "no augmented copies were generated"
    """Why there are no augmented copies, where there are none."""


class MetricSkippedError(Exception):
    """A metric that cannot be computed on these inputs; the text is the reason."""


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """What one figure means: printed with every value."""

    name: str
    goal: Literal["higher", "lower", "target", "neutral"]
    what: str  # one line of explanation
    low: float = 0.0
    high: float = float("inf")
    headline: bool = False
    target: float | None = None  # the value that a figure with the goal "target" should be near
    group: Literal["utility", "fidelity", "diversity", "privacy", "items"] = "items"
    source: str = ""  # the publication of the formula
    space: Literal["features", "space", "closeness", "items"] = (
        "items"  # where it looks: a part of `FeatureSet`, or the items
    )


@dataclass(frozen=True, slots=True)
class MetricValue:
    """The value of a figure, and the evidence for it."""

    value: float
    n: Mapping[str, int] = field(default_factory=dict)  # number of items of each set that were used
    interval: tuple[float, float] | None = None  # 95% confidence interval
    real: float | None = None  # the value that real training items reach in place of synthetic ones: the best possible
    classes: Mapping[str, float] = field(default_factory=dict)  # the value for each class alone


class Metric(ABC):
    """One or more figures that are computed together."""

    figures: ClassVar[tuple[MetricInfo, ...]]

    @abstractmethod
    def compute(self, inputs: MetricInputs) -> Mapping[str, MetricValue | MetricSkippedError]:
        """The figures by name, or why one cannot be computed. Raises MetricSkippedError if none can be computed."""
