"""Fixed features of sounds: log-mel spectra, whatever the level; nothing learned, nothing fetched."""

import numpy as np

from genset.interfaces import Floats

_TIMES, _BANDS = 16, 16  # of the small picture
_COEFFICIENTS = 20  # of the cepstrum
_CLOSE = 32  # along each axis, for telling near copies


def of_spectra(levels: Floats) -> Floats:
    """(N, frames, bands, channels) log-mel spectra in [0, 1] to (N, d): a small picture, and the statistics of the
    cepstrum and of how it changes (after Davis and Mermelstein 1980)."""
    mono = levels.mean(axis=3)
    picture = _pooled(mono, _TIMES, _BANDS).reshape(len(mono), -1)
    cepstrum = mono @ _cosines(mono.shape[2])  # (N, frames, K)
    loud = (mono.mean(axis=2) > 0).astype(np.float32)[:, :, None]
    count = np.maximum(1, loud.sum(axis=1))
    mean = (cepstrum * loud).sum(axis=1) / count
    spread = np.sqrt(np.maximum(0, (np.square(cepstrum - mean[:, None]) * loud).sum(axis=1) / count))
    change = np.abs(np.diff(cepstrum, axis=1)).mean(axis=1)
    length = loud.mean(axis=1)
    out: Floats = np.concatenate([picture, mean, spread, change, length], axis=1).astype(np.float32)
    return out


def close(levels: Floats) -> Floats:
    """(N, d) the spectra themselves, reduced to at most 32x32."""
    mono = levels.mean(axis=3)
    return _pooled(mono, min(_CLOSE, mono.shape[1]), min(_CLOSE, mono.shape[2])).reshape(len(mono), -1)


def _pooled(x: Floats, rows: int, columns: int) -> Floats:
    """(N, T, F) to (N, rows, columns), by overlapping triangular windows."""
    # Two products of matrices: one einsum over all three is a hundred times slower.
    out: Floats = (_triangles(rows, x.shape[1]) @ x @ _triangles(columns, x.shape[2]).T).astype(np.float32)
    return out


def _triangles(count: int, length: int) -> Floats:
    """(count, length) windows around evenly spaced places, each of sum 1."""
    centres = (np.arange(count) + 0.5) * length / count
    weight = np.maximum(1e-6, 1 - np.abs(np.arange(length) + 0.5 - centres[:, None]) / (length / count))
    out: Floats = (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)
    return out


def _cosines(bands: int) -> Floats:
    """(bands, K) the first cosines, as a cepstrum takes them."""
    place = (np.arange(bands) + 0.5)[:, None] * np.arange(1, _COEFFICIENTS + 1)
    out: Floats = (np.cos(np.pi * place / bands) / bands**0.5).astype(np.float32)
    return out
