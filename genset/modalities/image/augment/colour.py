"""Transforms that change the values of an image (H, W, C) uint8, pixel by pixel."""

from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
import pydantic

from genset.interfaces import Augmentation, Drawn, Item
from genset.modalities.image.augment.geometry import around_one, uniform

_VALUES = np.arange(256, dtype=np.float64)


class Brightness(Augmentation):
    """Lighten or darken by adding one value to all pixels."""

    kind: Literal["brightness"] = "brightness"
    share: float = pydantic.Field(0.15, ge=0, le=1)
    """Largest change, as a share of the full range."""
    scaled = ("share",)

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"added": uniform(rng, self.share)}

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        added = round(drawn["added"] * 255)
        change = cv2.add if added > 0 else cv2.subtract  # which saturate
        return change(item, np.full_like(item, abs(added))).reshape(item.shape)


class Contrast(Augmentation):
    """Spread or narrow the values about their mean."""

    kind: Literal["contrast"] = "contrast"
    share: float = pydantic.Field(0.2, ge=0, lt=1)
    """Largest change of the spread."""
    scaled = ("share",)

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"factor": around_one(rng, self.share)}

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        mean = sum(cv2.mean(item)) / item.shape[2]
        return _mapped(item, mean + (_VALUES - mean) * drawn["factor"])


class Gamma(Augmentation):
    """Lighten or darken the middle values, with black and white as they are."""

    kind: Literal["gamma"] = "gamma"
    share: float = pydantic.Field(0.3, ge=0, lt=1)
    """Largest change of the exponent from 1."""
    scaled = ("share",)

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"exponent": around_one(rng, self.share)}

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        return _mapped(item, 255 * (_VALUES / 255) ** drawn["exponent"])


class Invert(Augmentation):
    """The negative: black becomes white."""

    kind: Literal["invert"] = "invert"
    p: float = pydantic.Field(0.5, ge=0, le=1)
    """Probability that the step is applied to an item."""

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {}

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        return 255 - item


class Posterise(Augmentation):
    """Fewer different values."""

    kind: Literal["posterise"] = "posterise"
    bits: int = pydantic.Field(4, ge=1, le=7)
    """Bits of 8 that are left out at most."""
    scaled = ("bits",)

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"bits": int(rng.integers(1, max(1, round(self.bits)) + 1))}

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        step = 2 ** drawn["bits"]
        return _mapped(item, _VALUES // step * step * (255 / (256 - step)))  # white stays white


class Hue(Augmentation):
    """Turn all colours about the colour circle; nothing for grey images."""

    kind: Literal["hue"] = "hue"
    degrees: float = pydantic.Field(15.0, ge=0, le=180)
    """Largest angle, either way."""
    scaled = ("degrees",)

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"degrees": uniform(rng, self.degrees)}

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        if item.shape[2] == 1:
            return item
        found = cv2.cvtColor(item, cv2.COLOR_RGB2HSV_FULL)
        found[..., 0] += np.uint8(round(drawn["degrees"] * 256 / 360) % 256)  # uint8 goes round as the circle does
        return np.asarray(cv2.cvtColor(found, cv2.COLOR_HSV2RGB_FULL), np.uint8)


class Saturation(Augmentation):
    """Stronger or paler colours; nothing for grey images."""

    kind: Literal["saturation"] = "saturation"
    share: float = pydantic.Field(0.3, ge=0, le=1)
    """Largest change: at -1 all is grey."""
    scaled = ("share",)

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"factor": around_one(rng, self.share)}

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        if item.shape[2] == 1:
            return item
        grey = cv2.cvtColor(cv2.cvtColor(item, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        return np.asarray(cv2.addWeighted(item, drawn["factor"], grey, 1 - drawn["factor"], 0), np.uint8)


def _mapped(item: Item, values: npt.NDArray[np.float64]) -> Item:
    """The image with other values (256,) in place of 0 to 255, rounded and clipped."""
    table = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return cv2.LUT(item, table).reshape(item.shape)
