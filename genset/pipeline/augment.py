"""Transformed copies of items: what was drawn is written beside each, so that one copy can be made again alone."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from genset.dataset import Record
from genset.interfaces import Augmentation, Item
from genset.seeds import generator, item_id

_MOST_TRIES = 20  # until at least one step applies


@dataclass(frozen=True)
class Copy:
    """The n-th copy of a parent."""

    parent: Record
    number: int


def copies(parents: Iterable[Record], number: int) -> list[Copy]:
    """`number` copies of each parent."""
    return [Copy(parent, k) for parent in parents for k in range(number)]


def filled(parents: Sequence[Record], start: int, count: int) -> list[Copy]:
    """`count` copies, one parent after the other, numbered from `start` on."""
    return [Copy(parents[k % len(parents)], start + k // len(parents)) for k in range(count)]


def record(copy: Copy, steps: Sequence[Augmentation], seed: int) -> Record:
    """The record of a copy, before it is made: the same for the same steps, seed, parent and number."""
    text = json.dumps([step.model_dump() for step in steps], sort_keys=True)
    name = item_id("a", copy.parent.id, seed, copy.number, text)
    return Record(
        name,
        copy.parent.path,
        copy.parent.label,
        "augmented",
        origin=copy.parent.id,
        group=copy.parent.group,
        split="train",
        seed=str(seed),
        columns=copy.parent.columns,
    )


def transform(item: Item, copy: Copy, steps: Sequence[Augmentation], seed: int) -> tuple[Item, str]:
    """(the transformed item, JSON of what was drawn). At least one step applies, or the copy would be its parent."""
    for attempt in range(_MOST_TRIES):
        out, drawn = item, []
        for place, step in enumerate(steps):
            rng = generator(seed, "augment", copy.parent.id, copy.number, attempt, place)
            if rng.random() < step.p:
                parameters = step.draw(rng)
                out = step.apply(out, rng, **parameters)
                drawn.append({"kind": step.kind, **parameters})
        if drawn and not np.array_equal(out, item):
            break
    return out, json.dumps({"copy": copy.number, "attempt": attempt, "steps": drawn})
