"""How networks see clips: one class for each `representation`, with the conversion to tensors and back."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from genset.interfaces import Floats, Items
from genset.modalities.sound import codec, spectra

RANGE_DB = 80.0  # dynamic range that networks see, below the loudest place of a clip; quieter places are silent
_HOP_SECONDS = 0.0145  # the hop is the power of two nearest to it
_BANDS, _FEW_BANDS = 80, 64  # mel bands, and those of low sample rates
_LOW_RATE = 12_000  # Hz
_SILENT = 0.02  # of the range; lower values are silence
_BLOCK = 256  # clips whose spectra are computed at once: they take many times the memory of the clips
_MULTIPLE = 8  # frames and bins come in multiples of it, so that networks can halve them three times


def hop_of(rate: int) -> int:
    """Samples from frame to frame: a power of two near 14.5 ms, 128 at 8 kHz and 256 at 22 kHz."""
    return 1 << round(float(np.log2(rate * _HOP_SECONDS)))


def padded_length(samples: int, rate: int) -> int:
    """The smallest length in samples that has room for a clip and is a multiple of frames that networks can halve."""
    unit = hop_of(rate) * _MULTIPLE
    return -(-samples // unit) * unit


@dataclass(frozen=True)
class Representation(ABC):
    """Clips (N, T, channels) of float32 in [-1, 1] as tensors in [0, 1], independent of their level."""

    length: int
    channels: int
    rate: int
    name: ClassVar[str]

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor of one clip."""

    @abstractmethod
    def to_tensor(self, clips: Floats) -> Floats:
        """(N, T, channels) to (N, *shape)."""

    @abstractmethod
    def to_clips(self, tensor: Floats, rngs: list[np.random.Generator], steps: int) -> Floats:
        """(N, *shape) to (N, T, channels) of any level; the n-th generator draws the phases of the n-th clip."""

    def from_items(self, items: Items) -> Floats:
        """(N, *shape) the tensors of int16 clips (N, T, channels), which may be shorter than `length`."""
        out = np.empty((len(items), *self.shape), np.float32)
        for start in range(0, len(items), _BLOCK):
            part = codec.waveform(items[start : start + _BLOCK])
            padded = np.zeros((len(part), self.length, part.shape[2]), np.float32)
            padded[:, : part.shape[1]] = part
            out[start : start + _BLOCK] = self.to_tensor(padded)
        return out

    def map_blocks(self, items: Items, function: Callable[[Floats], Floats]) -> Floats:
        """(N, ...) the results of a function of tensors, for int16 clips (N, T, channels)."""
        starts = range(0, max(1, len(items)), _BLOCK)
        return np.concatenate([function(self.from_items(items[start : start + _BLOCK])) for start in starts])

    @property
    def hop(self) -> int:
        return hop_of(self.rate)

    @property
    def frames(self) -> int:
        return self.length // self.hop


@dataclass(frozen=True)
class Mel(Representation):
    """Magnitudes in mel bands, in dB below the loudest place: (frames, bands, channels)."""

    name: ClassVar[str] = "mel"

    @property
    def bank(self) -> Any:
        bins = spectra.OVERLAP * self.hop // 2 + 1
        bands = _FEW_BANDS if self.rate <= _LOW_RATE else _BANDS
        return spectra.mel_bank(spectra.most_bands(bins, self.rate, bands), bins, self.rate)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.frames, self.bank.shape[0], self.channels)

    def to_tensor(self, clips: Floats) -> Floats:
        magnitudes = np.abs(spectra.stft(np.moveaxis(clips, 2, 1), self.hop))
        return np.ascontiguousarray(np.moveaxis(_levels(spectra.mel_of(magnitudes, self.bank)), 1, 3))

    def to_clips(self, tensor: Floats, rngs: list[np.random.Generator], steps: int) -> Floats:
        mel = _magnitudes(np.moveaxis(tensor, 3, 1))  # (N, channels, frames, bands)
        magnitudes = spectra.magnitudes_of(mel, self.bank)
        # One draw for all channels, so that a mono sound in stereo stays centred
        angles = np.stack([rng.random(magnitudes.shape[3], dtype=np.float32) for rng in rngs]) * np.float32(2 * np.pi)
        start = np.repeat(angles, self.channels, axis=0)
        clips = spectra.griffin_lim(magnitudes.reshape(-1, *magnitudes.shape[2:]), start, self.hop, steps)
        return np.moveaxis(clips.reshape(len(tensor), self.channels, -1), 1, 2)


