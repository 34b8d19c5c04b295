"""Waveforms to spectra and back, many clips at once, with NumPy and SciPy alone.

`stft` and `istft` are not those of scipy.signal.ShortTimeFFT: the values are equal, but it loops over frames and
returns complex128, which took 2.4 times as long for a block of clips.

Every function treats each clip separately and in a fixed order, so that a clip never depends on the others in a batch.
"""

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from genset.interfaces import Floats

OVERLAP = 4  # windows that overlap at each sample
_LOWEST_HZ = 20.0  # edge of the first mel band
_MEL = 2595.0, 700.0  # O'Shaughnessy's constants, as in HTK: mel = 2595 log10(1 + f / 700)
_MOMENTUM = 0.99  # of fast Griffin-Lim, as in the paper
_TINY = np.float32(1e-8)
_BLOCK = 64  # clips at once, so that memory is bounded and all blocks have one shape

Complexes = npt.NDArray[np.complex64]


@functools.cache
def window(size: int) -> Floats:
    """(size,) the periodic Hann window."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)).astype(np.float32)


def stft(clips: Floats, hop: int) -> Complexes:
    """(..., T) waveforms to (..., T / hop, 2 hop + 1) spectra: frame n is centred on the middle of hop n."""
    from scipy import fft

    size = OVERLAP * hop
    side = (size - hop) // 2
    padded = np.pad(clips, [(0, 0)] * (clips.ndim - 1) + [(side, size - hop - side)])
    frames = np.lib.stride_tricks.sliding_window_view(padded, size, axis=-1)[..., ::hop, :]
    spectra: Complexes = fft.rfft(frames * window(size), axis=-1)
    return spectra


def istft(spectra: Complexes, hop: int) -> Floats:
    """The waveforms (..., T) whose spectra are nearest to the given ones, by least squares (Griffin and Lim 1984)."""
    from scipy import fft

    size = OVERLAP * hop
    side = (size - hop) // 2
    count = spectra.shape[-2]
    frames: Any = fft.irfft(spectra, n=size, axis=-1) * window(size)
    parts = frames.reshape(*frames.shape[:-1], OVERLAP, hop)
    total = np.zeros((*spectra.shape[:-2], count + OVERLAP - 1, hop), np.float32)
    for part in range(OVERLAP):
        total[..., part : part + count, :] += parts[..., part, :]
    flat = total.reshape(*spectra.shape[:-2], -1) / _covered(count, hop)
    clips: Floats = np.asarray(flat[..., side : side + count * hop], np.float32)
    return clips


@functools.lru_cache(64)
def _covered(count: int, hop: int) -> Floats:
    """The sum of the squared windows at each sample of `count` frames."""
    squares = np.square(window(OVERLAP * hop)).reshape(OVERLAP, hop)
    total = np.zeros((count + OVERLAP - 1, hop), np.float32)
    for part in range(OVERLAP):
        total[part : part + count] += squares[part]
    return np.maximum(total.reshape(-1), np.float32(1e-3))


@functools.cache
def mel_bank(bands: int, bins: int, rate: int) -> Any:
    """(bands, bins) triangles, evenly spaced on the mel scale, each of height 1, as a sparse matrix of float32."""
    from scipy import sparse

    scale, corner = _MEL
    lowest, highest = scale * np.log10(1 + np.array([_LOWEST_HZ, rate / 2]) / corner)
    edges = corner * (10 ** (np.linspace(lowest, highest, bands + 2) / scale) - 1)
    frequencies = np.linspace(0, rate / 2, bins)
    up = (frequencies - edges[:-2, None]) / np.diff(edges)[:-1, None]
    down = (edges[2:, None] - frequencies) / np.diff(edges)[1:, None]
    return sparse.csr_matrix(np.maximum(0, np.minimum(up, down)).astype(np.float32))


def most_bands(bins: int, rate: int, bands: int) -> int:
    """`bands`, or fewer in steps of 8 so that every band has at least one bin."""
    while bands > 8 and (np.diff(mel_bank(bands, bins, rate).indptr) == 0).any():
        bands -= 8
    return bands


def mel_of(magnitudes: Floats, bank: Any) -> Floats:
    """(..., bins) magnitudes to (..., bands)."""
    flat = magnitudes.reshape(-1, magnitudes.shape[-1])
    out: Floats = (bank @ np.ascontiguousarray(flat.T)).T.reshape(*magnitudes.shape[:-1], bank.shape[0])
    return out


def magnitudes_of(mel: Floats, bank: Any, steps: int = 12) -> Floats:
    """Non-negative magnitudes (..., bins) whose mel bands are close to `mel` (..., bands).

    Multiplicative updates (Lee and Seung 1999) minimise the Kullback-Leibler divergence from a smooth start. The bank
    is sparse, so a step costs a few operations for each bin; a least-squares solver would need a matrix for each frame.
    """
    flat = np.ascontiguousarray(mel.reshape(-1, mel.shape[-1]).T)  # (bands, N)
    back = bank.T.tocsr()
    weight = np.asarray(back.sum(axis=1), np.float32) + _TINY  # (bins, 1)
    estimate = (back @ (flat / (np.asarray(bank.sum(axis=1), np.float32) + _TINY))) / weight
    for _ in range(steps):
        estimate *= (back @ (flat / (bank @ estimate + _TINY))) / weight
    out: Floats = estimate.T.reshape(*mel.shape[:-1], bank.shape[1])
    return out


def phases_of(magnitudes: Floats, start: Floats, hop: int) -> Floats:
    """(N, frames, bins) phases in radians that fit the magnitudes; `start` (N, bins) are those before the first frame.

    Single-pass spectrum inversion (Beauregard, Harish and Wyse 2015): each peak of a frame is a sinusoid, whose phase
    continues from that of the same bin in the frame before; the bins around a peak follow it.
    """
    count = magnitudes.shape[2]
    logs = np.log(np.maximum(magnitudes, _TINY))
    middle, low, high = magnitudes[..., 1:-1], magnitudes[..., :-2], magnitudes[..., 2:]
    peak = np.zeros(magnitudes.shape, bool)
    peak[..., 1:-1] = (middle > low) & (middle >= high)
    # The vertex of the parabola through a peak and its neighbours, in bins beside the peak
    bend = logs[..., :-2] - 2 * logs[..., 1:-1] + logs[..., 2:]
    beside = np.zeros(magnitudes.shape, np.float32)
    beside[..., 1:-1] = np.where(bend < -_TINY, 0.5 * (logs[..., :-2] - logs[..., 2:]) / np.minimum(bend, -_TINY), 0)
    turn = np.float64(2 * np.pi / OVERLAP) * (np.arange(count) + np.clip(beside, -0.5, 0.5))  # phase change in a hop
    nearest = _nearest(peak)
    out = np.empty(magnitudes.shape, np.float32)
    centre = start.astype(np.float64)  # phase of the sinusoids in the middle of the window
    for frame in range(magnitudes.shape[1]):
        by = nearest[:, frame]
        centre = np.mod(np.take_along_axis(centre, by, 1) + np.take_along_axis(turn[:, frame], by, 1), 2 * np.pi)
        out[:, frame] = centre - np.pi * (np.arange(count) % 2)  # a frame starts half a window before its middle
    return out


def _nearest(peak: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """(..., bins) the bin of the nearest peak for each bin; the bin itself when its frame has no peak."""
    place, far = np.arange(peak.shape[-1]), 4 * peak.shape[-1]
    below = np.maximum.accumulate(np.where(peak, place, -far), axis=-1)
    above = np.minimum.accumulate(np.where(peak, place, far)[..., ::-1], axis=-1)[..., ::-1]
    nearest = np.where(place - below <= above - place, below, above)
    return np.where(np.abs(nearest) < far, nearest, place)


def griffin_lim(magnitudes: Floats, start: Floats, hop: int, steps: int) -> Floats:
    """(N, frames, bins) magnitudes to waveforms (N, T); `start` (N, bins) are the phases before the first frame.

    Fast Griffin-Lim (Perraudin, Balazs and Sondergaard 2013) from estimated phases (`phases_of`), for a block of clips
    at once.
    """
    count = len(magnitudes)
    out = np.empty((count, magnitudes.shape[1] * hop), np.float32)
    for first in range(0, count, _BLOCK):
        rows = slice(first, min(first + _BLOCK, count))
        angles = phases_of(magnitudes[rows], start[rows], hop)
        out[rows] = _griffin_lim(magnitudes[rows], angles, hop, steps)
    return out


def _griffin_lim(magnitudes: Floats, angles: Floats, hop: int, steps: int) -> Floats:
    """Griffin-Lim of one block, from phases (N, frames, bins)."""
    spectra = (magnitudes * np.exp(1j * angles)).astype(np.complex64)
    before: Complexes | None = None
    for _ in range(steps):
        consistent = stft(istft(spectra, hop), hop)
        ahead = consistent if before is None else consistent + np.float32(_MOMENTUM) * (consistent - before)
        before = consistent
        length = np.abs(ahead)
        np.maximum(length, _TINY, out=length)
        spectra = ahead * (magnitudes / length)
    return istft(spectra, hop)
