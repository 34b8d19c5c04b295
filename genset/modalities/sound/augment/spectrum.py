"""Transforms of the spectrum of a clip."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pydantic

from genset.interfaces import Floats
from genset.modalities.sound.augment.base import SoundStep, check_order, spectrum_of, uniform, waveform_of

_MAX_BITS = 12  # of a clip after a lossy codec


class Filter(SoundStep):
    """Removes what is above (lowpass) or below (highpass) a frequency: a Butterworth filter of second order."""

    kind: Literal["filter"] = "filter"
    type: Literal["lowpass", "highpass"] = "lowpass"
    min_hz: float = pydantic.Field(1500.0, ge=20, le=40_000)
    """Lowest cutoff frequency, in Hz."""
    max_hz: float = pydantic.Field(3500.0, ge=20, le=40_000)
    """Highest cutoff frequency, in Hz."""
    renamed: ClassVar[Mapping[str, str]] = {"what": "type", "lowest": "min_hz", "highest": "max_hz"}

    @pydantic.model_validator(mode="after")
    def _in_order(self) -> Self:
        check_order("min_hz", self.min_hz, "max_hz", self.max_hz, "Hz")
        return self

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        return {"hertz": uniform(rng, self.min_hz, self.max_hz)}

    def changed(self, waveform: Floats, rng: np.random.Generator, *, room: int, **drawn: Any) -> Floats:
        from scipy import signal

        limit = 0.98 * self._rate / 2
        sections = signal.butter(2, min(drawn["hertz"], limit), self.type, fs=self._rate, output="sos")
        out: Floats = signal.sosfilt(sections, waveform, axis=0).astype(np.float32)
        return out


class LossyCodec(SoundStep):
    """The losses of a cheap codec: fewer bits on a logarithmic scale (mu-law, ITU-T G.711) and a lower sample rate."""

    kind: Literal["lossy_codec"] = "lossy_codec"
    min_bits: int = pydantic.Field(6, ge=2, le=15)
    """Smallest number of bits a sample."""
    min_rate: float = pydantic.Field(0.5, ge=0.1, le=1)
    """Lowest sample rate, as a share of the original."""
    formerly = "degrade"
    renamed: ClassVar[Mapping[str, str]] = {"bits": "min_bits", "share": "min_rate"}

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        bits = int(rng.integers(self.min_bits, max(self.min_bits, _MAX_BITS) + 1))
        return {"bits": bits, "rate": uniform(rng, self.min_rate, 1)}

    def changed(self, waveform: Floats, rng: np.random.Generator, *, room: int, **drawn: Any) -> Floats:
        import soxr

        if drawn["rate"] < 1:
            low = soxr.resample(np.ascontiguousarray(waveform), 1.0, drawn["rate"], quality="HQ")
            back = soxr.resample(np.ascontiguousarray(low), drawn["rate"], 1.0, quality="HQ")[: len(waveform)]
            waveform = np.zeros_like(waveform)
            waveform[: len(back)] = back
        mu, steps = 255.0, 2.0 ** (drawn["bits"] - 1)
        packed = np.sign(waveform) * np.log1p(mu * np.minimum(1, np.abs(waveform))) / np.log1p(mu)
        packed = np.rint(packed * steps) / steps
        out: Floats = (np.sign(packed) * np.expm1(np.abs(packed) * np.log1p(mu)) / mu).astype(np.float32)
        return out


class SpecAugment(SoundStep):
    """Silences a band of frequencies and a stretch of time (SpecAugment: Park et al. 2019, arXiv:1904.08779)."""

    kind: Literal["spec_augment"] = "spec_augment"
    frequency_mask: float = pydantic.Field(0.1, ge=0, le=0.5)
    """Widest band, as a share of the frequencies."""
    time_mask: float = pydantic.Field(0.1, ge=0, le=0.5)
    """Longest stretch, as a share of the clip."""
    formerly = "mask"
    renamed: ClassVar[Mapping[str, str]] = {"bands": "frequency_mask", "moments": "time_mask"}

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        low, early = (uniform(rng, 0, 1 - widest) for widest in (self.frequency_mask, self.time_mask))
        return {
            "bands": [low, round(low + uniform(rng, 0, self.frequency_mask), 6)],
            "moments": [early, round(early + uniform(rng, 0, self.time_mask), 6)],
        }

    def changed(self, waveform: Floats, rng: np.random.Generator, *, room: int, **drawn: Any) -> Floats:
        spectrum = spectrum_of(waveform)
        (low, high), (early, late) = drawn["bands"], drawn["moments"]
        frames, bins = spectrum.shape[1:]
        spectrum[:, :, round(low * bins) : round(high * bins)] = 0
        spectrum[:, round(early * frames) : round(late * frames)] = 0
        return waveform_of(spectrum, len(waveform))
