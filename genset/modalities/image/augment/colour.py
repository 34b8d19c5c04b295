"""Transforms that change tone and colour of an image (H, W, C) uint8, pixel by pixel."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import cv2
import numpy as np
import numpy.typing as npt
import pydantic

from genset.interfaces import Augmentation, Drawn, ItemArray
from genset.modalities.image.augment.geometry import around_one, uniform

_VALUES = np.arange(256, dtype=np.float64)


class Brightness(Augmentation):
    """Lighten or darken: the same value is added to all pixels."""

    kind: Literal["brightness"] = "brightness"
    max_change: float = pydantic.Field(0.15, ge=0, le=1)
    """Largest change, as a share of the full range of values."""
    scaled = ("max_change",)
    renamed: ClassVar[Mapping[str, str]] = {"share": "max_change"}

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"added": uniform(rng, self.max_change)}

    def apply(self, item: ItemArray, rng: np.random.Generator, **drawn: Any) -> ItemArray:
        added = round(drawn["added"] * 255)
        change = cv2.add if added > 0 else cv2.subtract  # which saturate
        return change(item, np.full_like(item, abs(added))).reshape(item.shape)


class Contrast(Augmentation):
    """Raise or lower the contrast: the distance of the values from their mean."""

    kind: Literal["contrast"] = "contrast"
    max_change: float = pydantic.Field(0.2, ge=0, lt=1)
    """Largest change of the contrast, as a share of it."""
    scaled = ("max_change",)
    renamed: ClassVar[Mapping[str, str]] = {"share": "max_change"}

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"factor": around_one(rng, self.max_change)}

    def apply(self, item: ItemArray, rng: np.random.Generator, **drawn: Any) -> ItemArray:
        mean = sum(cv2.mean(item)) / item.shape[2]
        return _mapped(item, mean + (_VALUES - mean) * drawn["factor"])


class Gamma(Augmentation):
    """Lighten or darken the middle values; black and white do not change."""

    kind: Literal["gamma"] = "gamma"
    max_change: float = pydantic.Field(0.3, ge=0, lt=1)
    """Largest change of the exponent from 1."""
    scaled = ("max_change",)
    renamed: ClassVar[Mapping[str, str]] = {"share": "max_change"}

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"exponent": around_one(rng, self.max_change)}

    def apply(self, item: ItemArray, rng: np.random.Generator, **drawn: Any) -> ItemArray:
        return _mapped(item, 255 * (_VALUES / 255) ** drawn["exponent"])


class Invert(Augmentation):
    """The negative: black becomes white."""

    kind: Literal["invert"] = "invert"
    p: float = pydantic.Field(0.5, ge=0, le=1)
    """Probability that the step is applied to an item."""

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {}

    def apply(self, item: ItemArray, rng: np.random.Generator, **drawn: Any) -> ItemArray:
        return 255 - item


class Posterise(Augmentation):
    """Reduce the number of different values."""

    kind: Literal["posterise"] = "posterise"
    bits: int = pydantic.Field(4, ge=1, le=7)
    """Largest number of bits, of 8, that are removed."""
    scaled = ("bits",)

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"bits": int(rng.integers(1, max(1, round(self.bits)) + 1))}

    def apply(self, item: ItemArray, rng: np.random.Generator, **drawn: Any) -> ItemArray:
        step = 2 ** drawn["bits"]
        return _mapped(item, _VALUES // step * step * (255 / (256 - step)))  # white stays white


class Hue(Augmentation):
    """Turn all colours around the colour circle. Grey images do not change."""

    kind: Literal["hue"] = "hue"
    degrees: float = pydantic.Field(15.0, ge=0, le=180)
    """Largest angle, in either direction."""
    scaled = ("degrees",)

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"degrees": uniform(rng, self.degrees)}

    def apply(self, item: ItemArray, rng: np.random.Generator, **drawn: Any) -> ItemArray:
        if item.shape[2] == 1:
            return item
        hsv = cv2.cvtColor(item, cv2.COLOR_RGB2HSV_FULL)
        hsv[..., 0] += np.uint8(round(drawn["degrees"] * 256 / 360) % 256)  # uint8 wraps around as the circle does
        return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL), np.uint8)


class Saturation(Augmentation):
    """Stronger or paler colours. Grey images do not change."""

    kind: Literal["saturation"] = "saturation"
    max_change: float = pydantic.Field(0.3, ge=0, le=1)
    """Largest change of the saturation, as a share of it: at -1 an image is grey."""
    scaled = ("max_change",)
    renamed: ClassVar[Mapping[str, str]] = {"share": "max_change"}

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"factor": around_one(rng, self.max_change)}

    def apply(self, item: ItemArray, rng: np.random.Generator, **drawn: Any) -> ItemArray:
        if item.shape[2] == 1:
            return item
        grey = cv2.cvtColor(cv2.cvtColor(item, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        return np.asarray(cv2.addWeighted(item, drawn["factor"], grey, 1 - drawn["factor"], 0), np.uint8)


def _mapped(item: ItemArray, values: npt.NDArray[np.float64]) -> ItemArray:
    """The image with its values 0 to 255 replaced by `values` (256,), rounded and clipped."""
    table = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return cv2.LUT(item, table).reshape(item.shape)
