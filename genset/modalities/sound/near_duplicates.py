"""Near-duplicates of sounds: spectra laid one over the other from where the sound begins, whatever their level."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from genset.interfaces import Floats, Keys, Likeness, Pairs, Sketch
from genset.modalities.lsh import plane_keys
from genset.modalities.sound import spectra
from genset.modalities.sound.codec import Clip

_RATE = 8000  # all sounds are looked at as if they had it
_HOP = 64  # samples: 8 ms
_BANDS = 24
_FRAMES = 256  # from the beginning: 2 s
_RANGE = 40.0  # dB below the loudest place; what is quieter is silence, for codecs change it
_BEGINS = -20.0  # dB below the loudest frame
_LEAD = 4  # frames kept before the beginning
_LAGS = range(-4, 5)  # frames by which a pair is moved
_BLOCK = (8, 3)  # frames and bands of a place
_FAR = 20.0  # dB of difference at one place, with which two sounds are not alike at all


def fingerprint(clip: Clip) -> Sketch:
    """(frames, BANDS) levels in mel bands, from just before the sound begins; 255 is the loudest place."""
    import soxr

    mono = clip.samples.mean(axis=1)
    if clip.rate != _RATE:
        mono = soxr.resample(mono, clip.rate, _RATE, quality="HQ")
    magnitudes = np.abs(spectra.stft(np.pad(mono, (0, -len(mono) % _HOP)), _HOP))
    mel = magnitudes @ spectra.mel_bank(_BANDS, magnitudes.shape[-1], _RATE).T  # (frames, bands)
    loudness = mel.sum(axis=1)
    start = int(np.argmax(loudness >= loudness.max(initial=0) * 10 ** (_BEGINS / 20)))
    part = mel[max(0, start - _LEAD) : start + _FRAMES]
    decibels = 20 * np.log10(np.maximum(part / max(float(mel.max()), 1e-9), 10 ** (-_RANGE / 20)))
    levels: Sketch = np.rint(255 * (1 + decibels / _RANGE)).astype(np.uint8)
    return levels


class SoundSimilarity(Likeness):
    """Likeness of sounds: 1 without any difference; 0 where one place differs by FAR."""

    def __init__(self, sketches: Sequence[Sketch]) -> None:
        self._places = np.stack([_places(sketch) for sketch in sketches])  # (N, lags, d)
        still = self._places[:, len(_LAGS) // 2].astype(np.float32)
        self.keys: Keys = plane_keys(still)[0]

    def __call__(self, pairs: Pairs) -> Floats:
        still = self._places[pairs[:, 0], len(_LAGS) // 2].astype(np.float32)
        worst = np.full(len(pairs), np.inf, np.float32)
        for lag in range(len(_LAGS)):
            other = self._places[pairs[:, 1], lag].astype(np.float32)
            worst = np.minimum(worst, np.abs(still - other).max(axis=1))
        out: Floats = np.maximum(0, 1 - worst / np.float32(_FAR))
        return out


def _places(sketch: Sketch) -> npt.NDArray[np.float16]:
    """(lags, d) mean levels in dB of blocks of frames and bands, the sound moved by each lag."""
    margin = len(_LAGS) // 2
    wide = np.zeros((_FRAMES + 2 * margin, _BANDS), np.float32)
    rows = sketch[:_FRAMES].astype(np.float32) * np.float32(_RANGE / 255)
    wide[margin : margin + len(rows)] = rows
    shape = (_FRAMES // _BLOCK[0], _BLOCK[0], _BANDS // _BLOCK[1], _BLOCK[1])
    parts = [wide[margin + lag : margin + lag + _FRAMES].reshape(shape).mean(axis=(1, 3)) for lag in _LAGS]
    return np.stack(parts).reshape(len(parts), -1).astype(np.float16)
