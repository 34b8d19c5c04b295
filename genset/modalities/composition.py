"""Steps that choose among other steps, for every modality; `step_kinds` lists all steps of a modality."""

import functools
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import pydantic

from genset.interfaces import Augmentation, Drawn, ItemArray, Kinds, MixContext, Mixing, MixPartner, Modality, Step


def _pair(value: Any) -> Any:
    return (value, value) if isinstance(value, int) and not isinstance(value, bool) else value


Count = Annotated[
    tuple[Annotated[int, pydantic.Field(ge=0)], Annotated[int, pydantic.Field(ge=0)]],
    pydantic.Field(strict=False),
    pydantic.BeforeValidator(_pair, json_schema_input_type=int | tuple[int, int]),
]


class CompositeStep(Step):
    """A step that chooses among other steps. The key that lists them has the name of its kind."""

    model_config = pydantic.ConfigDict(defer_build=True)  # its steps may be composite, too

    def parts(self) -> Sequence[Step]:
        return tuple(getattr(self, self.kind))

    def for_modality(self, modality: Modality) -> Self:
        return self.model_copy(update={self.kind: [step.for_modality(modality) for step in self.parts()]})

    def run(self, item: ItemArray, rng: np.random.Generator, context: MixContext) -> tuple[ItemArray, list[Drawn]]:
        details: list[Drawn] = []
        for step in self.chosen([step for step in self.parts() if step.applies_to(context.label)], rng):
            item, drawn = step.maybe_run(item, rng, context)
            details += drawn
        return item, details

    @abstractmethod
    def chosen(self, steps: Sequence[Step], rng: np.random.Generator) -> Sequence[Step]:
        """The steps to apply, in order, chosen among `steps`, which all fit the class of the item."""


class OneOf(CompositeStep):
    """Choose one of several steps with equal probability; the `p` of that step then decides whether it is applied."""

    kind: Literal["one_of"] = "one_of"

    def chosen(self, steps: Sequence[Step], rng: np.random.Generator) -> Sequence[Step]:
        return [steps[int(rng.integers(len(steps)))]] if steps else []


class SomeOf(CompositeStep):
    """Choose several steps, none twice, and apply them in the order of the config."""

    kind: Literal["some_of"] = "some_of"
    count: Count
    """How many steps to choose: a number, or [minimum, maximum]."""

    @pydantic.model_validator(mode="after")
    def _check_count(self) -> Self:
        low, high = self.count
        if low > high:
            raise ValueError(f"count: the minimum ({low}) must not be above the maximum ({high})")
        if high > len(self.parts()):
            raise ValueError(f"count: cannot choose {high} of {len(self.parts())} steps")
        return self

    def chosen(self, steps: Sequence[Step], rng: np.random.Generator) -> Sequence[Step]:
        count = min(len(steps), int(rng.integers(self.count[0], self.count[1] + 1)))
        return [steps[place] for place in sorted(rng.permutation(len(steps))[:count])]


class AllOf(CompositeStep):
    """Apply several steps together, for example as one choice of `one_of`."""

    kind: Literal["all_of"] = "all_of"

    def chosen(self, steps: Sequence[Step], rng: np.random.Generator) -> Sequence[Step]:
        return steps


class AugmentPolicy(Step):
    """A step that chooses among a fixed table of transforms: `wide_steps` of the modality."""

    table: ClassVar[tuple[Augmentation, ...]] = ()

    def _run_all(
        self, steps: Sequence[Augmentation], item: ItemArray, rng: np.random.Generator, context: MixContext
    ) -> tuple[ItemArray, list[Drawn]]:
        details: list[Drawn] = []
        for step in steps:
            item, drawn = step.run(item, rng, context)
            details += drawn
        return item, details


