"""Transforms of time and pitch."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import pydantic

from genset.interfaces import Floats
from genset.modalities.sound.augment.base import HOP, SoundStep, spectrum_of, uniform, waveform_of


class TimeShift(SoundStep):
    """Starts later, after silence, or earlier, without its first samples."""

    kind: Literal["time_shift"] = "time_shift"
    seconds: float = pydantic.Field(0.05, ge=0, le=5)
    """Largest shift, in either direction."""

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        return {"seconds": uniform(rng, -self.seconds, self.seconds)}

    def changed(self, waveform: Floats, rng: np.random.Generator, *, room: int, **drawn: Any) -> Floats:
        samples = round(drawn["seconds"] * self._rate)
        if samples < 0:
            return waveform[min(-samples, len(waveform) // 2) :]
        return np.concatenate([np.zeros((samples, waveform.shape[1]), np.float32), waveform])


class TimeStretch(SoundStep):
    """Slower or faster at the same pitch, by a phase vocoder (Flanagan and Golden 1966)."""

    kind: Literal["time_stretch"] = "time_stretch"
    max_stretch: float = pydantic.Field(0.1, ge=0, le=0.5)
    """Largest change of the length as a share of it, in either direction."""
    renamed: ClassVar[Mapping[str, str]] = {"share": "max_stretch"}

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        return {"factor": uniform(rng, 1 - self.max_stretch, 1 + self.max_stretch)}

    def changed(self, waveform: Floats, rng: np.random.Generator, *, room: int, **drawn: Any) -> Floats:
        return _stretched(waveform, drawn["factor"])


class PitchShift(SoundStep):
    """Higher or lower at the same length."""

    kind: Literal["pitch_shift"] = "pitch_shift"
    semitones: float = pydantic.Field(1.0, ge=0, le=12)
    """Largest change, in either direction."""

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        return {"semitones": uniform(rng, -self.semitones, self.semitones)}

    def changed(self, waveform: Floats, rng: np.random.Generator, *, room: int, **drawn: Any) -> Floats:
        import soxr

        factor = 2 ** (drawn["semitones"] / 12)
        stretched = np.ascontiguousarray(_stretched(waveform, factor))
        return np.asarray(soxr.resample(stretched, factor, 1.0, quality="HQ"), np.float32)[: len(waveform)]


def _stretched(waveform: Floats, factor: float) -> Floats:
    """The waveform (T, channels) at `factor` times its length.

    A phase vocoder: magnitudes are interpolated between two frames, phases advance by the turn from frame to frame.
    """
    spectrum = spectrum_of(waveform)
    frames = spectrum.shape[1]
    length = round(len(waveform) * factor)
    places = np.arange(max(1, -(-length // HOP))) / factor
    low = np.minimum(places.astype(int), frames - 1)
    high, share = np.minimum(low + 1, frames - 1), (places - low)[:, None]
    magnitudes = (1 - share) * np.abs(spectrum[:, low]) + share * np.abs(spectrum[:, high])
    turns = np.angle(spectrum[:, high] * np.conj(spectrum[:, low]))
    before = np.concatenate([np.zeros_like(turns[:, :1]), turns[:, :-1]], 1)
    phases = np.angle(spectrum[:, :1]) + np.cumsum(before, axis=1)
    stretched = (magnitudes * np.exp(1j * phases)).astype(np.complex64)
    return waveform_of(stretched, length)
