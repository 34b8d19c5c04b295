"""Transforms that move pixels of an image (H, W, C) uint8. Outside repeats the border."""

from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
import pydantic

from genset.errors import GensetError
from genset.interfaces import Augmentation, Drawn, Item

_SMALL = 64  # pixels; below it a linear blend would blur strokes, so cubic ones are used
_LONGEST_SIDE = 32_766  # that OpenCV can warp
Matrix = npt.NDArray[np.float64]


class Flip(Augmentation):
    """Mirror left to right: not for text, digits or anything that has a side."""

    kind: Literal["flip"] = "flip"
    p: float = pydantic.Field(0.5, ge=0, le=1)
    """Probability that the step is applied to an item."""

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {}

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        return cv2.flip(item, 1).reshape(item.shape)


class FlipVertical(Augmentation):
    """Mirror top to bottom: for pictures from above, such as cells or satellite images."""

    kind: Literal["flip_vertical"] = "flip_vertical"
    p: float = pydantic.Field(0.5, ge=0, le=1)
    """Probability that the step is applied to an item."""

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {}

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        return cv2.flip(item, 0).reshape(item.shape)


class Rotate(Augmentation):
    """Turn about the centre."""

    kind: Literal["rotate"] = "rotate"
    degrees: float = pydantic.Field(10.0, ge=0, le=180)
    """Largest angle, either way."""
    scaled = ("degrees",)

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"degrees": uniform(rng, self.degrees)}

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        return _warped(item, _turned(drawn["degrees"]))


class Shift(Augmentation):
    """Move up, down and sideways."""

    kind: Literal["shift"] = "shift"
    share: float = pydantic.Field(0.08, ge=0, le=0.5)
    """Largest move, as a share of the side."""
    scaled = ("share",)

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"down": uniform(rng, self.share), "right": uniform(rng, self.share)}

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        return _warped(item, np.eye(2), drawn["right"], drawn["down"])


class Zoom(Augmentation):
    """Enlarge or reduce about the centre."""

    kind: Literal["zoom"] = "zoom"
    share: float = pydantic.Field(0.1, ge=0, le=0.5)
    """Largest change of the side."""
    scaled = ("share",)

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"factor": around_one(rng, self.share)}

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        return _warped(item, np.eye(2) * drawn["factor"])


class Affine(Augmentation):
    """Turn, slant, enlarge and move at once: pixels are resampled one time only."""

    kind: Literal["affine"] = "affine"
    degrees: float = pydantic.Field(10.0, ge=0, le=180)
    """Largest angle of the turn, either way."""
    shear: float = pydantic.Field(10.0, ge=0, le=60)
    """Largest angle of the slant, in degrees, either way, in both directions."""
    zoom: float = pydantic.Field(0.1, ge=0, le=0.5)
    """Largest change of the side."""
    shift: float = pydantic.Field(0.05, ge=0, le=0.5)
    """Largest move, as a share of the side."""
    scaled = ("degrees", "shear", "zoom", "shift")

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {
            "degrees": uniform(rng, self.degrees),
            "shear": [uniform(rng, self.shear), uniform(rng, self.shear)],
            "factor": around_one(rng, self.zoom),
            "down": uniform(rng, self.shift),
            "right": uniform(rng, self.shift),
        }

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        across, along = np.tan(np.deg2rad(drawn["shear"]))
        slanted = np.array([[1.0, across], [along, 1.0]])
        return _warped(item, drawn["factor"] * _turned(drawn["degrees"]) @ slanted, drawn["right"], drawn["down"])


class CropResize(Augmentation):
    """A part of the image, enlarged to the whole."""

    kind: Literal["crop_resize"] = "crop_resize"
    share: float = pydantic.Field(0.2, gt=0, lt=1)
    """Largest share of the side that is cut away."""
    scaled = ("share",)

    def draw(self, rng: np.random.Generator) -> Drawn:
        cut = round(float(rng.uniform(0, self.share)), 6)
        return {"cut": cut, "down": uniform(rng, cut / 2), "right": uniform(rng, cut / 2)}

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        factor = 1 / (1 - drawn["cut"])
        return _warped(item, np.eye(2) * factor, -drawn["right"] * factor, -drawn["down"] * factor)


