"""Near-duplicates of sounds: spectra are compared from the start of the sound, independent of the level."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from genset.interfaces import Fingerprint, Floats, Keys, Pairs, Similarity
from genset.modalities.lsh import plane_keys
from genset.modalities.sound import spectra
from genset.modalities.sound.codec import Clip

_RATE = 8000  # Hz, at which all sounds are compared
_HOP = 64  # samples: 8 ms
_BANDS = 24
_FRAMES = 256  # 2 s from the start of the sound
_RANGE_DB = 40.0  # below the loudest place; quieter places count as silence, as codecs change them
_START_DB = -20.0  # relative to the loudest frame: where a sound starts
_LEAD = 4  # frames kept before the start
_LAGS = range(-4, 5)  # frames by which one of a pair is shifted
_BLOCK = (8, 3)  # frames and bands that are averaged
_MAX_DIFFERENCE_DB = 20.0  # largest difference of a block with which the similarity is 0


def fingerprint(clip: Clip) -> Fingerprint:
    """(frames, bands) uint8 levels in mel bands, from just before the start of the sound; 255 is the loudest place."""
    import soxr

    mono = clip.samples.mean(axis=1)
    if clip.rate != _RATE:
        mono = soxr.resample(mono, clip.rate, _RATE, quality="HQ")
    magnitudes = np.abs(spectra.stft(np.pad(mono, (0, -len(mono) % _HOP)), _HOP))
    mel = magnitudes @ spectra.mel_bank(_BANDS, magnitudes.shape[-1], _RATE).T  # (frames, bands)
    loudness = mel.sum(axis=1)
    start = int(np.argmax(loudness >= loudness.max(initial=0) * 10 ** (_START_DB / 20)))
    part = mel[max(0, start - _LEAD) : start + _FRAMES]
    decibels = 20 * np.log10(np.maximum(part / max(float(mel.max()), 1e-9), 10 ** (-_RANGE_DB / 20)))
    levels: Fingerprint = np.rint(255 * (1 + decibels / _RANGE_DB)).astype(np.uint8)
    return levels


class SoundSimilarity(Similarity):
    """Similarity of sounds by their largest difference in a block: 1 without any, 0 from 20 dB on."""

    def __init__(self, fingerprints: Sequence[Fingerprint]) -> None:
        self._blocks = np.stack([_blocks(fingerprint) for fingerprint in fingerprints])  # (N, lags, d)
        still = self._blocks[:, len(_LAGS) // 2].astype(np.float32)
        self.keys: Keys = plane_keys(still)[0]

    def __call__(self, pairs: Pairs) -> Floats:
        still = self._blocks[pairs[:, 0], len(_LAGS) // 2].astype(np.float32)
        worst = np.full(len(pairs), np.inf, np.float32)
        for lag in range(len(_LAGS)):
            other = self._blocks[pairs[:, 1], lag].astype(np.float32)
            worst = np.minimum(worst, np.abs(still - other).max(axis=1))
        out: Floats = np.maximum(0, 1 - worst / np.float32(_MAX_DIFFERENCE_DB))
        return out


def _blocks(fingerprint: Fingerprint) -> npt.NDArray[np.float16]:
    """(lags, d) mean levels in dB of blocks of frames and bands, with the sound shifted by each lag."""
    margin = len(_LAGS) // 2
    wide = np.zeros((_FRAMES + 2 * margin, _BANDS), np.float32)
    rows = fingerprint[:_FRAMES].astype(np.float32) * np.float32(_RANGE_DB / 255)
    wide[margin : margin + len(rows)] = rows
    shape = (_FRAMES // _BLOCK[0], _BLOCK[0], _BANDS // _BLOCK[1], _BLOCK[1])
    parts = [wide[margin + lag : margin + lag + _FRAMES].reshape(shape).mean(axis=(1, 3)) for lag in _LAGS]
    return np.stack(parts).reshape(len(parts), -1).astype(np.float16)
