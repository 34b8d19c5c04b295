"""Transformed copies of items: what was drawn is written beside each, so that one copy can be made again alone."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from genset.dataset import Record
from genset.interfaces import Augmentation, Item
from genset.seeds import generator, item_id

_MOST_TRIES = 20  # until the item is changed


@dataclass(frozen=True)
class Copy:
    """The n-th copy of a parent."""

    parent: Record
    number: int


def next_numbers(records: Iterable[Record]) -> Counter[str]:
    """The first free number of each parent that has copies among the records, by the parent's id."""
    out: Counter[str] = Counter()
    for record in records:
        if record.source == "augmented" and record.transform:
            out[record.origin] = max(out[record.origin], json.loads(record.transform)["copy"] + 1)
    return out


def copies(parents: Iterable[Record], number: int, start: Mapping[str, int]) -> list[Copy]:
    """`number` more copies of each parent."""
    return [Copy(parent, start.get(parent.id, 0) + k) for parent in parents for k in range(number)]


def filled(parents: Sequence[Record], start: Mapping[str, int], count: int, most: int) -> list[Copy]:
    """`count` more copies, one parent after the other, none with a number of `most` or more."""
    out: list[Copy] = []
    for turn in range(most):
        for parent in parents:
            number = start.get(parent.id, 0) + turn
            if len(out) < count and number < most:
                out.append(Copy(parent, number))
    return out


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


def transform(item: Item, copy: Copy, steps: Sequence[Augmentation], seed: int) -> tuple[Item, str] | None:
    """(the transformed item, JSON of what was drawn), or None when no try changes the item."""
    for attempt in range(_MOST_TRIES):
        out, drawn = item, []
        for place, step in enumerate(steps):
            rng = generator(seed, "augment", copy.parent.id, copy.number, attempt, place)
            if rng.random() < step.p:
                parameters = step.draw(rng)
                out = step.apply(out, rng, **parameters)
                drawn.append({"kind": step.kind, **parameters})
        if drawn and not np.array_equal(out, item):
            return out, json.dumps({"copy": copy.number, "attempt": attempt, "steps": drawn})
    return None