class Perspective(Augmentation):
    """Seen from aside: the corners move, each by itself."""

    kind: Literal["perspective"] = "perspective"
    share: float = pydantic.Field(0.08, ge=0, le=0.3)
    """Largest move of a corner, as a share of the side."""
    scaled = ("share",)

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"corners": [[uniform(rng, self.share), uniform(rng, self.share)] for _ in range(4)]}

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        height, width = _sides(item)
        corners = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], np.float32)
        moved = corners + np.array(drawn["corners"], np.float32) * np.array([width, height], np.float32)
        matrix = cv2.getPerspectiveTransform(corners, moved)
        out = cv2.warpPerspective(item, matrix, (width, height), flags=_blend(item), borderMode=cv2.BORDER_REPLICATE)
        return out.reshape(item.shape)


class Elastic(Augmentation):
    """Drawn on rubber: each pixel moves as its neighbours do (Simard et al. 2003)."""

    kind: Literal["elastic"] = "elastic"
    share: float = pydantic.Field(0.03, ge=0, le=0.2)
    """Largest typical move (root mean square), as a share of the side."""
    smooth: float = pydantic.Field(0.12, ge=0.02, le=1)
    """How far neighbours move together: standard deviation of a Gaussian, as a share of the side."""
    scaled = ("share",)

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"move": round(float(rng.uniform(0, self.share)), 6)}

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        height, width = _sides(item)
        noise = rng.standard_normal((height, width, 2), dtype=np.float32)
        field = cv2.GaussianBlur(noise, (0, 0), self.smooth * min(height, width), borderType=cv2.BORDER_REFLECT)
        field = field * np.float32(drawn["move"] * min(height, width) / (float(field.std()) + 1e-9))
        x = field[..., 0] + np.arange(width, dtype=np.float32)
        y = field[..., 1] + np.arange(height, dtype=np.float32)[:, None]
        return cv2.remap(item, x, y, _blend(item), borderMode=cv2.BORDER_REPLICATE).reshape(item.shape)


def uniform(rng: np.random.Generator, most: float) -> float:
    """A number in [-most, most] that reads well in metadata and is drawn again exactly from it."""
    return round((2 * rng.random() - 1) * most, 6)


def around_one(rng: np.random.Generator, most: float) -> float:
    """A factor in [1 - most, 1 + most]."""
    return round(1 + (2 * rng.random() - 1) * most, 6)


def _turned(degrees: float) -> Matrix:
    """The matrix of a turn to the left, where y points down."""
    angle = np.deg2rad(degrees)
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def _sides(item: Item) -> tuple[int, int]:
    """(height, width). Raises GensetError for an image that is too long to warp."""
    height, width = item.shape[:2]
    if max(height, width) > _LONGEST_SIDE:
        raise GensetError(
            f"an image of {width:,} x {height:,} pixels is too long for this transform",
            where="augment.steps",
            hint=f"Leave out images with a side of more than {_LONGEST_SIDE:,} pixels, or the steps that move pixels.",
        )
    return height, width


def _blend(item: Item) -> int:
    return cv2.INTER_CUBIC if min(item.shape[:2]) < _SMALL else cv2.INTER_LINEAR


def _warped(item: Item, matrix: Matrix, right: float = 0.0, down: float = 0.0) -> Item:
    """Resampled by a matrix (x, y) about the centre, then moved by shares of the sides."""
    height, width = _sides(item)
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    move = centre - matrix @ centre + np.array([right * width, down * height])
    whole = np.column_stack([matrix, move])
    out = cv2.warpAffine(item, whole, (width, height), flags=_blend(item), borderMode=cv2.BORDER_REPLICATE)
    return out.reshape(item.shape)
