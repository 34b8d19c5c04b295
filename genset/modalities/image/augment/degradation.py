"""What cameras, cables and files do to an image (H, W, C) uint8."""

import io
from typing import Any, Literal

import cv2
import numpy as np
import PIL.Image
import pydantic

from genset.interfaces import Augmentation, Drawn, Item


class Blur(Augmentation):
    """Gaussian blur."""

    kind: Literal["blur"] = "blur"
    pixels: float = pydantic.Field(1.0, ge=0, le=10)
    """Largest standard deviation of the Gaussian, in pixels."""
    scaled = ("pixels",)

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"pixels": _up_to(rng, self.pixels)}

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        return _blurred(item, drawn["pixels"])


class Sharpen(Augmentation):
    """Clearer edges: what a blur takes away is added (unsharp masking)."""

    kind: Literal["sharpen"] = "sharpen"
    share: float = pydantic.Field(1.0, ge=0, le=5)
    """Largest amount that is added, of what a blur of 1 pixel takes away."""
    scaled = ("share",)

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"amount": _up_to(rng, self.share)}

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        amount = drawn["amount"]
        return cv2.addWeighted(item, 1 + amount, _blurred(item, 1.0), -amount, 0).reshape(item.shape)


class Noise(Augmentation):
    """Gaussian noise on every value."""

    kind: Literal["noise"] = "noise"
    share: float = pydantic.Field(0.05, ge=0, le=1)
    """Largest standard deviation, as a share of the full range."""
    scaled = ("share",)

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"deviation": _up_to(rng, self.share)}

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        noise = rng.standard_normal(item.shape, dtype=np.float32)
        noise *= np.float32(drawn["deviation"] * 255)
        noise += item
        return np.asarray(np.clip(np.rint(noise, out=noise), 0, 255, out=noise), np.uint8)


class Jpeg(Augmentation):
    """Compressed as JPEG and back."""

    kind: Literal["jpeg"] = "jpeg"
    lowest: int = pydantic.Field(40, ge=1, le=95)
    """Lowest quality, of 1 to 95."""

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"quality": int(rng.integers(self.lowest, 96))}

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        buffer = io.BytesIO()
        PIL.Image.fromarray(item[..., 0] if item.shape[2] == 1 else item).save(buffer, "JPEG", quality=drawn["quality"])
        with PIL.Image.open(buffer) as image:
            return np.array(image, np.uint8).reshape(item.shape)


class Erase(Augmentation):
    """A rectangle of the image's mean value hides a part (cutout: DeVries and Taylor 2017, arXiv:1708.04552; random
    erasing: Zhong et al. 2017, arXiv:1708.04896)."""

    kind: Literal["erase"] = "erase"
    share: float = pydantic.Field(0.3, gt=0, le=0.9)
    """Longest sides of the rectangle, as a share of the image's."""
    scaled = ("share",)

    def draw(self, rng: np.random.Generator) -> Drawn:
        sides = {"height": _up_to(rng, self.share), "width": _up_to(rng, self.share)}
        return {**sides, "down": _up_to(rng, 1.0), "right": _up_to(rng, 1.0)}

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        rows, columns = window(item, drawn["height"], drawn["width"], drawn["down"], drawn["right"])
        out = item.copy()
        out[rows, columns] = np.rint(cv2.mean(item)[: item.shape[2]]).astype(np.uint8)
        return out


def window(item: Item, height: float, width: float, down: float, right: float) -> tuple[slice, slice]:
    """Rows and columns of a rectangle of at least a pixel: sides and place as shares of the image and of the room."""
    tall, wide = (max(1, round(share * side)) for share, side in zip((height, width), item.shape, strict=False))
    top, left = round(down * (item.shape[0] - tall)), round(right * (item.shape[1] - wide))
    return slice(top, top + tall), slice(left, left + wide)


def _up_to(rng: np.random.Generator, most: float) -> float:
    return round(rng.random() * most, 6)


def _blurred(item: Item, pixels: float) -> Item:
    """By a Gaussian of a standard deviation; none leaves the image as it is."""
    if not pixels:
        return item
    return cv2.GaussianBlur(item, (0, 0), pixels, borderType=cv2.BORDER_REPLICATE).reshape(item.shape)
