"""What the transforms of sounds share: the base classes, recordings from a folder, loudness and random draws."""

import functools
import os
from abc import abstractmethod
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pydantic

from genset.errors import GensetError
from genset.interfaces import Augmentation, Floats, ItemArray, Modality, UndecodableError
from genset.modalities.sound import codec, spectra

FULL_SCALE_PEAK = 1 - 2 / codec.FULL  # highest peak of a transformed clip, as a share of full scale
HOP = 128  # samples from frame to frame of the spectra that transforms change
_RATE = 16_000  # Hz, for a step that is not bound to a modality
_RECORDINGS = (".wav", ".flac", ".ogg", ".mp3")


class SoundStep(Augmentation):
    """A transform of the samples up to the end of a clip."""

    _rate: int = pydantic.PrivateAttr(_RATE)

    def for_modality(self, modality: Modality) -> Self:
        out = self.model_copy()
        out._rate = getattr(modality, "rate", _RATE)
        return out

    def apply(self, item: ItemArray, rng: np.random.Generator, **drawn: Any) -> ItemArray:
        end = codec.sounding(item)
        if not end:
            return item.copy()
        return as_item(self.changed(codec.waveform(item[:end]), rng, room=len(item), **drawn), item)

    @abstractmethod
    def changed(self, waveform: Floats, rng: np.random.Generator, *, room: int, **drawn: Any) -> Floats:
        """The transformed waveform of a waveform (T, channels) in [-1, 1].

        It may have any length; samples after `room` are cut off.
        """


class FolderStep(SoundStep):
    """A transform that can use recordings of the user's."""

    folder: str | None = None

    def with_base_folder(self, start: Path) -> Self:
        return self.model_copy(update={"folder": self.folder and os.path.normpath(start / self.folder)})

    def for_modality(self, modality: Modality) -> Self:
        """Raises GensetError for a folder without recordings: before anything is trained or written."""
        if self.folder is not None:
            recordings(self.folder)
        return super().for_modality(modality)


def as_item(waveform: Floats, item: ItemArray) -> ItemArray:
    """A waveform (T, channels) as int16 samples with the length of `item`, scaled down if it exceeds full scale."""
    out = np.zeros_like(item)
    cut = waveform[: len(item)]
    peak = float(np.abs(cut).max(initial=0.0))
    scale = np.float32(codec.FULL * min(1.0, FULL_SCALE_PEAK / max(peak, 1e-9)))
    out[: len(cut)] = np.rint(cut * scale).astype(np.int16)
    return out


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number in [low, high], rounded to 6 digits: short in metadata, and replayed exactly from there."""
    return round(float(rng.uniform(low, high)), 6)


def check_order(low_name: str, low: float, high_name: str, high: float, unit: str) -> None:
    """Raise ValueError when the lower limit of a range is above the upper one."""
    if low > high:
        raise ValueError(f"{low_name} ({low:g} {unit}) must not be above {high_name} ({high:g} {unit})")


def power_ratio(waveform: Floats, other: Floats) -> float:
    """The factor that makes the other waveform as loud as the first (root mean square)."""
    first, second = (float(np.sqrt(np.mean(np.square(x, dtype=np.float64)))) for x in (waveform, other))
    return first / max(second, 1e-9)


def spectrum_of(waveform: Floats) -> spectra.Complexes:
    """(channels, frames, bins) the spectrum of a waveform (T, channels)."""
    padded = np.pad(waveform.T, ((0, 0), (0, -len(waveform) % HOP)))
    return spectra.stft(np.ascontiguousarray(padded), HOP)


def waveform_of(spectrum: spectra.Complexes, length: int) -> Floats:
    """(T, channels) the waveform of a spectrum (channels, frames, bins), at most `length` samples of it."""
    return spectra.istft(spectrum, HOP).T[:length]


@functools.lru_cache(32)
def recordings(folder: str) -> list[Path]:
    """The sound files of a folder, sorted. Raises GensetError when there are none."""
    path = Path(folder)
    files = sorted(file for file in (path.iterdir() if path.is_dir() else ()) if file.suffix.lower() in _RECORDINGS)
    if not files:
        hint = "Set `folder` of the step to a folder with sound files; relative paths start at the config file."
        raise GensetError(f"no sound files here (looked for {', '.join(_RECORDINGS)})", where=folder, hint=hint)
    return files


@functools.lru_cache(64)
def recording(path: Path, rate: int) -> npt.NDArray[Any]:
    """(T, 1) samples of a sound file at a rate. Raises GensetError when it cannot be read."""
    try:
        return codec.waveform(codec.at_rate(codec.read(path), rate, 1))
    except (UndecodableError, OSError) as error:
        raise GensetError(f"cannot use this sound file: {error}", where=str(path)) from None
