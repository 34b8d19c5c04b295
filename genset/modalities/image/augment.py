"""Label-preserving transforms of one image (H, W, C) uint8. To add one: a class here and its line in the table."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pydantic
from scipy import ndimage

from genset.interfaces import Augmentation, Item


class Flip(Augmentation):
    """Mirror left to right: not for text, digits or anything that has a side."""

    kind: Literal["flip"] = "flip"
    p: float = pydantic.Field(0.5, ge=0, le=1)
    """Probability that the step is applied to an item."""

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        return {}

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        return np.ascontiguousarray(item[:, ::-1])


class Rotate(Augmentation):
    """Turn about the centre."""

    kind: Literal["rotate"] = "rotate"
    degrees: float = pydantic.Field(10.0, ge=0, le=180)
    """Largest angle, either way."""

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        return {"degrees": _uniform(rng, self.degrees)}

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        angle = np.deg2rad(drawn["degrees"])
        return _affine(item, np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]))


class Shift(Augmentation):
    """Move up, down and sideways."""

    kind: Literal["shift"] = "shift"
    share: float = pydantic.Field(0.08, ge=0, le=0.5)
    """Largest move, as a share of the side."""

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        return {"down": _uniform(rng, self.share), "right": _uniform(rng, self.share)}

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        move = np.array([drawn["down"] * item.shape[0], drawn["right"] * item.shape[1]])
        return _affine(item, np.eye(2), move)


class Zoom(Augmentation):
    """Enlarge or reduce about the centre."""

    kind: Literal["zoom"] = "zoom"
    share: float = pydantic.Field(0.1, ge=0, le=0.5)
    """Largest change of the side."""

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        return {"factor": round(1 + _uniform(rng, self.share), 6)}

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        return _affine(item, np.eye(2) / drawn["factor"])


class Brightness(Augmentation):
    """Lighten or darken by adding one value to all pixels."""

    kind: Literal["brightness"] = "brightness"
    share: float = pydantic.Field(0.15, ge=0, le=1)
    """Largest change, as a share of the full range."""

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        return {"added": _uniform(rng, self.share)}

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        return _clipped(item + drawn["added"] * 255.0)


class Contrast(Augmentation):
    """Spread or narrow the values about their mean."""

    kind: Literal["contrast"] = "contrast"
    share: float = pydantic.Field(0.2, ge=0, lt=1)
    """Largest change of the spread."""

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        return {"factor": round(1 + _uniform(rng, self.share), 6)}

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        mean = item.mean()
        return _clipped(mean + (item - mean) * drawn["factor"])


class Blur(Augmentation):
    """Gaussian blur."""

    kind: Literal["blur"] = "blur"
    pixels: float = pydantic.Field(1.0, ge=0, le=10)
    """Largest standard deviation of the Gaussian, in pixels."""

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        return {"pixels": round(float(rng.uniform(0, self.pixels)), 6)}

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        sigma = (drawn["pixels"], drawn["pixels"], 0)
        return _clipped(ndimage.gaussian_filter(item.astype(np.float64), sigma, mode="nearest"))


class Noise(Augmentation):
    """Gaussian noise on every value."""

    kind: Literal["noise"] = "noise"
    share: float = pydantic.Field(0.05, ge=0, le=1)
    """Largest standard deviation, as a share of the full range."""

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        return {"deviation": round(float(rng.uniform(0, self.share)), 6)}

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        return _clipped(item + rng.normal(0, drawn["deviation"] * 255.0, item.shape))


AUGMENTATIONS: dict[str, type[Augmentation]] = {
    "flip": Flip,
    "rotate": Rotate,
    "shift": Shift,
    "zoom": Zoom,
    "brightness": Brightness,
    "contrast": Contrast,
    "blur": Blur,
    "noise": Noise,
}
# Mild: of copies of 8x8 digits, an SVM that knows other digits still recognises 98% (docs/experiments.md).
DEFAULT_STEPS: tuple[Augmentation, ...] = (
    Rotate(p=0.5, degrees=8.0),
    Shift(p=0.5, share=0.05),
    Zoom(p=0.5, share=0.08),
    Brightness(p=0.3, share=0.1),
    Contrast(p=0.3),
)


def _uniform(rng: np.random.Generator, most: float) -> float:
    """A number in [-most, most] that reads well in metadata and is drawn again exactly from it."""
    return round(float(rng.uniform(-most, most)), 6)


def _affine(item: Item, matrix: npt.NDArray[Any], move: npt.NDArray[Any] | None = None) -> Item:
    """Resample about the centre by cubic splines, as a linear blend would blur; outside repeats the border."""
    centre = (np.array(item.shape[:2]) - 1) / 2
    offset = centre - matrix @ (centre + (0 if move is None else move))
    moved = [
        ndimage.affine_transform(item[..., c].astype(np.float64), matrix, offset, order=3, mode="nearest")
        for c in range(item.shape[-1])
    ]
    return _clipped(np.stack(moved, axis=-1))


def _clipped(values: npt.NDArray[Any]) -> Item:
    item: Item = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return item
