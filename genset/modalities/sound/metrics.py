"""Figures that only sounds have, and faults for which a generated clip is rejected."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from genset.interfaces import ItemArray, Items, MetricInfo, MetricSkippedError
from genset.modalities.sound import codec
from genset.modalities.sound.loudness import loudness

FAULTS: Mapping[str, str] = {
    "silent": "silent",
    "clipped": "clipped: many samples were at full scale",
    "offset": "off centre: its mean was far from 0",
}
FIGURES = (
    MetricInfo(
        "level_difference",
        "lower",
        "difference in dB between the median loudness of synthetic and of real training clips",
    ),
    MetricInfo(
        "loudness",
        "neutral",
        "median loudness of synthetic clips, in dBFS",
        low=float("-inf"),
        high=0,
    ),
    MetricInfo(
        "loudness_real", "neutral", "median loudness of real held-out clips, in dBFS", low=float("-inf"), high=0
    ),
    MetricInfo(
        "peak_quietest",
        "neutral",
        "lowest peak of synthetic clips, in dBFS",
        low=float("-inf"),
        high=0,
    ),
    MetricInfo("peak_loudest", "lower", "highest peak of synthetic clips, in dBFS", low=float("-inf"), high=0),
    MetricInfo("offset", "lower", "largest DC offset of a synthetic clip (1 is full scale)", high=1),
    MetricInfo("clipped_share", "lower", "share of synthetic clips with samples at full scale", high=1),
    MetricInfo("silent_share", "lower", "share of synthetic clips that are silent", high=1),
    MetricInfo("click_share", "lower", "share of synthetic clips that start or end abruptly", high=1),
    MetricInfo("click_share_real", "neutral", "share of real held-out clips that start or end abruptly", high=1),
    MetricInfo("seconds", "neutral", "median length of synthetic clips in seconds, without zeros at the end"),
    MetricInfo("seconds_real", "neutral", "median length of real held-out clips in seconds, without zeros at the end"),
)
_SILENT = -60.0  # dB relative to full scale
_AT_FULL_SCALE = codec.FULL - 8
_CLIPPED = 0.01  # share of samples at full scale
_OFFSET = 0.05  # share of full scale
_CLICK = 0.05  # of the peak: a larger first or last sample is heard as a click


def faults(items: Items) -> npt.NDArray[np.str_]:
    """(N,) one of FAULTS for each clip with a fault, "" for the others."""
    return np.array([_fault(item) for item in items], dtype="U16")


def _fault(item: ItemArray) -> str:
    end = codec.sounding(item)
    if not end or loudness(codec.waveform(item[:end])) < _SILENT:
        return "silent"
    if (np.abs(item[:end].astype(np.int32)) >= _AT_FULL_SCALE).mean() > _CLIPPED:
        return "clipped"
    if np.abs(item[:end].mean(axis=0)).max() > _OFFSET * codec.FULL:
        return "offset"
    return ""


def measure(train: Items, test: Items, synthetic: Items, rate: int) -> dict[str, float]:
    """The values of FIGURES. Raises MetricSkippedError."""
    if not len(synthetic):
        raise MetricSkippedError("no item was generated")
    if not len(train) or not len(test):
        raise MetricSkippedError("needs real training and held-out items")
    real, held_out, ours = (_measured(items) for items in (train, test, synthetic))
    return {
        "level_difference": abs(_median(ours, "loudness") - _median(real, "loudness")),
        "loudness": _median(ours, "loudness"),
        "loudness_real": _median(held_out, "loudness"),
        "peak_quietest": min(one["peak"] for one in ours),
        "peak_loudest": max(one["peak"] for one in ours),
        "offset": max(one["offset"] for one in ours),
        "clipped_share": _share(ours, "clipped"),
        "silent_share": _share(ours, "silent"),
        "click_share": _share(ours, "click"),
        "click_share_real": _share(held_out, "click"),
        "seconds": _median(ours, "samples") / rate,
        "seconds_real": _median(held_out, "samples") / rate,
    }


def _median(rows: Sequence[Mapping[str, float]], name: str) -> float:
    return float(np.median([row[name] for row in rows]))


def _share(rows: Sequence[Mapping[str, float]], name: str) -> float:
    return float(np.mean([row[name] for row in rows]))


def _measured(items: Items) -> Sequence[Mapping[str, float]]:
    """Loudness, peak, offset, faults and length of each clip."""
    out = []
    for item in items:
        end = max(1, codec.sounding(item))
        samples = np.abs(item[:end].astype(np.int32))
        peak = max(1, int(samples.max()))
        level = loudness(codec.waveform(item[:end]))
        out.append(
            {
                "loudness": level,
                "peak": float(20 * np.log10(peak / codec.FULL)),
                "offset": float(np.abs(item[:end].mean(axis=0)).max() / codec.FULL),
                "clipped": float((samples >= _AT_FULL_SCALE).any()),
                "silent": float(level < _SILENT),
                "click": float(max(samples[0].max(), samples[-1].max()) > _CLICK * peak),
                "samples": float(end),
            }
        )
    return out
