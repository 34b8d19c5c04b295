"""Label-preserving transforms of one clip (T, channels) int16. To add one: a class here and its line in the table.

A transform changes a clip up to where it ends: the silence that fills it up stays silence. Times are in seconds and
frequencies in Hz, of the rate that `bound` tells.
"""

import functools
import os
from abc import abstractmethod
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pydantic

from genset.errors import GensetError
from genset.interfaces import (
    Augmentation,
    Company,
    Drawn,
    Floats,
    Item,
    Mixing,
    Modality,
    Partner,
    Step,
    UndecodableError,
)
from genset.modalities.sound import codec, spectra

_HOP = 128  # of the spectra that transforms work on
_RATE = 16_000  # of a clip whose modality was not told
_MOST_BITS = 12  # of a degraded clip
_LOUDEST = 1 - 2 / codec.FULL  # peak of a clip, of full scale
_RECORDINGS = (".wav", ".flac", ".ogg", ".mp3")


class SoundStep(Augmentation):
    """A transform of the samples up to where a clip ends."""

    _rate: int = pydantic.PrivateAttr(_RATE)

    def bound(self, modality: Modality) -> Self:
        out = self.model_copy()
        out._rate = getattr(modality, "rate", _RATE)
        return out

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        end = codec.sounding(item)
        if not end:
            return item.copy()
        return _like(item, self.changed(codec.waveform(item[:end]), rng, room=len(item), **drawn))

    @abstractmethod
    def changed(self, waveform: Floats, rng: np.random.Generator, *, room: int, **drawn: Any) -> Floats:
        """The waveform (T, channels) in [-1, 1], transformed; it may have any length, and is cut at `room` samples."""


class _FromFolder(SoundStep):
    """A transform that may take recordings of the user's."""

    folder: str | None = None

    def placed(self, start: Path) -> Self:
        return self.model_copy(update={"folder": self.folder and os.path.normpath(start / self.folder)})

    def bound(self, modality: Modality) -> Self:
        """Raises GensetError for a folder without recordings: before anything is trained or written."""
        if self.folder is not None:
            _recordings(self.folder)
        return super().bound(modality)


class Gain(SoundStep):
    """Louder or quieter, but never beyond full scale."""

    kind: Literal["gain"] = "gain"
    decibels: float = pydantic.Field(6.0, ge=0, le=40)
    """Largest change, either way."""

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        return {"decibels": _uniform(rng, -self.decibels, self.decibels)}

    def changed(self, waveform: Floats, rng: np.random.Generator, *, room: int, **drawn: Any) -> Floats:
        peak = float(np.abs(waveform).max())
        return waveform * np.float32(min(10 ** (drawn["decibels"] / 20), _LOUDEST / peak))


