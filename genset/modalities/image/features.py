"""Fixed features of images: nothing is learned or downloaded, and they are the same on every machine."""

import numpy as np
import PIL.Image

from genset.interfaces import Floats, Items
from genset.memory import fill_arrays

CELLS = 4  # along each side
ORIENTATIONS = 8
MAX_PIXELS = 16  # along each side of the pixels among the features
COPY_PIXELS = 32  # along each side of the pixels by which near copies are found
_CHUNK = 1024  # items at once, so that memory is bounded


def pixels(items: Items) -> Floats:
    """(N, d) pixel values in [0, 1], reduced to at most 32x32."""
    return _reduced(items, COPY_PIXELS)


def gradients_and_pixels(items: Items) -> Floats:
    """(N, d) histograms of oriented gradients over a 4x4 grid (after Dalal and Triggs 2005), and small pixels.

    Gradients describe shapes independent of the brightness; the pixels describe tone and colour.
    """
    parts = (items[start : start + _CHUNK] for start in range(0, max(1, len(items)), _CHUNK))
    (out,) = fill_arrays(len(items), ([np.hstack([_gradients(part), _reduced(part, MAX_PIXELS)])] for part in parts))
    return out


def _gradients(items: Items) -> Floats:
    """(N, CELLS * CELLS * ORIENTATIONS) histograms of oriented gradients."""
    grey = items.mean(axis=-1, dtype=np.float32) / np.float32(255)  # (N, H, W)
    dy, dx = np.gradient(grey, axis=(1, 2))
    strength, angle = np.hypot(dx, dy), np.arctan2(dy, dx) % (2 * np.pi)
    position = angle * (ORIENTATIONS / (2 * np.pi))
    low = np.floor(position)
    share = position - low  # each gradient counts for its two neighbouring orientations
    first, second = strength * (1 - share), strength * share
    low = low.astype(np.int8) % ORIENTATIONS
    grid = np.zeros((len(items), CELLS, CELLS, ORIENTATIONS), np.float32)
    rows = _cell_weights(grey.shape[1])  # (CELLS, H)
    columns = _cell_weights(grey.shape[2])
    for orientation in range(ORIENTATIONS):
        part = np.where(low == orientation, first, 0)
        part += np.where(low == (orientation - 1) % ORIENTATIONS, second, 0)
        grid[..., orientation] = rows @ part @ columns.T
    flat = grid.reshape(len(items), -1)
    flat = flat / (np.linalg.norm(flat, axis=1, keepdims=True) + np.float32(1e-3))
    # the square root keeps one strong edge from dominating the others
    features: Floats = np.sqrt(flat).astype(np.float32)
    return features


def _cell_weights(length: int) -> Floats:
    """(CELLS, length) triangular weights, so that a shift of one pixel changes the features only a little."""
    centres = (np.arange(CELLS) + 0.5) * length / CELLS
    distance = np.abs(np.arange(length) + 0.5 - centres[:, None]) / (length / CELLS)
    return np.maximum(0, 1 - distance).astype(np.float32)


def _reduced(items: Items, max_side: int) -> Floats:
    """(N, side * side * C) values in [0, 1]; larger items are reduced with Pillow's box filter."""
    size = items.shape[1]
    if size > max_side:
        items = np.stack([_shrink(item, max_side) for item in items])
    return items.reshape(len(items), -1).astype(np.float32) / np.float32(255)


def _shrink(item: Items, side: int) -> Items:
    """(side, side, C) the image reduced with a box filter."""
    image = PIL.Image.fromarray(item[..., 0] if item.shape[-1] == 1 else item)
    small = np.asarray(image.resize((side, side), PIL.Image.Resampling.BOX))
    return small.reshape(side, side, item.shape[-1])
