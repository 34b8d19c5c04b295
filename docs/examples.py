"""Draw docs/examples.png, the picture of the README: python docs/examples.py GARMENTS NAMES DRUMS.

The arguments are three dataset versions of generated items; docs/benchmarks.md has the commands that write them. The
picture shows the first items of each class.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import signal

WIDTH, HEIGHT, MARGIN, TOP = 1180, 640, 16, 44
CELL, GAP = 58, 28  # pixels of an image with its border; between the columns
SOUND_WIDTH, SOUND_HEIGHT, LABEL = 122, 45, 80
LINE = 32
SAMPLES, BANDS, RANGE_DB = 16_384, 48, 70.0
Rows = dict[str, list[dict[str, Any]]]


def _rows(table: Path) -> Rows:
    """Rows of a metadata file by label."""
    by_label: Rows = defaultdict(list)
    for line in table.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        by_label[row["label"]].append(row)
    return dict(sorted(by_label.items()))


def _spectrogram(path: Path) -> NDArray[np.uint8]:
    """Mel spectrogram of a sound in colours, low frequencies at the bottom."""
    from matplotlib import colormaps

    samples, rate = soundfile.read(path)
    samples = np.pad(samples, (0, max(0, SAMPLES - len(samples))))[:SAMPLES]
    frequencies, _, power = signal.spectrogram(samples, rate, nperseg=512, noverlap=384, mode="magnitude")
    mels = 2595 * np.log10(1 + frequencies / 700)
    centres = np.linspace(mels[1], mels[-1], BANDS)
    weights = np.maximum(0, 1 - abs(mels - centres[:, None]) / (centres[1] - centres[0]))  # (bands, frequencies)
    weights[np.arange(BANDS), abs(mels - centres[:, None]).argmin(1)] += 1e-6  # narrow bands have one frequency
    levels = 20 * np.log10(weights / weights.sum(1, keepdims=True) @ power + 1e-9)
    brightness = np.clip((levels - levels.max() + RANGE_DB) / RANGE_DB, 0, 1)[::-1]
    return (colormaps["magma"](brightness)[..., :3] * 255).astype(np.uint8)


def _font(size: int, weight: str = "normal") -> ImageFont.FreeTypeFont:
    from matplotlib import font_manager  # which brings the font

    file = font_manager.findfont(font_manager.FontProperties(family="DejaVu Sans", weight=weight))
    return ImageFont.truetype(file, size)


def _draw_images(canvas: Image.Image, version: Path, left: int, count: int = 9) -> None:
    for y, items in enumerate(_rows(version / "train" / "metadata.jsonl").values()):
        for x, row in enumerate(items[:count]):
            image = Image.open(version / "train" / row["file_name"]).convert("RGB")
            image = image.resize((CELL - 2, CELL - 2), Image.Resampling.BICUBIC)
            canvas.paste(image, (left + x * CELL, TOP + y * CELL))


def _draw_sounds(canvas: Image.Image, version: Path, left: int, count: int = 4) -> int:
    """Returns the y below the sounds."""
    pen = ImageDraw.Draw(canvas)
    table = _rows(version / "train" / "metadata.jsonl")
    for y, (label, items) in enumerate(table.items()):
        pen.text((left, TOP + y * SOUND_HEIGHT + 12), label, font=_font(13), fill="#222")
        for x, row in enumerate(items[:count]):
            image = Image.fromarray(_spectrogram(version / "train" / row["file_name"]))
            image = image.resize((SOUND_WIDTH - 4, SOUND_HEIGHT - 4), Image.Resampling.BICUBIC)
            canvas.paste(image, (left + LABEL + x * SOUND_WIDTH, TOP + y * SOUND_HEIGHT))
    return TOP + len(table) * SOUND_HEIGHT


def _draw_texts(canvas: Image.Image, version: Path, left: int, top: int) -> None:
    pen = ImageDraw.Draw(canvas)
    for y, (label, items) in enumerate(_rows(version / "train.jsonl").items()):
        pen.text((left, top + y * LINE + 2), label, font=_font(13), fill="#666")
        x = float(left + LABEL)
        for row in items:
            width = pen.textlength(row["text"], font=_font(16))
            if x + width > WIDTH - MARGIN:
                break
            pen.text((x, top + y * LINE), row["text"], font=_font(16), fill="#222")
            x += width + 18


def main(garments: str, names: str, drums: str) -> None:
    """Draw the picture from three versions."""
    canvas = Image.new("RGB", (WIDTH, HEIGHT), "white")
    pen = ImageDraw.Draw(canvas)
    right = MARGIN + 9 * CELL + GAP
    pen.text((MARGIN, 12), "Images: clothing, 28×28", font=_font(17, "bold"), fill="#222")
    _draw_images(canvas, Path(garments), MARGIN)
    pen.text((right, 12), "Sounds: drum hits, as spectrograms", font=_font(17, "bold"), fill="#222")
    below = _draw_sounds(canvas, Path(drums), right)
    pen.text((right, below + 24), "Texts: names by country", font=_font(17, "bold"), fill="#222")
    _draw_texts(canvas, Path(names), right, below + 56)
    few_colours = canvas.quantize(160, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few_colours.save(Path(__file__).with_name("examples.png"), optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
