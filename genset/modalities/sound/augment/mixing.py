"""The transform that mixes two clips."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pydantic

from genset.interfaces import Drawn, ItemArray, MixContext, Mixing, MixPartner
from genset.modalities.sound import codec
from genset.modalities.sound.augment.base import as_item, check_order, power_ratio, uniform


class Mix(Mixing):
    """A second clip of the same class is added, like a second voice or a second hit."""

    kind: Literal["mix"] = "mix"
    partners: Literal["same_class"] = "same_class"
    """A mix of two classes would have no label."""
    max_snr_db: float = pydantic.Field(18.0, ge=0, le=60)
    """Largest level of the first clip above the second, in dB: the quietest second clip."""
    min_snr_db: float = pydantic.Field(6.0, ge=0, le=60)
    """Smallest level of the first clip above the second, in dB: the loudest second clip."""
    renamed: ClassVar[Mapping[str, str]] = {"quietest": "max_snr_db", "loudest": "min_snr_db"}

    @pydantic.model_validator(mode="after")
    def _in_order(self) -> Self:
        check_order("min_snr_db", self.min_snr_db, "max_snr_db", self.max_snr_db, "dB")
        return self

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"snr": uniform(rng, self.min_snr_db, self.max_snr_db)}

    def mix(
        self, item: ItemArray, partner: MixPartner, rng: np.random.Generator, context: MixContext, **drawn: Any
    ) -> tuple[ItemArray, float]:
        first, second = (codec.waveform(each[: codec.sounding(each)]) for each in (item, partner.item))
        if not len(first) or not len(second):
            return item.copy(), 0.0
        ratio = 10 ** (-drawn["snr"] / 20)
        out = np.zeros((len(item), item.shape[1]), np.float32)
        out[: len(first)] = first
        second = second[: len(item)] * np.float32(power_ratio(first, second) * ratio)
        out[: len(second)] += second
        return as_item(out, item), round(ratio / (1 + ratio), 6)
