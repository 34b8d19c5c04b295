"""Does synthetic data help? Classifiers trained on real, synthetic or all items, and tested on real held-out items."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from genset.interfaces import FeatureSet, Labels, Metric, MetricInfo, MetricInputs, MetricSkippedError, MetricValue
from genset.quality import intervals
from genset.quality.classifier import Classifier, StackedRows

Correct = npt.NDArray[np.float64]  # (K, N) 1 where each of K classifiers gives an item its own label, else 0
_figure = partial(MetricInfo, group="utility", space="features", source="Ravuri and Vinyals 2019, arXiv:1905.10887")
_TRAINED_ON = {"real_acc": "real", "cas": "synthetic", "both_acc": "both", "augmented_acc": "augmented"}


class Utility(Metric):
    """Classification accuracy scores and the lift; all classifiers are trained for the same number of steps."""

    figures = (
        _figure("real_acc", "neutral", "accuracy on real held-out items after training on real items", high=1),
        _figure("cas", "higher", "accuracy on real held-out items after training on synthetic items only", high=1),
        _figure(
            "cas_ratio",
            "higher",
            "accuracy after training on synthetic items, divided by accuracy after training on real items",
            headline=True,
        ),
        _figure(
            "both_acc", "higher", "accuracy on real held-out items after training on real and synthetic items", high=1
        ),
        _figure(
            "augmented_acc",
            "neutral",
            "accuracy on real held-out items after training on real items and augmented copies of them",
            high=1,
        ),
        _figure(
            "lift",
            "higher",
            "accuracy that training gains from added synthetic items: both_acc minus real_acc",
            low=-1,
            high=1,
            headline=True,
        ),
        _figure(
            "lift_low",
            "higher",
            "lower end of the 95% interval of lift; if it is above 0, synthetic items help",
            low=-1,
            high=1,
        ),
        _figure(
            "lift_high",
            "higher",
            "upper end of the 95% interval of lift; if it is below 0, synthetic items harm",
            low=-1,
            high=1,
        ),
        _figure(
            "label_acc",
            "higher",
            "share of synthetic items for which a classifier trained on real items predicts the correct label",
            high=1,
        ),
        _figure(
            "label_ratio",
            "higher",
            "share of synthetic items classified correctly, divided by the same share of real held-out items",
            headline=True,
        ),
    )

    def compute(self, inputs: MetricInputs) -> Mapping[str, MetricValue | MetricSkippedError]:
        test, synthetic = inputs.test, inputs.synthetic
        if not inputs.classifiers:
            raise MetricSkippedError("needs at least two classes")
        if not len(test):
            raise MetricSkippedError("needs real held-out items: the test split has none")
        if not len(synthetic):
            raise MetricSkippedError("there are no synthetic items")
        runs = _runs(inputs)
        if not runs["real"].any():
            raise MetricSkippedError("a classifier trained on the real items gets every held-out item wrong")
        accuracy = float(runs["real"].mean())
        labelled = _correct(inputs.classifiers, synthetic)
        results: dict[str, MetricValue | MetricSkippedError] = {
            "augmented_acc": MetricSkippedError(inputs.no_augmented_reason)
        }
        for name, kind in _TRAINED_ON.items():
            if kind in runs:
                results[name] = _mean(runs[kind], inputs, test, real=None if kind == "real" else accuracy)
        results |= _lift(runs["both"] - runs["real"], inputs)
        results["cas_ratio"] = _ratio(runs["synthetic"], runs["real"], test)
        results["label_acc"] = _mean(labelled, inputs, synthetic, real=accuracy, counted_as="made")
        results["label_ratio"] = _label_ratio(labelled, runs["real"])
        return results


def _runs(inputs: MetricInputs) -> dict[str, Correct]:
    """Which held-out items are classified correctly after training on each kind of items, by the name of the kind."""
    train, synthetic, augmented = inputs.train, inputs.synthetic, inputs.augmented
    training = {"synthetic": (synthetic,), "both": (train, synthetic)}
    if augmented is not None and len(augmented):
        training["augmented"] = (train, augmented)
    return {
        "real": _correct(inputs.classifiers, inputs.test),
        **{name: _correct(_classifiers(inputs, sets), inputs.test) for name, sets in training.items()},
    }


def _classifiers(inputs: MetricInputs, sets: tuple[FeatureSet, ...]) -> list[Classifier]:
    features = StackedRows([one.features for one in sets])
    labels = np.concatenate([one.labels for one in sets])
    return [Classifier.train(features, labels, len(inputs.classes), seed) for seed in range(len(inputs.classifiers))]


def _correct(classifiers: Sequence[Classifier], items: FeatureSet) -> Correct:
    return np.array([one.correct(items.features, items.labels) for one in classifiers], np.float64)


def _mean(
    correct: Correct, inputs: MetricInputs, items: FeatureSet, *, real: float | None = None, counted_as: str = "test"
) -> MetricValue:
    value = float(correct.mean())
    interval = intervals.around(value, intervals.half_of_runs(correct))
    return MetricValue(
        value, {counted_as: len(items)}, interval, real, _by_class(correct, items.labels, inputs.classes)
    )


def _by_class(correct: Correct, labels: Labels, classes: tuple[str, ...]) -> dict[str, float]:
    means = correct.mean(axis=0)
    return {label: float(means[labels == n].mean()) for n, label in enumerate(classes) if (labels == n).any()}


def _lift(gains: Correct, inputs: MetricInputs) -> dict[str, MetricValue | MetricSkippedError]:
    lift = _mean(gains, inputs, inputs.test, real=0.0)
    assert lift.interval
    ends = {name: MetricValue(end, lift.n) for name, end in zip(("lift_low", "lift_high"), lift.interval, strict=True)}
    return {"lift": lift, **ends}


def _ratio(synthetic: Correct, real: Correct, test: FeatureSet) -> MetricValue:
    """Ratio of two means over the same items; its interval by linearisation."""
    ratio = float(synthetic.mean() / real.mean())
    half = intervals.half_of_runs((synthetic - ratio * real) / real.mean())
    return MetricValue(ratio, {"test": len(test)}, intervals.around(ratio, half), 1.0)


def _label_ratio(labelled: Correct, real: Correct) -> MetricValue:
    """Ratio of two means over different items; its interval by linearisation."""
    ratio = float(labelled.mean() / real.mean())
    halves = intervals.half_of_runs(labelled), ratio * intervals.half_of_runs(real)
    half = float(np.hypot(*halves)) / float(real.mean())
    n = {"test": real.shape[1], "made": labelled.shape[1]}
    return MetricValue(ratio, n, intervals.around(ratio, half), 1.0)
