"""How long and how fast to train: what the config says, and the plan that it becomes."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Self

import pydantic

from genset.interfaces import Section

DEFAULT_SECONDS = 120.0
_EVALUATIONS = 40  # in the whole of a training
_LARGEST_BATCH = 128
_SMALLEST_EPOCH = 8  # batches, so that a small set is not learned in one lump


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
    learning_rate: float = pydantic.Field(2e-3, gt=0)
    """Adam's rate at the start; it falls to a hundredth of it along a cosine."""
    patience: int = pydantic.Field(12, ge=1)
    """Stop after so many of the 40 evaluations without a better validation loss."""

    @pydantic.model_validator(mode="after")
    def _one_budget(self) -> Self:
        given = [name for name in self.one_of if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"give one of seconds, steps and epochs, not {' and '.join(given)}")
        return self


@dataclass(frozen=True)
class Plan:
    """A training whose length is fixed: the same plan gives the same weights."""

    steps: int
    batch_size: int
    learning_rate: float
    patience: int

    @property
    def evaluate_every(self) -> int:
        return max(1, self.steps // _EVALUATIONS)

    def resolved(self, settings: Train) -> Train:
        """The settings that ask for exactly this plan."""
        return settings.model_copy(
            update={"seconds": None, "epochs": None, "steps": self.steps, "batch_size": self.batch_size}
        )


def plan(settings: Train, items: int, measure: Callable[[Plan, float], int]) -> Plan:
    """Fix the number of steps; `measure` turns a budget in seconds into steps, on this machine and this model."""
    batch_size = min(items, settings.batch_size or max(1, min(_LARGEST_BATCH, items // _SMALLEST_EPOCH)))
    draft = Plan(1, batch_size, settings.learning_rate, settings.patience)
    if settings.steps is not None:
        steps = settings.steps
    elif settings.epochs is not None:
        steps = max(1, settings.epochs * (items // batch_size))
    else:
        steps = measure(draft, settings.seconds or DEFAULT_SECONDS)
    return dataclasses.replace(draft, steps=steps)


def steps_within(seconds: float, step_seconds: float, evaluation_seconds: float) -> int:
    """How many steps, with the evaluations among them, take `seconds`."""
    return max(1, int((seconds - _EVALUATIONS * evaluation_seconds) / step_seconds))
