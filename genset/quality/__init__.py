"""Figures on (N, d) features: none knows what an item is. A new metric is one file and one line in the table."""

from collections.abc import Mapping

from genset.interfaces import Evidence, Figure, Measured, Metric, SkipError
from genset.quality.diversity import Distinct, Vendi
from genset.quality.fidelity import Frechet, KernelDistance, Manifold
from genset.quality.privacy import Privacy
from genset.quality.round_trip import Ceiling
from genset.quality.utility import Utility

METRICS: tuple[Metric, ...] = (
    Utility(),
    Frechet(),
    KernelDistance(),
    Manifold(),
    Vendi(),
    Distinct(),
    Privacy(),
    Ceiling(),
)
FIGURES: Mapping[str, Figure] = {figure.name: figure for metric in METRICS for figure in metric.figures}


def measure(evidence: Evidence) -> tuple[dict[str, Measured], dict[str, str]]:
    """(figures, skipped): every figure by name, or the reason why it could not be computed."""
    figures: dict[str, Measured] = {}
    skipped: dict[str, str] = {}
    for metric in METRICS:
        try:
            found = metric.compute(evidence)
        except SkipError as reason:
            found = dict.fromkeys((figure.name for figure in metric.figures), reason)
        for name, outcome in found.items():
            if isinstance(outcome, Measured):
                figures[name] = outcome
            else:
                skipped[name] = str(outcome)
    return figures, skipped
