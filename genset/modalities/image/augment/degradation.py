"""Transforms that degrade an image (H, W, C) uint8 as cameras, transmission and compression do."""

import io
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import cv2
import numpy as np
import PIL.Image
import pydantic

from genset.interfaces import Augmentation, Drawn, ItemArray


class Blur(Augmentation):
    """Gaussian blur."""

    kind: Literal["blur"] = "blur"
    sigma: float = pydantic.Field(1.0, ge=0, le=10)
    """Largest standard deviation of the Gaussian, in pixels."""
    scaled = ("sigma",)
    renamed: ClassVar[Mapping[str, str]] = {"pixels": "sigma"}

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"pixels": _up_to(rng, self.sigma)}

    def apply(self, item: ItemArray, rng: np.random.Generator, **drawn: Any) -> ItemArray:
        return _blurred(item, drawn["pixels"])


class Sharpen(Augmentation):
    """Sharper edges: the difference from a blurred copy is added (unsharp masking)."""

    kind: Literal["sharpen"] = "sharpen"
    max_amount: float = pydantic.Field(1.0, ge=0, le=5)
    """Largest factor of the added difference from a copy that is blurred by 1 pixel."""
    scaled = ("max_amount",)
    renamed: ClassVar[Mapping[str, str]] = {"share": "max_amount"}

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"amount": _up_to(rng, self.max_amount)}

    def apply(self, item: ItemArray, rng: np.random.Generator, **drawn: Any) -> ItemArray:
        amount = drawn["amount"]
        return cv2.addWeighted(item, 1 + amount, _blurred(item, 1.0), -amount, 0).reshape(item.shape)


class GaussianNoise(Augmentation):
    """Gaussian noise on every value."""

    kind: Literal["noise"] = "noise"
    std: float = pydantic.Field(0.05, ge=0, le=1)
    """Largest standard deviation, as a share of the full range of values."""
    scaled = ("std",)
    renamed: ClassVar[Mapping[str, str]] = {"share": "std"}

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"deviation": _up_to(rng, self.std)}

    def apply(self, item: ItemArray, rng: np.random.Generator, **drawn: Any) -> ItemArray:
        noise = rng.standard_normal(item.shape, dtype=np.float32)
        noise *= np.float32(drawn["deviation"] * 255)
        noise += item
        return np.asarray(np.clip(np.rint(noise, out=noise), 0, 255, out=noise), np.uint8)


class Jpeg(Augmentation):
    """The artefacts of JPEG compression."""

    kind: Literal["jpeg"] = "jpeg"
    min_quality: int = pydantic.Field(40, ge=1, le=95)
    """Lowest JPEG quality, from 1 to 95."""
    renamed: ClassVar[Mapping[str, str]] = {"lowest": "min_quality"}

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"quality": int(rng.integers(self.min_quality, 96))}

    def apply(self, item: ItemArray, rng: np.random.Generator, **drawn: Any) -> ItemArray:
        buffer = io.BytesIO()
        PIL.Image.fromarray(item[..., 0] if item.shape[2] == 1 else item).save(buffer, "JPEG", quality=drawn["quality"])
        with PIL.Image.open(buffer) as image:
            return np.array(image, np.uint8).reshape(item.shape)


class Erase(Augmentation):
    """A rectangle is filled with the image's mean value (cutout: DeVries and Taylor 2017, arXiv:1708.04552; random
    erasing: Zhong et al. 2017, arXiv:1708.04896)."""

    kind: Literal["erase"] = "erase"
    max_side: float = pydantic.Field(0.3, gt=0, le=0.9)
    """Longest sides of the rectangle, as a share of the image's sides."""
    scaled = ("max_side",)
    renamed: ClassVar[Mapping[str, str]] = {"share": "max_side"}

    def draw(self, rng: np.random.Generator) -> Drawn:
        sides = {"height": _up_to(rng, self.max_side), "width": _up_to(rng, self.max_side)}
        return {**sides, "down": _up_to(rng, 1.0), "right": _up_to(rng, 1.0)}

    def apply(self, item: ItemArray, rng: np.random.Generator, **drawn: Any) -> ItemArray:
        rows, columns = window(item, drawn["height"], drawn["width"], drawn["down"], drawn["right"])
        out = item.copy()
        out[rows, columns] = np.rint(cv2.mean(item)[: item.shape[2]]).astype(np.uint8)
        return out


def window(item: ItemArray, height: float, width: float, down: float, right: float) -> tuple[slice, slice]:
    """(rows, columns) of a rectangle of at least one pixel.

    `height` and `width` are shares of the image's sides; `down` and `right` say where the rectangle starts, from 0 to 1
    of the space that it leaves.
    """
    tall, wide = (max(1, round(share * side)) for share, side in zip((height, width), item.shape, strict=False))
    top, left = round(down * (item.shape[0] - tall)), round(right * (item.shape[1] - wide))
    return slice(top, top + tall), slice(left, left + wide)


def _up_to(rng: np.random.Generator, limit: float) -> float:
    """A number in [0, limit], rounded to 6 digits."""
    return round(rng.random() * limit, 6)


def _blurred(item: ItemArray, sigma: float) -> ItemArray:
    """The image blurred by a Gaussian with a standard deviation in pixels; 0 leaves it unchanged."""
    if not sigma:
        return item
    return cv2.GaussianBlur(item, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE).reshape(item.shape)
