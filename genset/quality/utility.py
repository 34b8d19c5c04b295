"""Does the made data help? Classifiers trained on real, on made and on both, all tested on real held-out items."""

from collections.abc import Mapping

import numpy as np

from genset.interfaces import Evidence, Figure, Metric, SkipError
from genset.quality.classifier import Classifier


class Utility(Metric):
    """Classification accuracy scores (Ravuri and Vinyals 2019, arXiv:1905.10887) and the lift."""

    figures = (
        Figure("real_acc", "neutral", "accuracy on real held-out items, trained on real items", high=1),
        Figure("cas", "higher", "the same, trained on made items alone", high=1),
        Figure("cas_ratio", "higher", "cas / real_acc: 1 is as good as real data", headline=True),
        Figure("both_acc", "higher", "the same, trained on real and made items", high=1),
        Figure("lift", "higher", "both_acc - real_acc: what the made items add", low=-1, high=1, headline=True),
        Figure("lift_noise", "neutral", "two standard errors of the lift: what chance alone may do"),
        Figure(
            "label_acc",
            "higher",
            "share of made items that a classifier trained on real ones gives their label",
            high=1,
        ),
        Figure("label_ratio", "higher", "label_acc / real_acc", headline=True),
    )

    def compute(self, evidence: Evidence) -> Mapping[str, float]:
        train, test, made = evidence.train, evidence.test, evidence.made
        if not evidence.judges:
            raise SkipError("needs at least two classes")
        if not len(test):
            raise SkipError("needs real held-out items: none are in the test part")
        if not len(made):
            raise SkipError("there are no made items")
        classes, seeds = len(evidence.classes), range(len(evidence.judges))
        both = np.concatenate([train.features, made.features]), np.concatenate([train.labels, made.labels])
        on_real = [judge.right(test.features, test.labels) for judge in evidence.judges]
        on_both = [Classifier(*both, classes, seed).right(test.features, test.labels) for seed in seeds]
        on_made = [
            Classifier(made.features, made.labels, classes, seed).right(test.features, test.labels) for seed in seeds
        ]
        labelled = [judge.right(made.features, made.labels) for judge in evidence.judges]
        real_acc, cas, both_acc, label_acc = (float(np.mean(part)) for part in (on_real, on_made, on_both, labelled))
        gain = np.mean(on_both, axis=0) - np.mean(on_real, axis=0)  # of each held-out item, over the seeds
        if real_acc == 0:
            raise SkipError("a classifier trained on the real items gets none of the held-out ones right")
        return {
            "real_acc": real_acc,
            "cas": cas,
            "cas_ratio": cas / real_acc,
            "both_acc": both_acc,
            "lift": both_acc - real_acc,
            "lift_noise": 2 * float(np.std(gain)) / len(gain) ** 0.5,
            "label_acc": label_acc,
            "label_ratio": label_acc / real_acc,
        }
