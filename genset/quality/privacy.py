"""Are the made items new, or copies of train items and of each other?"""

from collections.abc import Mapping

import numpy as np

from genset.interfaces import Evidence, Figure, Metric, SkipError
from genset.quality.neighbours import copy_limit, nearest

EXPECTED_SHARE = 0.01  # of real held-out items that are as near to train as a copy


class Copies(Metric):
    """Share of made items nearer to a train item than 99% of real held-out items are."""

    figures = (
        Figure(
            "copies",
            "lower",
            "share of made items nearer to a train item than 99% of held-out ones are; 0.01 is expected",
            high=1,
            headline=True,
        ),
    )

    def compute(self, evidence: Evidence) -> Mapping[str, float]:
        if not len(evidence.test) or not len(evidence.made):
            raise SkipError("needs real held-out and made items")
        limit = copy_limit(evidence.test.closeness, evidence.train.closeness, EXPECTED_SHARE)
        # "at most" and not "below": where held-out items repeat train items the limit is 0, and a copy is one still
        distances = nearest(evidence.made.closeness, evidence.train.closeness)
        return {"copies": float((distances <= limit).mean())}


class Distinct(Metric):
    """Share of made items that differ from each other."""

    figures = (Figure("distinct", "higher", "share of distinct items among the made ones", high=1),)

    def compute(self, evidence: Evidence) -> Mapping[str, float]:
        if not len(evidence.made):
            raise SkipError("there are no made items")
        return {"distinct": len(np.unique(evidence.made.closeness, axis=0)) / len(evidence.made)}
