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

SOFT_LABEL = "soft_label"  # the column with the share of each class in a mixed item
_MAX_ATTEMPTS = 20  # to draw a transform that changes the item


@dataclass(frozen=True)
class Copy:
    """A copy of a parent, by its number."""

    parent: Record
    number: int


@dataclass(frozen=True)
class Recipe:
    """How copies are made: the steps, and the seed of the random draws."""

    steps: tuple[Step, ...]
    seed: int
    modality: Mapping[str, Any] = field(default_factory=dict)  # settings of the modality that decoded the items
    native: bool = True  # whether items were decoded in their own size; False: in the configured size
    model: str = ""  # reference of the model behind steps that need one

    @cached_property
    def text(self) -> str:
        """The steps as JSON: the same text for equal steps."""
        return json.dumps([step.model_dump(mode="json", exclude_none=True) for step in self.steps], sort_keys=True)

    @cached_property
    def key(self) -> str:
        """A short id, by which the manifest and the metadata refer to the recipe."""
        return hash_of("recipe", json.dumps(self._settings(), sort_keys=True), size=6).hex()

    def _settings(self) -> dict[str, Any]:
        steps = json.loads(self.text)
        return {"steps": steps, "modality": dict(self.modality), "native": self.native, "model": self.model}

    def as_dict(self) -> dict[str, Any]:
        """The settings by the key. With the metadata of a copy they are enough to make it again."""
        return {self.key: self._settings()}


@dataclass(frozen=True)
class TransformedItem:
    """A transformed item and its random draws."""

    item: ItemArray
    attempt: int
    drawn: list[Drawn]  # parameters of each applied transform, in order

    @cached_property
    def partners(self) -> list[str]:
        """Ids of the items that were mixed in."""
        return list(dict.fromkeys(row["partner"] for row in self.drawn if "partner" in row))

    def soft_label(self, label: str) -> dict[str, float]:
        """Shares of the classes, largest first; {} if no item was mixed in."""
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


def copies_in_turn(parents: Sequence[Record], start: Mapping[str, int], count: int, limit: int) -> list[Copy]:
    """`count` more copies, one of each parent in turn; all numbers are below `limit`."""
    out: list[Copy] = []
    for turn in range(limit):
        for parent in parents:
            number = start.get(parent.id, 0) + turn
            if len(out) < count and number < limit:
                out.append(Copy(parent, number))
    return out


def copy_record(copy: Copy, recipe: Recipe, transformed: TransformedItem) -> Record:
    """The record of a copy. The first parent is the one whose label it keeps; the others were mixed in."""
    parent = copy.parent
    attempt, steps = transformed.attempt, transformed.drawn
    details = {"copy": copy.number, "attempt": attempt, "recipe": recipe.key, "steps": steps}
    soft = transformed.soft_label(parent.label)
    uses_model = any("way" in row for row in steps)
    return Record(
        item_id("a", parent.id, recipe.seed, copy.number, recipe.key, *transformed.partners),
        parent.path,
        parent.label,
        "augmented",
        origin=" ".join([parent.id, *transformed.partners]),
        group=parent.group,
        split="train",
        transform=json.dumps(details),
        seed=str(recipe.seed),
        model=recipe.model if uses_model else "",
        columns={**parent.columns, SOFT_LABEL: json.dumps(soft, ensure_ascii=False)} if soft else parent.columns,
    )


def transform_copy(item: ItemArray, copy: Copy, recipe: Recipe, context: MixContext) -> TransformedItem | None:
    """The transformed item, or None if no attempt changes the item."""
    for attempt in range(_MAX_ATTEMPTS):
        transformed = apply_steps(item, copy, recipe, context, attempt)
        if transformed.drawn and _differ(transformed.item, item):
            return transformed
    return None


def _differ(one: ItemArray, other: ItemArray) -> bool:
    """Whether two items differ. Most differ in their first row, and bytes compare faster than numbers."""
    if one.shape != other.shape or one[:1].tobytes() != other[:1].tobytes():
        return True
    return one.tobytes() != other.tobytes()


def apply_steps(item: ItemArray, copy: Copy, recipe: Recipe, context: MixContext, attempt: int) -> TransformedItem:
    """One attempt: all steps in order, with one random generator."""
    rng = rng_for(recipe.seed, "augment", copy.parent.id, copy.number, attempt)
    drawn: list[Drawn] = []
    for step in recipe.steps:
        item, rows = step.maybe_run(item, rng, context)
        drawn += rows
    return TransformedItem(item, attempt, drawn)


def with_soft_labels(records: Sequence[Record], steps: Sequence[Step]) -> list[Record]:
    """Records with the soft label column if a step mixes items, so that all rows have the same columns."""
    if not any(isinstance(step, Mixing) for step in walk(steps)):
        return list(records)
    return [replace(r, columns={SOFT_LABEL: "", **r.columns}) for r in records]
