"""Transforms of the level of a clip: its gain, and samples that are cut off or dropped."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import pydantic

from genset.interfaces import Floats
from genset.modalities.sound.augment.base import FULL_SCALE_PEAK, SoundStep, uniform


class Gain(SoundStep):
    """Louder or quieter, but never above full scale."""

    kind: Literal["gain"] = "gain"
    max_gain_db: float = pydantic.Field(6.0, ge=0, le=40)
    """Largest change in dB, in either direction."""
    renamed: ClassVar[Mapping[str, str]] = {"decibels": "max_gain_db"}

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        return {"decibels": uniform(rng, -self.max_gain_db, self.max_gain_db)}

    def changed(self, waveform: Floats, rng: np.random.Generator, *, room: int, **drawn: Any) -> Floats:
        peak = float(np.abs(waveform).max())
        return waveform * np.float32(min(10 ** (drawn["decibels"] / 20), FULL_SCALE_PEAK / peak))


class Clipping(SoundStep):
    """Peaks are cut off, as in an overdriven input; the level is not raised."""

    kind: Literal["clipping"] = "clipping"
    min_threshold: float = pydantic.Field(0.5, gt=0, le=1)
    """Lowest level at which peaks are cut off, as a share of the clip's peak."""
    renamed: ClassVar[Mapping[str, str]] = {"share": "min_threshold"}

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        return {"at": uniform(rng, self.min_threshold, 1)}

    def changed(self, waveform: Floats, rng: np.random.Generator, *, room: int, **drawn: Any) -> Floats:
        limit = np.float32(np.abs(waveform).max() * drawn["at"])
        out: Floats = np.clip(waveform, -limit, limit)
        return out


class Dropout(SoundStep):
    """Short gaps of silence, as on a bad line."""

    kind: Literal["dropout"] = "dropout"
    count: int = pydantic.Field(2, ge=1, le=50)
    """Largest number of gaps."""
    seconds: float = pydantic.Field(0.02, gt=0, le=1)
    """Longest gap."""

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        count = int(rng.integers(1, self.count + 1))
        return {"moments": [[uniform(rng, 0, 1), uniform(rng, 0, self.seconds)] for _ in range(count)]}

    def changed(self, waveform: Floats, rng: np.random.Generator, *, room: int, **drawn: Any) -> Floats:
        out = waveform.copy()
        for place, seconds in drawn["moments"]:
            samples = min(round(seconds * self._rate), len(out) // 4)
            start = round(place * (len(out) - samples))
            out[start : start + samples] = 0
        return out