class RandAugment(AugmentPolicy):
    """Apply several transforms of a fixed table (RandAugment: Cubuk et al. 2020, arXiv:1909.13719). The strength of
    each is drawn up to `strength`, as in all steps of genset; in the paper it is `strength` itself."""

    kind: Literal["rand_augment"] = "rand_augment"
    count: int = pydantic.Field(2, ge=1, le=10)
    """Number of transforms; the same transform can be chosen twice."""
    strength: float = pydantic.Field(0.3, gt=0, le=1)
    """Largest strength of each transform, as a share of its widest setting."""

    def run(self, item: ItemArray, rng: np.random.Generator, context: MixContext) -> tuple[ItemArray, list[Drawn]]:
        chosen = [self.table[int(place)].at(self.strength) for place in rng.integers(len(self.table), size=self.count)]
        return self._run_all(chosen, item, rng, context)


class TrivialAugment(AugmentPolicy):
    """Apply one transform of a fixed table, of any strength (TrivialAugment: Müller and Hutter 2021,
    arXiv:2103.10158)."""

    kind: Literal["trivial_augment"] = "trivial_augment"

    def run(self, item: ItemArray, rng: np.random.Generator, context: MixContext) -> tuple[ItemArray, list[Drawn]]:
        return self._run_all([self.table[int(rng.integers(len(self.table)))]], item, rng, context)


class LatentMix(Mixing):
    """Decode a point between the codes of two real items of one class. It needs --model, and must be the first of the
    steps that are applied, because it starts from unchanged items. The result has the size or rate of the model."""

    kind: Literal["latent_mix"] = "latent_mix"
    partners: Literal["same_class"] = "same_class"
    """Only same_class: an item between two classes has no label."""
    max_share: float = pydantic.Field(0.5, gt=0, le=0.5)
    """Largest share of the other item: 0.5 is halfway between the two."""
    renamed: ClassVar[Mapping[str, str]] = {"share": "max_share"}

    def draw(self, rng: np.random.Generator) -> Drawn:
        return {"way": round(float(rng.uniform(0, self.max_share)), 6)}

    def mix(
        self, item: ItemArray, partner: MixPartner, rng: np.random.Generator, context: MixContext, **drawn: Any
    ) -> tuple[ItemArray, float]:
        return context.between(partner, drawn["way"], rng), drawn["way"]


COMPOSITE_STEPS: dict[str, type[CompositeStep]] = {"one_of": OneOf, "some_of": SomeOf, "all_of": AllOf}
POLICIES: dict[str, type[AugmentPolicy]] = {"rand_augment": RandAugment, "trivial_augment": TrivialAugment}


@functools.cache
def step_kinds(modality: type[Modality]) -> Mapping[str, type[Step]]:
    """All steps for items of a modality, by kind: its own transforms, and the steps that choose among steps."""
    kinds: dict[str, type[Step]] = {**modality.augmentations, "latent_mix": LatentMix}
    if modality.wide_steps:
        for kind, step in POLICIES.items():
            kinds[kind] = type(step.__name__, (step,), {"__module__": __name__, "table": modality.wide_steps})
    steps: Any = (list[Annotated[Step, Kinds(kinds)]], pydantic.Field(min_length=1, description="The steps."))
    for kind, composite in COMPOSITE_STEPS.items():
        name = f"{modality.kind.capitalize()}{composite.__name__}"
        kinds[kind] = pydantic.create_model(
            name, __base__=composite, __module__=__name__, __doc__=composite.__doc__, **{kind: steps}
        )
    return kinds


def walk(steps: Sequence[Step]) -> Iterator[Step]:
    """The steps and, depth first, all steps that they choose among."""
    for step in steps:
        yield step
        yield from walk(step.parts())


def may_run_late(steps: Sequence[Step], first: bool = True) -> bool:
    """Whether a `latent_mix` can run after another transform; `first`: whether no step runs before these."""
    for step in steps:
        if isinstance(step, LatentMix) and not first:
            return True
        inner_first = [step.parts()] if not isinstance(step, OneOf) else [[part] for part in step.parts()]
        if any(may_run_late(parts, first) for parts in inner_first):
            return True
        first = False
    return False
