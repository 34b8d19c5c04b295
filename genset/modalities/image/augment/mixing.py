"""Transforms that take a second image: it is brought to the size and the channels of the first."""

import math
from typing import Any, Literal

import cv2
import numpy as np
import pydantic

from genset.interfaces import Company, Drawn, Item, Mixing, Partner
from genset.modalities.image.augment.degradation import window


class MixUp(Mixing):
    """A second image shines through (mixup: Zhang et al. 2017, arXiv:1710.09412)."""

    kind: Literal["mixup"] = "mixup"
    alpha: float = pydantic.Field(0.4, gt=0, le=100)
    """Of the Beta(alpha, alpha) distribution of shares: small ones mix little, 1 is uniform."""

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"share": round(_share(rng, self.alpha), 6)}

    def mixed(
        self, item: Item, partner: Partner, rng: np.random.Generator, company: Company, **drawn: Any
    ) -> tuple[Item, float]:
        share = drawn["share"]
        other = _alike(partner.item, item)
        return cv2.addWeighted(item, 1 - share, other, share, 0).reshape(item.shape), share


class CutMix(Mixing):
    """A rectangle of a second image, at its place (CutMix: Yun et al. 2019, arXiv:1905.04899)."""

    kind: Literal["cutmix"] = "cutmix"
    alpha: float = pydantic.Field(1.0, gt=0, le=100)
    """Of the Beta(alpha, alpha) distribution of shares: small ones mix little, 1 is uniform."""

    def draw(self, rng: np.random.Generator) -> Drawn:
        side = round(math.sqrt(_share(rng, self.alpha)), 6)
        return {"side": side, "down": round(rng.random(), 6), "right": round(rng.random(), 6)}

    def mixed(
        self, item: Item, partner: Partner, rng: np.random.Generator, company: Company, **drawn: Any
    ) -> tuple[Item, float]:
        rows, columns = window(item, drawn["side"], drawn["side"], drawn["down"], drawn["right"])
        out = item.copy()
        out[rows, columns] = _alike(partner.item, item)[rows, columns]
        area = (rows.stop - rows.start) * (columns.stop - columns.start)
        return out, round(area / (item.shape[0] * item.shape[1]), 6)


def _share(rng: np.random.Generator, alpha: float) -> float:
    """Of the second item, in [0, 0.5]: two items in the other order are the same mix."""
    share = float(rng.beta(alpha, alpha))
    return min(share, 1 - share)


def _alike(other: Item, item: Item) -> Item:
    """The other image with the size and the channels of the first."""
    height, width, channels = item.shape
    if other.shape[2] > channels:
        other = cv2.cvtColor(other, cv2.COLOR_RGB2GRAY)[..., None]
    if other.shape[2] < channels:
        other = np.repeat(other, channels, axis=2)
    if other.shape[:2] == (height, width):
        return other
    blend = cv2.INTER_AREA if other.shape[0] > height and other.shape[1] > width else cv2.INTER_LINEAR
    return cv2.resize(other, (width, height), interpolation=blend).reshape(item.shape)
