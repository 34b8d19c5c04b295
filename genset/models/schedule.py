"""How long and how fast to train: what the config says, and the plan that it becomes."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, Self

import pydantic

from genset.errors import GensetError
from genset.interfaces import Section, TrainingStage

DEFAULT_SECONDS = 120.0
_WARM_UP = (200, 0.5)  # steps, and share of a stage, at most, in which the learning rate grows
_EPOCH = 24  # batches, at least: with fewer, a budget is spent on few steps. docs/experiments.md
_SMALL_BATCH, _SMALLEST_EPOCH = 32, 8  # a small set has such batches, as long as so many are left of it
_LISTED = pydantic.Field(strict=False)  # YAML has lists, not tuples
_TOLERANCE = 0.1  # by which a budget may be missed before it is planned anew
_EVALUATED_SHARE = 0.25  # of a budget in seconds, at most, for evaluations
_MOST_CHANGE = 5.0  # factor on what is left of a plan, each time: one busy moment does not end a training


Revision = Annotated[tuple[Annotated[int, pydantic.Field(ge=0)], Annotated[int, pydantic.Field(ge=1)]], _LISTED]
"""(from this step on, so many steps in all)"""


class Train(Section):
    """The budget of a training, and what is chosen for the data when it is not given."""

    one_of: ClassVar[tuple[str, ...]] = ("seconds", "steps", "epochs")
    seconds: float | None = pydantic.Field(None, gt=0)
    """Time to train, in seconds of this machine: the first steps are measured, and the number of steps is fixed by them
    and revised where the machine turns out to be faster or slower."""
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

    revised: Annotated[tuple[Annotated[tuple[Revision, ...], _LISTED], ...], _LISTED] = ()
    """How the steps of a time budget were planned, for each stage in turn: [from this step, so many in all]. Written by
    genset, so that the same weights can be made again; leave it out when you set another budget."""
    evaluations: Annotated[tuple[Annotated[int, pydantic.Field(ge=1)], ...], _LISTED] = ()
    """How often each stage is judged on the validation part while it learns. Written by genset where the usual number
    would take more than a quarter of a budget in seconds."""

    @pydantic.model_validator(mode="after")
    def _one_budget(self) -> Self:
        given = [name for name in self.one_of if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"give one of seconds, steps and epochs, not {' and '.join(given)}")
        return self

    @pydantic.model_validator(mode="after")
    def _revised_steps(self) -> Self:
        if not self.revised:
            return self
        if not all(_in_order(plans) for plans in self.revised):
            raise ValueError("revised: each stage needs its plans in order, the first from step 0, each before the end")
        told = sum(plans[-1][1] for plans in self.revised)
        if told != self.steps:
            raise ValueError(f"revised tells of {told} steps: give steps: {told}, or leave revised out")
        return self

    @property
    def budget_seconds(self) -> float | None:
        """The time to train, None where steps or epochs are given."""
        return (self.seconds or DEFAULT_SECONDS) if self.steps is None and self.epochs is None else None


def _in_order(plans: Sequence[Revision]) -> bool:
    pairs = itertools.pairwise(plans)
    return (
        bool(plans)
        and plans[0][0] == 0
        and all(start < late < min(steps, new) for (start, steps), (late, new) in pairs)
    )


@dataclass(frozen=True)
class StagePlan:
    """A stage whose length is fixed, or is until it is planned anew."""

    first_steps: int  # as planned at the start
    batch_size: int
    learning_rate: float
    patience: int
    evaluations: int
    share: float = 1.0  # of a budget in seconds
    revisions: tuple[Revision, ...] = ()  # what was planned later

    @property
    def steps(self) -> int:
        """Of the whole stage, by the last plan."""
        return self.plans[-1][1]

    @property
    def plans(self) -> tuple[Revision, ...]:
        """All plans that were made."""
        return ((0, self.first_steps), *self.revisions)

    def planned(self, step: int) -> Revision:
        """The plan that holds at a step."""
        return max(plan for plan in self.plans if plan[0] <= step)

    def progress(self, step: int) -> float:
        """Of the stage at a step, in [0, 1]: even from one plan to the next."""
        done, since, steps = 0.0, 0, self.first_steps
        for start, revised in self.revisions:
            if start > step:
                break
            done += (1 - done) * (start - since) / (steps - since)
            since, steps = start, revised
        return done + (1 - done) * (step - since) / (steps - since)

    def rate(self, step: int) -> float:
        """The learning rate of a step: grown evenly from 0, then half a cosine, down to a hundredth."""
        most, share = _WARM_UP
        grown = min(1.0, (step + 1) / max(1.0, min(most, share * self.first_steps)))
        return grown * self.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * self.progress(step))))

    def evaluate_every(self, step: int) -> int:
        """Steps from one evaluation to the next, by the plan that holds at a step."""
        return -(-self.planned(step)[1] // self.evaluations)

    def evaluated(self, step: int) -> bool:
        """Whether so many steps are followed by an evaluation."""
        start, steps = self.planned(step - 1)
        return step == steps or (step - start) % self.evaluate_every(step - 1) == 0

    def revised(self, step: int, step_seconds: float, seconds_left: float) -> "StagePlan":
        """The leg with as many steps as the time left allows, where that is not about what was planned.

        `step_seconds` is what a step took lately, with what is done between steps.
        """
        planned = self.steps - step
        allowed = seconds_left / step_seconds
        if planned < 1 or abs(allowed - planned) <= _TOLERANCE * self.steps:
            return self
        allowed = min(max(allowed, planned / _MOST_CHANGE), planned * _MOST_CHANGE)
        return replace(self, revisions=(*self.revisions, (step, step + max(1, int(allowed)))))


@dataclass(frozen=True)
class TrainingPlan:
    """A training whose length is fixed: the same plan gives the same weights."""

    legs: tuple[StagePlan, ...]

    @property
    def steps(self) -> int:
        return sum(leg.steps for leg in self.legs)

    @property
    def shares(self) -> list[float]:
        """Of the stages in all the steps."""
        return [leg.steps / self.steps for leg in self.legs]

    def resolved(self, settings: Train) -> Train:
        """The settings that ask for exactly this plan."""
        revised = tuple(leg.plans for leg in self.legs) if any(leg.revisions for leg in self.legs) else ()
        update = {"seconds": None, "epochs": None, "steps": self.steps, "revised": revised}
        return settings.model_copy(update={**update, "evaluations": tuple(leg.evaluations for leg in self.legs)})

    def with_leg(self, number: int, leg: StagePlan) -> "TrainingPlan":
        """With another leg in place of one."""
        return TrainingPlan((*self.legs[:number], leg, *self.legs[number + 1 :]))


def plan(
    settings: Train,
    items: int,
    stages: Sequence[TrainingStage],
    measure: Callable[[int, StagePlan, float], tuple[int, int]],
) -> TrainingPlan:
    """Fix the number of steps.

    `measure` (stage number, leg without steps, seconds) gives the steps that this machine makes in that time, and the
    evaluations among them.
    """
    legs: list[StagePlan] = []
    for name, told in (("revised", settings.revised), ("evaluations", settings.evaluations)):
        if told and len(told) != len(stages):
            raise GensetError(
                f"it tells of {len(told)} stages, and this training has {len(stages)}",
                where=f"train.{name}",
                hint="Leave it out.",
            )
    for number, stage in enumerate(stages):
        last = number == len(stages) - 1
        batch_size = min(items, settings.batch_size or usual_batch(items, stage.largest_batch))
        rate = settings.learning_rate if last and settings.learning_rate is not None else stage.learning_rate
        evaluations = settings.evaluations[number] if settings.evaluations else stage.evaluations
        share = 1 - sum(leg.share for leg in legs) if last else stage.share
        draft = StagePlan(1, batch_size, rate, settings.patience or stage.patience, evaluations, share)
        if settings.revised:
            (_, steps), *revisions = settings.revised[number]
            draft = replace(draft, revisions=tuple(revisions))
        elif settings.steps is not None:
            done = sum(leg.steps for leg in legs)
            steps = settings.steps - done if last else round(stage.share * settings.steps)
        elif settings.epochs is not None:
            steps = round(stage.share * settings.epochs * (items // batch_size))
        else:
            seconds = settings.budget_seconds or DEFAULT_SECONDS
            steps, evaluations = measure(number, draft, share * seconds)
            share, steps = _with_needs(stage, share, steps)
            draft = replace(draft, evaluations=evaluations, share=share)
        if not last and settings.steps == 1:
            raise GensetError(
                f"one step is too few: the {stage.name} comes first, and needs one of its own",
                where="train.steps",
                hint="Give it more, or model.family.warm_start=0.",
            )
        legs.append(replace(draft, first_steps=max(1, steps)))
    return TrainingPlan(tuple(legs))


def _with_needs(stage: TrainingStage, share: float, steps: int) -> tuple[float, int]:
    """The share of a budget and the steps in it, more than were asked for where a stage needs more."""
    needed, most = stage.needs
    if steps >= needed or share >= most:
        return share, steps
    longer = min(most, share * needed / steps)
    return longer, int(steps * longer / share)


def usual_batch(items: int, largest: int) -> int:
    """Items a step, where none are given: fewer for small sets, which are not learned in one lump."""
    return max(1, min(largest, max(items // _EPOCH, min(_SMALL_BATCH, items // _SMALLEST_EPOCH))))


def steps_within(seconds: float, step_seconds: float, evaluation_seconds: float, evaluations: int) -> tuple[int, int]:
    """How many steps take `seconds`, and how many evaluations are among them: fewer where they would take too much."""
    afforded = max(1, min(evaluations, int(_EVALUATED_SHARE * seconds / evaluation_seconds)))
    return max(1, int((seconds - afforded * evaluation_seconds) / step_seconds)), afforded
