"""What an item stands among while it is transformed: the real train items, of which partners are drawn; and a model."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from genset.dataset import Record
from genset.errors import GensetError
from genset.interfaces import Company, Item, Partner
from genset.models.onnx_network import OnnxNetwork
from genset.pipeline.generate import Generator
from genset.pipeline.like import encoder
from genset.versions import Version


class Pool:
    """The real items of the train part, in an order that depends on nothing but what they are."""

    def __init__(self, records: Sequence[Record]) -> None:
        real = [record for record in records if record.source == "collected" and record.split == "train"]
        self._every = sorted(real, key=lambda record: record.id)
        self._of_class: dict[str, list[Record]] = defaultdict(list)
        for record in self._every:
            self._of_class[record.label].append(record)

    def other(self, record: Record, where: float, among: Literal["same_class", "any_class"]) -> Record | None:
        """The item at a place in [0, 1) among all but the one; None where there is no other."""
        records = self._every if among == "any_class" else self._of_class[record.label]
        last = len(records) - 1
        if last < 1:
            return None
        chosen = records[int(where * last)]
        return records[last] if chosen.id == record.id else chosen  # the last one takes the place of the one itself


@dataclass(frozen=True)
class Latent:
    """A model, ready to make what lies between two items."""

    model: Generator
    encode: OnnxNetwork

    @classmethod
    def of(cls, version: Version) -> Self:
        """Of a model version. Raises GensetError for one without an encoder."""
        return cls(Generator.open(version), encoder(version))

    def between(self, first: Record, last: Record, share: float, rng: np.random.Generator) -> Item:
        """The item at a share of the way between the codes of two items of one class."""
        modality = self.model.modality
        items = np.stack([modality.decode(record.raw) for record in (first, last)])
        (codes,) = self.encode(modality.to_tensor(items))
        z = ((1 - share) * codes[:1] + share * codes[1:]).astype(np.float32)
        label = self.model.one_hot([first.label])
        made: Item = modality.render(self.model.models, z, label, [rng], self.model.sampling)[0]
        return made


@dataclass(frozen=True)
class TrainPart(Company):
    """One item among the real ones of the train part."""

    parent: Record
    pool: Pool
    decode: Callable[[Record], Item]
    latent: Latent | None

    @property
    def label(self) -> str:
        """The class of the item."""
        return self.parent.label

    def partner(self, rng: np.random.Generator, among: Literal["same_class", "any_class"]) -> Partner | None:
        """Another train item, drawn by one number, so that replaying takes as much from the generator."""
        record = self.pool.other(self.parent, rng.random(), among)
        return None if record is None else Partner(record, self.decode(record))

    def between(self, partner: Partner, share: float, rng: np.random.Generator) -> Item:
        """What the model makes of the codes of both. Raises GensetError without a model."""
        if self.latent is None:
            raise GensetError("`latent_mix` needs a model", where="augment.steps", hint="Give --model MODEL.")
        return self.latent.between(self.parent, partner.record, share, rng)
