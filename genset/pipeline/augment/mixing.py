"""Partners and models for transforms that mix two items."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from genset.dataset import Record
from genset.errors import GensetError
from genset.interfaces import ItemArray, MixContext, MixPartner
from genset.pipeline.augment.latent import LatentMixer


class PartnerPool:
    """The real training items, in an order that depends on their content only."""

    def __init__(self, records: Sequence[Record]) -> None:
        real = [record for record in records if record.source == "collected" and record.split == "train"]
        self._records = sorted(real, key=lambda record: record.id)
        self._by_class: dict[str, list[Record]] = defaultdict(list)
        for record in self._records:
            self._by_class[record.label].append(record)

    def partner_of(self, record: Record, position: float, among: Literal["same_class", "any_class"]) -> Record | None:
        """The item at a position in [0, 1) among all other items; None if there is no other item."""
        records = self._records if among == "any_class" else self._by_class[record.label]
        last = len(records) - 1
        if last < 1:
            return None
        chosen = records[int(position * last)]
        return records[last] if chosen.id == record.id else chosen  # the last one replaces the item itself


@dataclass(frozen=True)
class TrainContext(MixContext):
    """One training item, and the items that it can be mixed with."""

    parent: Record
    pool: PartnerPool
    decode: Callable[[Record], ItemArray]
    latent: LatentMixer | None

    @property
    def label(self) -> str:
        """The class of the item."""
        return self.parent.label

    def partner(self, rng: np.random.Generator, among: Literal["same_class", "any_class"]) -> MixPartner | None:
        """Another training item, drawn with one random number, so that a replay uses the generator equally."""
        record = self.pool.partner_of(self.parent, rng.random(), among)
        return None if record is None else MixPartner(record, self.decode(record))

    def between(self, partner: MixPartner, share: float, rng: np.random.Generator) -> ItemArray:
        """The item that the model decodes between the two codes. Raises GensetError without a model."""
        if self.latent is None:
            raise GensetError("`latent_mix` needs a model", where="augment.steps", hint="Give --model MODEL.")
        return self.latent.between(self.parent, partner.record, share, rng)
