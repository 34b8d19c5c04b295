"""How many items each class of the train part is to get, or each value of a column; from where; what is left out."""

import statistics
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from genset.config.sections import Balance
from genset.dataset import Record
from genset.errors import GensetError, did_you_mean
from genset.interfaces import Problem
from genset.pipeline.augment.copies import Copy, copies_in_turn
from genset.seeds import hash_of

Target = str | int | Mapping[str, int] | None


def class_targets(have: Mapping[str, int], target: Target) -> dict[str, int]:
    """Items that each class shall have; as many as it has where nothing is asked for.

    Raises GensetError for a label that is not there.
    """
    if target is None:
        return dict(have)
    if isinstance(target, Mapping):
        unknown = [label for label in target if label not in have]
        if unknown:
            raise GensetError(
                f"no class {unknown[0]!r}{did_you_mean(unknown[0], have)}",
                where="balance.target",
                hint=f"The classes are {', '.join(have)}.",
            )
        return {**have, **target}
    if target == "max":
        wanted = max(have.values())
    else:
        wanted = int(statistics.median(have.values()) if target == "median" else target)
    return dict.fromkeys(have, wanted)


def missing_counts(have: Mapping[str, int], target: Target) -> dict[str, int]:
    """Items that each class lacks to reach the target; classes that have more keep what they have.

    Raises GensetError for a label that is not there.
    """
    return {label: max(0, wanted - have[label]) for label, wanted in class_targets(have, target).items()}


@dataclass(frozen=True)
class Downsampling:
    """What stays of the train part, and of the copies that were asked for, when large classes give items up."""

    left_out: frozenset[str]  # ids
    copies: list[Copy]
    problems: list[Problem]


def downsample_classes(
    train: Sequence[Record], copies: Sequence[Copy], section: Balance, cell: Callable[[Record], str], seed: int
) -> Downsampling:
    """Leave out what a class has beyond its target: copies that are still to be made, then made items, then real ones.

    Which ones depends on the seed and the items' ids alone. What was mixed from an item that goes, goes with it.
    """
    if not section.shrink:
        return Downsampling(frozenset(), list(copies), [])
    have = Counter(map(cell, [*train, *(copy.parent for copy in copies)]))
    wanted = class_targets(dict(sorted(have.items())), section.target)
    left_out: set[str] = set()
    problems = []
    for label, records in _by(cell, train).items():
        order = sorted(records, key=lambda r: (r.source == "collected", hash_of(seed, "shrink", r.id)))
        gone = order[: max(0, len(order) - wanted[label])]
        left_out |= {record.id for record in gone}
        if gone:
            detail = f"{len(gone)} of {len(order)} items, down to {wanted[label]}"
            problems.append(Problem(label, "left_out", detail))
    left_out |= {record.id for record in train if left_out.intersection(record.origin.split())}
    kept = Counter(cell(record) for record in train if record.id not in left_out)
    room = {label: count - kept[label] for label, count in wanted.items()}
    return Downsampling(frozenset(left_out), _first(copies, left_out, room, cell), problems)


def _first(
    copies: Sequence[Copy], left_out: Collection[str], room: dict[str, int], cell: Callable[[Record], str]
) -> list[Copy]:
    """As many copies of items that stay as each class has room for: the first of every item before the second."""
    out = []
    for copy in sorted(copies, key=lambda copy: copy.number):
        label = cell(copy.parent)
        if copy.parent.id not in left_out and room[label] > 0:
            room[label] -= 1
            out.append(copy)
    return out


def _by(cell: Callable[[Record], str], records: Iterable[Record]) -> dict[str, list[Record]]:
    out: dict[str, list[Record]] = {}
    for record in records:
        out.setdefault(cell(record), []).append(record)
    return out


@dataclass(frozen=True)
class BalanceFill:
    """What fills the classes up."""

    generated: dict[str, int]  # by label
    copies: list[Copy]
    problems: list[Problem]


def fill_classes(
    lacking: Mapping[str, int],
    real: Sequence[Record],
    start: Mapping[str, int],
    section: Balance,
    cell: Callable[[Record], str],
    *,
    has_model: bool,
    not_generated: Collection[str] = (),
) -> BalanceFill:
    """The lacking items as generated ones and as copies of the `real` items of train, as the section asks for.

    Copies of a parent are numbered from `start` on. Classes of which nothing shall be generated (`none`) get copies
    alone. Raises GensetError when items shall be generated and there is no model, or one that knows labels alone.
    """
    by_label = list(section.by) == ["label"]
    fill = _fill(section, has_model)
    generated, copies, problems = dict.fromkeys(lacking, 0) if by_label else {}, list[Copy](), list[Problem]()
    cells = _by(cell, real)
    for label, count in lacking.items():
        records = cells.get(label, [])
        parents = [record for record in records if start.get(record.id, 0) < section.max_copies]
        room = sum(section.max_copies - start.get(parent.id, 0) for parent in parents)
        wanted = {"generated": 0, "both": count // 2, "augmented": count}[
            "augmented" if label in not_generated else fill
        ]
        copied = min(room, wanted)
        copies += copies_in_turn(parents, start, copied, section.max_copies)
        if fill != "augmented" and label not in not_generated:
            generated[label] = count - copied
        elif copied < count:
            each = f"at most {section.max_copies} copies of each of its {len(records)} items"
            problems.append(Problem(label, "too_small", f"{count} items are lacking, {each} give {room}"))
    return BalanceFill(generated, copies, problems)


def _fill(section: Balance, has_model: bool) -> str:
    """What the classes are filled with. Raises GensetError for generated items without a model, or by columns."""
    by_label = list(section.by) == ["label"]
    fill = section.fill or ("generated" if has_model and by_label else "augmented")
    if fill != "augmented" and not has_model:
        raise GensetError(
            f"`fill: {fill}` needs a model to generate with", where="balance.fill", hint="Give --model MODEL."
        )
    if fill != "augmented" and not by_label:
        raise GensetError(
            f"`fill: {fill}` and `by: {', '.join(section.by)}`: a model knows labels alone",
            where="balance.fill",
            hint="Use `fill: augmented`.",
        )
    return fill
