"""Near-duplicates of images: what is left of one when another is laid over it.

Keys of a coarse picture find candidates. A pair is then laid one over the other, moved and scaled a little and as
bright (Lucas and Kanade 1981: one step of least squares), and judged by the place where they differ most: what two
different pictures that are alike differ in is somewhere, what saving one anew changes is everywhere and little.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageFilter

from genset.interfaces import Floats, Likeness, Pairs, Sketch
from genset.memory import fill_arrays
from genset.modalities.lsh import plane_keys

SIDE = 32
_GREY = 128  # of both colours, where there is none
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


def fingerprint(image: PIL.Image.Image) -> Sketch:
    """(SIDE, SIDE, 3) the whole of an RGB image as smoothed brightness and colour (YCbCr, ITU-R BT.601);
    (SIDE, SIDE, 1) of one without colour, as sketches of all items are held at once."""
    small = image.resize((SIDE, SIDE), PIL.Image.Resampling.BICUBIC).convert("YCbCr")
    bands = [
        band.filter(PIL.ImageFilter.GaussianBlur(_SMOOTH[number > 0])) for number, band in enumerate(small.split())
    ]
    out = np.asarray(PIL.Image.merge("YCbCr", bands))
    return out if (out[..., 1:] != _GREY).any() else out[..., :1].copy()


class ImageSimilarity(Likeness):
    """Likeness of images: 1 for two that are equal, mirrored or not; 0 for what is not alike at all."""

    def __init__(self, sketches: Sequence[Sketch]) -> None:
        bands = max(sketch.shape[2] for sketch in sketches)  # those of colour are left out where none has colour
        self._straight, self._mirrored = _Coarse.of_all(sketches, bands, 1), _Coarse.of_all(sketches, bands, -1)
        self._places = _Places.of_all(sketches, bands)
        self.keys = np.minimum(*plane_keys(self._straight.cells, self._mirrored.cells))

    def __call__(self, pairs: Pairs) -> Floats:
        straight = self._laid_over(self._straight, pairs, mirrored=False)
        return np.maximum(straight, self._laid_over(self._mirrored, pairs, mirrored=True))

    def _laid_over(self, other: "_Coarse", pairs: Pairs, *, mirrored: bool) -> Floats:
        """(P,) how alike pairs of pictures are, the second as it stands or mirrored; by their rows."""
        out = np.zeros(len(pairs), np.float32)
        first, second = pairs.T
        (rows,) = np.nonzero(np.abs(self._straight.mean[first] - other.mean[second]) <= _BRIGHTER)
        close = np.einsum("pd,pd->p", self._straight.cells[first[rows]], other.cells[second[rows]])
        rows = rows[close >= _PROMISING]
        if len(rows):
            out[rows] = _aligned(self._places.at(first[rows]), self._places.at(second[rows], mirrored=mirrored))
        return out


@dataclass(frozen=True)
class _Coarse:
    """What pairs of pictures are chosen by."""

    cells: Floats  # (N, c) of length 1
    mean: Floats  # (N,) brightness

    @classmethod
    def of_all(cls, sketches: Sequence[Sketch], bands: int, step: Literal[1, -1]) -> Self:
        """Of any number of sketches, some at once; mirrored by a step of -1."""
        mirrored = (planes[:, :, ::step, :bands] for planes in _in_parts(sketches))
        return cls(
            *fill_arrays(len(sketches), ((_cells(planes), planes[..., 0].mean(axis=(1, 2))) for planes in mirrored))
        )


@dataclass(frozen=True)
class _Places:
    """What pairs of pictures are compared by: means over places, which are blocks of pixels inside the margin."""

    moved: Halves | Floats  # (N, moves, PLACES, PLACES, bands) the picture, moved
    changes: Halves | Floats  # (N, 4, PLACES, PLACES, bands) what moving and scaling add, down and across
    lengths: Floats  # (N, moves) of the moved, without their means
    contrast: Floats  # (N,)

    @classmethod
    def of_all(cls, sketches: Sequence[Sketch], bands: int) -> Self:
        """Of any number of sketches, some at once."""
        return cls(*fill_arrays(len(sketches), (cls._of(planes, bands) for planes in _in_parts(sketches))))

    @classmethod
    def _of(cls, planes: Floats, bands: int) -> tuple[npt.NDArray[Any], ...]:
        """The fields of pictures (N, SIDE, SIDE, 3)."""
        spread = planes - planes.mean(axis=(1, 2), keepdims=True) * np.array([1, 0, 0], np.float32)
        means = _means(planes).astype(np.float16)  # in half precision, for there are many
        moves = [(_KINDS.index(dy), _KINDS.index(dx)) for dy in _STEPS for dx in _STEPS]
        changes = [*((_KINDS.index(kind), 0) for kind in _CHANGES), *((0, _KINDS.index(kind)) for kind in _CHANGES)]
        moved = np.stack([means[:, down, :, right] for down, right in moves], axis=1)
        return (
            moved[..., :bands],
            np.stack([means[:, down, :, right] for down, right in changes], axis=1)[..., :bands],
            moved.reshape(*moved.shape[:2], -1).astype(np.float32).std(axis=2) + np.float32(1e-6),
            np.sqrt(np.square(spread).sum(axis=-1).mean(axis=(1, 2))),
        )

    def at(self, rows: npt.NDArray[np.int64], *, mirrored: bool = False) -> "_Places":
        """Of some pictures by their rows, in full precision with all bands. A mirrored one's places are those of the
        picture, moved the other way, from right to left; its changes are left out, as only a first one's are asked."""
        moved, lengths = _full(self.moved[rows]), self.lengths[rows]
        if not mirrored:
            return _Places(moved, _full(self.changes[rows]), lengths, self.contrast[rows])
        back = [row * len(_STEPS) + _STEPS.index(-dx) for row in range(len(_STEPS)) for dx in _STEPS]
        return _Places(moved[:, back, :, ::-1], moved[:, :0], lengths[:, back], self.contrast[rows])


