"""Sound files to arrays and back: any file that libsndfile reads, as 16-bit samples at one rate."""

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from genset.interfaces import AudioSegment, Floats, ItemArray, ItemSource, SourceEntry, UndecodableError
from genset.modalities.sound import truncation

SHORTEST = 0.01  # seconds; nothing can be learned from shorter sounds
FULL = 32768  # full scale of 16-bit samples
_MAX_BYTES = 10**9  # of samples as float32: 95 minutes in mono at 44.1 kHz
_NO_FRAME = 7  # libsndfile's error code for an MPEG file without frames; its own message is misleading
_MIN_LAST_WINDOW = 0.5  # share of the length that the last window of a recording must have


@dataclass(frozen=True)
class Clip:
    """The content of a sound file."""

    samples: Floats  # (T, channels)
    rate: int
    subtype: str  # libsndfile's name of how samples are stored, such as PCM_16
    container: str  # libsndfile's name of the format, such as WAV


def read(raw: ItemSource) -> Clip:
    """The content of a file, or of a segment of one. Raises UndecodableError with the reason, and OSError."""
    import soundfile

    path = raw.path if isinstance(raw, AudioSegment) else Path(raw)
    if not os.path.getsize(path):
        raise UndecodableError("the file is empty")
    fault = truncation.missing(path)
    if fault:
        raise UndecodableError(fault)
    try:
        with soundfile.SoundFile(os.fsencode(path)) as file:
            rate = file.samplerate
            start, stop = 0, -1
            if isinstance(raw, AudioSegment):
                start, stop = round(raw.start * rate), round(raw.stop * rate)
                file.seek(min(start, file.frames))
            _check_room((stop if stop > 0 else file.frames) - start, file.channels)
            samples = file.read(stop - start if stop > 0 else -1, dtype="float32", always_2d=True)
            clip = Clip(samples, rate, file.subtype, file.format)
            expected = file.frames if stop < 0 else 0
    except soundfile.LibsndfileError as error:
        raise UndecodableError(_reason(error)) from None
    if len(samples) < expected - truncation.MPEG_FRAME:
        raise UndecodableError(f"truncated: {len(samples):,} of {expected:,} samples")
    _check(clip)
    return clip


def _reason(error: Any) -> str:
    """libsndfile's own message, without the path that soundfile puts before it."""
    message = "it has no frame of sound" if error.code == _NO_FRAME else str(error.error_string).rstrip(".")
    return f"not a sound that libsndfile can read: {message}"


def _check_room(samples: int, channels: int) -> None:
    """Raise UndecodableError for more samples than are read at once, be they in the file or only in its header."""
    size = samples * channels * np.dtype(np.float32).itemsize
    if size > _MAX_BYTES:
        raise UndecodableError(
            f"too long: {samples:,} samples in {channels} channel{'s' * (channels != 1)} take {size / 1e6:,.0f} MB, at "
            f"most {_MAX_BYTES / 1e6:,.0f} MB are read at once; `long_files: windows` reads it in pieces"
        )


def _check(clip: Clip) -> None:
    """Raise UndecodableError for a clip that cannot be learned from."""
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


def windows(path: Path, seconds: float) -> Iterator[SourceEntry]:
    """A recording cut into segments of equal length, all of one group, so that they stay in one split."""
    import soundfile

    fault = truncation.missing(path)
    if fault:
        yield SourceEntry(fault=fault)
        return
    try:
        info = soundfile.info(os.fsencode(path))
    except soundfile.LibsndfileError as error:
        yield SourceEntry(fault=_reason(error))
        return
    length = info.frames / info.samplerate
    count = max(1, int(length / seconds + 1 - _MIN_LAST_WINDOW))
    for number in range(count):
        start = number * seconds
        piece = (round(start, 6), round(min(length, start + seconds), 6))
        yield SourceEntry(place=f"{start:.2f}s", piece=piece)


def at_rate(clip: Clip, rate: int, channels: int) -> ItemArray:
    """(T, channels) int16 samples at a rate. Mono is copied to both channels; surplus channels are averaged."""
    samples = clip.samples
    if channels == 1 or samples.shape[1] > channels:
        samples = samples.mean(axis=1, keepdims=True)
    if samples.shape[1] < channels:
        samples = np.repeat(samples, channels, axis=1)
    if clip.rate != rate:
        import soxr

        samples = soxr.resample(np.ascontiguousarray(samples), clip.rate, rate, quality="HQ")
    return quantised(samples)


def quantised(samples: Floats) -> ItemArray:
    """16-bit samples of a waveform in [-1, 1], scaled down if it exceeds full scale."""
    peak = float(np.abs(samples).max(initial=0.0))
    scaled = samples * np.float32(FULL * min(1.0, (1 - 1 / FULL) / peak if peak else 1.0))
    item: ItemArray = np.clip(np.rint(scaled), -FULL, FULL - 1).astype(np.int16)
    return item


def waveform(items: npt.NDArray[Any]) -> Floats:
    """Samples in [-1, 1) as float32."""
    out: Floats = items.astype(np.float32) / np.float32(FULL)
    return out


def fitted(item: ItemArray, length: int) -> ItemArray:
    """(length, channels): cut at the end, or padded with silence."""
    out = np.zeros((length, item.shape[1]), item.dtype)
    out[: min(length, len(item))] = item[:length]
    return out


def from_array(array: npt.NDArray[Any]) -> ItemArray:
    """(T, channels) int16 samples of an array (T,), (T, C) or (C, T): 16-bit integers, or floats in [-1, 1].

    Raises UndecodableError for other shapes and values.
    """
    samples = array[:, None] if array.ndim == 1 else array
    if samples.ndim == 2 and samples.shape[0] in (1, 2) and samples.shape[1] > 2:
        samples = samples.T  # channels first
    if samples.ndim != 2 or samples.shape[1] not in (1, 2) or not samples.size:
        raise UndecodableError(f"an array of shape {array.shape} is no sound")
    if samples.dtype.kind == "f" and np.abs(samples).max() <= 1:
        samples = np.round(samples * (FULL - 1))
    if samples.dtype != np.int16 and not (np.isfinite(samples).all() and np.abs(samples).max() <= FULL):
        raise UndecodableError("samples beyond 16 bits: they must be in -1 to 1, or whole numbers up to 32,767")
    item: ItemArray = samples.clip(-FULL, FULL - 1).astype(np.int16)
    return item


def sounding(item: ItemArray) -> int:
    """The number of samples up to the last one that is not 0."""
    (places,) = np.nonzero(item.any(axis=1))
    return int(places[-1]) + 1 if len(places) else 0


def wav(item: ItemArray, rate: int) -> bytes:
    """A 16-bit PCM WAV file: the only kind that every loader reads."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, item, rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()
