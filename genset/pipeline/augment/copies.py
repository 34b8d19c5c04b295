"""Transformed copies of items. The random draws of each copy are recorded, so that one copy can be made again alone."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from genset.dataset import Record
from genset.interfaces import Drawn, ItemArray, MixContext, Mixing, Step
from genset.modalities.composition import walk
from genset.seeds import hash_of, item_id, rng_for

SOFT_LABEL = "soft_label"  # the column that says how much of each class is in a mixed item
_MOST_TRIES = 20  # until the item is changed


@dataclass(frozen=True)
class Copy:
    """The n-th copy of a parent."""

    parent: Record
    number: int


@dataclass(frozen=True)
class Recipe:
    """What copies are made by: the steps, and the seed of every draw."""

    steps: tuple[Step, ...]
    seed: int
    modality: Mapping[str, Any] = field(default_factory=dict)  # settings of the modality that decoded the items
    native: bool = True  # whether items came in their own size, or else in the configured form
    model: str = ""  # reference of the model behind steps that need one

    @cached_property
    def text(self) -> str:
        """The steps as JSON: equal for equal ones."""
        return json.dumps([step.model_dump(mode="json", exclude_none=True) for step in self.steps], sort_keys=True)

    @cached_property
    def key(self) -> str:
        """A short name, by which a version's manifest tells of it."""
        return hash_of("recipe", json.dumps(self._told(), sort_keys=True), size=6).hex()

    def _told(self) -> dict[str, Any]:
        form = {"modality": dict(self.modality), "native": self.native}
        return {"steps": json.loads(self.text), **form, "model": self.model}

    def as_dict(self) -> dict[str, Any]:
        """All that is needed to make a copy again, beside what stands beside the copy, by the key."""
        return {self.key: self._told()}


@dataclass(frozen=True)
class TransformedItem:
    """A changed item and how it came to be."""

    item: ItemArray
    attempt: int
    drawn: list[Drawn]  # of each transform that was applied, in order

    @cached_property
    def partners(self) -> list[str]:
        """Ids of the second items that were mixed in."""
        return list(dict.fromkeys(row["partner"] for row in self.drawn if "partner" in row))

    def soft_label(self, label: str) -> dict[str, float]:
        """Shares of the classes, largest first; {} where nothing was mixed in."""
        if not self.partners:
            return {}
        shares = {label: 1.0}
        for row in self.drawn:
            if "partner" in row:
                shares = {name: value * (1 - row["share"]) for name, value in shares.items()}
                shares[row["partner_label"]] = shares.get(row["partner_label"], 0.0) + row["share"]
        return {name: round(value, 6) for name, value in sorted(shares.items(), key=lambda pair: (-pair[1], pair[0]))}


def next_numbers(records: Iterable[Record]) -> Counter[str]:
    """The first free number of each parent that has copies among the records, by the parent's id."""
    out: Counter[str] = Counter()
    for record in records:
        if record.source == "augmented" and record.transform:
            parent = record.origin.split()[0]
            out[parent] = max(out[parent], json.loads(record.transform)["copy"] + 1)
    return out


def numbered_copies(parents: Iterable[Record], number: int, start: Mapping[str, int]) -> list[Copy]:
    """`number` more copies of each parent."""
    return [Copy(parent, start.get(parent.id, 0) + k) for parent in parents for k in range(number)]


def copies_in_turn(parents: Sequence[Record], start: Mapping[str, int], count: int, most: int) -> list[Copy]:
    """`count` more copies, one parent after the other, none with a number of `most` or more."""
    out: list[Copy] = []
    for turn in range(most):
        for parent in parents:
            number = start.get(parent.id, 0) + turn
            if len(out) < count and number < most:
                out.append(Copy(parent, number))
    return out


def copy_record(copy: Copy, recipe: Recipe, made: TransformedItem) -> Record:
    """The record of a copy: parents, first the one whose label it keeps, and what was drawn."""
    parent = copy.parent
    told = {"copy": copy.number, "attempt": made.attempt, "recipe": recipe.key, "steps": made.drawn}
    soft = made.soft_label(parent.label)
    of_model = any("way" in row for row in made.drawn)
    return Record(
        item_id("a", parent.id, recipe.seed, copy.number, recipe.key, *made.partners),
        parent.path,
        parent.label,
        "augmented",
        origin=" ".join([parent.id, *made.partners]),
        group=parent.group,
        split="train",
        transform=json.dumps(told),
        seed=str(recipe.seed),
        model=recipe.model if of_model else "",
        columns={**parent.columns, SOFT_LABEL: json.dumps(soft, ensure_ascii=False)} if soft else parent.columns,
    )


def transform_copy(item: ItemArray, copy: Copy, recipe: Recipe, company: MixContext) -> TransformedItem | None:
    """The transformed item, or None when no try changes the item."""
    for attempt in range(_MOST_TRIES):
        made = apply_steps(item, copy, recipe, company, attempt)
        if made.drawn and _differ(made.item, item):
            return made
    return None


def _differ(one: ItemArray, other: ItemArray) -> bool:
    """Whether two items differ, which most do in their first row; bytes compare faster than numbers."""
    if one.shape != other.shape or one[:1].tobytes() != other[:1].tobytes():
        return True
    return one.tobytes() != other.tobytes()


def apply_steps(item: ItemArray, copy: Copy, recipe: Recipe, company: MixContext, attempt: int) -> TransformedItem:
    """One try: all steps in order draw from one generator."""
    rng = rng_for(recipe.seed, "augment", copy.parent.id, copy.number, attempt)
    drawn: list[Drawn] = []
    for step in recipe.steps:
        item, rows = step.maybe_run(item, rng, company)
        drawn += rows
    return TransformedItem(item, attempt, drawn)


def with_soft_labels(records: Sequence[Record], steps: Sequence[Step]) -> list[Record]:
    """Records with the column that mixed copies have, so that all rows have the same columns."""
    if not any(isinstance(step, Mixing) for step in walk(steps)):
        return list(records)
    return [replace(r, columns={SOFT_LABEL: "", **r.columns}) for r in records]
