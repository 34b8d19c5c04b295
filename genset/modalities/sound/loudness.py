"""How loud and how long made clips are: what real ones of the same class are, drawn anew."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from genset.interfaces import Floats, Item, Items, Labels
from genset.modalities.sound import codec

_QUANTILES = 33
_ENDINGS = (-70.0, -30.0)  # dB below the loudest moment: between these a clip is taken to end
_ENDING_SHARE = 0.1  # of real clips, that end more quietly than where a made one is cut
_FADE_IN, _FADE_OUT = 0.001, 0.005  # seconds
_QUIET = 1e-9
_MOST_DRIVEN = 2.0  # times full scale that a peak may be asked to have: beyond it a clip stays quieter than asked for
_KNEE = 4  # of the limiter: its power
_TRIES = 4


def loudness(waveform: Floats) -> float:
    """Root mean square up to where the sound ends, in dB below full scale."""
    return float(20 * np.log10(np.sqrt(np.mean(np.square(waveform, dtype=np.float64))) + _QUIET))


@dataclass(frozen=True)
class Levels:
    """Quantiles of the loudness of the real clips of each class, and how quietly they end."""

    loudness: npt.NDArray[np.float64]  # (classes, K) dB below full scale, growing
    ending: float  # dB below the loudest moment

    @classmethod
    def learn(cls, items: Items, labels: Labels, classes: int, moment: int) -> Self:
        """From the train clips (N, T, channels); `moment` is the number of samples over which a level is taken."""
        told = np.empty(len(items))
        endings = []
        for row, item in enumerate(items):
            sounding = codec.waveform(item[: max(1, codec.sounding(item))])
            told[row] = loudness(sounding)
            if len(sounding) < len(item):
                envelope = _envelope(sounding[-(len(sounding) // moment) * moment or None :], moment)
                endings.append(20 * np.log10((envelope[-1] + _QUIET) / (envelope.max() + _QUIET)))
        places = np.linspace(0, 1, _QUANTILES)
        everywhere = np.quantile(told, places)
        rows = [np.quantile(told[labels == k], places) if (labels == k).any() else everywhere for k in range(classes)]
        ending = float(np.clip(np.quantile(endings, _ENDING_SHARE), *_ENDINGS)) if endings else _ENDINGS[0]
        return cls(np.array(rows), ending)

    def as_bytes(self) -> bytes:
        """As JSON."""
        told = {"ending": round(self.ending, 3), "loudness": np.round(self.loudness, 3).tolist()}
        return json.dumps(told).encode()

    @classmethod
    def read(cls, data: bytes) -> Self:
        """From JSON."""
        told = json.loads(data)
        return cls(np.array(told["loudness"], np.float64), float(told["ending"]))

    def drawn(self, label: int, rng: np.random.Generator) -> float:
        """A loudness of the class, in dB below full scale: one between those that real clips have."""
        quantiles = self.loudness[label]
        return float(np.interp(rng.random(), np.linspace(0, 1, len(quantiles)), quantiles))

    @property
    def usual(self) -> float:
        """The median loudness of all classes."""
        return float(np.median(self.loudness))

    def end(self, waveform: Floats, moment: int) -> int:
        """The number of samples after which a made clip (T, channels) is silent, as real ones are after their end."""
        envelope = _envelope(waveform, moment)
        heard = np.flatnonzero(envelope > envelope.max() * 10 ** (self.ending / 20))
        return min(len(waveform), (int(heard[-1]) + 1) * moment) if len(heard) else len(waveform)


def _envelope(waveform: Floats, moment: int) -> npt.NDArray[np.float64]:
    """Root mean squares of stretches of so many samples; what is left over at the end belongs to the last."""
    squares = np.square(waveform, dtype=np.float64).mean(axis=1)
    starts = np.arange(0, max(1, len(squares) - moment + 1), moment)
    counts = np.diff([*starts, len(squares)])
    return np.sqrt(np.add.reduceat(squares, starts) / counts)


def finished(
    waveforms: Floats, loud: Sequence[float], ends: Sequence[int], rate: int, peaks: tuple[float, float]
) -> Items:
    """Waveforms (N, T, channels) as 16-bit clips: without DC, each as loud as asked for, silent after its end, faded.

    Peaks stay within `peaks`, in dB below full scale, whatever loudness was asked for: made waveforms have higher peaks
    than real ones of their loudness, as their phases are guessed, so these are bent and not everything made quieter.
    """
    out = np.zeros(waveforms.shape, np.int16)
    for row, (waveform, wanted, end) in enumerate(zip(waveforms, loud, ends, strict=True)):
        out[row, :end] = _finished(waveform[:end], wanted, rate, peaks)
    return out


def _finished(waveform: Floats, wanted: float, rate: int, peaks: tuple[float, float]) -> Item:
    faded = waveform.astype(np.float64)
    faded -= faded.mean(axis=0)
    for side, seconds in ((1, _FADE_IN), (-1, _FADE_OUT)):
        ramp = (0.5 - 0.5 * np.cos(np.pi * np.arange(max(2, round(seconds * rate))) / max(2, round(seconds * rate))))[
            : len(faded)
        ]
        faded[::side][: len(ramp)] *= ramp[:, None]
    peak = np.abs(faded).max() + _QUIET
    quietest, loudest = (10 ** (decibels / 20) / peak for decibels in peaks)
    factor, limited = 1.0, faded
    for _ in range(_TRIES):  # bending takes some of the loudness, which is asked for again
        level = np.sqrt(np.mean(np.square(limited))) + _QUIET
        factor = min(max(factor * 10 ** (wanted / 20) / level, quietest), _MOST_DRIVEN * loudest)
        limited = _limited(faded * factor, peak * loudest) if factor > loudest else faded * factor
    item: Item = np.rint(limited * (codec.FULL - 1)).astype(np.int16)
    return item


def _limited(waveform: npt.NDArray[np.float64], loudest: float) -> npt.NDArray[np.float64]:
    """A waveform bent so that its peak is `loudest`: what is well below hardly changes."""
    bent = waveform / (1 + np.abs(waveform / loudest) ** _KNEE) ** (1 / _KNEE)
    bent -= bent.mean(axis=0)
    out: npt.NDArray[np.float64] = bent * (loudest / np.abs(bent).max())
    return out
