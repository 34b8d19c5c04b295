"""The length and learning rate of a training: the `train` section of the config, and the plan made from it."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, Self

import pydantic

from genset.errors import GensetError
from genset.interfaces import Section, TrainingStage

DEFAULT_SECONDS = 120.0
_WARM_UP_STEPS, _WARM_UP_SHARE = 200, 0.5  # the learning rate grows over so many steps, at most this share of a stage
# With fewer batches an epoch, a budget is spent on too few steps: docs/experiments.md.
_MIN_BATCHES = 24
_SMALL_BATCH, _MIN_SMALL_BATCHES = 32, 8  # a small set gets batches of 32 while an epoch has at least 8 of them
_LISTED = pydantic.Field(strict=False)  # YAML has lists, not tuples
_TOLERANCE = 0.1  # of the steps of a stage: a smaller deviation from the time budget does not change the plan
_VALIDATION_SHARE = 0.25  # of a budget in seconds: validations take at most this much
_MAX_CHANGE = 5.0  # factor on the remaining steps in one revision, so that one busy moment does not end a training


Revision = Annotated[tuple[Annotated[int, pydantic.Field(ge=0)], Annotated[int, pydantic.Field(ge=1)]], _LISTED]
"""(first step it applies to, steps of the stage in total)"""


class Train(Section):
    """The budget of a training, and settings that are chosen for the data unless given."""

    renamed: ClassVar = {"revised": "step_plan", "evaluations": "validations"}
    one_of: ClassVar[tuple[str, ...]] = ("seconds", "steps", "epochs")
    seconds: float | None = pydantic.Field(None, gt=0)
    """Time to train, in seconds on this machine. The first steps are timed to fix the number of steps, which is revised
    when the machine turns out to be faster or slower."""
    steps: int | None = pydantic.Field(None, ge=1)
    """Optimiser steps of one batch each."""
    epochs: int | None = pydantic.Field(None, ge=1)
    """Passes over the training set."""
    batch_size: int | None = pydantic.Field(None, ge=1)
    """Items per step; chosen by the size of the training set unless given."""
    learning_rate: float | None = pydantic.Field(None, gt=0)
    """Adam's learning rate at the start (of the last stage if there are several). By default it is chosen for the
    family."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Number format of the layers; weights and losses are float32. auto: bfloat16 on a GPU that supports it, otherwise
    float32."""
    patience: int | None = pydantic.Field(None, ge=1)
    """Stop after this many validations in a row without an improvement. By default 12 of 40; a GAN on items never
    stops early, because its samples often get worse before they get better."""
    step_plan: Annotated[tuple[Annotated[tuple[Revision, ...], _LISTED], ...], _LISTED] = ()
    """How the steps of a time budget were planned, for each stage: [from this step on, total steps]. Written by genset
    so that a repeated training gives the same weights. Remove it when you change the budget."""
    validations: Annotated[tuple[Annotated[int, pydantic.Field(ge=1)], ...], _LISTED] = ()
    """How often each stage is evaluated on the validation set during training. Written by genset if the default number
    would take more than a quarter of a budget in seconds."""

    @pydantic.model_validator(mode="after")
    def _one_budget(self) -> Self:
        budgets = [name for name in self.one_of if getattr(self, name) is not None]
        if len(budgets) > 1:
            raise ValueError(f"give one of seconds, steps and epochs, not {' and '.join(budgets)}")
        return self

    @pydantic.model_validator(mode="after")
    def _consistent_step_plan(self) -> Self:
        if not self.step_plan:
            return self
        if not all(_in_order(revisions) for revisions in self.step_plan):
            raise ValueError(
                "step_plan: each stage needs its plans in order, the first from step 0, each before the end"
            )
        total = sum(revisions[-1][1] for revisions in self.step_plan)
        if total != self.steps:
            raise ValueError(f"step_plan has {total} steps in total: set steps to {total}, or remove step_plan")
        return self

    @property
    def budget_seconds(self) -> float | None:
        """The time to train; None if steps or epochs are given."""
        return (self.seconds or DEFAULT_SECONDS) if self.steps is None and self.epochs is None else None


def _in_order(revisions: Sequence[Revision]) -> bool:
    pairs = itertools.pairwise(revisions)
    return (
        bool(revisions)
        and revisions[0][0] == 0
        and all(start < late < min(steps, new) for (start, steps), (late, new) in pairs)
    )


@dataclass(frozen=True)
class StagePlan:
    """The length of a stage, fixed until it is revised, and its settings."""

    first_steps: int  # total steps, as planned at the start
    batch_size: int
    learning_rate: float
    patience: int
    validations: int
    share: float = 1.0  # of a budget in seconds
    revisions: tuple[Revision, ...] = ()  # later plans

    @property
    def steps(self) -> int:
        """Total steps of the stage, by the last plan."""
        return self.step_plan[-1][1]

    @property
    def step_plan(self) -> tuple[Revision, ...]:
        """All plans, the first from step 0."""
        return ((0, self.first_steps), *self.revisions)

    def plan_at(self, step: int) -> Revision:
        """The plan that applies at a step."""
        return max(plan for plan in self.step_plan if plan[0] <= step)

    def progress(self, step: int) -> float:
        """Progress of the stage at a step, in [0, 1]: linear from one plan to the next."""
        reached, since, steps = 0.0, 0, self.first_steps
        for start, revised_steps in self.revisions:
            if start > step:
                break
            reached += (1 - reached) * (start - since) / (steps - since)
            since, steps = start, revised_steps
        return reached + (1 - reached) * (step - since) / (steps - since)

    def rate(self, step: int) -> float:
        """The learning rate of a step: a linear warm-up from 0, then half a cosine down to a hundredth."""
        warm_up = min(_WARM_UP_STEPS, _WARM_UP_SHARE * self.first_steps)
        factor = min(1.0, (step + 1) / max(1.0, warm_up))
        return factor * self.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * self.progress(step))))

    def validation_interval(self, step: int) -> int:
        """Steps from one validation to the next, by the plan that applies at a step."""
        return -(-self.plan_at(step)[1] // self.validations)

    def validates_after(self, step: int) -> bool:
        """Whether a validation follows after so many steps."""
        start, steps = self.plan_at(step - 1)
        return step == steps or (step - start) % self.validation_interval(step - 1) == 0

    def revised(self, step: int, step_seconds: float, seconds_left: float) -> "StagePlan":
        """The plan with as many steps as the remaining time allows; itself if that is close to the planned number.

        `step_seconds` is the recent time per step, including the work between steps.
        """
        remaining = self.steps - step
        allowed = seconds_left / step_seconds
        if remaining < 1 or abs(allowed - remaining) <= _TOLERANCE * self.steps:
            return self
        allowed = min(max(allowed, remaining / _MAX_CHANGE), remaining * _MAX_CHANGE)
        return replace(self, revisions=(*self.revisions, (step, step + max(1, int(allowed)))))


@dataclass(frozen=True)
class TrainingPlan:
    """The lengths of all stages: the same plan gives the same weights."""

    stages: tuple[StagePlan, ...]

    @property
    def steps(self) -> int:
        return sum(stage.steps for stage in self.stages)

    @property
    def shares(self) -> list[float]:
        """The share of each stage in the total steps."""
        return [stage.steps / self.steps for stage in self.stages]

    def resolved(self, settings: Train) -> Train:
        """The settings that reproduce exactly this plan."""
        revised = any(stage.revisions for stage in self.stages)
        update = {
            "seconds": None,
            "epochs": None,
            "steps": self.steps,
            "step_plan": tuple(stage.step_plan for stage in self.stages) if revised else (),
            "validations": tuple(stage.validations for stage in self.stages),
        }
        return settings.model_copy(update=update)

    def with_stage(self, number: int, stage: StagePlan) -> "TrainingPlan":
        """A copy in which one stage is replaced."""
        return TrainingPlan((*self.stages[:number], stage, *self.stages[number + 1 :]))


Measure = Callable[[int, StagePlan, float], tuple[int, int]]
"""(stage number, its plan without steps, seconds) -> (steps that this machine makes in that time, validations)."""


def plan_training(settings: Train, items: int, stages: Sequence[TrainingStage], measure: Measure) -> TrainingPlan:
    """Fix the steps of each stage. Raises GensetError for settings that do not fit the stages."""
    _check_stage_count(settings, len(stages))
    plans: list[StagePlan] = []
    for number, stage in enumerate(stages):
        last = number == len(stages) - 1
        share = 1 - sum(plan.share for plan in plans) if last else stage.share
        draft = _draft(settings, items, stage, number, last=last, share=share)
        if not last and settings.steps == 1:
            raise GensetError(
                f"one step is too few: stage {stage.name} comes first and needs a step of its own",
                where="train.steps",
                hint="Increase train.steps, or set model.family.warm_start=0.",
            )
        if settings.step_plan:
            plan = _from_step_plan(settings, draft, number)
        elif settings.steps is not None:
            before = sum(plan.steps for plan in plans)
            plan = _with_steps(draft, settings.steps - before if last else round(stage.share * settings.steps))
        elif settings.epochs is not None:
            plan = _with_steps(draft, round(stage.share * settings.epochs * (items // draft.batch_size)))
        else:
            plan = _from_seconds(settings.budget_seconds or DEFAULT_SECONDS, draft, stage, number, measure)
        plans.append(plan)
    return TrainingPlan(tuple(plans))


def _check_stage_count(settings: Train, count: int) -> None:
    for name, values in (("step_plan", settings.step_plan), ("validations", settings.validations)):
        if values and len(values) != count:
            raise GensetError(
                f"has entries for {len(values)} stages, but this training has {count}",
                where=f"train.{name}",
                hint="Remove it.",
            )


def _draft(settings: Train, items: int, stage: TrainingStage, number: int, *, last: bool, share: float) -> StagePlan:
    """The plan of a stage but for its steps."""
    return StagePlan(
        first_steps=1,
        batch_size=min(items, settings.batch_size or default_batch_size(items, stage.max_batch_size)),
        learning_rate=settings.learning_rate if last and settings.learning_rate is not None else stage.learning_rate,
        patience=settings.patience or stage.patience,
        validations=settings.validations[number] if settings.validations else stage.validations,
        share=share,
    )


def _with_steps(draft: StagePlan, steps: int) -> StagePlan:
    return replace(draft, first_steps=max(1, steps))


def _from_step_plan(settings: Train, draft: StagePlan, number: int) -> StagePlan:
    """The plan that an earlier training wrote into its config."""
    (_, steps), *revisions = settings.step_plan[number]
    return replace(draft, first_steps=max(1, steps), revisions=tuple(revisions))


def _from_seconds(seconds: float, draft: StagePlan, stage: TrainingStage, number: int, measure: Measure) -> StagePlan:
    """The plan for a share of a budget in seconds; more than its share if the stage needs more steps."""
    steps, validations = measure(number, draft, draft.share * seconds)
    share = draft.share
    needed, max_share = stage.needs
    if steps < needed and share < max_share:
        share = min(max_share, draft.share * needed / steps)
        steps = int(steps * share / draft.share)
    return replace(draft, first_steps=max(1, steps), validations=validations, share=share)


def default_batch_size(items: int, largest: int) -> int:
    """Items per step unless given: fewer for small sets, so that an epoch has several steps."""
    return max(1, min(largest, max(items // _MIN_BATCHES, min(_SMALL_BATCH, items // _MIN_SMALL_BATCHES))))


def steps_within(seconds: float, step_seconds: float, validation_seconds: float, validations: int) -> tuple[int, int]:
    """(steps, validations) that take `seconds` together: fewer validations if they would take too much of it."""
    affordable = max(1, min(validations, int(_VALIDATION_SHARE * seconds / validation_seconds)))
    return max(1, int((seconds - affordable * validation_seconds) / step_seconds)), affordable
