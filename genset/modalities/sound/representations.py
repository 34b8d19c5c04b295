"""How clips look to the networks: one class for each `representation`, with the way there and back."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from genset.interfaces import Floats
from genset.modalities.sound import spectra

RANGE = 80.0  # dB below the loudest place of a clip that networks see; what is quieter is silence
_HOP_SECONDS = 0.0145  # near which the power of two is taken
_BANDS, _NARROW = 80, 64  # bands, and those of low rates
_NARROW_RATE = 12_000
_SILENT = 0.02  # of the range, below which nothing sounds
_MULTIPLE = 8  # frames and bins come in multiples, so that networks can halve them thrice


def hop_of(rate: int) -> int:
    """Samples from frame to frame: a power of two near 14.5 ms, 128 at 8 kHz and 256 at 22 kHz."""
    return 1 << round(float(np.log2(rate * _HOP_SECONDS)))


def whole_length(samples: int, rate: int) -> int:
    """The smallest length of whole frames, in their multiples, that has room for so many samples."""
    unit = hop_of(rate) * _MULTIPLE
    return -(-samples // unit) * unit


@dataclass(frozen=True)
class Representation(ABC):
    """Clips (N, T, channels) of float32 in [-1, 1] as tensors in [0, 1], whatever their level."""

    length: int
    channels: int
    rate: int
    name: ClassVar[str]

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Of one clip as a tensor."""

    @abstractmethod
    def to_tensor(self, clips: Floats) -> Floats:
        """(N, T, channels) to (N, *shape)."""

    @abstractmethod
    def to_clips(self, tensor: Floats, rngs: list[np.random.Generator], steps: int) -> Floats:
        """(N, *shape) to (N, T, channels), of any level; the n-th generator draws what the n-th tensor leaves open."""

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
        wanted = _NARROW if self.rate <= _NARROW_RATE else _BANDS
        return spectra.mel_bank(spectra.most_bands(bins, self.rate, wanted), bins, self.rate)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.frames, self.bank.shape[0], self.channels)

    def to_tensor(self, clips: Floats) -> Floats:
        magnitudes = np.abs(spectra.stft(np.moveaxis(clips, 2, 1), self.hop))
        return np.ascontiguousarray(np.moveaxis(_levels(spectra.mel_of(magnitudes, self.bank)), 1, 3))

    def to_clips(self, tensor: Floats, rngs: list[np.random.Generator], steps: int) -> Floats:
        mel = _magnitudes(np.moveaxis(tensor, 3, 1))  # (N, channels, frames, bands)
        magnitudes = spectra.magnitudes_of(mel, self.bank)
        # One draw for all channels: a mono sound in stereo stays in the middle
        drawn = np.stack([rng.random(magnitudes.shape[3], dtype=np.float32) for rng in rngs]) * np.float32(2 * np.pi)
        start = np.repeat(drawn, self.channels, axis=0)
        clips = spectra.griffin_lim(magnitudes.reshape(-1, *magnitudes.shape[2:]), start, self.hop, steps)
        return np.moveaxis(clips.reshape(len(tensor), self.channels, -1), 1, 2)


@dataclass(frozen=True)
class Stft(Representation):
    """Magnitudes in dB, and how fast phases turn (GANSynth: Engel et al. 2019, arXiv:1902.08710): for tonal sounds.

    (frames, bins, 2 channels), the highest bin left out: it is all but empty.
    """

    name: ClassVar[str] = "stft"

    @property
    def bins(self) -> int:
        return spectra.OVERLAP * self.hop // 2

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.frames, self.bins, 2 * self.channels)

    def to_tensor(self, clips: Floats) -> Floats:
        found = spectra.stft(np.moveaxis(clips, 2, 1), self.hop)[..., :-1]
        levels = _levels(np.abs(found))
        # The turn that is left after what the bin's own frequency does in a hop, in (-pi, pi], as [0, 1]
        turned = np.angle(found[..., 1:, :] * np.conj(found[..., :-1, :]) * np.conj(self._own_turn))
        turns = np.zeros(levels.shape, np.float32)
        turns[..., 1:, :] = turned
        turns = np.where(levels > 0, turns / np.float32(2 * np.pi) + np.float32(0.5), np.float32(0.5))
        return np.ascontiguousarray(np.moveaxis(np.concatenate([levels, turns], axis=1), 1, 3))

    def to_clips(self, tensor: Floats, rngs: list[np.random.Generator], steps: int) -> Floats:
        levels, turns = np.split(np.moveaxis(tensor, 3, 1), 2, axis=1)
        own = np.angle(self._own_turn).astype(np.float64)
        angles = np.cumsum((turns - 0.5) * (2 * np.pi) + own, axis=2, dtype=np.float64)
        found = _magnitudes(levels) * np.exp(1j * angles)
        whole = np.concatenate([found, np.zeros((*found.shape[:-1], 1))], axis=-1).astype(np.complex64)
        return np.moveaxis(spectra.istft(whole, self.hop), 1, 2)

    @property
    def _own_turn(self) -> spectra.Complexes:
        turn = np.exp(2j * np.pi * np.arange(self.bins) / spectra.OVERLAP)
        out: spectra.Complexes = turn.astype(np.complex64)
        return out


@dataclass(frozen=True)
class Waveform(Representation):
    """The samples themselves, the loudest at 0 or 1: (T, channels)."""

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
    """(N, channels, frames, bins) magnitudes as dB below the loudest place of the clip, in [0, 1]: 0 is silence."""
    loudest = np.maximum(magnitudes.max(axis=(1, 2, 3), keepdims=True), np.float32(1e-6))
    decibels = 20 * np.log10(np.maximum(magnitudes / loudest, np.float32(10 ** (-RANGE / 20))))
    out: Floats = (1 + decibels / RANGE).astype(np.float32)
    return out


def _magnitudes(levels: Floats) -> Floats:
    levels = np.clip(levels, 0, 1)
    out: Floats = np.where(levels < _SILENT, 0, 10 ** ((levels - 1) * (RANGE / 20))).astype(np.float32)
    return out


REPRESENTATIONS: dict[str, type[Representation]] = {form.name: form for form in (Mel, Stft, Waveform)}