class TimeShift(SoundStep):
    """Begin later, after silence, or earlier, without the first moment."""

    kind: Literal["time_shift"] = "time_shift"
    seconds: float = pydantic.Field(0.05, ge=0, le=5)
    """Largest shift, either way."""

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        return {"seconds": _uniform(rng, -self.seconds, self.seconds)}

    def changed(self, waveform: Floats, rng: np.random.Generator, *, room: int, **drawn: Any) -> Floats:
        samples = round(drawn["seconds"] * self._rate)
        if samples < 0:
            return waveform[min(-samples, len(waveform) // 2) :]
        return np.concatenate([np.zeros((samples, waveform.shape[1]), np.float32), waveform])


class TimeStretch(SoundStep):
    """Slower or faster at the same pitch, by a phase vocoder (Flanagan and Golden 1966)."""

    kind: Literal["time_stretch"] = "time_stretch"
    share: float = pydantic.Field(0.1, ge=0, le=0.5)
    """Largest change of the length, either way."""

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        return {"factor": _uniform(rng, 1 - self.share, 1 + self.share)}

    def changed(self, waveform: Floats, rng: np.random.Generator, *, room: int, **drawn: Any) -> Floats:
        return _stretched(waveform, drawn["factor"])


class PitchShift(SoundStep):
    """Higher or lower at the same length."""

    kind: Literal["pitch_shift"] = "pitch_shift"
    semitones: float = pydantic.Field(1.0, ge=0, le=12)
    """Largest change, either way."""

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        return {"semitones": _uniform(rng, -self.semitones, self.semitones)}

    def changed(self, waveform: Floats, rng: np.random.Generator, *, room: int, **drawn: Any) -> Floats:
        import soxr

        factor = 2 ** (drawn["semitones"] / 12)
        stretched = np.ascontiguousarray(_stretched(waveform, factor))
        return np.asarray(soxr.resample(stretched, factor, 1.0, quality="HQ"), np.float32)[: len(waveform)]


class Noise(_FromFolder):
    """Noise at a given distance below the clip: white, pink, or from a folder of recordings."""

    kind: Literal["noise"] = "noise"
    colour: Literal["white", "pink"] = "white"
    folder: str | None = None
    """A folder of sound files to take the noise from, relative to the config file; without it, noise is drawn."""
    quietest: float = pydantic.Field(40.0, ge=-20, le=100)
    """Largest ratio of signal to noise, in dB."""
    loudest: float = pydantic.Field(20.0, ge=-20, le=100)
    """Smallest ratio of signal to noise, in dB."""

    @pydantic.model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.loudest > self.quietest:
            raise ValueError(f"loudest ({self.loudest:g} dB) must not be above quietest ({self.quietest:g} dB)")
        return self

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        drawn: dict[str, Any] = {"snr": _uniform(rng, self.loudest, self.quietest)}
        if self.folder is not None:
            files = _recordings(self.folder)
            drawn |= {"file": files[int(rng.integers(len(files)))].name, "place": _uniform(rng, 0, 1)}
        return drawn

    def changed(self, waveform: Floats, rng: np.random.Generator, *, room: int, **drawn: Any) -> Floats:
        if self.folder is not None:
            noise = _stretch_of(
                _recording(Path(self.folder) / drawn["file"], self._rate), len(waveform), drawn["place"]
            )
        else:
            noise = rng.standard_normal((len(waveform), 1), dtype=np.float32)
            noise = _pink(noise) if self.colour == "pink" else noise
        return waveform + noise * np.float32(_power_ratio(waveform, noise) * 10 ** (-drawn["snr"] / 20))


class Filter(SoundStep):
    """Without what is above (lowpass) or below (highpass) a frequency: a Butterworth filter of second order."""

    kind: Literal["filter"] = "filter"
    what: Literal["lowpass", "highpass"] = "lowpass"
    lowest: float = pydantic.Field(1500.0, ge=20, le=40_000)
    """Lowest frequency at which it may begin, in Hz."""
    highest: float = pydantic.Field(3500.0, ge=20, le=40_000)
    """Highest frequency at which it may begin, in Hz."""

    @pydantic.model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.lowest > self.highest:
            raise ValueError(f"lowest ({self.lowest:g} Hz) must not be above highest ({self.highest:g} Hz)")
        return self

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        return {"hertz": _uniform(rng, self.lowest, self.highest)}

    def changed(self, waveform: Floats, rng: np.random.Generator, *, room: int, **drawn: Any) -> Floats:
        from scipy import signal

        most = 0.98 * self._rate / 2
        sections = signal.butter(2, min(drawn["hertz"], most), self.what, fs=self._rate, output="sos")
        out: Floats = signal.sosfilt(sections, waveform, axis=0).astype(np.float32)
        return out


class Reverb(_FromFolder):
    """A room around the clip: simulated by noise that dies away, or by one of a folder of impulse responses."""

    kind: Literal["reverb"] = "reverb"
    folder: str | None = None
    """A folder of impulse responses, relative to the config file; without it, they are drawn."""
    longest: float = pydantic.Field(0.4, gt=0, le=10)
    """Longest time in which the room dies away by 60 dB, in seconds."""
    wet: float = pydantic.Field(0.3, ge=0, le=1)
    """Largest share of the room in what is heard."""

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        drawn: dict[str, Any] = {"wet": _uniform(rng, 0, self.wet)}
        if self.folder is None:
            return drawn | {"seconds": _uniform(rng, 0.1 * self.longest, self.longest)}
        files = _recordings(self.folder)
        return drawn | {"file": files[int(rng.integers(len(files)))].name}

    def changed(self, waveform: Floats, rng: np.random.Generator, *, room: int, **drawn: Any) -> Floats:
        from scipy import signal

        if self.folder is not None:
            response = _recording(Path(self.folder) / drawn["file"], self._rate)
        else:
            samples = max(8, round(drawn["seconds"] * self._rate))
            decay = 10 ** (-3 * np.arange(samples, dtype=np.float32) / samples)  # 60 dB
            response = (rng.standard_normal(samples, dtype=np.float32) * decay)[:, None]
        heard = signal.fftconvolve(waveform, response, axes=0)[:room].astype(np.float32)
        heard *= np.float32(_power_ratio(waveform, heard[: len(waveform)]))
        out: Floats = heard * np.float32(drawn["wet"])
        out[: len(waveform)] += waveform * np.float32(1 - drawn["wet"])
        return out


class Clipping(SoundStep):
    """Cut off above a share of the peak, as an overdriven input does, and as loud as before."""

    kind: Literal["clipping"] = "clipping"
    share: float = pydantic.Field(0.5, gt=0, le=1)
    """Lowest share of the peak at which it is cut off."""

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        return {"at": _uniform(rng, self.share, 1)}

    def changed(self, waveform: Floats, rng: np.random.Generator, *, room: int, **drawn: Any) -> Floats:
        most = np.float32(np.abs(waveform).max() * drawn["at"])
        out: Floats = np.clip(waveform, -most, most)
        return out


class Dropout(SoundStep):
    """Moments of silence, as a bad line has."""

    kind: Literal["dropout"] = "dropout"
    count: int = pydantic.Field(2, ge=1, le=50)
    """Most moments."""
    seconds: float = pydantic.Field(0.02, gt=0, le=1)
    """Longest moment."""

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        count = int(rng.integers(1, self.count + 1))
        return {"moments": [[_uniform(rng, 0, 1), _uniform(rng, 0, self.seconds)] for _ in range(count)]}

    def changed(self, waveform: Floats, rng: np.random.Generator, *, room: int, **drawn: Any) -> Floats:
        out = waveform.copy()
        for place, seconds in drawn["moments"]:
            samples = min(round(seconds * self._rate), len(out) // 4)
            start = round(place * (len(out) - samples))
            out[start : start + samples] = 0
        return out


class Degrade(SoundStep):
    """What a cheap codec leaves: fewer bits on a logarithmic scale (mu-law, ITU-T G.711) and a lower rate."""

    kind: Literal["degrade"] = "degrade"
    bits: int = pydantic.Field(6, ge=2, le=15)
    """Fewest bits."""
    share: float = pydantic.Field(0.5, ge=0.1, le=1)
    """Smallest share of the sample rate that is left."""

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        bits = int(rng.integers(self.bits, max(self.bits, _MOST_BITS) + 1))
        return {"bits": bits, "rate": _uniform(rng, self.share, 1)}

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


class Mask(SoundStep):
    """Bands and moments left out of the spectrum (SpecAugment: Park et al. 2019, arXiv:1904.08779)."""

    kind: Literal["mask"] = "mask"
    bands: float = pydantic.Field(0.1, ge=0, le=0.5)
    """Largest share of the frequencies."""
    moments: float = pydantic.Field(0.1, ge=0, le=0.5)
    """Largest share of the time."""

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        low, early = (_uniform(rng, 0, 1 - most) for most in (self.bands, self.moments))
        return {
            "bands": [low, round(low + _uniform(rng, 0, self.bands), 6)],
            "moments": [early, round(early + _uniform(rng, 0, self.moments), 6)],
        }

    def changed(self, waveform: Floats, rng: np.random.Generator, *, room: int, **drawn: Any) -> Floats:
        found = _spectra(waveform)
        (low, high), (early, late) = drawn["bands"], drawn["moments"]
        frames, bins = found.shape[1:]
        found[:, :, round(low * bins) : round(high * bins)] = 0
        found[:, round(early * frames) : round(late * frames)] = 0
        return spectra.istft(found, _HOP).T[: len(waveform)]


class Mix(Mixing):
    """A second clip of the class is heard with it, as a second voice or hit is."""

    kind: Literal["mix"] = "mix"
    partners: Literal["same_class"] = "same_class"
    """Two sounds of different classes have no label."""
    quietest: float = pydantic.Field(18.0, ge=0, le=60)
    """Most decibels that the second clip is below the first."""
    loudest: float = pydantic.Field(6.0, ge=0, le=60)
    """Fewest decibels that the second clip is below the first."""

    @pydantic.model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.loudest > self.quietest:
            raise ValueError(f"loudest ({self.loudest:g} dB) must not be above quietest ({self.quietest:g} dB)")
        return self

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"snr": _uniform(rng, self.loudest, self.quietest)}

    def mixed(
        self, item: Item, partner: Partner, rng: np.random.Generator, company: Company, **drawn: Any
    ) -> tuple[Item, float]:
        mine, theirs = (codec.waveform(each[: codec.sounding(each)]) for each in (item, partner.item))
        if not len(mine) or not len(theirs):
            return item.copy(), 0.0
        ratio = 10 ** (-drawn["snr"] / 20)
        out = np.zeros((len(item), item.shape[1]), np.float32)
        out[: len(mine)] = mine
        theirs = theirs[: len(item)] * np.float32(_power_ratio(mine, theirs) * ratio)
        out[: len(theirs)] += theirs
        return _like(item, out), round(ratio / (1 + ratio), 6)


AUGMENTATIONS: dict[str, type[Step]] = {
    "gain": Gain,
    "time_shift": TimeShift,
    "time_stretch": TimeStretch,
    "pitch_shift": PitchShift,
    "noise": Noise,
    "filter": Filter,
    "reverb": Reverb,
    "clipping": Clipping,
    "dropout": Dropout,
    "degrade": Degrade,
    "mask": Mask,
    "mix": Mix,
}
DEFAULT_STEPS: tuple[Step, ...] = (
    TimeStretch(p=0.5, share=0.08),
    PitchShift(p=0.3, semitones=0.5),
    TimeShift(p=0.5, seconds=0.02),
    Noise(p=0.3, quietest=50.0, loudest=30.0),
    Gain(p=0.8, decibels=3.0),
)


def _like(item: Item, waveform: Floats) -> Item:
    """A waveform (T, channels) as samples of an item's length; one beyond full scale is made as much quieter."""
    out = np.zeros_like(item)
    made = waveform[: len(item)]
    peak = float(np.abs(made).max(initial=0.0))
    out[: len(made)] = np.rint(made * np.float32(codec.FULL * min(1.0, _LOUDEST / max(peak, 1e-9)))).astype(np.int16)
    return out


def _uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number that reads well in metadata and is drawn again exactly from it."""
    return round(float(rng.uniform(low, high)), 6)


def _power_ratio(waveform: Floats, other: Floats) -> float:
    """What the other is to be multiplied with to be as loud as the waveform."""
    mine, theirs = (float(np.sqrt(np.mean(np.square(x, dtype=np.float64)))) for x in (waveform, other))
    return mine / max(theirs, 1e-9)


def _spectra(waveform: Floats) -> spectra.Complexes:
    """(channels, frames, bins) of a waveform (T, channels)."""
    padded = np.pad(waveform.T, ((0, 0), (0, -len(waveform) % _HOP)))
    return spectra.stft(np.ascontiguousarray(padded), _HOP)


def _stretched(waveform: Floats, factor: float) -> Floats:
    """A waveform so many times as long, by a phase vocoder: magnitudes between two frames, phases that go on."""
    found = _spectra(waveform)
    frames = found.shape[1]
    length = round(len(waveform) * factor)
    places = np.arange(max(1, -(-length // _HOP))) / factor
    low = np.minimum(places.astype(int), frames - 1)
    high, share = np.minimum(low + 1, frames - 1), (places - low)[:, None]
    magnitudes = (1 - share) * np.abs(found[:, low]) + share * np.abs(found[:, high])
    turns = np.angle(found[:, high] * np.conj(found[:, low]))
    phases = np.angle(found[:, :1]) + np.cumsum(np.concatenate([np.zeros_like(turns[:, :1]), turns[:, :-1]], 1), axis=1)
    made = (magnitudes * np.exp(1j * phases)).astype(np.complex64)
    return spectra.istft(made, _HOP).T[:length]


def _pink(white: Floats) -> Floats:
    """Noise whose power falls by 3 dB an octave."""
    found = np.fft.rfft(white, axis=0)
    found[1:] /= np.sqrt(np.arange(1, len(found)))[:, None]
    found[0] = 0
    out: Floats = np.fft.irfft(found, n=len(white), axis=0).astype(np.float32)
    return out


@functools.lru_cache(32)
def _recordings(folder: str) -> list[Path]:
    """The sound files of a folder, in order. Raises GensetError where there is none."""
    path = Path(folder)
    found = path.iterdir() if path.is_dir() else ()
    files = sorted(file for file in found if file.suffix.lower() in _RECORDINGS)
    if not files:
        hint = "Point the step's `folder` at a folder that holds some; relative paths start at the config file."
        raise GensetError(f"no sound files here (looked for {', '.join(_RECORDINGS)})", where=folder, hint=hint)
    return files


@functools.lru_cache(64)
def _recording(path: Path, rate: int) -> npt.NDArray[Any]:
    """(T, 1) samples of a file at a rate. Raises GensetError where it cannot be read."""
    try:
        return codec.waveform(codec.at_rate(codec.read(path), rate, 1))
    except (UndecodableError, OSError) as error:
        raise GensetError(f"cannot be used: {error}", where=str(path)) from None


def _stretch_of(noise: Floats, length: int, place: float) -> Floats:
    """So many samples of a recording, from a place in [0, 1] on, from the start again where it ends."""
    start = round(place * max(0, len(noise) - length))
    out: Floats = np.resize(noise[start:], (length, 1))
    return out
