"""Balance the training set: target counts of classes or of values of a column, and how they are reached."""

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


def class_targets(counts: Mapping[str, int], target: Target) -> dict[str, int]:
    """The target number of items of each class: its own count if there is no target for it.

    Raises GensetError for an unknown label.
    """
    if target is None:
        return dict(counts)
    if isinstance(target, Mapping):
        unknown = [label for label in target if label not in counts]
        if unknown:
            raise GensetError(
                f"no class {unknown[0]!r}{did_you_mean(unknown[0], counts)}",
                where="balance.target",
                hint=f"Use one of the classes {', '.join(counts)}.",
            )
        return {**counts, **target}
    if target == "max":
        size = max(counts.values())
    else:
        size = int(statistics.median(counts.values()) if target == "median" else target)
    return dict.fromkeys(counts, size)


def missing_counts(counts: Mapping[str, int], target: Target) -> dict[str, int]:
    """The number of items that each class needs to reach its target; 0 for classes that have more.

    Raises GensetError for an unknown label.
    """
    return {label: max(0, size - counts[label]) for label, size in class_targets(counts, target).items()}


@dataclass(frozen=True)
class Downsampling:
    """The items that are left out of large classes, and the requested copies that remain."""

    left_out: frozenset[str]  # ids
    copies: list[Copy]
    problems: list[Problem]


def downsample_classes(
    train: Sequence[Record], copies: Sequence[Copy], section: Balance, cell: Callable[[Record], str], seed: int
) -> Downsampling:
    """Reduce each class to its target: leave out requested copies first, then synthetic items, then real ones.

    The choice depends on the seed and the ids of the items only. Items that were mixed from an item that is left out
    are left out as well.
    """
    if not section.shrink:
        return Downsampling(frozenset(), list(copies), [])
    counts = Counter(map(cell, [*train, *(copy.parent for copy in copies)]))
    targets = class_targets(dict(sorted(counts.items())), section.target)
    left_out: set[str] = set()
    problems = []
    for label, records in _group_by_cell(cell, train).items():
        order = sorted(records, key=lambda r: (r.source == "collected", hash_of(seed, "shrink", r.id)))
        removed = order[: max(0, len(order) - targets[label])]
        left_out |= {record.id for record in removed}
        if removed:
            detail = f"{len(removed)} of {len(order)} items, down to {targets[label]}"
            problems.append(Problem(label, "left_out", detail))
    left_out |= {record.id for record in train if left_out.intersection(record.origin.split())}
    kept = Counter(cell(record) for record in train if record.id not in left_out)
    room = {label: count - kept[label] for label, count in targets.items()}
    return Downsampling(frozenset(left_out), _limit_copies(copies, left_out, room, cell), problems)


def _limit_copies(
    copies: Sequence[Copy], left_out: Collection[str], room: dict[str, int], cell: Callable[[Record], str]
) -> list[Copy]:
    """As many copies of kept items as each class has room for: the first copy of every item before any second one."""
    out = []
    for copy in sorted(copies, key=lambda copy: copy.number):
        label = cell(copy.parent)
        if copy.parent.id not in left_out and room[label] > 0:
            room[label] -= 1
            out.append(copy)
    return out


def _group_by_cell(cell: Callable[[Record], str], records: Iterable[Record]) -> dict[str, list[Record]]:
    out: dict[str, list[Record]] = {}
    for record in records:
        out.setdefault(cell(record), []).append(record)
    return out


@dataclass(frozen=True)
class BalanceFill:
    """The synthetic items that fill the classes."""

    generated: dict[str, int]  # by label
    copies: list[Copy]
    problems: list[Problem]


def fill_classes(
    missing: Mapping[str, int],
    real: Sequence[Record],
    start: Mapping[str, int],
    section: Balance,
    cell: Callable[[Record], str],
    *,
    has_model: bool,
    not_generated: Collection[str] = (),
) -> BalanceFill:
    """Fill the missing items with generated items, with copies of the `real` training items, or with both.

    Copies of a parent are numbered from `start`. Classes in `not_generated` are filled with copies only. Raises
    GensetError if items are to be generated and there is no model, or if the balance is not by label.
    """
    by_label = list(section.by) == ["label"]
    fill = _fill(section, has_model)
    generated, copies, problems = dict.fromkeys(missing, 0) if by_label else {}, list[Copy](), list[Problem]()
    cells = _group_by_cell(cell, real)
    for label, count in missing.items():
        records = cells.get(label, [])
        parents = [record for record in records if start.get(record.id, 0) < section.max_copies]
        room = sum(section.max_copies - start.get(parent.id, 0) for parent in parents)
        requested = {"generated": 0, "both": count // 2, "augmented": count}[
            "augmented" if label in not_generated else fill
        ]
        copied = min(room, requested)
        copies += copies_in_turn(parents, start, copied, section.max_copies)
        if fill != "augmented" and label not in not_generated:
            generated[label] = count - copied
        elif copied < count:
            limit = f"at most {section.max_copies} copies of each of its {len(records)} items"
            problems.append(Problem(label, "too_small", f"{count} items are missing, but {limit} give only {room}"))
    return BalanceFill(generated, copies, problems)


def _fill(section: Balance, has_model: bool) -> str:
    """The source of the items that fill the classes. Raises GensetError if the model or the labels are missing."""
    by_label = list(section.by) == ["label"]
    fill = section.fill or ("generated" if has_model and by_label else "augmented")
    if fill != "augmented" and not has_model:
        raise GensetError(
            f"`fill: {fill}` needs a model to generate with", where="balance.fill", hint="Give --model MODEL."
        )
    if fill != "augmented" and not by_label:
        raise GensetError(
            f"`fill: {fill}` does not work with `by: {', '.join(section.by)}`: a model knows only labels",
            where="balance.fill",
            hint="Use `fill: augmented`.",
        )
    return fill
