"""Augmentation and Step: transforms of items, and steps that choose among them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import pydantic

from genset.interfaces.arrays import ItemArray
from genset.interfaces.section import Section

if TYPE_CHECKING:
    from genset.dataset import Record
    from genset.interfaces.modality import Modality


# The parameters drawn for one application of a transform: plain values, recorded beside the item.
Drawn = dict[str, Any]


@dataclass(frozen=True, slots=True)
class MixPartner:
    """A second real training item, for a transform that mixes two."""

    record: "Record"
    item: ItemArray


class MixContext(ABC):
    """The label of the item that is transformed, and the other training items that it can be mixed with."""

    @property
    @abstractmethod
    def label(self) -> str:
        """The class of the item."""

    @abstractmethod
    def partner(self, rng: np.random.Generator, among: Literal["same_class", "any_class"]) -> MixPartner | None:
        """Another training item, drawn at random; None if there is none. Always takes one number from the generator."""

    @abstractmethod
    def between(self, partner: MixPartner, share: float, rng: np.random.Generator) -> ItemArray:
        """The item that a model decodes from a code between the unchanged item and the partner, `share` of the way.
        Raises GensetError without a model."""


class Step(Section):
    """One element of the transform language: a transform, or a step that chooses among steps."""

    kind: str
    p: float = pydantic.Field(1.0, ge=0, le=1)
    """Probability that the step is applied to an item."""
    only_for: list[str] | None = pydantic.Field(None, min_length=1)
    """The classes that the step applies to. Default: all."""
    not_for: list[str] | None = None
    """Classes that the step does not change, such as ["6", "9"] for a mirror."""

    def with_base_folder(self, start: Path) -> Self:
        """The step with paths relative to a folder: that of the config file that contains them."""
        return self

    def for_modality(self, modality: "Modality") -> Self:
        """The step for items of a modality, such as sounds of one sample rate. Raises GensetError if a file that the
        step needs is missing."""
        return self

    def applies_to(self, label: str) -> bool:
        """Whether the step applies to items of a class."""
        return label not in (self.not_for or ()) and (self.only_for is None or label in self.only_for)

    def parts(self) -> Sequence["Step"]:
        """The steps that this one chooses among; none for a transform."""
        return ()

    def maybe_run(
        self, item: ItemArray, rng: np.random.Generator, context: MixContext
    ) -> tuple[ItemArray, list[Drawn]]:
        """(the item, transformed if the step applies to its class and `p` allows it; one row of drawn parameters for
        each transform that was applied)."""
        if not self.applies_to(context.label) or rng.random() >= self.p:
            return item, []
        return self.run(item, rng, context)

    @abstractmethod
    def run(self, item: ItemArray, rng: np.random.Generator, context: MixContext) -> tuple[ItemArray, list[Drawn]]:
        """(the transformed item, the drawn parameters). Every draw comes from `rng`."""


class Augmentation(Step):
    """A label-preserving transform of one item."""

    scaled: ClassVar[tuple[str, ...]] = ()  # settings that say how strong the change is: 0 is no change

    def at(self, strength: float) -> Self:
        """The step with its `scaled` settings multiplied by a strength."""
        return self.model_copy(update={name: strength * getattr(self, name) for name in self.scaled})

    def run(self, item: ItemArray, rng: np.random.Generator, context: MixContext) -> tuple[ItemArray, list[Drawn]]:
        """(the transformed item, the one row of drawn parameters)."""
        drawn = self.draw(rng)
        return self.apply(item, rng, **drawn), [{"kind": self.kind, **drawn}]

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Drawn:
        """The parameters of one application: plain numbers, recorded beside the item."""

    @abstractmethod
    def apply(self, item: ItemArray, rng: np.random.Generator, **drawn: Any) -> ItemArray:
        """The transformed item: same dtype and range, and the same shape if the modality's items have a fixed one."""


class Mixing(Step):
    """A transform that mixes in a second item: the first keeps at least half of its label."""

    partners: Literal["same_class", "any_class"] = "any_class"
    """The class of the second item. any_class: any; the column `soft_label` of the metadata then says how much of
    each class is in the item."""

    def run(self, item: ItemArray, rng: np.random.Generator, context: MixContext) -> tuple[ItemArray, list[Drawn]]:
        """(the mixed item, the drawn parameters with the partner and its share); the unchanged item if there is no
        other one."""
        partner, drawn = context.partner(rng, self.partners), self.draw(rng)
        if partner is None:
            return item, []
        mixed, share = self.mix(item, partner, rng, context, **drawn)
        details = {"partner": partner.record.id, "partner_label": partner.record.label, "share": share}
        return mixed, [{"kind": self.kind, **drawn, **details}]

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Drawn:
        """The parameters of one application."""

    @abstractmethod
    def mix(
        self, item: ItemArray, partner: MixPartner, rng: np.random.Generator, context: MixContext, **drawn: Any
    ) -> tuple[ItemArray, float]:
        """(the mixed item, with the shape, dtype and range of the first; the partner's share of it, in [0, 0.5])."""
