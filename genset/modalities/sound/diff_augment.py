"""Differentiable augmentation of sounds: time, pitch and masks as linear maps of spectra, the level of waveforms.

SpecAugment: Park et al. 2019, arXiv:1904.08779.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from genset.interfaces import Floats, Tensor, Tensors

_STRETCH, _SHIFT = 0.08, 0.02  # largest mild change of time, and shift as a share of the length
_BEND = 0.03  # largest mild change of frequency
_STRONG = 2.0  # factor of strong changes
_MASK = 0.25  # largest share of either axis that a strong mask hides
_QUIETER = 0.3  # largest reduction of a waveform


def draw(rng: np.random.Generator, count: int, shape: tuple[int, ...], *, strong: bool) -> Mapping[str, Tensors]:
    """Random inputs of `apply` for a batch of tensors of a shape.

    For spectra (frames, bins, channels): maps "rows" (B, frames, frames) and "columns" (B, bins, bins) and a mask
    "kept"; for waveforms (T, channels): "gain" (B, 1, 1).
    """
    if len(shape) == 2:
        return {"gain": (1 - rng.random((count, 1, 1), dtype=np.float32) * np.float32(_QUIETER))}
    times = _STRONG if strong else 1.0
    frames, bins, _ = shape
    stretch = 1 + times * _STRETCH * rng.uniform(-1, 1, (count, 1))
    shift = times * _SHIFT * frames * rng.uniform(-1, 1, (count, 1))
    bend = 1 + times * _BEND * rng.uniform(-1, 1, (count, 1))
    drawn = {
        "rows": _resampling(np.arange(frames) * stretch + shift, frames),
        "columns": _resampling(np.arange(bins) * bend, bins),
    }
    kept = np.ones((count, frames, bins, 1), np.float32) if strong else np.ones((count, 1, 1, 1), np.float32)
    if strong:
        for axis, length in ((1, frames), (2, bins)):
            width = rng.uniform(0, _MASK * length, (count, 1))
            start = rng.uniform(0, 1, (count, 1)) * (length - width)
            place = np.arange(length)
            hidden = (place >= start) & (place < start + width)
            kept *= np.expand_dims(1 - hidden.astype(np.float32), (3 - axis, 3))
    return {**drawn, "kept": kept}


def _resampling(source: npt.NDArray[np.float64], length: int) -> Floats:
    """(B, length, length) maps that interpolate linearly at places `source` (B, length); 0 outside the range."""
    distance = np.abs(source[:, :, None] - np.arange(length))
    out: Floats = np.maximum(0, 1 - distance).astype(np.float32)
    return out


def apply(x: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
    """(B, *tensor_shape) augmented tensors, differentiable (keras.ops)."""
    from keras import ops

    if "gain" in drawn:
        return (x - 0.5) * drawn["gain"] + 0.5
    x = ops.einsum("bij,bjfc->bifc", drawn["rows"], x)
    return ops.einsum("bgf,bifc->bigc", drawn["columns"], x) * drawn["kept"]
