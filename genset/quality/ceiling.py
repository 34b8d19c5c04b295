"""What the best of models could reach, where the way from tensors to items loses something: sounds from spectra."""

from collections.abc import Mapping

import numpy as np

from genset.interfaces import Evidence, Figure, Metric, SkipError
from genset.quality.fidelity import NEIGHBOURS, density_coverage, equal_parts, frechet


class Ceiling(Metric):
    """The figures of real items that went to tensors and back, as made ones come from tensors."""

    figures = (
        Figure("label_ratio_ceiling", "neutral", "label_ratio of real held-out items sent to tensors and back"),
        Figure("frechet_ratio_ceiling", "neutral", "frechet_ratio of real train items sent to tensors and back"),
        Figure("coverage_ceiling", "neutral", "coverage of real train items sent to tensors and back", high=1),
    )

    def compute(self, evidence: Evidence) -> Mapping[str, float]:
        """No figures where nothing is lost on the way."""
        if evidence.back is None:
            return {}
        train, test, back = equal_parts(evidence.train, evidence.test, evidence.back[0])
        if len(test) <= NEIGHBOURS:
            raise SkipError(f"needs more than {NEIGHBOURS} real held-out items, has {len(test)}")
        figures = {
            "frechet_ratio_ceiling": frechet(back, test) / max(frechet(train, test), 1e-9),
            "coverage_ceiling": density_coverage(test, back)[1],
        }
        part = evidence.back[1]
        on_real, on_back = (
            float(np.mean([judge.right(rows.features, rows.labels) for judge in evidence.judges] or [0]))
            for rows in (evidence.test, part)
        )
        return {**figures, "label_ratio_ceiling": on_back / on_real} if on_real else figures
