"""Previews of sounds: the waveform of a clip above its spectrogram, sheets with a row for each class, and short WAV
files for a player."""

import io
from collections.abc import Sequence

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from genset.interfaces import Floats, ItemArray, Items
from genset.modalities.sound import codec

_WIDTH, _WAVE, _SPECTRUM = 112, 28, 64  # pixels of a clip
_GAP = 4
_PAPER, _INK, _LINE, _MIDDLE = (255, 255, 255), (0, 0, 0), (31, 78, 140), (214, 220, 228)
_LONGEST_TITLE = 24
_PLAYED = 5.0, 22_050  # longest clip in seconds and highest rate that a page plays: 220 kB
_FADE = 0.01  # seconds, at the cut of a longer clip
# From dark to light through purple and orange: a few colours of matplotlib's "inferno"
_STOPS = np.array(
    [(0, 0, 4), (40, 11, 84), (101, 21, 110), (159, 42, 99), (212, 72, 66), (245, 125, 21), (252, 255, 164)]
)


def sheet(items: Items, levels: Floats, titles: Sequence[str]) -> bytes:
    """A PNG with a row for each title. Clips (N, T, channels) and their spectra (N, frames, bins, channels) in [0, 1]
    fill the rows evenly, in order."""
    per_row = len(items) // max(1, len(titles))
    font = PIL.ImageFont.load_default(14)
    texts = [title if len(title) <= _LONGEST_TITLE else title[: _LONGEST_TITLE - 1] + "…" for title in titles]
    margin = max((round(font.getlength(text)) for text in texts), default=0) + 12
    across, down = _WIDTH + _GAP, _WAVE + _SPECTRUM + _GAP
    picture = PIL.Image.new("RGB", (margin + per_row * across, len(titles) * down + _GAP), _PAPER)
    draw = PIL.ImageDraw.Draw(picture)
    for row, text in enumerate(texts):
        draw.text((6, _GAP + row * down + down / 2), text, fill=_INK, font=font, anchor="lm")
        for column in range(per_row):
            number = row * per_row + column
            picture.paste(_cell(items[number], levels[number]), (margin + column * across, _GAP + row * down))
    return _png(picture)


def picture(item: ItemArray, levels: Floats) -> bytes:
    """A PNG of one clip (T, channels) and its spectrum (frames, bins, channels) in [0, 1]."""
    return _png(_cell(item, levels))


def wav(item: ItemArray, rate: int) -> bytes:
    """A WAV file of the start of a clip (T, channels), in mono, at a rate that is enough for speech."""
    max_seconds, max_rate = _PLAYED
    end = max(1, codec.sounding(item))
    samples = codec.waveform(item[: min(end, round(max_seconds * rate))])
    if len(samples) < end:
        fade = round(_FADE * rate)
        samples[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)[:, None]
    played = min(rate, max_rate)
    return codec.wav(codec.at_rate(codec.Clip(samples, rate, "", ""), played, 1), played)


def _cell(item: ItemArray, levels: Floats) -> PIL.Image.Image:
    """The waveform of a clip above its spectrum."""
    cell = PIL.Image.new("RGB", (_WIDTH, _WAVE + _SPECTRUM), _PAPER)
    cell.paste(_wave(item), (0, 0))
    cell.paste(_spectrum(levels), (0, _WAVE))
    return cell


def _png(image: PIL.Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _wave(item: ItemArray) -> PIL.Image.Image:
    """A line from the lowest to the highest sample in each column, on the scale of 16 bits."""
    samples = codec.waveform(item).mean(axis=1)
    starts = np.arange(_WIDTH) * len(samples) // _WIDTH
    low, high = np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)
    rows = np.arange(_WAVE)[:, None]
    top, bottom = ((0.5 - 0.5 * edge) * (_WAVE - 1) for edge in (high, low))
    inside = (rows >= np.floor(top)) & (rows <= np.ceil(bottom))
    pixels = np.where(inside[..., None], _LINE, _PAPER).astype(np.uint8)
    pixels[_WAVE // 2, ~inside[_WAVE // 2]] = _MIDDLE
    return PIL.Image.fromarray(pixels)


def _spectrum(levels: Floats) -> PIL.Image.Image:
    """Time from left to right, frequency from bottom to top."""
    grey = np.clip(levels.mean(axis=2).T[::-1], 0, 1)
    places = np.linspace(0, 1, len(_STOPS))
    pixels = np.stack([np.interp(grey, places, _STOPS[:, colour]) for colour in range(3)], axis=-1)
    image = PIL.Image.fromarray(pixels.astype(np.uint8))
    return image.resize((_WIDTH, _SPECTRUM), PIL.Image.Resampling.BILINEAR)
