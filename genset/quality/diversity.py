"""How different made items are from each other."""

import hashlib
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from genset.interfaces import Evidence, Figure, Floats, Measured, Metric, SkipError
from genset.quality import intervals
from genset.quality.fidelity import equal_parts

Rows = npt.NDArray[np.floating[Any]]  # (N, d)


class Vendi(Metric):
    """How many wholly different items a set is worth, beside as many real ones."""

    _own = partial(
        Figure, group="diversity", space="space", source="Friedman and Dieng 2023, arXiv:2210.02410, cosine kernel"
    )
    figures = (
        _own("vendi", "neutral", "Vendi score of made items: how many wholly different ones they are worth", low=1),
        _own(
            "vendi_ratio",
            "target",
            "vendi / that of as many real held-out items: below 1 is less diverse, far above it is noise",
            target=1,
        ),
    )

    def compute(self, evidence: Evidence) -> Mapping[str, Measured]:
        train, test, made = equal_parts(evidence)
        values, ranges = _scores(test, made), intervals.jackknife((test, made), _scores)
        n, best = {"test": len(test), "made": len(made)}, (vendi(test), vendi(train) / vendi(test))
        return {
            figure.name: Measured(values[place], n, ranges[place], best[place])
            for place, figure in enumerate(self.figures)
        }


def _scores(test: Rows, made: Rows) -> tuple[float, float]:
    score = vendi(made)
    return score, score / vendi(test)


def vendi(rows: Rows) -> float:
    """exp of the entropy of the eigenvalues of K / N, K the cosines between rows (N, d); 1 where all are alike."""
    wide = rows.astype(np.float64)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    wide /= np.where(length > 0, length, 1)
    products = wide.T @ wide if len(wide) > wide.shape[1] else wide @ wide.T  # either has the same eigenvalues
    shares: npt.NDArray[np.float64] = np.linalg.eigvalsh(products) / len(wide)
    positive = shares[shares > 0]
    return float(np.exp(-(positive * np.log(positive)).sum()))


class Distinct(Metric):
    """Share of made items that differ from each other."""

    figures = (
        Figure(
            "distinct",
            "higher",
            "share of distinct items among the made ones",
            high=1,
            group="diversity",
            space="closeness",
        ),
    )

    def compute(self, evidence: Evidence) -> Mapping[str, Measured]:
        made, train = evidence.made.closeness, evidence.train.closeness
        if not len(made):
            raise SkipError("there are no made items")
        share = distinct(made)
        real = distinct(train) if len(train) else None
        return {"distinct": Measured(share, {"made": len(made)}, intervals.of_share(share, len(made)), real)}


def distinct(rows: Floats) -> float:
    """Share of different rows."""
    return len({hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in rows}) / len(rows)