@dataclass(frozen=True)
class Stft(Representation):
    """Magnitudes in dB and instantaneous frequencies (GANSynth: Engel et al. 2019, arXiv:1902.08710), for tonal sounds.

    (frames, bins, 2 * channels). The highest bin, which is almost empty, is left out.
    """

    name: ClassVar[str] = "stft"

    @property
    def bins(self) -> int:
        return spectra.OVERLAP * self.hop // 2

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.frames, self.bins, 2 * self.channels)

    def to_tensor(self, clips: Floats) -> Floats:
        spectrum = spectra.stft(np.moveaxis(clips, 2, 1), self.hop)[..., :-1]
        levels = _levels(np.abs(spectrum))
        # The phase change in a hop beyond that of the bin's centre frequency, in (-pi, pi], scaled to [0, 1]
        change = spectrum[..., 1:, :] * np.conj(spectrum[..., :-1, :]) * np.conj(self._centre_turn)
        turns = np.zeros(levels.shape, np.float32)
        turns[..., 1:, :] = np.angle(change)
        turns = np.where(levels > 0, turns / np.float32(2 * np.pi) + np.float32(0.5), np.float32(0.5))
        return np.ascontiguousarray(np.moveaxis(np.concatenate([levels, turns], axis=1), 1, 3))

    def to_clips(self, tensor: Floats, rngs: list[np.random.Generator], steps: int) -> Floats:
        levels, turns = np.split(np.moveaxis(tensor, 3, 1), 2, axis=1)
        centre = np.angle(self._centre_turn).astype(np.float64)
        angles = np.cumsum((turns - 0.5) * (2 * np.pi) + centre, axis=2, dtype=np.float64)
        spectrum = _magnitudes(levels) * np.exp(1j * angles)
        full = np.concatenate([spectrum, np.zeros((*spectrum.shape[:-1], 1))], axis=-1).astype(np.complex64)
        return np.moveaxis(spectra.istft(full, self.hop), 1, 2)

    @property
    def _centre_turn(self) -> spectra.Complexes:
        """(bins,) the turn of each bin's centre frequency in a hop, as complex numbers of length 1."""
        turn = np.exp(2j * np.pi * np.arange(self.bins) / spectra.OVERLAP)
        out: spectra.Complexes = turn.astype(np.complex64)
        return out


@dataclass(frozen=True)
class Waveform(Representation):
    """The samples, scaled so that the loudest is 0 or 1: (T, channels)."""

    name: ClassVar[str] = "waveform"

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.length, self.channels)

    def to_tensor(self, clips: Floats) -> Floats:
        peak = np.maximum(np.abs(clips).max(axis=(1, 2), keepdims=True), np.float32(1e-6))
        out: Floats = clips / peak * np.float32(0.5) + np.float32(0.5)
        return out

    def to_clips(self, tensor: Floats, rngs: list[np.random.Generator], steps: int) -> Floats:
        out: Floats = tensor * np.float32(2) - np.float32(1)
        return out


def _levels(magnitudes: Floats) -> Floats:
    """(N, channels, frames, bins) magnitudes as levels in dB, scaled to [0, 1]: 1 is the loudest place, 0 silence."""
    loudest = np.maximum(magnitudes.max(axis=(1, 2, 3), keepdims=True), np.float32(1e-6))
    decibels = 20 * np.log10(np.maximum(magnitudes / loudest, np.float32(10 ** (-RANGE_DB / 20))))
    out: Floats = (1 + decibels / RANGE_DB).astype(np.float32)
    return out


def _magnitudes(levels: Floats) -> Floats:
    """The magnitudes of levels in [0, 1]; the inverse of `_levels` except for the loudness of the clip."""
    levels = np.clip(levels, 0, 1)
    out: Floats = np.where(levels < _SILENT, 0, 10 ** ((levels - 1) * (RANGE_DB / 20))).astype(np.float32)
    return out


REPRESENTATIONS: dict[str, type[Representation]] = {each.name: each for each in (Mel, Stft, Waveform)}


def create(name: str, samples: int, channels: int, rate: int) -> Representation:
    """The representation of that name for clips of so many samples."""
    return REPRESENTATIONS[name](padded_length(samples, rate), channels, rate)
