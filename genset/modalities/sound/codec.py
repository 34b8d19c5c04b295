"""Sound files to arrays and back: whatever libsndfile reads, at one rate, as 16-bit samples."""

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from genset.interfaces import Entry, Floats, Item, Piece, Raw, UndecodableError
from genset.modalities.sound import truncation

SHORTEST = 0.01  # seconds; what is shorter is no sound that could be learned from
FULL = 32768  # of 16-bit samples
_MOST_BYTES = 10**9  # of samples as float32: 95 minutes in mono at 44.1 kHz
_NO_FRAME = 7  # libsndfile's code where its MPEG decoder finds none; its words are of a file that does not exist
_LEAST_WINDOW = 0.5  # of the length, that the last window of a recording must have


@dataclass(frozen=True)
class Clip:
    """A sound as its file holds it."""

    samples: Floats  # (T, channels)
    rate: int
    subtype: str  # libsndfile's name of how samples are stored, such as PCM_16
    container: str  # libsndfile's name of the format, such as WAV


def read(raw: Raw) -> Clip:
    """A file, or a piece of one. Raises UndecodableError with the reason, OSError."""
    import soundfile

    path = raw.path if isinstance(raw, Piece) else Path(raw)
    if not os.path.getsize(path):
        raise UndecodableError("the file is empty")
    fault = truncation.missing(path)
    if fault:
        raise UndecodableError(fault)
    try:
        with soundfile.SoundFile(os.fsencode(path)) as file:
            rate = file.samplerate
            start, stop = 0, -1
            if isinstance(raw, Piece):
                start, stop = round(raw.start * rate), round(raw.stop * rate)
                file.seek(min(start, file.frames))
            _check_room((stop if stop > 0 else file.frames) - start, file.channels)
            samples = file.read(stop - start if stop > 0 else -1, dtype="float32", always_2d=True)
            clip = Clip(samples, rate, file.subtype, file.format)
            whole = file.frames if stop < 0 else 0
    except soundfile.LibsndfileError as error:
        raise UndecodableError(_reason(error)) from None
    if len(samples) < whole - truncation.MPEG_FRAME:
        raise UndecodableError(f"truncated: {len(samples):,} of {whole:,} samples")
    _check(clip)
    return clip


def _reason(error: Any) -> str:
    """libsndfile's own words, without the path that soundfile puts before them."""
    told = "no frame of sound in it" if error.code == _NO_FRAME else str(error.error_string).rstrip(".")
    return f"not a sound that libsndfile can read: {told}"


def _check_room(samples: int, channels: int) -> None:
    """Raises UndecodableError for more samples than are read at once, whether they are there or only promised."""
    size = samples * channels * np.dtype(np.float32).itemsize
    if size > _MOST_BYTES:
        raise UndecodableError(
            f"too long: {samples:,} samples in {channels} channel{'s' * (channels != 1)} take {size / 1e6:,.0f} MB, at "
            f"most {_MOST_BYTES / 1e6:,.0f} MB are read at once; `long_files: windows` takes it in pieces"
        )


def _check(clip: Clip) -> None:
    samples = clip.samples
    if not len(samples):
        raise UndecodableError("it holds no samples")
    if len(samples) < SHORTEST * clip.rate:
        count = f"{len(samples):,} sample{'s' * (len(samples) != 1)}"
        raise UndecodableError(f"too short: {count}, less than {SHORTEST:g} s")
    if not np.isfinite(samples).all():
        raise UndecodableError("it holds NaN or infinite samples")
    if not np.ptp(samples, axis=0).any():
        raise UndecodableError("silent: all its samples are equal")


def windows(path: Path, seconds: float) -> Iterator[Entry]:
    """A recording as pieces of equal length, all of one group, so that they never stand in different splits."""
    import soundfile

    fault = truncation.missing(path)
    if fault:
        yield Entry(fault=fault)
        return
    try:
        told = soundfile.info(os.fsencode(path))
    except soundfile.LibsndfileError as error:
        yield Entry(fault=_reason(error))
        return
    length = told.frames / told.samplerate
    count = max(1, int(length / seconds + 1 - _LEAST_WINDOW))
    for number in range(count):
        start = number * seconds
        piece = (round(start, 6), round(min(length, start + seconds), 6))
        yield Entry(place=f"{start:.2f}s", piece=piece)


def at_rate(clip: Clip, rate: int, channels: int) -> Item:
    """(T, channels) int16 samples at a rate. Two channels of one are the same; more are mixed down."""
    samples = clip.samples
    if channels == 1 or samples.shape[1] > channels:
        samples = samples.mean(axis=1, keepdims=True)
    if samples.shape[1] < channels:
        samples = np.repeat(samples, channels, axis=1)
    if clip.rate != rate:
        import soxr

        samples = soxr.resample(np.ascontiguousarray(samples), clip.rate, rate, quality="HQ")
    return quantised(samples)


def quantised(samples: Floats) -> Item:
    """16-bit samples of a waveform in [-1, 1]; a louder one is made as much quieter as it needs."""
    peak = float(np.abs(samples).max(initial=0.0))
    scaled = samples * np.float32(FULL * min(1.0, (1 - 1 / FULL) / peak if peak else 1.0))
    item: Item = np.clip(np.rint(scaled), -FULL, FULL - 1).astype(np.int16)
    return item


def waveform(items: npt.NDArray[Any]) -> Floats:
    """Samples in [-1, 1) as float32."""
    out: Floats = items.astype(np.float32) / np.float32(FULL)
    return out


def fitted(item: Item, length: int) -> Item:
    """(length, channels): cut at the end, or followed by silence."""
    out = np.zeros((length, item.shape[1]), item.dtype)
    out[: min(length, len(item))] = item[:length]
    return out


def sounding(item: Item) -> int:
    """The number of samples up to the last that is not 0."""
    (places,) = np.nonzero(item.any(axis=1))
    return int(places[-1]) + 1 if len(places) else 0


def wav(item: Item, rate: int) -> bytes:
    """A 16-bit PCM WAV file: the one kind that every loader reads."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, item, rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()
