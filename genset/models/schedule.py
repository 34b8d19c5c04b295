"""How long and how fast to train: what the config says, and the plan that it becomes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

import pydantic

from genset.errors import GensetError
from genset.interfaces import Section, Stage

DEFAULT_SECONDS = 120.0
_WARM_UP = (200, 0.5)  # steps, and share of a stage, at most, in which the learning rate grows
_EPOCH = 24  # batches, at least: with fewer, a budget is spent on few steps. docs/experiments.md
_SMALL_BATCH, _SMALLEST_EPOCH = 32, 8  # a small set has such batches, as long as so many are left of it


class Train(Section):
    """The budget of a training, and what is chosen for the data when it is not given."""

    one_of: ClassVar[tuple[str, ...]] = ("seconds", "steps", "epochs")
    seconds: float | None = pydantic.Field(None, gt=0)
    """Time to train, in seconds of this machine: the first steps are measured and the number of steps is fixed."""
    steps: int | None = pydantic.Field(None, ge=1)
    """Optimiser steps, one batch each."""
    epochs: int | None = pydantic.Field(None, ge=1)
    """Passes over the train part."""
    batch_size: int | None = pydantic.Field(None, ge=1)
    """Items a step; chosen for the size of the train part when not given."""
    learning_rate: float | None = pydantic.Field(None, gt=0)
    """Adam's rate at the start (of the last stage, where there are several), chosen for the family when not given."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """What layers compute in, weights and losses being float32: auto is bfloat16 on a GPU that has it, else float32."""
    patience: int | None = pydantic.Field(None, ge=1)
    """Stop after so many evaluations in a row that were not the best so far; when not given, 12 of 40, and never where
    a GAN plays with items: its samples often get worse before they get better."""

    @pydantic.model_validator(mode="after")
    def _one_budget(self) -> Self:
        given = [name for name in self.one_of if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"give one of seconds, steps and epochs, not {' and '.join(given)}")
        return self


@dataclass(frozen=True)
class Leg:
    """A stage whose length is fixed."""

    steps: int
    batch_size: int
    learning_rate: float
    patience: int
    evaluations: int

    def rate(self, step: int) -> float:
        """The learning rate of a step: grown evenly from 0, then half a cosine, down to a hundredth."""
        most, share = _WARM_UP
        grown = min(1.0, (step + 1) / max(1.0, min(most, share * self.steps)))
        return grown * self.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / self.steps)))

    @property
    def evaluate_every(self) -> int:
        """Steps from one evaluation to the next."""
        return -(-self.steps // self.evaluations)


@dataclass(frozen=True)
class Plan:
    """A training whose length is fixed: the same plan gives the same weights."""

    legs: tuple[Leg, ...]

    @property
    def steps(self) -> int:
        return sum(leg.steps for leg in self.legs)

    @property
    def shares(self) -> list[float]:
        """Of the stages in all the steps."""
        return [leg.steps / self.steps for leg in self.legs]

    def resolved(self, settings: Train) -> Train:
        """The settings that ask for exactly this plan."""
        return settings.model_copy(update={"seconds": None, "epochs": None, "steps": self.steps})


def plan(settings: Train, items: int, stages: Sequence[Stage], measure: Callable[[int, Leg, float], int]) -> Plan:
    """Fix the number of steps.

    `measure` (stage number, leg without steps, seconds) gives the steps that this machine makes in that time.
    """
    legs: list[Leg] = []
    for number, stage in enumerate(stages):
        last = number == len(stages) - 1
        batch_size = min(items, settings.batch_size or usual_batch(items, stage.largest_batch))
        rate = settings.learning_rate if last and settings.learning_rate is not None else stage.learning_rate
        draft = Leg(1, batch_size, rate, settings.patience or stage.patience, stage.evaluations)
        if settings.steps is not None:
            done = sum(leg.steps for leg in legs)
            steps = settings.steps - done if last else round(stage.share * settings.steps)
        elif settings.epochs is not None:
            steps = round(stage.share * settings.epochs * (items // batch_size))
        else:
            steps = measure(number, draft, stage.share * (settings.seconds or DEFAULT_SECONDS))
        if not last and settings.steps == 1:
            raise GensetError(
                f"one step is too few: the {stage.name} comes first, and needs one of its own",
                where="train.steps",
                hint="Give it more, or model.family.warm_start=0.",
            )
        legs.append(replace(draft, steps=max(1, steps)))
    return Plan(tuple(legs))


def usual_batch(items: int, largest: int) -> int:
    """Items a step, where none are given: fewer for small sets, which are not learned in one lump."""
    return max(1, min(largest, max(items // _EPOCH, min(_SMALL_BATCH, items // _SMALLEST_EPOCH))))


def steps_within(seconds: float, step_seconds: float, evaluation_seconds: float, evaluations: int) -> int:
    """How many steps, with the evaluations among them, take `seconds`."""
    return max(1, int((seconds - evaluations * evaluation_seconds) / step_seconds))
