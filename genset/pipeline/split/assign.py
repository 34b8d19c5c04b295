"""Assign real items to train, validation and test: a pure function of content, labels, groups, shares and seed."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from genset.config.split_section import Split
from genset.dataset import SPLITS, Record, cell_of
from genset.errors import GensetError
from genset.pipeline.components import connected_components
from genset.pipeline.split.rebalance import StratumLabels, rebalance
from genset.seeds import hash_of

Shares = Mapping[str, float]  # the fraction of items in each split; that of "" is left out
_TOLERANCE = 0.01  # of all items: a larger deviation of a split from its share is reported


def shares_of(section: Split, records: Sequence[Record]) -> dict[str, float]:
    """The share of each split, and of "" if counts leave items out. Raises GensetError for counts that do not fit."""
    if section.counts is None:
        return dict(zip(SPLITS, section.ratios, strict=True))
    if any(not _is_free(record) for record in records):
        raise GensetError(
            "counts cannot be used: the items are already split",
            where="split.counts",
            hint="Set split.ratios instead, or reassign all items with --reassign.",
        )
    first, *held_out = section.counts
    total = len(records)
    rest = total - sum(held_out)
    train = rest if first == "rest" else first
    if train > rest or train < 1:
        counts = " + ".join(map(str, section.counts))
        raise GensetError(
            f"the counts are {counts}, but only {total} items are usable, and train needs at least one",
            where="split.counts",
            hint="Reduce the counts, or give train the remaining items, for example [rest, 100, 100].",
        )
    return {name: count / total for name, count in zip((*SPLITS, ""), (train, *held_out, rest - train), strict=True)}


def assign(
    records: Sequence[Record],
    shares: Shares | tuple[float, float, float],
    seed: int,
    stratify: Sequence[str] = (),
    previous: Mapping[str, str] | None = None,
) -> list[Record]:
    """Every record with its split, "" if it is left out.

    The splits are stratified by label and, as far as possible, by the columns `stratify`. Items of one group stay
    together across classes, and so do items of equal content and near-duplicates. Validation and test items of the user
    stay where they are; a missing split is filled from the user's training items. `previous` maps ids to splits that
    are kept, except for training items that are linked to a held-out item. So a dataset can grow, and no item moves
    from test to train. The order of the records does not matter. Raises GensetError for a column that does not exist.
    """
    target = dict(shares) if isinstance(shares, Mapping) else dict(zip(SPLITS, shares, strict=True))
    existing = {record.split for record in records} - {""}
    target = {name: 0.0 if name in existing and name != "train" else share for name, share in target.items()}
    unit = units_by_id(records)
    held_out = _splits_of_units(records, unit, {r.id: r.split for r in records if not _is_free(r)})
    free = [record for record in records if _is_free(record) and unit[record.id] not in held_out]
    total = sum(target.values())
    split_of = _assign_units(
        _strata(free, unit, stratify),
        {name: share / total for name, share in target.items() if share > 0},
        seed,
        _splits_of_units(free, unit, previous or {}),
    )
    split_of |= held_out
    return [replace(r, split=split_of[unit[r.id]]) if _is_free(r) else r for r in records]


def folds(records: Sequence[Record], number: int, seed: int, stratify: Sequence[str] = ()) -> list[list[Record]]:
    """`number` copies of the records, each split into train and test, for cross-validation.

    Every record is a test item in exactly one fold. Raises GensetError if there are more folds than units that stay
    together, or for a column that does not exist.
    """
    unit = units_by_id(records)
    strata = _strata(records, unit, stratify)
    if number > len(strata[0]):
        raise GensetError(
            f"cannot make {number} folds from {len(strata[0])} groups: the items of a group stay together",
            where="--folds",
            hint=f"Request at most {len(strata[0])} folds. Without groups, each item counts as one.",
        )
    names = [str(fold) for fold in range(number)]
    fold_of = _assign_units(strata, dict.fromkeys(names, 1 / number), seed, {})
    return [[replace(r, split="test" if fold_of[unit[r.id]] == name else "train") for r in records] for name in names]


def deviations(before: Sequence[Record], records: Sequence[Record], shares: Shares) -> list[str]:
    """A message for each split whose size differs from its share, with the group that makes the share impossible.

    `before` are the records before they were assigned: splits that they already had are not checked.
    """
    names = [name for name in SPLITS if name == "train" or name not in {record.split for record in before}]
    counts = Counter(record.split for record in records if record.split in names)
    total = counts.total()
    target_total = sum(shares[name] for name in names)
    target = {name: shares[name] / target_total for name in names}
    far = [name for name in names if abs(counts[name] / total - target[name]) > max(_TOLERANCE, 1 / total)]
    empty = [name for name in names if target[name] > 0 and not counts[name]]
    if not far and not empty:
        return []
    unit = units_by_id(records)
    sizes = Counter(unit[record.id] for record in records if record.split in names)
    largest = {r.split: unit[r.id] for r in sorted(records, key=lambda r: (sizes[unit[r.id]], unit[r.id]))}
    messages = []
    for name in dict.fromkeys([*far, *empty]):
        sizes_text = f"{name} has {counts[name] / total:.1%} of the items instead of {target[name]:.1%}"
        if counts[name] / total > target[name] and sizes[largest[name]] > 1:
            messages.append(f"{sizes_text}: {_unit_text(largest[name], sizes, total)}")
        elif not counts[name] and sizes.total() > len(sizes):
            smallest = min(sizes, key=lambda each: (sizes[each], each))
            messages.append(f"{sizes_text}: {_unit_text(smallest, sizes, total)}, and no group is smaller")
        elif not counts[name]:
            messages.append(
                f"{name} is empty: {total:,} item{' is' if total == 1 else 's are'} too few to assign "
                f"{target[name]:.1%} of each class. Add items, or give {name} a larger share"
            )
        else:
            messages.append(sizes_text)
    return messages


def _unit_text(unit: str, sizes: Counter[str], total: int) -> str:
    kind, _, name = unit.partition(" ")
    items = f"group {name!r}" if kind == "group" else f"the set of near-duplicates of {name}"
    return f"{items} has {sizes[unit]} items ({sizes[unit] / total:.1%}) that stay together"


def _is_free(record: Record) -> bool:
    return record.split in ("", "train")


def _splits_of_units(records: Iterable[Record], unit: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """The split of each unit with an item in `known`, which maps ids to splits. A held-out split wins over train."""
    split_of: dict[str, str] = {}
    for record in sorted((r for r in records if r.id in known), key=lambda r: -SPLITS.index(known[r.id])):
        split_of.setdefault(unit[record.id], known[record.id])
    return split_of


def _strata(
    records: Sequence[Record], unit: Mapping[str, str], stratify: Sequence[str]
) -> list[dict[str, Counter[StratumLabels]]]:
    """The items of each unit counted by label and columns (if there are any), then by label only."""
    cell = cell_of(stratify, records, "split.stratify")
    levels: list[dict[str, Counter[StratumLabels]]] = []
    for columns in (True, False) if stratify else (False,):
        counts: dict[str, Counter[StratumLabels]] = defaultdict(Counter)
        for record in records:
            key = (record.label, cell(record)) if columns else (record.label,)
            counts[unit[record.id]][key] += 1
        levels.append(counts)
    return levels


def units_by_id(records: Sequence[Record]) -> dict[str, str]:
    """The unit of each record, by its id. Records of one unit stay together: they have a group, content or cluster of
    near-duplicates in common, directly or through other records. The least of these names the unit."""

    def names(record: Record) -> list[str]:
        near = [f"near {record.cluster}"] if record.cluster else []
        group = [f"group {record.group}"] if record.group else []
        return [*group, f"item {record.content or record.id}", *near]

    least = {name: unit[0] for unit in connected_components(map(names, records)) for name in unit}
    return {record.id: least[names(record)[0]] for record in records}


def _assign_units(
    levels: Sequence[Mapping[str, Counter[StratumLabels]]], shares: Shares, seed: int, fixed: Mapping[str, str]
) -> dict[str, str]:
    """The split of each unit. `levels` are the strata from the finest to the coarsest, `fixed` units have a split.

    Large units come first; a hash of the name decides between equal ones. A unit goes to the split that misses most
    items of its labels. A unit that fits nowhere by the finest strata is tried again by coarser ones. The rest, the
    remainders of small classes, go to the split that misses most items in total, so that many small classes fill every
    split together. But the first unit of a label goes to train: a model cannot learn a label without training items.
    """
    units = levels[-1]
    open_places = [_open_places(level, shares) for level in levels]
    train_labels: set[StratumLabels] = set()
    order = sorted(units, key=lambda unit: (-units[unit].total(), hash_of(seed, "split", unit)))
    split_of: dict[str, str] = {}

    def put(unit: str, split: str) -> None:
        split_of[unit] = split
        for level, places in zip(levels, open_places, strict=True):
            for name, count in level[unit].items():
                if split in places:
                    places[split][name] -= count
        if split == "train":
            train_labels.update(units[unit])

    for unit, split in fixed.items():
        put(unit, split)
    for level, places in zip(levels, open_places, strict=True):
        for unit in (unit for unit in order if unit not in split_of):
            counts = level[unit].items()
            fitting = [split for split in places if all(places[split][name] >= n - 1e-9 for name, n in counts)]
            if fitting:
                put(unit, max(fitting, key=lambda split: sum(places[split][name] * n for name, n in counts)))
    for unit in (unit for unit in order if unit not in split_of):
        is_new_label = "train" in open_places[-1] and not train_labels.issuperset(units[unit])
        is_group = units[unit].total() > 1  # if large groups leave one split empty, it should not be test
        room = {s: (sum(places.values()), is_group and s == "test") for s, places in open_places[-1].items()}
        put(unit, "train" if is_new_label else max(room, key=lambda split: room[split]))
    return rebalance(split_of, units, shares, [unit for unit in order if unit not in fixed])


def _open_places(units: Mapping[str, Counter[StratumLabels]], shares: Shares) -> dict[str, dict[StratumLabels, float]]:
    """The number of items of each stratum that each split should get."""
    totals: Counter[StratumLabels] = Counter()
    for labels in units.values():
        totals.update(labels)
    return {split: {label: share * count for label, count in totals.items()} for split, share in shares.items()}
