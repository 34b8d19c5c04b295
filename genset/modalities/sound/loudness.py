"""Loudness and length of synthetic clips: drawn from those of the real clips of the same class."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from genset.interfaces import Floats, ItemArray, Items, Labels
from genset.modalities.sound import codec

_QUANTILES = 33
_ENDINGS = (-70.0, -30.0)  # dB relative to the loudest frame: limits of the level at which a clip ends
_ENDING_SHARE = 0.1  # of real clips end more quietly than the level at which synthetic ones are cut
_FADE_IN, _FADE_OUT = 0.001, 0.005  # seconds
_QUIET = 1e-9
_MAX_DRIVE = 2.0  # times the highest peak, before the limiter: a clip that needs more stays quieter than its target
_KNEE = 4  # exponent of the limiter
_ITERATIONS = 4  # of gain and limiter


def loudness(waveform: Floats) -> float:
    """Root mean square of a waveform in [-1, 1], in dB relative to full scale."""
    return float(20 * np.log10(np.sqrt(np.mean(np.square(waveform, dtype=np.float64))) + _QUIET))


@dataclass(frozen=True)
class ClassLoudness:
    """Quantiles of the loudness of the real clips of each class, and the level at which clips end."""

    loudness: npt.NDArray[np.float64]  # (classes, K) dB relative to full scale, ascending
    ending: float  # dB relative to the loudest frame

    @classmethod
    def learn(cls, items: Items, labels: Labels, classes: int, frame: int) -> Self:
        """Learn from training clips (N, T, channels); a level is measured over `frame` samples."""
        levels = np.empty(len(items))
        endings = []
        for row, item in enumerate(items):
            sounding = codec.waveform(item[: max(1, codec.sounding(item))])
            levels[row] = loudness(sounding)
            if len(sounding) < len(item):
                envelope = _envelope(sounding[-(len(sounding) // frame) * frame or None :], frame)
                endings.append(20 * np.log10((envelope[-1] + _QUIET) / (envelope.max() + _QUIET)))
        places = np.linspace(0, 1, _QUANTILES)
        everywhere = np.quantile(levels, places)
        rows = [np.quantile(levels[labels == k], places) if (labels == k).any() else everywhere for k in range(classes)]
        ending = float(np.clip(np.quantile(endings, _ENDING_SHARE), *_ENDINGS)) if endings else _ENDINGS[0]
        return cls(np.array(rows), ending)

    def as_bytes(self) -> bytes:
        """As JSON."""
        fields = {"ending": round(self.ending, 3), "loudness": np.round(self.loudness, 3).tolist()}
        return json.dumps(fields).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """From JSON."""
        fields = json.loads(data)
        return cls(np.array(fields["loudness"], np.float64), float(fields["ending"]))

    def draw(self, label: int, rng: np.random.Generator) -> float:
        """A random loudness of the class in dB relative to full scale, distributed as that of real clips."""
        quantiles = self.loudness[label]
        return float(np.interp(rng.random(), np.linspace(0, 1, len(quantiles)), quantiles))

    @property
    def median(self) -> float:
        """The median loudness of all classes."""
        return float(np.median(self.loudness))

    def end(self, waveform: Floats, frame: int) -> int:
        """The number of samples up to the end of a synthetic clip (T, channels): the rest is to be silent."""
        envelope = _envelope(waveform, frame)
        loud = np.flatnonzero(envelope > envelope.max() * 10 ** (self.ending / 20))
        return min(len(waveform), (int(loud[-1]) + 1) * frame) if len(loud) else len(waveform)


def _envelope(waveform: Floats, frame: int) -> npt.NDArray[np.float64]:
    """Root mean squares of frames of so many samples; the last frame includes the remainder."""
    squares = np.square(waveform, dtype=np.float64).mean(axis=1)
    starts = np.arange(0, max(1, len(squares) - frame + 1), frame)
    counts = np.diff([*starts, len(squares)])
    return np.sqrt(np.add.reduceat(squares, starts) / counts)


def finished(
    waveforms: Floats, targets: Sequence[float], ends: Sequence[int], rate: int, peaks: tuple[float, float]
) -> Items:
    """Waveforms (N, T, channels) as 16-bit clips without offset, faded in and out, and silent after `ends` (samples).

    `targets` are the loudness in dB relative to full scale. Peaks stay within `peaks` (lowest, highest), in dB too:
    synthetic waveforms have higher peaks than real ones of equal loudness, as their phases are estimated, so a limiter
    bends the peaks instead of making the clip quieter.
    """
    out = np.zeros(waveforms.shape, np.int16)
    for row, (waveform, target, end) in enumerate(zip(waveforms, targets, ends, strict=True)):
        out[row, :end] = _finished(waveform[:end], target, rate, peaks)
    return out


def _finished(waveform: Floats, target: float, rate: int, peaks: tuple[float, float]) -> ItemArray:
    faded = waveform.astype(np.float64)
    faded -= faded.mean(axis=0)
    for side, seconds in ((1, _FADE_IN), (-1, _FADE_OUT)):
        samples = max(2, round(seconds * rate))
        ramp = (0.5 - 0.5 * np.cos(np.pi * np.arange(samples) / samples))[: len(faded)]
        faded[::side][: len(ramp)] *= ramp[:, None]
    peak = np.abs(faded).max() + _QUIET
    lowest, highest = (10 ** (decibels / 20) / peak for decibels in peaks)
    factor, limited = 1.0, faded
    for _ in range(_ITERATIONS):  # the limiter reduces the loudness, so the gain is corrected
        level = np.sqrt(np.mean(np.square(limited))) + _QUIET
        factor = min(max(factor * 10 ** (target / 20) / level, lowest), _MAX_DRIVE * highest)
        limited = _limited(faded * factor, peak * highest) if factor > highest else faded * factor
    item: ItemArray = np.rint(limited * (codec.FULL - 1)).astype(np.int16)
    return item


def _limited(waveform: npt.NDArray[np.float64], peak: float) -> npt.NDArray[np.float64]:
    """The waveform after a soft limiter: its peak is `peak`, and quiet samples hardly change."""
    bent = waveform / (1 + np.abs(waveform / peak) ** _KNEE) ** (1 / _KNEE)
    bent -= bent.mean(axis=0)
    out: npt.NDArray[np.float64] = bent * (peak / np.abs(bent).max())
    return out
