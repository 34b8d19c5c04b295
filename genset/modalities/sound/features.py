"""Fixed features of sounds: log-mel spectra, independent of the level. Nothing is learned or downloaded."""

import numpy as np

from genset.interfaces import Floats

_TIMES, _BANDS = 16, 16  # of the reduced spectrum
_COEFFICIENTS = 20  # of the cepstrum
_POOLED = 32  # along each axis, for finding near copies


def from_spectra(levels: Floats) -> Floats:
    """(N, d) features of log-mel spectra (N, frames, bands, channels) in [0, 1].

    A reduced spectrum, and mean, spread and change of the cepstrum (after Davis and Mermelstein 1980).
    """
    mono = levels.mean(axis=3)
    reduced = _pooled(mono, _TIMES, _BANDS).reshape(len(mono), -1)
    cepstrum = mono @ _cosines(mono.shape[2])  # (N, frames, K)
    loud = (mono.mean(axis=2) > 0).astype(np.float32)[:, :, None]
    count = np.maximum(1, loud.sum(axis=1))
    mean = (cepstrum * loud).sum(axis=1) / count
    spread = np.sqrt(np.maximum(0, (np.square(cepstrum - mean[:, None]) * loud).sum(axis=1) / count))
    change = np.abs(np.diff(cepstrum, axis=1)).mean(axis=1)
    length = loud.mean(axis=1)
    out: Floats = np.concatenate([reduced, mean, spread, change, length], axis=1).astype(np.float32)
    return out


def pooled_spectra(levels: Floats) -> Floats:
    """(N, d) the spectra (N, frames, bands, channels), reduced to at most 32x32."""
    mono = levels.mean(axis=3)
    return _pooled(mono, min(_POOLED, mono.shape[1]), min(_POOLED, mono.shape[2])).reshape(len(mono), -1)


def _pooled(x: Floats, rows: int, columns: int) -> Floats:
    """(N, T, F) to (N, rows, columns), with overlapping triangular windows."""
    # Two matrix products: one einsum of all three is a hundred times slower.
    out: Floats = (_triangles(rows, x.shape[1]) @ x @ _triangles(columns, x.shape[2]).T).astype(np.float32)
    return out


def _triangles(count: int, length: int) -> Floats:
    """(count, length) triangular windows with evenly spaced centres, each of sum 1."""
    centres = (np.arange(count) + 0.5) * length / count
    weight = np.maximum(1e-6, 1 - np.abs(np.arange(length) + 0.5 - centres[:, None]) / (length / count))
    out: Floats = (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)
    return out


def _cosines(bands: int) -> Floats:
    """(bands, K) the cosines of the first coefficients of a cepstrum."""
    place = (np.arange(bands) + 0.5)[:, None] * np.arange(1, _COEFFICIENTS + 1)
    out: Floats = (np.cos(np.pi * place / bands) / bands**0.5).astype(np.float32)
    return out
