"""Divide real items into train, validation and test: a pure function of content, labels, groups, shares and seed."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from genset.config.split_section import Split
from genset.dataset import SPLITS, Record, cell_of
from genset.errors import GensetError
from genset.pipeline.components import connected_components
from genset.pipeline.split.rebalance import StratumLabels, rebalance
from genset.seeds import hash_of

Shares = Mapping[str, float]  # of each part; that of "" is left out
_TOLD = 0.01  # of all items: how far a part may be from its share before that is told


def shares_of(section: Split, records: Sequence[Record]) -> dict[str, float]:
    """The share of each part, and of "" where counts do not take all items. Raises GensetError for too large counts."""
    if section.counts is None:
        return dict(zip(SPLITS, section.ratios, strict=True))
    if any(not _is_free(record) for record in records):
        raise GensetError(
            "counts are for items that have no part yet, and these are divided already",
            where="split.counts",
            hint="Use ratios, or reassign all items with --reassign.",
        )
    first, *held_out = section.counts
    total = len(records)
    rest = total - sum(held_out)
    train = rest if first == "rest" else first
    if train > rest or train < 1:
        asked = " + ".join(map(str, section.counts))
        raise GensetError(
            f"{asked} items are asked for, and there are {total} that can be used",
            where="split.counts",
            hint="Ask for fewer, or let train have the rest: [rest, 100, 100].",
        )
    return {name: count / total for name, count in zip((*SPLITS, ""), (train, *held_out, rest - train), strict=True)}


def assign(
    records: Sequence[Record],
    shares: Shares | tuple[float, float, float],
    seed: int,
    by: Sequence[str] = (),
    kept: Mapping[str, str] | None = None,
) -> list[Record]:
    """Every record with its split, "" where it is left out.

    Stratified by label, and within each by the columns `by` as far as that goes. The items of a group stay together,
    across classes, and so do items of equal content and near-duplicates. Splits that the user brought stay; what they
    lack is taken from their train part. Items in `kept`, by id, stay in that part too, but for those of train that hang
    together with one that is held out: so a set may grow, and nothing goes from test to train. The order of the records
    does not matter. Raises GensetError for a column that is not there.
    """
    wanted = dict(shares) if isinstance(shares, Mapping) else dict(zip(SPLITS, shares, strict=True))
    brought = {record.split for record in records} - {""}
    wanted = {name: 0.0 if name in brought and name != "train" else share for name, share in wanted.items()}
    unit = units_by_id(records)
    held_out = _places(records, unit, {r.id: r.split for r in records if not _is_free(r)})
    free = [record for record in records if _is_free(record) and unit[record.id] not in held_out]
    total = sum(wanted.values())
    place = _assign_units(
        _strata(free, unit, by),
        {name: share / total for name, share in wanted.items() if share > 0},
        seed,
        _places(free, unit, kept or {}),
    )
    place |= held_out
    return [replace(r, split=place[unit[r.id]]) if _is_free(r) else r for r in records]


def folds(records: Sequence[Record], number: int, seed: int, by: Sequence[str] = ()) -> list[list[Record]]:
    """The records in as many folds, each divided into train and test; every record is in the test part of one fold.

    Raises GensetError for more folds than there are units that must stay together, and for a column that is not there.
    """
    unit = units_by_id(records)
    strata = _strata(records, unit, by)
    if number > len(strata[0]):
        raise GensetError(
            f"{number} folds of {len(strata[0])} groups: what belongs together cannot be divided",
            where="--folds",
            hint=f"Take at most {len(strata[0])} folds; without groups and near-duplicates each item is one.",
        )
    parts = [str(part) for part in range(number)]
    place = _assign_units(strata, dict.fromkeys(parts, 1 / number), seed, {})
    return [[replace(r, split="test" if place[unit[r.id]] == part else "train") for r in records] for part in parts]


def deviations(before: Sequence[Record], records: Sequence[Record], shares: Shares) -> list[str]:
    """What is to be told of parts that are not as large as asked for, with the group that makes it impossible.

    `before` are the records as they were brought: held-out parts among them are as they are.
    """
    names = [name for name in SPLITS if name == "train" or name not in {record.split for record in before}]
    counts = Counter(record.split for record in records if record.split in names)
    total = counts.total()
    asked = sum(shares[name] for name in names)
    wanted = {name: shares[name] / asked for name in names}
    far = [name for name in names if abs(counts[name] / total - wanted[name]) > max(_TOLD, 1 / total)]
    missed = [name for name in names if wanted[name] > 0 and not counts[name]]
    if not far and not missed:
        return []
    unit = units_by_id(records)
    sizes = Counter(unit[record.id] for record in records if record.split in names)
    largest = {r.split: unit[r.id] for r in sorted(records, key=lambda r: (sizes[unit[r.id]], unit[r.id]))}
    out = []
    for name in dict.fromkeys([*far, *missed]):
        got = f"the {name} part has {counts[name] / total:.1%} of the items, asked for were {wanted[name]:.1%}"
        if counts[name] / total > wanted[name] and sizes[largest[name]] > 1:
            out.append(f"{got}: {_told(largest[name], sizes, total)}")
        elif not counts[name] and sizes.total() > len(sizes):
            smallest = min(sizes, key=lambda each: (sizes[each], each))
            out.append(f"{got}: even {_told(smallest, sizes, total)}")
        elif not counts[name]:
            out.append(f"the {name} part stays empty: too few items for a share of {wanted[name]:g} of each class")
        else:
            out.append(got)
    return out


def _told(unit: str, sizes: Counter[str], total: int) -> str:
    kind, _, name = unit.partition(" ")
    what = f"group {name!r}" if kind == "group" else f"what hangs together with {name}"
    return f"{what} has {sizes[unit]} items ({sizes[unit] / total:.1%}) that stay together"


def _is_free(record: Record) -> bool:
    return record.split in ("", "train")


def _places(records: Iterable[Record], unit: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """The part of each unit that has a member in `known`, by id: rather a held-out one than train."""
    out: dict[str, str] = {}
    for record in sorted((r for r in records if r.id in known), key=lambda r: -SPLITS.index(known[r.id])):
        out.setdefault(unit[record.id], known[record.id])
    return out


def _strata(
    records: Sequence[Record], unit: Mapping[str, str], by: Sequence[str]
) -> list[dict[str, Counter[StratumLabels]]]:
    """The members of each unit by label and columns, and by label alone: from the finest strata to the coarsest."""
    cell = cell_of(by, records, "split.stratify")
    levels: list[dict[str, Counter[StratumLabels]]] = []
    for columns in (True, False) if by else (False,):
        members: dict[str, Counter[StratumLabels]] = defaultdict(Counter)
        for record in records:
            key = (record.label, cell(record)) if columns else (record.label,)
            members[unit[record.id]][key] += 1
        levels.append(members)
    return levels


def units_by_id(records: Sequence[Record]) -> dict[str, str]:
    """The unit of each record by its id: what stays together, named by the least of its groups, contents, clusters."""

    def names(record: Record) -> list[str]:
        near = [f"near {record.cluster}"] if record.cluster else []
        group = [f"group {record.group}"] if record.group else []
        return [*group, f"item {record.content or record.id}", *near]

    least = {name: unit[0] for unit in connected_components(map(names, records)) for name in unit}
    return {record.id: least[names(record)[0]] for record in records}


def _assign_units(
    levels: Sequence[Mapping[str, Counter[StratumLabels]]], shares: Shares, seed: int, fixed: Mapping[str, str]
) -> dict[str, str]:
    """Large units first, ties by a hash of their name. A unit goes where the most of its labels are lacking.

    What fits nowhere whole by the finest strata is tried by coarser ones. The last, the remainders of small classes,
    goes where the most items are lacking in all, so that many small classes together fill every part; but the first of
    a label goes to train, or it could not be learned. Units in `fixed` have their part already.
    """
    units = levels[-1]
    lacking = [_lacking(level, shares) for level in levels]
    learned: set[StratumLabels] = set()
    order = sorted(units, key=lambda unit: (-units[unit].total(), hash_of(seed, "split", unit)))
    place: dict[str, str] = {}

    def put(unit: str, split: str) -> None:
        place[unit] = split
        for level, need in zip(levels, lacking, strict=True):
            for name, count in level[unit].items():
                if split in need:
                    need[split][name] -= count
        if split == "train":
            learned.update(units[unit])

    for unit, split in fixed.items():
        put(unit, split)
    for level, need in zip(levels, lacking, strict=True):
        for unit in order:
            own = level[unit].items()
            fitting = [] if unit in place else [s for s in need if all(need[s][name] >= n - 1e-9 for name, n in own)]
            if fitting:
                put(unit, max(fitting, key=lambda split: sum(need[split][name] * n for name, n in own)))
    last = lacking[-1]
    for unit in order:
        if unit not in place:
            unknown = "train" in last and not learned.issuperset(units[unit])
            whole = units[unit].total() > 1  # of groups that would leave a part empty, test is to have one
            room = {split: (sum(need.values()), whole and split == "test") for split, need in last.items()}
            put(unit, "train" if unknown else max(room, key=lambda split: room[split]))
    return rebalance(place, units, shares, [unit for unit in order if unit not in fixed])


def _lacking(units: Mapping[str, Counter[StratumLabels]], shares: Shares) -> dict[str, dict[StratumLabels, float]]:
    totals: Counter[StratumLabels] = Counter()
    for labels in units.values():
        totals.update(labels)
    return {split: {label: share * count for label, count in totals.items()} for split, share in shares.items()}
