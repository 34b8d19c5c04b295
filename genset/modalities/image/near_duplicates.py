"""Near-duplicates of images: the difference that remains after aligning two images.

Keys of a coarse picture find candidates. The two images of a pair are then aligned in position, scale and brightness
(Lucas and Kanade 1981: one step of least squares), and compared by the block where they differ most: two different but
similar pictures differ much in some place, while saving a picture again changes it a little everywhere.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageFilter

from genset.interfaces import Fingerprint, Floats, Pairs, Similarity
from genset.memory import fill_arrays
from genset.modalities.lsh import plane_keys

SIDE = 32
_GREY = 128  # value of both colour bands without colour
_MARGIN = 2  # pixels at the border that a shift may fill from outside
_SMOOTH = (0.7, 1.3)  # standard deviations in pixels, for brightness and for colour, which JPEG stores coarsely
_CHROMA = 0.5  # weight of colour relative to brightness
_CELLS = 7  # along each side of the coarse picture, from which keys are computed
_BLOCK = 4  # pixels along each side of a block
_MAX_SHIFT = 1.8  # pixels that least squares may move the border of a picture, beyond the shift by full pixels
_GAINS = (0.6, 1.6)  # allowed ratio of the contrasts of two pictures
_BRIGHTER = 0.2  # largest difference in mean brightness, as a share of the full range
_FLOOR = 0.01  # of the full range: differences below this contrast are noise
_PROMISING = 0.88  # correlation of coarse pictures from which on a pair is aligned
_AT_ONCE = 1024  # items at once, so that memory is bounded
_BLOCKS = (SIDE - 2 * _MARGIN) // _BLOCK  # along each side
_STEPS = (0, -1, 1)  # full pixels by which a picture is shifted
_CHANGES = ("moved", "scaled")
_KINDS = (*_STEPS, *_CHANGES)
Halves = npt.NDArray[np.float16]


def fingerprint(image: PIL.Image.Image) -> Fingerprint:
    """(32, 32, 3) uint8 smoothed brightness and colour (YCbCr, ITU-R BT.601) of an RGB image.

    (32, 32, 1) for an image without colour, because the fingerprints of all items are in memory at once.
    """
    small = image.resize((SIDE, SIDE), PIL.Image.Resampling.BICUBIC).convert("YCbCr")
    bands = [
        band.filter(PIL.ImageFilter.GaussianBlur(_SMOOTH[number > 0])) for number, band in enumerate(small.split())
    ]
    out = np.asarray(PIL.Image.merge("YCbCr", bands))
    return out if (out[..., 1:] != _GREY).any() else out[..., :1].copy()


class ImageSimilarity(Similarity):
    """Similarity of images, mirrored or not: 1 for equal ones, 0 for different ones."""

    def __init__(self, fingerprints: Sequence[Fingerprint]) -> None:
        bands = max(fingerprint.shape[2] for fingerprint in fingerprints)  # 1 when no image has colour
        self._straight, self._mirrored = _Coarse.of_all(fingerprints, bands, 1), _Coarse.of_all(fingerprints, bands, -1)
        self._blocks = _BlockMeans.of_all(fingerprints, bands)
        self.keys = np.minimum(*plane_keys(self._straight.cells, self._mirrored.cells))

    def __call__(self, pairs: Pairs) -> Floats:
        straight = self._aligned(self._straight, pairs, mirrored=False)
        return np.maximum(straight, self._aligned(self._mirrored, pairs, mirrored=True))

    def _aligned(self, other: "_Coarse", pairs: Pairs, *, mirrored: bool) -> Floats:
        """(P,) similarity of pairs of pictures by their rows, the second one mirrored or not."""
        out = np.zeros(len(pairs), np.float32)
        first, second = pairs.T
        (rows,) = np.nonzero(np.abs(self._straight.mean[first] - other.mean[second]) <= _BRIGHTER)
        close = np.einsum("pd,pd->p", self._straight.cells[first[rows]], other.cells[second[rows]])
        rows = rows[close >= _PROMISING]
        if len(rows):
            out[rows] = _aligned_similarity(
                self._blocks.at(first[rows]), self._blocks.at(second[rows], mirrored=mirrored)
            )
        return out


@dataclass(frozen=True)
class _Coarse:
    """Coarse pictures, by which the pairs to align are chosen."""

    cells: Floats  # (N, d) vectors of length 1
    mean: Floats  # (N,) brightness

    @classmethod
    def of_all(cls, fingerprints: Sequence[Fingerprint], bands: int, step: Literal[1, -1]) -> Self:
        """Coarse pictures of fingerprints; a step of -1 mirrors them."""
        mirrored = (planes[:, :, ::step, :bands] for planes in _in_parts(fingerprints))
        return cls(
            *fill_arrays(len(fingerprints), ((_cells(planes), planes[..., 0].mean(axis=(1, 2))) for planes in mirrored))
        )


@dataclass(frozen=True)
class _BlockMeans:
    """Means over blocks of pixels inside the margin, by which pairs of pictures are compared."""

    moved: Halves | Floats  # (N, moves, BLOCKS, BLOCKS, bands) the shifted picture
    changes: Halves | Floats  # (N, 4, BLOCKS, BLOCKS, bands) derivatives by shift and scale, down and across
    lengths: Floats  # (N, moves) standard deviations of the shifted pictures
    contrast: Floats  # (N,)

    @classmethod
    def of_all(cls, fingerprints: Sequence[Fingerprint], bands: int) -> Self:
        """Block means of fingerprints."""
        return cls(*fill_arrays(len(fingerprints), (cls._of(planes, bands) for planes in _in_parts(fingerprints))))

    @classmethod
    def _of(cls, planes: Floats, bands: int) -> tuple[npt.NDArray[Any], ...]:
        """The fields for pictures (N, SIDE, SIDE, 3)."""
        spread = planes - planes.mean(axis=(1, 2), keepdims=True) * np.array([1, 0, 0], np.float32)
        means = _means(planes).astype(np.float16)  # half precision, to save memory
        moves = [(_KINDS.index(dy), _KINDS.index(dx)) for dy in _STEPS for dx in _STEPS]
        changes = [*((_KINDS.index(kind), 0) for kind in _CHANGES), *((0, _KINDS.index(kind)) for kind in _CHANGES)]
        moved = np.stack([means[:, down, :, right] for down, right in moves], axis=1)
        return (
            moved[..., :bands],
            np.stack([means[:, down, :, right] for down, right in changes], axis=1)[..., :bands],
            moved.reshape(*moved.shape[:2], -1).astype(np.float32).std(axis=2) + np.float32(1e-6),
            np.sqrt(np.square(spread).sum(axis=-1).mean(axis=(1, 2))),
        )

    def at(self, rows: npt.NDArray[np.int64], *, mirrored: bool = False) -> "_BlockMeans":
        """The block means of some rows, in full precision with all bands.

        Mirrored block means are those of the picture shifted in the other direction, from right to left. Their
        derivatives are left out: only those of the first picture of a pair are used.
        """
        moved, lengths = _full(self.moved[rows]), self.lengths[rows]
        if not mirrored:
            return _BlockMeans(moved, _full(self.changes[rows]), lengths, self.contrast[rows])
        back = [row * len(_STEPS) + _STEPS.index(-dx) for row in range(len(_STEPS)) for dx in _STEPS]
        return _BlockMeans(moved[:, back, :, ::-1], moved[:, :0], lengths[:, back], self.contrast[rows])


def _full(means: Halves | Floats) -> Floats:
    """(P, n, BLOCKS, BLOCKS, 3) means with all bands, in full precision."""
    out = np.zeros((*means.shape[:-1], 3), np.float32)
    out[..., : means.shape[-1]] = means
    return out


def _in_parts(fingerprints: Sequence[Fingerprint]) -> Iterator[Floats]:
    """(B, SIDE, SIDE, 3) pictures of fingerprints, a part at a time."""
    for start in range(0, len(fingerprints), _AT_ONCE):
        yield _planes(fingerprints[start : start + _AT_ONCE])


def _planes(fingerprints: Sequence[Fingerprint]) -> Floats:
    """(N, SIDE, SIDE, 3) brightness in [0, 1], and weighted colour around 0."""
    out = np.full((len(fingerprints), SIDE, SIDE, 3), _GREY, np.float32)
    for row, fingerprint in enumerate(fingerprints):
        out[row, ..., : fingerprint.shape[2]] = fingerprint
    out /= np.float32(255)
    out[..., 1:] = (out[..., 1:] - np.float32(_GREY / 255)) * np.float32(_CHROMA)
    return out


def _cells(planes: Floats) -> Floats:
    """(N, CELLS * CELLS * bands) means over overlapping triangular windows, minus the mean brightness, of length 1.

    The windows are centred on the edges of a picture and as far apart as the edges spread, so that they follow a
    picture that is shifted or cropped a little.
    """
    luma = planes[..., 0]
    edges = np.abs(np.gradient(luma, axis=1)) + np.abs(np.gradient(luma, axis=2)) + np.float32(1e-4)
    down, right = _windows(edges.sum(axis=2)), _windows(edges.sum(axis=1))
    rows = down @ planes.reshape(len(planes), SIDE, -1)  # (N, CELLS, W * C)
    out = right[:, None] @ rows.reshape(len(planes), _CELLS, SIDE, planes.shape[3])  # (N, CELLS, CELLS, C)
    out[..., 0] -= out[..., 0].mean(axis=(1, 2), keepdims=True)
    rows = out.reshape(len(out), -1)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    flat = length < _FLOOR  # all pictures without shape get one direction, so that they are compared
    return np.where(flat, np.float32(rows.shape[1] ** -0.5), rows / np.maximum(length, np.float32(_FLOOR)))


def _windows(edges: Floats) -> Floats:
    """(N, CELLS, SIDE) weights along one axis, centred and spaced by the strength of edges (N, SIDE)."""
    place = np.arange(SIDE, dtype=np.float32)
    share = edges / edges.sum(axis=1, keepdims=True)
    middle = (share * place).sum(axis=1, keepdims=True)
    spread = np.sqrt((share * np.square(place - middle)).sum(axis=1, keepdims=True))
    apart = np.maximum(1, spread * np.float32(2 * 3**0.5 / _CELLS))  # uniform edges: the windows cover the full picture
    centres = middle + apart * (np.arange(_CELLS, dtype=np.float32) - (_CELLS - 1) / 2)
    weights = np.maximum(0, 1 - np.abs(place - np.clip(centres, 0, SIDE - 1)[:, :, None]) / apart[:, :, None])
    out: Floats = (weights / weights.sum(axis=2, keepdims=True)).astype(np.float32)
    return out


def _means(planes: Floats) -> Floats:
    """(N, kinds, BLOCKS, kinds, BLOCKS, 3) block means of pictures, shifted or differentiated along both axes by
    matrices from the left and from the right."""
    matrices = _matrices()
    rows = matrices @ planes.reshape(len(planes), SIDE, -1)
    both = matrices @ rows.reshape(len(planes), -1, SIDE, 3)
    return both.reshape(len(planes), len(_KINDS), _BLOCKS, len(_KINDS), _BLOCKS, 3)


def _matrices() -> Floats:
    """(kinds * BLOCKS, SIDE) matrix from a line of pixels to its block means: unchanged, shifted by a pixel either way,
    and its derivatives by shift and by scale."""
    pixels = np.eye(SIDE, dtype=np.float32)
    slope: Floats = np.asarray(np.gradient(pixels, axis=0))
    place = (np.arange(SIDE, dtype=np.float32) - (SIDE - 1) / 2) / (SIDE / 2)
    lines: list[Floats] = [
        *(np.roll(pixels, -step, axis=0) for step in _STEPS),
        slope,
        slope * place[:, None],
    ]  # as _KINDS
    inside = (line[_MARGIN : SIDE - _MARGIN] for line in lines)
    out: Floats = np.concatenate([part.reshape(_BLOCKS, _BLOCK, SIDE).mean(axis=1) for part in inside])
    return out


def _aligned_similarity(first: _BlockMeans, second: _BlockMeans) -> Floats:
    """(P,) similarity of pairs of pictures after shifting the second by full pixels and aligning by least squares."""
    count = len(first.moved)
    columns = np.concatenate([first.moved[:, :1], first.changes], axis=1).reshape(count, 1 + 2 * len(_CHANGES), -1)
    moved, contrast = second.moved.reshape(count, len(_STEPS) ** 2, -1), second.contrast
    flat = columns[:, 0] - columns[:, 0].mean(axis=1, keepdims=True)
    # Correlation up to the length of the first picture, which is the same for all shifts of the second
    best = ((moved @ flat[:, :, None])[:, :, 0] / second.lengths).argmax(axis=1)
    target = moved[np.arange(len(best)), best]  # (P, d)
    bright = np.tile(np.array([1, 0, 0], np.float32), (len(target), 1, target.shape[1] // 3))
    columns = np.concatenate([columns, bright], axis=1)  # (P, 6, d)
    squares = columns @ columns.transpose(0, 2, 1) + np.eye(columns.shape[1], dtype=np.float32) * np.float32(1e-4)
    solution = np.linalg.solve(squares, columns @ target[:, :, None])  # (P, 6, 1)
    residual = target - (solution.transpose(0, 2, 1) @ columns)[:, 0]
    worst = np.sqrt(np.square(residual.reshape(len(residual), -1, 3)).sum(axis=2)).max(axis=1)
    gain, shift = solution[:, 0, 0], np.abs(solution[:, 1:5, 0]).max(axis=1)
    plain = contrast <= 2 * _FLOOR  # neither contrast nor position can be compared
    possible = (gain >= _GAINS[0]) & (gain <= _GAINS[1]) & (shift <= _MAX_SHIFT * np.abs(gain)) | plain
    return np.where(possible, np.maximum(0, 1 - worst / (contrast + np.float32(_FLOOR))), 0).astype(np.float32)
