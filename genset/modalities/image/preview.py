"""Previews of images: sheets with a row for each class."""

import io
from collections.abc import Sequence

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from genset.interfaces import Items

_CELL = 48  # pixels to which an item is enlarged at least
_GAP = 2
_PAPER, _INK = "white", "black"
_LONGEST_TITLE = 24


def sheet(items: Items, titles: Sequence[str]) -> bytes:
    """A PNG with a row for each title; the items (N, H, W, C) fill the rows evenly, in order."""
    per_row = len(items) // max(1, len(titles))
    zoom = max(1, _CELL // items.shape[1])
    cell = items.shape[1] * zoom + _GAP
    font = PIL.ImageFont.load_default(14)
    # Class names can be in any script; the built-in font draws boxes for characters that it lacks.
    texts = [title if len(title) <= _LONGEST_TITLE else title[: _LONGEST_TITLE - 1] + "…" for title in titles]
    margin = max((round(font.getlength(text)) for text in texts), default=0) + 12
    picture = PIL.Image.new("RGB", (margin + per_row * cell, len(titles) * cell + _GAP), _PAPER)
    draw = PIL.ImageDraw.Draw(picture)
    for row, text in enumerate(texts):
        draw.text((6, _GAP + row * cell + cell / 2), text, fill=_INK, font=font, anchor="lm")
        for column in range(per_row):
            pixels = np.repeat(np.repeat(items[row * per_row + column], zoom, 0), zoom, 1)
            image = PIL.Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
            picture.paste(image.convert("RGB"), (margin + column * cell, _GAP + row * cell))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
