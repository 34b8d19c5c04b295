"""Does the made data help? Classifiers trained on real, on made and on both, all tested on real held-out items."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from genset.interfaces import Evidence, Figure, Labels, Measured, Metric, Part, SkipError
from genset.quality import intervals
from genset.quality.classifier import Classifier, Stacked

Right = npt.NDArray[np.float64]  # (K, N) whether each of N items got its own label from each of K classifiers
_figure = partial(Figure, group="utility", space="features", source="Ravuri and Vinyals 2019, arXiv:1905.10887")
_KINDS = {"real_acc": "real", "cas": "made", "both_acc": "both", "augmented_acc": "augmented"}


class Utility(Metric):
    """Classification accuracy scores and the lift; every classifier takes the same number of optimiser steps."""

    figures = (
        _figure("real_acc", "neutral", "accuracy on real held-out items, trained on real items", high=1),
        _figure("cas", "higher", "the same, trained on made items alone", high=1),
        _figure("cas_ratio", "higher", "cas / real_acc: 1 is as good as real data", headline=True),
        _figure("both_acc", "higher", "the same, trained on real and made items", high=1),
        _figure(
            "augmented_acc",
            "neutral",
            "the same, trained on real items and ordinary transformed copies of them",
            high=1,
        ),
        _figure("lift", "higher", "both_acc - real_acc: what the made items add", low=-1, high=1, headline=True),
        _figure("lift_low", "higher", "lower end of its 95% interval: above 0, the made items help", low=-1, high=1),
        _figure("lift_high", "higher", "upper end of it: below 0, they harm", low=-1, high=1),
        _figure(
            "label_acc",
            "higher",
            "share of made items that a classifier trained on real ones gives their label",
            high=1,
        ),
        _figure("label_ratio", "higher", "label_acc / real_acc", headline=True),
    )

    def compute(self, evidence: Evidence) -> Mapping[str, Measured | SkipError]:
        test, made = evidence.test, evidence.made
        if not evidence.judges:
            raise SkipError("needs at least two classes")
        if not len(test):
            raise SkipError("needs real held-out items: none are in the test part")
        if not len(made):
            raise SkipError("there are no made items")
        runs = _runs(evidence)
        if not runs["real"].any():
            raise SkipError("a classifier trained on the real items gets none of the held-out ones right")
        labelled = _right(evidence.judges, made)
        told: dict[str, Measured | SkipError] = {"augmented_acc": SkipError(evidence.no_augmented)}
        for name, kind in _KINDS.items():
            if kind in runs:
                best = None if kind == "real" else float(runs["real"].mean())
                told[name] = _mean(runs[kind], evidence, test, real=best)
        told |= _lift(runs["both"] - runs["real"], evidence)
        told["cas_ratio"] = _ratio(runs["made"], runs["real"], test)
        told["label_acc"] = _mean(labelled, evidence, made, real=float(runs["real"].mean()), part="made")
        told["label_ratio"] = _label_ratio(labelled, runs["real"])
        return told


def _runs(evidence: Evidence) -> dict[str, Right]:
    """Which held-out items are told right after training on each kind of items, by name."""
    train, made, augmented = evidence.train, evidence.made, evidence.augmented
    trained = {"made": (made,), "both": (train, made)}
    if augmented is not None and len(augmented):
        trained["augmented"] = (train, augmented)
    return {
        "real": _right(evidence.judges, evidence.test),
        **{name: _right(_classifiers(evidence, parts), evidence.test) for name, parts in trained.items()},
    }


def _classifiers(evidence: Evidence, parts: tuple[Part, ...]) -> list[Classifier]:
    features = Stacked([part.features for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    return [Classifier.trained(features, labels, len(evidence.classes), seed) for seed in range(len(evidence.judges))]


def _right(classifiers: Sequence[Classifier], part: Part) -> Right:
    return np.array([one.right(part.features, part.labels) for one in classifiers], np.float64)


def _mean(right: Right, evidence: Evidence, of: Part, *, real: float | None = None, part: str = "test") -> Measured:
    value = float(right.mean())
    interval = intervals.around(value, intervals.half_of_runs(right))
    return Measured(value, {part: len(of)}, interval, real, _by_class(right, of.labels, evidence.classes))


def _by_class(right: Right, labels: Labels, classes: tuple[str, ...]) -> dict[str, float]:
    means = right.mean(axis=0)
    return {label: float(means[labels == n].mean()) for n, label in enumerate(classes) if (labels == n).any()}


def _lift(gains: Right, evidence: Evidence) -> dict[str, Measured | SkipError]:
    lift = _mean(gains, evidence, evidence.test, real=0.0)
    assert lift.interval
    ends = {name: Measured(end, lift.n) for name, end in zip(("lift_low", "lift_high"), lift.interval, strict=True)}
    return {"lift": lift, **ends}


def _ratio(made: Right, real: Right, test: Part) -> Measured:
    """The interval of a ratio of means of the same items, by its linear part."""
    ratio = float(made.mean() / real.mean())
    half = intervals.half_of_runs((made - ratio * real) / real.mean())
    return Measured(ratio, {"test": len(test)}, intervals.around(ratio, half), 1.0)


def _label_ratio(labelled: Right, real: Right) -> Measured:
    """The interval of a ratio of means of different items, by its linear part."""
    ratio = float(labelled.mean() / real.mean())
    halves = intervals.half_of_runs(labelled), ratio * intervals.half_of_runs(real)
    half = float(np.hypot(*halves)) / float(real.mean())
    n = {"test": real.shape[1], "made": labelled.shape[1]}
    return Measured(ratio, n, intervals.around(ratio, half), 1.0)
