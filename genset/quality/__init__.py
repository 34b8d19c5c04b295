"""Metrics on (N, d) features, for items of any modality. A new metric is one file and one line in `METRICS`."""

from collections.abc import Mapping

from genset.interfaces import Metric, MetricInfo, MetricInputs, MetricSkippedError, MetricValue
from genset.quality.diversity import Distinct, Vendi
from genset.quality.fidelity import Frechet, KernelDistance, Manifold
from genset.quality.privacy import Privacy
from genset.quality.round_trip import RoundTrip
from genset.quality.utility import Utility

METRICS: tuple[Metric, ...] = (
    Utility(),
    Frechet(),
    KernelDistance(),
    Manifold(),
    Vendi(),
    Distinct(),
    Privacy(),
    RoundTrip(),
)
FIGURES: Mapping[str, MetricInfo] = {figure.name: figure for metric in METRICS for figure in metric.figures}


def measure(inputs: MetricInputs) -> tuple[dict[str, MetricValue], dict[str, str]]:
    """(figures by name, reasons why the other figures could not be computed, by name)."""
    figures: dict[str, MetricValue] = {}
    skipped: dict[str, str] = {}
    for metric in METRICS:
        try:
            results = metric.compute(inputs)
        except MetricSkippedError as reason:
            results = dict.fromkeys((figure.name for figure in metric.figures), reason)
        for name, result in results.items():
            if isinstance(result, MetricValue):
                figures[name] = result
            else:
                skipped[name] = str(result)
    return figures, skipped
