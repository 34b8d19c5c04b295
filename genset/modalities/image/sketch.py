"""Near-duplicates of images: what is left of one when another is laid over it.

Keys of a coarse picture find candidates. A pair is then laid one over the other, moved and scaled a little and as
bright (Lucas and Kanade 1981: one step of least squares), and judged by the place where they differ most: what two
different pictures that are alike differ in is somewhere, what saving one anew changes is everywhere and little.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageFilter

from genset.interfaces import Floats, Likeness, Pairs, Sketch
from genset.modalities.hashing import plane_keys

SIDE = 32
_MARGIN = 2  # pixels that moving may bring in from outside
_SMOOTH = (0.7, 1.3)  # standard deviations in pixels, of brightness and of colour, which JPEG saves coarsely
_CHROMA = 0.5  # weight of colour beside brightness
_CELLS = 7  # along each side, of the picture that has keys
_BLOCK = 4  # pixels along each side of a place
_FAR = 1.8  # pixels that least squares may move the edge of a picture beyond the whole pixel
_GAINS = (0.6, 1.6)  # contrast that a picture may have of another's
_BRIGHTER = 0.2  # of the whole range
_FLOOR = 0.01  # of the whole range: contrast below which differences are noise
_PROMISING = 0.88  # correlation of coarse pictures, of pairs that are laid one over the other
_AT_ONCE = 1024  # items
_PLACES = (SIDE - 2 * _MARGIN) // _BLOCK  # along each side
_STEPS = (0, -1, 1)  # whole pixels by which a picture is moved
_CHANGES = ("moved", "scaled")
_KINDS = (*_STEPS, *_CHANGES)
Halves = npt.NDArray[np.float16]


def of(image: PIL.Image.Image) -> Sketch:
    """(SIDE, SIDE, 3) the whole of an RGB image as smoothed brightness and colour (YCbCr, ITU-R BT.601)."""
    small = image.resize((SIDE, SIDE), PIL.Image.Resampling.BICUBIC).convert("YCbCr")
    bands = [
        band.filter(PIL.ImageFilter.GaussianBlur(_SMOOTH[number > 0])) for number, band in enumerate(small.split())
    ]
    return np.asarray(PIL.Image.merge("YCbCr", bands))


class Overlay(Likeness):
    """Likeness of images: 1 for two that are equal, mirrored or not; 0 for what is not alike at all."""

    def __init__(self, sketches: Sequence[Sketch]) -> None:
        self._straight, self._mirrored = _Places.of_all(sketches, 1), _Places.of_all(sketches, -1)
        found = plane_keys(np.concatenate([self._straight.coarse, self._mirrored.coarse]))
        self.keys = np.minimum(found[: len(sketches)], found[len(sketches) :])

    def __call__(self, pairs: Pairs) -> Floats:
        ways = [_laid_over(self._straight, side, pairs) for side in (self._straight, self._mirrored)]
        return np.maximum(*ways)


@dataclass(frozen=True)
class _Places:
    """What pairs of pictures are compared by: means over places, which are blocks of pixels inside the margin."""

    coarse: Floats  # (N, c) of length 1
    columns: Halves  # (N, 5, d) the picture, and what moving and scaling it add, down and across
    moved: Halves  # (N, moves, d) the picture, moved
    lengths: Floats  # (N, moves) of these, without their means
    mean: Floats  # (N,) brightness
    contrast: Floats  # (N,)

    @classmethod
    def of(cls, planes: Floats) -> Self:
        """Of pictures (N, SIDE, SIDE, 3)."""
        spread = planes - planes.mean(axis=(1, 2), keepdims=True) * np.array([1, 0, 0], np.float32)
        means = _means(planes).astype(np.float16)  # in half precision, for there are many
        moves = [(_KINDS.index(dy), _KINDS.index(dx)) for dy in _STEPS for dx in _STEPS]
        columns = [(0, 0), *((_KINDS.index(kind), 0) for kind in _CHANGES), *((0, _KINDS.index(k)) for k in _CHANGES)]
        moved = np.stack([means[:, down, :, right].reshape(len(planes), -1) for down, right in moves], axis=1)
        return cls(
            _cells(planes),
            np.stack([means[:, down, :, right].reshape(len(planes), -1) for down, right in columns], axis=1),
            moved,
            moved.astype(np.float32).std(axis=2) + np.float32(1e-6),
            planes[..., 0].mean(axis=(1, 2)),
            np.sqrt(np.square(spread).sum(axis=-1).mean(axis=(1, 2))),
        )

    @classmethod
    def of_all(cls, sketches: Sequence[Sketch], step: Literal[1, -1]) -> Self:
        """Of any number of sketches, some at once; mirrored by a step of -1."""
        starts = range(0, len(sketches), _AT_ONCE)
        parts = [cls.of(_planes(np.stack(sketches[start : start + _AT_ONCE])[:, :, ::step])) for start in starts]
        return cls(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls)))


def _planes(sketches: Sketch) -> Floats:
    """(N, H, W, 3) brightness in [0, 1], and weighted colour around 0."""
    out: Floats = sketches.astype(np.float32) / np.float32(255)
    out[..., 1:] = (out[..., 1:] - np.float32(128 / 255)) * np.float32(_CHROMA)
    return out


def _cells(planes: Floats) -> Floats:
    """(N, CELLS * CELLS * 3) means of overlapping triangular windows, without the mean brightness, of length 1.

    The windows lie around the middle of the edges of a picture, as far apart as these spread: a picture that is moved
    or cropped a little takes them along.
    """
    luma = planes[..., 0]
    edges = np.abs(np.gradient(luma, axis=1)) + np.abs(np.gradient(luma, axis=2)) + np.float32(1e-4)
    down, right = _windows(edges.sum(axis=2)), _windows(edges.sum(axis=1))
    rows = down @ planes.reshape(len(planes), SIDE, -1)  # (N, CELLS, W * C)
    out = right[:, None] @ rows.reshape(len(planes), _CELLS, SIDE, 3)  # (N, CELLS, CELLS, C)
    out[..., 0] -= out[..., 0].mean(axis=(1, 2), keepdims=True)
    rows = out.reshape(len(out), -1)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    flat = length < _FLOOR  # one direction for all that have no shape: they find each other
    return np.where(flat, np.float32(1 / (_CELLS * 3**0.5)), rows / np.maximum(length, np.float32(_FLOOR)))


def _windows(edges: Floats) -> Floats:
    """(N, CELLS, SIDE) weights along one axis, of which the strength of edges (N, SIDE) tells middle and spread."""
    place = np.arange(SIDE, dtype=np.float32)
    share = edges / edges.sum(axis=1, keepdims=True)
    middle = (share * place).sum(axis=1, keepdims=True)
    spread = np.sqrt((share * np.square(place - middle)).sum(axis=1, keepdims=True))
    apart = np.maximum(1, spread * np.float32(2 * 3**0.5 / _CELLS))  # edges everywhere alike: the whole picture
    centres = middle + apart * (np.arange(_CELLS, dtype=np.float32) - (_CELLS - 1) / 2)
    weights = np.maximum(0, 1 - np.abs(place - np.clip(centres, 0, SIDE - 1)[:, :, None]) / apart[:, :, None])
    out: Floats = (weights / weights.sum(axis=2, keepdims=True)).astype(np.float32)
    return out


def _means(planes: Floats) -> Floats:
    """(N, kinds, PLACES, kinds, PLACES, 3) means over places of pictures that are moved or differentiated along both
    axes: matrices from the left and from the right."""
    matrices = _matrices()
    rows = matrices @ planes.reshape(len(planes), SIDE, -1)
    both = matrices @ rows.reshape(len(planes), -1, SIDE, 3)
    return both.reshape(len(planes), len(_KINDS), _PLACES, len(_KINDS), _PLACES, 3)


def _matrices() -> Floats:
    """(kinds * PLACES, SIDE) from a line of pixels to the means over its places: as it is, moved by a pixel, how it
    changes when it is moved, and when it is scaled."""
    pixels = np.eye(SIDE, dtype=np.float32)
    slope: Floats = np.asarray(np.gradient(pixels, axis=0))
    place = (np.arange(SIDE, dtype=np.float32) - (SIDE - 1) / 2) / (SIDE / 2)
    lines: list[Floats] = [
        *(np.roll(pixels, -step, axis=0) for step in _STEPS),
        slope,
        slope * place[:, None],
    ]  # as _KINDS
    inside = (line[_MARGIN : SIDE - _MARGIN] for line in lines)
    out: Floats = np.concatenate([part.reshape(_PLACES, _BLOCK, SIDE).mean(axis=1) for part in inside])
    return out


def _laid_over(all_first: _Places, all_second: _Places, pairs: Pairs) -> Floats:
    """(P,) how alike pairs of pictures are, as they stand; by their rows."""
    out = np.zeros(len(pairs), np.float32)
    first, second = pairs.T
    (rows,) = np.nonzero(np.abs(all_first.mean[first] - all_second.mean[second]) <= _BRIGHTER)
    coarse = np.einsum("pd,pd->p", all_first.coarse[first[rows]], all_second.coarse[second[rows]])
    rows = rows[coarse >= _PROMISING]
    if len(rows):
        out[rows] = _aligned(all_first, all_second, pairs[rows])
    return out


def _aligned(all_first: _Places, all_second: _Places, pairs: Pairs) -> Floats:
    """(P,) likeness of pairs, by their rows, the second moved by whole pixels first, then by least squares."""
    first, second = pairs.T
    columns, contrast = all_first.columns[first].astype(np.float32), all_second.contrast[second]
    moved, flat = all_second.moved[second].astype(np.float32), columns[:, 0] - columns[:, 0].mean(axis=1, keepdims=True)
    # Correlation, but for the length of the first, which is the same for all moves of the second
    best = ((moved @ flat[:, :, None])[:, :, 0] / all_second.lengths[second]).argmax(axis=1)
    wanted = moved[np.arange(len(best)), best]  # (P, d)
    bright = np.tile(np.array([1, 0, 0], np.float32), (len(wanted), 1, wanted.shape[1] // 3))
    columns = np.concatenate([columns, bright], axis=1)  # (P, 6, d)
    squares = columns @ columns.transpose(0, 2, 1) + np.eye(columns.shape[1], dtype=np.float32) * np.float32(1e-4)
    found = np.linalg.solve(squares, columns @ wanted[:, :, None])  # (P, 6, 1)
    left = wanted - (found.transpose(0, 2, 1) @ columns)[:, 0]
    worst = np.sqrt(np.square(left.reshape(len(left), -1, 3)).sum(axis=2)).max(axis=1)
    gain, far = found[:, 0, 0], np.abs(found[:, 1:5, 0]).max(axis=1)
    plain = contrast <= 2 * _FLOOR  # neither contrast nor place means anything
    possible = (gain >= _GAINS[0]) & (gain <= _GAINS[1]) & (far <= _FAR * np.abs(gain)) | plain
    return np.where(possible, np.maximum(0, 1 - worst / (contrast + np.float32(_FLOOR))), 0).astype(np.float32)
