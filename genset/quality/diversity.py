"""How different synthetic items are from each other."""

import hashlib
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from genset.interfaces import Floats, Metric, MetricInfo, MetricInputs, MetricSkippedError, MetricValue
from genset.quality import intervals
from genset.quality.fidelity import equal_samples

Rows = npt.NDArray[np.floating[Any]]  # (N, d)


class Vendi(Metric):
    """The effective number of different items in a set, compared with as many real ones."""

    _own = partial(
        MetricInfo, group="diversity", space="space", source="Friedman and Dieng 2023, arXiv:2210.02410, cosine kernel"
    )
    figures = (
        _own("vendi", "neutral", "effective number of different items among the synthetic ones (Vendi score)", low=1),
        _own(
            "vendi_ratio",
            "target",
            "vendi, divided by vendi of equally many real held-out items: below 1 is less varied, far above 1 is noise",
            target=1,
        ),
    )

    def compute(self, inputs: MetricInputs) -> Mapping[str, MetricValue]:
        train, test, synthetic = equal_samples(inputs)
        values, ranges = _scores(test, synthetic), intervals.jackknife((test, synthetic), _scores)
        n, best = {"test": len(test), "made": len(synthetic)}, (vendi(test), vendi(train) / vendi(test))
        return {
            figure.name: MetricValue(values[place], n, ranges[place], best[place])
            for place, figure in enumerate(self.figures)
        }


def _scores(test: Rows, synthetic: Rows) -> tuple[float, float]:
    score = vendi(synthetic)
    return score, score / vendi(test)


def vendi(rows: Rows) -> float:
    """exp of the entropy of the eigenvalues of K / N, K the cosines between rows (N, d); 1 where all are equal."""
    wide = rows.astype(np.float64)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    wide /= np.where(length > 0, length, 1)
    products = wide.T @ wide if len(wide) > wide.shape[1] else wide @ wide.T  # both have the same eigenvalues
    shares: npt.NDArray[np.float64] = np.linalg.eigvalsh(products) / len(wide)
    positive = shares[shares > 0]
    return float(np.exp(-(positive * np.log(positive)).sum()))


class Distinct(Metric):
    """Share of synthetic items that differ from each other."""

    figures = (
        MetricInfo(
            "distinct",
            "higher",
            "number of different synthetic items, divided by the number of all synthetic items",
            high=1,
            group="diversity",
            space="closeness",
        ),
    )

    def compute(self, inputs: MetricInputs) -> Mapping[str, MetricValue]:
        synthetic, train = inputs.synthetic.closeness, inputs.train.closeness
        if not len(synthetic):
            raise MetricSkippedError("there are no synthetic items")
        share = distinct(synthetic)
        real = distinct(train) if len(train) else None
        return {
            "distinct": MetricValue(share, {"made": len(synthetic)}, intervals.of_share(share, len(synthetic)), real)
        }


def distinct(rows: Floats) -> float:
    """Share of different rows."""
    return len({hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in rows}) / len(rows)
