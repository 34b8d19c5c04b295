"""Rules for single sounds: level, clipping, offset, sample rate."""

from collections.abc import Mapping

import numpy as np

from genset.interfaces import Rule
from genset.modalities.sound.codec import Clip

RULES: Mapping[str, Rule] = {
    "silent": Rule(
        "Sounds that are almost silent while most of the set are not. The score is in usual deviations.",
        "its loudest moment is {value:.0f} dB below full scale, usual are {usual:.0f}",
        threshold=4.5,
        least=4.0,
        bound=40.0,
    ),
    "clipped": Rule(
        "Sounds with clipped peaks. The score is in usual deviations.",
        "{value:.1%} of its samples are at its peak, one after another",
        threshold=3.0,
        least=0.002,
        bound=0.005,
    ),
    "dc_offset": Rule(
        "Sounds with a DC offset. The score is in usual deviations.",
        "its mean differs from 0 by {value:.0%} of its peak",
        threshold=4.0,
        least=0.02,
        bound=0.1,
    ),
    "odd_rate": Rule(
        "Sounds with a sample rate that is rare in the set. The score is the share of sounds with another rate.",
        "{value:,} Hz, usual are {usual:,}",
        threshold=0.95,
        measure="rarity",
    ),
}
_MOMENT = 0.05  # seconds over which a level is measured
_AT_PEAK = 0.999  # share of the largest sample, from which on a sample counts as at the peak
_LOUD = 0.05  # of full scale: many samples of a quieter sound reach its peak, which is only a few steps high
_QUIET = 1e-6  # -120 dB


def values(clip: Clip) -> dict[str, float | str]:
    """The value of each rule for a clip."""
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