def _full(means: Halves | Floats) -> Floats:
    """(P, n, PLACES, PLACES, 3) means with bands of colour, in full precision."""
    out = np.zeros((*means.shape[:-1], 3), np.float32)
    out[..., : means.shape[-1]] = means
    return out


def _in_parts(sketches: Sequence[Sketch]) -> Iterator[Floats]:
    """(B, SIDE, SIDE, 3) pictures of any number of sketches, some at once."""
    for start in range(0, len(sketches), _AT_ONCE):
        yield _planes(sketches[start : start + _AT_ONCE])


def _planes(sketches: Sequence[Sketch]) -> Floats:
    """(N, H, W, 3) brightness in [0, 1], and weighted colour around 0."""
    out = np.full((len(sketches), SIDE, SIDE, 3), _GREY, np.float32)
    for row, sketch in enumerate(sketches):
        out[row, ..., : sketch.shape[2]] = sketch
    out /= np.float32(255)
    out[..., 1:] = (out[..., 1:] - np.float32(_GREY / 255)) * np.float32(_CHROMA)
    return out


def _cells(planes: Floats) -> Floats:
    """(N, CELLS * CELLS * bands) means of overlapping triangular windows, without the mean brightness, of length 1.

    The windows lie around the middle of the edges of a picture, as far apart as these spread: a picture that is moved
    or cropped a little takes them along.
    """
    luma = planes[..., 0]
    edges = np.abs(np.gradient(luma, axis=1)) + np.abs(np.gradient(luma, axis=2)) + np.float32(1e-4)
    down, right = _windows(edges.sum(axis=2)), _windows(edges.sum(axis=1))
    rows = down @ planes.reshape(len(planes), SIDE, -1)  # (N, CELLS, W * C)
    out = right[:, None] @ rows.reshape(len(planes), _CELLS, SIDE, planes.shape[3])  # (N, CELLS, CELLS, C)
    out[..., 0] -= out[..., 0].mean(axis=(1, 2), keepdims=True)
    rows = out.reshape(len(out), -1)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    flat = length < _FLOOR  # one direction for all that have no shape: they find each other
    return np.where(flat, np.float32(rows.shape[1] ** -0.5), rows / np.maximum(length, np.float32(_FLOOR)))


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


def _aligned(first: _Places, second: _Places) -> Floats:
    """(P,) likeness of pairs of pictures, the second moved by whole pixels first, then by least squares."""
    count = len(first.moved)
    columns = np.concatenate([first.moved[:, :1], first.changes], axis=1).reshape(count, 1 + 2 * len(_CHANGES), -1)
    moved, contrast = second.moved.reshape(count, len(_STEPS) ** 2, -1), second.contrast
    flat = columns[:, 0] - columns[:, 0].mean(axis=1, keepdims=True)
    # Correlation, but for the length of the first, which is the same for all moves of the second
    best = ((moved @ flat[:, :, None])[:, :, 0] / second.lengths).argmax(axis=1)
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
