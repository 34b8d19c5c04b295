"""Transforms that add noise or the echo of a room to a clip."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pydantic

from genset.interfaces import Floats
from genset.modalities.sound.augment.base import FolderStep, check_order, power_ratio, recording, recordings, uniform


class BackgroundNoise(FolderStep):
    """Noise at a signal-to-noise ratio: white, pink, or from a folder of recordings."""

    kind: Literal["noise"] = "noise"
    colour: Literal["white", "pink"] = "white"
    folder: str | None = None
    """A folder of sound files to take the noise from, relative to the config file. Without it, noise is generated."""
    max_snr_db: float = pydantic.Field(40.0, ge=-20, le=100)
    """Largest signal-to-noise ratio in dB: the quietest noise."""
    min_snr_db: float = pydantic.Field(20.0, ge=-20, le=100)
    """Smallest signal-to-noise ratio in dB: the loudest noise."""
    renamed: ClassVar[Mapping[str, str]] = {"quietest": "max_snr_db", "loudest": "min_snr_db"}

    @pydantic.model_validator(mode="after")
    def _in_order(self) -> Self:
        check_order("min_snr_db", self.min_snr_db, "max_snr_db", self.max_snr_db, "dB")
        return self

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        drawn: dict[str, Any] = {"snr": uniform(rng, self.min_snr_db, self.max_snr_db)}
        if self.folder is not None:
            files = recordings(self.folder)
            drawn |= {"file": files[int(rng.integers(len(files)))].name, "place": uniform(rng, 0, 1)}
        return drawn

    def changed(self, waveform: Floats, rng: np.random.Generator, *, room: int, **drawn: Any) -> Floats:
        if self.folder is not None:
            noise = _looped(recording(Path(self.folder) / drawn["file"], self._rate), len(waveform), drawn["place"])
        else:
            noise = rng.standard_normal((len(waveform), 1), dtype=np.float32)
            noise = _pink(noise) if self.colour == "pink" else noise
        return waveform + noise * np.float32(power_ratio(waveform, noise) * 10 ** (-drawn["snr"] / 20))


class Reverb(FolderStep):
    """A room around the clip: simulated by decaying noise, or taken from a folder of impulse responses."""

    kind: Literal["reverb"] = "reverb"
    folder: str | None = None
    """A folder of impulse responses, relative to the config file. Without it, they are simulated."""
    max_rt60_seconds: float = pydantic.Field(0.4, gt=0, le=10)
    """Longest reverberation time (RT60): the seconds in which the room's echo decays by 60 dB."""
    wet: float = pydantic.Field(0.3, ge=0, le=1)
    """Largest share of the room in the result."""
    renamed: ClassVar[Mapping[str, str]] = {"longest": "max_rt60_seconds"}

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        drawn: dict[str, Any] = {"wet": uniform(rng, 0, self.wet)}
        if self.folder is None:
            return drawn | {"seconds": uniform(rng, 0.1 * self.max_rt60_seconds, self.max_rt60_seconds)}
        files = recordings(self.folder)
        return drawn | {"file": files[int(rng.integers(len(files)))].name}

    def changed(self, waveform: Floats, rng: np.random.Generator, *, room: int, **drawn: Any) -> Floats:
        from scipy import signal

        if self.folder is not None:
            response = recording(Path(self.folder) / drawn["file"], self._rate)
        else:
            samples = max(8, round(drawn["seconds"] * self._rate))
            decay = 10 ** (-3 * np.arange(samples, dtype=np.float32) / samples)  # 60 dB
            response = (rng.standard_normal(samples, dtype=np.float32) * decay)[:, None]
        wet = signal.fftconvolve(waveform, response, axes=0)[:room].astype(np.float32)
        wet *= np.float32(power_ratio(waveform, wet[: len(waveform)]))
        out: Floats = wet * np.float32(drawn["wet"])
        out[: len(waveform)] += waveform * np.float32(1 - drawn["wet"])
        return out


def _pink(white: Floats) -> Floats:
    """White noise (T, 1), filtered so that its power falls by 3 dB an octave."""
    spectrum = np.fft.rfft(white, axis=0)
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))[:, None]
    spectrum[0] = 0
    out: Floats = np.fft.irfft(spectrum, n=len(white), axis=0).astype(np.float32)
    return out


def _looped(noise: Floats, length: int, place: float) -> Floats:
    """(length, 1) samples of a recording (T, 1), from a place in [0, 1] on; a short recording is repeated."""
    start = round(place * max(0, len(noise) - length))
    out: Floats = np.resize(noise[start:], (length, 1))
    return out
