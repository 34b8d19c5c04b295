"""The transform language: steps that choose among steps, whatever an item is; `table_of` has all of a modality."""

import functools
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import pydantic

from genset.interfaces import (
    Augmentation,
    Company,
    Drawn,
    Item,
    Kinds,
    Mixing,
    Modality,
    Partner,
    Step,
)


def _pair(value: Any) -> Any:
    return (value, value) if isinstance(value, int) and not isinstance(value, bool) else value


Count = Annotated[
    tuple[Annotated[int, pydantic.Field(ge=0)], Annotated[int, pydantic.Field(ge=0)]],
    pydantic.Field(strict=False),
    pydantic.BeforeValidator(_pair, json_schema_input_type=int | tuple[int, int]),
]


class Combination(Step):
    """A step that chooses among steps, which stand under the key that has the name of its kind."""

    model_config = pydantic.ConfigDict(defer_build=True)  # its steps may be combinations again

    def parts(self) -> Sequence[Step]:
        return tuple(getattr(self, self.kind))

    def bound(self, modality: Modality) -> Self:
        return self.model_copy(update={self.kind: [step.bound(modality) for step in self.parts()]})

    def run(self, item: Item, rng: np.random.Generator, company: Company) -> tuple[Item, list[Drawn]]:
        told: list[Drawn] = []
        for step in self.chosen([step for step in self.parts() if step.fits(company.label)], rng):
            item, drawn = step.take(item, rng, company)
            told += drawn
        return item, told

    @abstractmethod
    def chosen(self, steps: Sequence[Step], rng: np.random.Generator) -> Sequence[Step]:
        """Those of the steps that are taken, in order; all of them fit the item's class."""


class OneOf(Combination):
    """One of some steps, each as likely as the others; its own `p` then says whether it is applied."""

    kind: Literal["one_of"] = "one_of"

    def chosen(self, steps: Sequence[Step], rng: np.random.Generator) -> Sequence[Step]:
        return [steps[int(rng.integers(len(steps)))]] if steps else []


class SomeOf(Combination):
    """Several of some steps, none twice, in the order in which they are written."""

    kind: Literal["some_of"] = "some_of"
    count: Count
    """How many of them: a number, or [least, most]."""

    @pydantic.model_validator(mode="after")
    def _in_reach(self) -> Self:
        low, high = self.count
        if low > high:
            raise ValueError(f"count: the least ({low}) must not be above the most ({high})")
        if high > len(self.parts()):
            raise ValueError(f"count: {high} of {len(self.parts())} steps cannot be chosen")
        return self

    def chosen(self, steps: Sequence[Step], rng: np.random.Generator) -> Sequence[Step]:
        count = min(len(steps), int(rng.integers(self.count[0], self.count[1] + 1)))
        return [steps[place] for place in sorted(rng.permutation(len(steps))[:count])]


class AllOf(Combination):
    """Steps that belong together, such as one choice of `one_of`."""

    kind: Literal["all_of"] = "all_of"

    def chosen(self, steps: Sequence[Step], rng: np.random.Generator) -> Sequence[Step]:
        return steps


class _FromTable(Step):
    """A step that chooses among the wide steps of its modality."""

    space: ClassVar[tuple[Augmentation, ...]] = ()

    def _taken(
        self, steps: Sequence[Augmentation], item: Item, rng: np.random.Generator, company: Company
    ) -> tuple[Item, list[Drawn]]:
        told: list[Drawn] = []
        for step in steps:
            item, drawn = step.run(item, rng, company)
            told += drawn
        return item, told


class RandAugment(_FromTable):
    """Several transforms of a fixed table, each up to one strength (RandAugment: Cubuk et al. 2020, arXiv:1909.13719).
    Strengths are drawn up to that one, as in all steps here, where the paper takes the one itself."""

    kind: Literal["rand_augment"] = "rand_augment"
    count: int = pydantic.Field(2, ge=1, le=10)
    """How many transforms; one may come twice."""
    strength: float = pydantic.Field(0.3, gt=0, le=1)
    """Share of the widest change that each makes at most."""

    def run(self, item: Item, rng: np.random.Generator, company: Company) -> tuple[Item, list[Drawn]]:
        chosen = [self.space[int(place)].at(self.strength) for place in rng.integers(len(self.space), size=self.count)]
        return self._taken(chosen, item, rng, company)


class TrivialAugment(_FromTable):
    """One transform of a fixed table, of any strength (TrivialAugment: Müller and Hutter 2021, arXiv:2103.10158)."""

    kind: Literal["trivial_augment"] = "trivial_augment"

    def run(self, item: Item, rng: np.random.Generator, company: Company) -> tuple[Item, list[Drawn]]:
        return self._taken([self.space[int(rng.integers(len(self.space)))]], item, rng, company)


class LatentMix(Mixing):
    """What a model makes of a code between those of two real items of one class, in the model's form. It needs --model,
    and to be the first of the steps that are applied, as it starts from the items themselves."""

    kind: Literal["latent_mix"] = "latent_mix"
    partners: Literal["same_class"] = "same_class"
    """What lies between classes has no label."""
    share: float = pydantic.Field(0.5, gt=0, le=0.5)
    """Largest share of the way to the other item."""

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"way": round(float(rng.uniform(0, self.share)), 6)}

    def mixed(
        self, item: Item, partner: Partner, rng: np.random.Generator, company: Company, **drawn: Any
    ) -> tuple[Item, float]:
        return company.between(partner, drawn["way"], rng), drawn["way"]


COMBINATIONS: dict[str, type[Combination]] = {"one_of": OneOf, "some_of": SomeOf, "all_of": AllOf}
FROM_TABLE: dict[str, type[_FromTable]] = {"rand_augment": RandAugment, "trivial_augment": TrivialAugment}


@functools.cache
def table_of(modality: type[Modality]) -> Mapping[str, type[Step]]:
    """Every kind of step that items of a modality can take: its own transforms, and what chooses among steps."""
    table: dict[str, type[Step]] = {**modality.augmentations, "latent_mix": LatentMix}
    if modality.wide_steps:
        for kind, step in FROM_TABLE.items():
            table[kind] = type(step.__name__, (step,), {"__module__": __name__, "space": modality.wide_steps})
    steps: Any = (list[Annotated[Step, Kinds(table)]], pydantic.Field(min_length=1, description="The steps."))
    for kind, combination in COMBINATIONS.items():
        name = f"{modality.kind.capitalize()}{combination.__name__}"
        table[kind] = pydantic.create_model(
            name, __base__=combination, __module__=__name__, __doc__=combination.__doc__, **{kind: steps}
        )
    return table


def every(steps: Sequence[Step]) -> Iterator[Step]:
    """The steps and all that they choose among."""
    for step in steps:
        yield step
        yield from every(step.parts())


def late(steps: Sequence[Step], first: bool = True) -> bool:
    """Whether a `latent_mix` may come after another transform."""
    for step in steps:
        if isinstance(step, LatentMix) and not first:
            return True
        inner_first = [step.parts()] if not isinstance(step, OneOf) else [[part] for part in step.parts()]
        if any(late(parts, first) for parts in inner_first):
            return True
        first = False
    return False
