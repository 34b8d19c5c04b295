"""Figures on (N, d) features: none knows what an item is. A new metric is one file and one line in the table."""

from collections.abc import Mapping

from genset.interfaces import Evidence, Figure, Metric, SkipError
from genset.quality.ceiling import Ceiling
from genset.quality.fidelity import DensityCoverage, Frechet
from genset.quality.privacy import Copies, Distinct
from genset.quality.utility import Utility

METRICS: tuple[Metric, ...] = (Utility(), Frechet(), DensityCoverage(), Copies(), Distinct(), Ceiling())
FIGURES: Mapping[str, Figure] = {figure.name: figure for metric in METRICS for figure in metric.figures}


def measure(evidence: Evidence) -> tuple[dict[str, float], dict[str, str]]:
    """(figures, skipped): every figure by name, or the reason why it could not be computed."""
    figures: dict[str, float] = {}
    skipped: dict[str, str] = {}
    for metric in METRICS:
        try:
            figures |= {name: round(float(value), 4) for name, value in metric.compute(evidence).items()}
        except SkipError as reason:
            skipped |= {figure.name: str(reason) for figure in metric.figures}
    return figures, skipped
