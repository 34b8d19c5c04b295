"""Transforms that move the pixels of an image (H, W, C) uint8. The border is repeated outside of it."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import cv2
import numpy as np
import numpy.typing as npt
import pydantic

from genset.errors import GensetError
from genset.interfaces import Augmentation, Drawn, ItemArray

_SMALL = 64  # pixels a side: linear interpolation would blur the strokes of a smaller image, so cubic is used
_MAX_SIDE = 32_766  # pixels that OpenCV can warp
Matrix = npt.NDArray[np.float64]


class Flip(Augmentation):
    """Mirror left to right. Not for text, digits or anything whose mirror image means something else."""

    kind: Literal["flip"] = "flip"
    p: float = pydantic.Field(0.5, ge=0, le=1)
    """Probability that the step is applied to an item."""

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {}

    def apply(self, item: ItemArray, rng: np.random.Generator, **drawn: Any) -> ItemArray:
        return cv2.flip(item, 1).reshape(item.shape)


class FlipVertical(Augmentation):
    """Mirror top to bottom. For pictures from above, such as cells or satellite images."""

    kind: Literal["flip_vertical"] = "flip_vertical"
    p: float = pydantic.Field(0.5, ge=0, le=1)
    """Probability that the step is applied to an item."""

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {}

    def apply(self, item: ItemArray, rng: np.random.Generator, **drawn: Any) -> ItemArray:
        return cv2.flip(item, 0).reshape(item.shape)


class Rotate(Augmentation):
    """Rotate about the centre."""

    kind: Literal["rotate"] = "rotate"
    degrees: float = pydantic.Field(10.0, ge=0, le=180)
    """Largest angle, in either direction."""
    scaled = ("degrees",)

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"degrees": uniform(rng, self.degrees)}

    def apply(self, item: ItemArray, rng: np.random.Generator, **drawn: Any) -> ItemArray:
        return _warped(item, _rotation(drawn["degrees"]))


class Shift(Augmentation):
    """Move up, down and sideways."""

    kind: Literal["shift"] = "shift"
    max_shift: float = pydantic.Field(0.08, ge=0, le=0.5)
    """Largest move, as a share of the side."""
    scaled = ("max_shift",)
    renamed: ClassVar[Mapping[str, str]] = {"share": "max_shift"}

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"down": uniform(rng, self.max_shift), "right": uniform(rng, self.max_shift)}

    def apply(self, item: ItemArray, rng: np.random.Generator, **drawn: Any) -> ItemArray:
        return _warped(item, np.eye(2), drawn["right"], drawn["down"])


class Zoom(Augmentation):
    """Enlarge or reduce about the centre."""

    kind: Literal["zoom"] = "zoom"
    max_zoom: float = pydantic.Field(0.1, ge=0, le=0.5)
    """Largest change of the side, as a share of it."""
    scaled = ("max_zoom",)
    renamed: ClassVar[Mapping[str, str]] = {"share": "max_zoom"}

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"factor": around_one(rng, self.max_zoom)}

    def apply(self, item: ItemArray, rng: np.random.Generator, **drawn: Any) -> ItemArray:
        return _warped(item, np.eye(2) * drawn["factor"])


class Affine(Augmentation):
    """Rotate, shear, zoom and shift at once, so that pixels are resampled only once."""

    kind: Literal["affine"] = "affine"
    degrees: float = pydantic.Field(10.0, ge=0, le=180)
    """Largest angle of rotation, in either direction."""
    shear: float = pydantic.Field(10.0, ge=0, le=60)
    """Largest angle of the shear, in degrees, along both axes and in either direction."""
    max_zoom: float = pydantic.Field(0.1, ge=0, le=0.5)
    """Largest change of the side, as a share of it."""
    max_shift: float = pydantic.Field(0.05, ge=0, le=0.5)
    """Largest move, as a share of the side."""
    scaled = ("degrees", "shear", "max_zoom", "max_shift")
    renamed: ClassVar[Mapping[str, str]] = {"zoom": "max_zoom", "shift": "max_shift"}

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {
            "degrees": uniform(rng, self.degrees),
            "shear": [uniform(rng, self.shear), uniform(rng, self.shear)],
            "factor": around_one(rng, self.max_zoom),
            "down": uniform(rng, self.max_shift),
            "right": uniform(rng, self.max_shift),
        }

    def apply(self, item: ItemArray, rng: np.random.Generator, **drawn: Any) -> ItemArray:
        across, along = np.tan(np.deg2rad(drawn["shear"]))
        sheared = np.array([[1.0, across], [along, 1.0]])
        return _warped(item, drawn["factor"] * _rotation(drawn["degrees"]) @ sheared, drawn["right"], drawn["down"])


class RandomResizedCrop(Augmentation):
    """A random part of the image, enlarged to its full size."""

    kind: Literal["random_resized_crop"] = "random_resized_crop"
    max_crop: float = pydantic.Field(0.2, gt=0, lt=1)
    """Largest share of the side that is cropped."""
    scaled = ("max_crop",)
    formerly = "crop_resize"
    renamed: ClassVar[Mapping[str, str]] = {"share": "max_crop"}

    def draw(self, rng: np.random.Generator) -> Drawn:
        cut = round(float(rng.uniform(0, self.max_crop)), 6)
        return {"cut": cut, "down": uniform(rng, cut / 2), "right": uniform(rng, cut / 2)}

    def apply(self, item: ItemArray, rng: np.random.Generator, **drawn: Any) -> ItemArray:
        factor = 1 / (1 - drawn["cut"])
        return _warped(item, np.eye(2) * factor, -drawn["right"] * factor, -drawn["down"] * factor)


class Perspective(Augmentation):
    """A change of perspective: each corner moves independently."""

    kind: Literal["perspective"] = "perspective"
    max_shift: float = pydantic.Field(0.08, ge=0, le=0.3)
    """Largest move of a corner, as a share of the side."""
    scaled = ("max_shift",)
    renamed: ClassVar[Mapping[str, str]] = {"share": "max_shift"}

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"corners": [[uniform(rng, self.max_shift), uniform(rng, self.max_shift)] for _ in range(4)]}

    def apply(self, item: ItemArray, rng: np.random.Generator, **drawn: Any) -> ItemArray:
        height, width = _sides(item)
        corners = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], np.float32)
        moved = corners + np.array(drawn["corners"], np.float32) * np.array([width, height], np.float32)
        matrix = cv2.getPerspectiveTransform(corners, moved)
        flags = _interpolation(item)
        out = cv2.warpPerspective(item, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return out.reshape(item.shape)


class Elastic(Augmentation):
    """An elastic deformation: neighbouring pixels move together (Simard et al. 2003)."""

    kind: Literal["elastic"] = "elastic"
    max_shift: float = pydantic.Field(0.03, ge=0, le=0.2)
    """Largest typical move (root mean square), as a share of the side."""
    sigma: float = pydantic.Field(0.12, ge=0.02, le=1)
    """How far neighbours move together: standard deviation of a Gaussian, as a share of the side."""
    scaled = ("max_shift",)
    renamed: ClassVar[Mapping[str, str]] = {"share": "max_shift", "smooth": "sigma"}

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"move": round(float(rng.uniform(0, self.max_shift)), 6)}

    def apply(self, item: ItemArray, rng: np.random.Generator, **drawn: Any) -> ItemArray:
        height, width = _sides(item)
        noise = rng.standard_normal((height, width, 2), dtype=np.float32)
        field = cv2.GaussianBlur(noise, (0, 0), self.sigma * min(height, width), borderType=cv2.BORDER_REFLECT)
        field = field * np.float32(drawn["move"] * min(height, width) / (float(field.std()) + 1e-9))
        x = field[..., 0] + np.arange(width, dtype=np.float32)
        y = field[..., 1] + np.arange(height, dtype=np.float32)[:, None]
        return cv2.remap(item, x, y, _interpolation(item), borderMode=cv2.BORDER_REPLICATE).reshape(item.shape)


def uniform(rng: np.random.Generator, limit: float) -> float:
    """A number in [-limit, limit], rounded to 6 digits: short in metadata, and replayed exactly from there."""
    return round((2 * rng.random() - 1) * limit, 6)


def around_one(rng: np.random.Generator, limit: float) -> float:
    """A factor in [1 - limit, 1 + limit], rounded to 6 digits."""
    return round(1 + (2 * rng.random() - 1) * limit, 6)


def _rotation(degrees: float) -> Matrix:
    """(2, 2) the matrix of a rotation to the left, for a y axis that points down."""
    angle = np.deg2rad(degrees)
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def _sides(item: ItemArray) -> tuple[int, int]:
    """(height, width). Raises GensetError for an image that OpenCV cannot warp."""
    height, width = item.shape[:2]
    if max(height, width) > _MAX_SIDE:
        raise GensetError(
            f"an image of {width:,} x {height:,} pixels is too large for this transform",
            where="augment.steps",
            hint=f"Remove images with a side of more than {_MAX_SIDE:,} pixels, or the steps that move pixels.",
        )
    return height, width


def _interpolation(item: ItemArray) -> int:
    """OpenCV's interpolation for an image of this size."""
    return cv2.INTER_CUBIC if min(item.shape[:2]) < _SMALL else cv2.INTER_LINEAR


def _warped(item: ItemArray, matrix: Matrix, right: float = 0.0, down: float = 0.0) -> ItemArray:
    """The image transformed by a matrix (2, 2) of (x, y) about the centre, then moved by shares of the sides."""
    height, width = _sides(item)
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    move = centre - matrix @ centre + np.array([right * width, down * height])
    affine = np.column_stack([matrix, move])
    out = cv2.warpAffine(item, affine, (width, height), flags=_interpolation(item), borderMode=cv2.BORDER_REPLICATE)
    return out.reshape(item.shape)
