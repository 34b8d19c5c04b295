"""What may be wrong with single sounds: level, clipping, offset, rate."""

from collections.abc import Mapping

import numpy as np

from genset.interfaces import Rule
from genset.modalities.sound.codec import Clip

RULES: Mapping[str, Rule] = {
    "silent": Rule(
        "Sounds that are next to silent, among others that are not. The score is in usual deviations.",
        "its loudest moment is {value:.0f} dB below full scale, usual are {usual:.0f}",
        threshold=4.5,
        least=4.0,
        bound=40.0,
    ),
    "clipped": Rule(
        "Sounds cut off at their peaks. The score is in usual deviations.",
        "{value:.1%} of its samples stand side by side at its peak",
        threshold=3.0,
        least=0.002,
        bound=0.005,
    ),
    "dc_offset": Rule(
        "Sounds that do not swing around 0. The score is in usual deviations.",
        "its mean is {value:.0%} of its swing away from 0",
        threshold=4.0,
        least=0.02,
        bound=0.1,
    ),
    "odd_rate": Rule(
        "Sounds of a sample rate that few others of the set have. The score is the share of those that have another.",
        "{value:,} Hz, usual are {usual:,}",
        threshold=0.95,
        measure="rarity",
    ),
}
_MOMENT = 0.05  # seconds over which a level is taken
_AT_PEAK = 0.999  # of the largest sample
_LOUD = 0.05  # of full scale: a quieter peak is few steps high, and many samples reach it
_QUIET = 1e-6  # -120 dB


def values(clip: Clip) -> dict[str, float | str]:
    """The values that the rules look at."""
    samples = clip.samples  # (T, channels)
    mono = samples.mean(axis=1, dtype=np.float64)
    moment = min(len(mono), max(1, round(_MOMENT * clip.rate)))
    power = np.diff(np.cumsum(np.square(mono))[moment - 1 :: moment], prepend=0.0) / moment
    peak = float(np.abs(samples).max())
    top = np.abs(samples) >= _AT_PEAK * peak
    means = samples.mean(axis=0, dtype=np.float64)
    return {
        "silent": -20 * float(np.log10(max(float(power.max()) ** 0.5, _QUIET))),
        "clipped": float((top[1:] & top[:-1]).mean()) if peak >= _LOUD and len(samples) > 1 else 0.0,
        "dc_offset": float((np.abs(means) / np.maximum(np.abs(samples - means).max(axis=0), _QUIET)).max()),
        "odd_rate": clip.rate,
    }
