"""Divide real items into train, validation and test: a pure function of content, labels, groups, ratios and seed."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from genset.dataset import SPLITS, Record
from genset.interfaces import Progress
from genset.seeds import digest

Ratios = tuple[float, float, float]


def assign(records: Sequence[Record], ratios: Ratios, seed: int) -> list[Record]:
    """Every record with its split. Splits that the user brought stay; what they lack is taken from their train part.

    Stratified by label. The items of a group stay together, across classes, and so do items of equal content and
    near-duplicates; with one of them in a part that the user held out, the others follow. The order of the records does
    not matter.
    """
    brought = {record.split for record in records} - {""}
    shares = {
        name: 0.0 if name in brought and name != "train" else share for name, share in zip(SPLITS, ratios, strict=True)
    }
    unit = _units(records)
    held_out: dict[str, str] = {}
    for record in sorted((r for r in records if not _is_free(r)), key=lambda r: r.split):
        held_out.setdefault(unit[record.id], record.split)
    labels: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        if _is_free(record) and unit[record.id] not in held_out:
            labels[unit[record.id]][record.label] += 1
    total = sum(shares.values())
    place = _assign_units(labels, {name: share / total for name, share in shares.items()}, seed) | held_out
    return [replace(r, split=place[unit[r.id]]) if _is_free(r) else r for r in records]


def warn_of_empty(records: Sequence[Record], ratios: Ratios, progress: Progress) -> None:
    """Say which part stays empty although it was asked for: figures on held-out items need it."""
    for name, share in zip(SPLITS, ratios, strict=True):
        if share > 0 and not any(record.split == name for record in records):
            progress.say(f"the {name} part stays empty: too few items for a share of {share:g} of each class")


def _is_free(record: Record) -> bool:
    return record.split in ("", "train")


def _units(records: Sequence[Record]) -> dict[str, str]:
    """The unit of each record by its id: what stays together, named by the least of its groups, contents, clusters."""
    parent: dict[str, str] = {}

    def top(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    def names(record: Record) -> list[str]:
        near = [f"near {record.cluster}"] if record.cluster else []
        group = [f"group {record.group}"] if record.group else []
        return [*group, f"item {record.content or record.id}", *near]

    for record in records:
        tops = sorted(top(name) for name in names(record))
        for other in tops[1:]:
            parent[other] = tops[0]
    return {record.id: top(names(record)[0]) for record in records}


def _assign_units(units: Mapping[str, Counter[str]], shares: Mapping[str, float], seed: int) -> dict[str, str]:
    """Large units first, ties by a hash of their name. A unit goes where the most of its labels are lacking.

    What fits nowhere whole, the remainders of small classes, goes where the most items are lacking in all, so that
    many small classes together fill every part; but the first of a label goes to train, or it could not be learned.
    """
    totals: Counter[str] = Counter()
    for labels in units.values():
        totals.update(labels)
    lacking = {
        split: {label: share * count for label, count in totals.items()} for split, share in shares.items() if share > 0
    }
    learned: set[str] = set()
    order = sorted(units, key=lambda unit: (-units[unit].total(), digest(seed, "split", unit)))
    place: dict[str, str] = {}

    def put(unit: str, split: str) -> None:
        place[unit] = split
        for name, count in units[unit].items():
            lacking[split][name] -= count
        if split == "train":
            learned.update(units[unit])

    for unit in order:
        own = units[unit].items()
        fitting = [split for split in lacking if all(lacking[split][label] >= n - 1e-9 for label, n in own)]
        if fitting:
            put(unit, max(fitting, key=lambda split: sum(lacking[split][label] * n for label, n in own)))
    for unit in order:
        if unit not in place:
            unknown = "train" in lacking and not learned.issuperset(units[unit])
            put(unit, "train" if unknown else max(lacking, key=lambda split: sum(lacking[split].values())))
    return place
