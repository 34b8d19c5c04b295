"""What only sounds have: their own figures, and what makes a made clip of no use."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from genset.interfaces import Figure, Item, Items, SkipError
from genset.modalities.sound import codec
from genset.modalities.sound.loudness import loudness

FAULTS: Mapping[str, str] = {
    "silent": "silent",
    "clipped": "clipped: many samples stood at full scale",
    "offset": "off centre: its mean was far from 0",
}
FIGURES = (
    Figure("level_difference", "lower", "dB between the median loudness of made and of real train clips"),
    Figure("loudness", "neutral", "median loudness of made clips, dB below full scale", low=float("-inf"), high=0),
    Figure("loudness_real", "neutral", "the same of real held-out clips", low=float("-inf"), high=0),
    Figure("peak_quietest", "neutral", "lowest peak of made clips, dB below full scale", low=float("-inf"), high=0),
    Figure("peak_loudest", "lower", "highest peak of made clips, dB below full scale", low=float("-inf"), high=0),
    Figure("offset", "lower", "largest mean of the samples of a made clip, as a share of full scale", high=1),
    Figure("clipped_share", "lower", "share of made clips with samples at full scale", high=1),
    Figure("silent_share", "lower", "share of made clips that are silent", high=1),
    Figure("click_share", "lower", "share of made clips that start or end in mid-air", high=1),
    Figure("click_share_real", "neutral", "the same of real held-out clips", high=1),
    Figure("seconds", "neutral", "median length of made clips, up to where they end"),
    Figure("seconds_real", "neutral", "the same of real held-out clips"),
)
_SILENT = -60.0  # dB below full scale
_AT_SCALE = codec.FULL - 8
_CLIPPED = 0.01  # share of samples at full scale
_OFFSET = 0.05  # share of full scale
_CLICK = 0.05  # of the peak: what a first or last sample may have


def faults(items: Items) -> npt.NDArray[np.str_]:
    """(N,) one of FAULTS for each clip of no use, "" for the others."""
    return np.array([_fault(item) for item in items], dtype="U16")


def _fault(item: Item) -> str:
    end = codec.sounding(item)
    if not end or loudness(codec.waveform(item[:end])) < _SILENT:
        return "silent"
    if (np.abs(item[:end].astype(np.int32)) >= _AT_SCALE).mean() > _CLIPPED:
        return "clipped"
    if np.abs(item[:end].mean(axis=0)).max() > _OFFSET * codec.FULL:
        return "offset"
    return ""


def measure(train: Items, test: Items, made: Items, rate: int) -> dict[str, float]:
    """The values of FIGURES. Raises SkipError."""
    if not len(made):
        raise SkipError("no item was made")
    if not len(train) or not len(test):
        raise SkipError("needs real train and held-out items")
    real, held_out, ours = (_told(items) for items in (train, test, made))
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


def _median(told: Sequence[Mapping[str, float]], name: str) -> float:
    return float(np.median([one[name] for one in told]))


def _share(told: Sequence[Mapping[str, float]], name: str) -> float:
    return float(np.mean([one[name] for one in told]))


def _told(items: Items) -> Sequence[Mapping[str, float]]:
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
                "clipped": float((samples >= _AT_SCALE).any()),
                "silent": float(level < _SILENT),
                "click": float(max(samples[0].max(), samples[-1].max()) > _CLICK * peak),
                "samples": float(end),
            }
        )
    return out
