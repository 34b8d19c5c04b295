"""Transforms that mix in a second image, which is converted to the size and the channels of the first."""

import math
from typing import Any, Literal

import cv2
import numpy as np
import pydantic

from genset.interfaces import Drawn, ItemArray, MixContext, Mixing, MixPartner
from genset.modalities.image.augment.degradation import window


class MixUp(Mixing):
    """A second image is blended in (mixup: Zhang et al. 2017, arXiv:1710.09412)."""

    kind: Literal["mixup"] = "mixup"
    alpha: float = pydantic.Field(0.4, gt=0, le=100)
    """Shares are drawn from a Beta(alpha, alpha) distribution: a small alpha mixes little, 1 is uniform."""

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"share": round(_share(rng, self.alpha), 6)}

    def mix(
        self, item: ItemArray, partner: MixPartner, rng: np.random.Generator, context: MixContext, **drawn: Any
    ) -> tuple[ItemArray, float]:
        share = drawn["share"]
        other = _converted(partner.item, item)
        return cv2.addWeighted(item, 1 - share, other, share, 0).reshape(item.shape), share


class CutMix(Mixing):
    """A rectangle is replaced by the same part of a second image (CutMix: Yun et al. 2019, arXiv:1905.04899)."""

    kind: Literal["cutmix"] = "cutmix"
    alpha: float = pydantic.Field(1.0, gt=0, le=100)
    """Shares are drawn from a Beta(alpha, alpha) distribution: a small alpha mixes little, 1 is uniform."""

    def draw(self, rng: np.random.Generator) -> Drawn:
        side = round(math.sqrt(_share(rng, self.alpha)), 6)
        return {"side": side, "down": round(rng.random(), 6), "right": round(rng.random(), 6)}

    def mix(
        self, item: ItemArray, partner: MixPartner, rng: np.random.Generator, context: MixContext, **drawn: Any
    ) -> tuple[ItemArray, float]:
        rows, columns = window(item, drawn["side"], drawn["side"], drawn["down"], drawn["right"])
        out = item.copy()
        out[rows, columns] = _converted(partner.item, item)[rows, columns]
        area = (rows.stop - rows.start) * (columns.stop - columns.start)
        return out, round(area / (item.shape[0] * item.shape[1]), 6)


def _share(rng: np.random.Generator, alpha: float) -> float:
    """The share of the second image, in [0, 0.5]: a larger one is the same mix with the two images swapped."""
    share = float(rng.beta(alpha, alpha))
    return min(share, 1 - share)


def _converted(other: ItemArray, item: ItemArray) -> ItemArray:
    """The other image with the size and the channels of the first."""
    height, width, channels = item.shape
    if other.shape[2] > channels:
        other = cv2.cvtColor(other, cv2.COLOR_RGB2GRAY)[..., None]
    if other.shape[2] < channels:
        other = np.repeat(other, channels, axis=2)
    if other.shape[:2] == (height, width):
        return other
    interpolation = cv2.INTER_AREA if other.shape[0] > height and other.shape[1] > width else cv2.INTER_LINEAR
    return cv2.resize(other, (width, height), interpolation=interpolation).reshape(item.shape)
