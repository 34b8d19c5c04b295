"""Divide real items into train, validation and test: a pure function of content, labels, groups, ratios and seed."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from genset.dataset import SPLITS, Record
from genset.seeds import digest

Ratios = tuple[float, float, float]


def assign(records: Sequence[Record], ratios: Ratios, seed: int) -> list[Record]:
    """Every record with its split. Splits that the user brought stay; what they lack is taken from their train part.

    Stratified by label; the items of a group stay together, across classes. The order of the records does not matter.
    """
    brought = {record.split for record in records} - {""}
    shares = {
        name: 0.0 if name in brought and name != "train" else share for name, share in zip(SPLITS, ratios, strict=True)
    }
    free = [record for record in records if record.split in ("", "train")]
    total = sum(shares.values())
    place = _assign_units(_units(free), {name: share / total for name, share in shares.items()}, seed)
    return [replace(r, split=place[_unit(r)]) if r.split in ("", "train") else r for r in records]


def _unit(record: Record) -> str:
    """What stays together: the group, or the item alone."""
    return f"group {record.group}" if record.group else f"item {record.id}"


def _units(records: Sequence[Record]) -> dict[str, Counter[str]]:
    """How many items of each label stand in each unit."""
    units: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        units[_unit(record)][record.label] += 1
    return units


def _assign_units(units: Mapping[str, Counter[str]], shares: Mapping[str, float], seed: int) -> dict[str, str]:
    """Give each unit to the split that lacks most of its labels; large units first, ties by a hash of their name."""
    totals: Counter[str] = Counter()
    for labels in units.values():
        totals.update(labels)
    lacking = {split: {label: share * count for label, count in totals.items()} for split, share in shares.items()}
    order = sorted(units, key=lambda unit: (-units[unit].total(), digest(seed, "split", unit)))
    place = {}
    for unit in order:
        need = {split: _need(lacking[split], units[unit]) for split in SPLITS if shares[split] > 0}
        place[unit] = max(need, key=lambda split: need[split])  # the first of equals: train before the others
        for label, count in units[unit].items():
            lacking[place[unit]][label] -= count
    return place


def _need(lacking: Mapping[str, float], labels: Counter[str]) -> float:
    return sum(lacking[label] * count for label, count in labels.items())
