"""Find items that are in two splits, or come from another split: such leaks make figures on held-out items wrong."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

from genset.dataset import SPLITS, Record
from genset.interfaces import Problem

COLLECTED = "collected"


def leaks(records: Sequence[Record]) -> list[Problem]:
    """Every leak between the splits of records from `clean`, which finds equal contents and near-duplicates."""
    return [*_contents(records), *_groups(records), *_lineage(records)]


def _contents(records: Sequence[Record]) -> Iterator[Problem]:
    """A problem for each item with equal content or a near-duplicate in an earlier split."""
    exact = set()
    for record, other in _in_two_splits(records, lambda record: record.content):
        exact.add(record.content)
        yield Problem(record.place, "exact_leak", f"the same content as {_description(other, record)}")
    cluster = {record.content: record.cluster for record in records if record.cluster}
    sizes = Counter(cluster.values())
    for record, other in _in_two_splits(records, lambda record: cluster.get(record.content, "")):
        if record.content not in exact and record.source == other.source == COLLECTED:
            is_pair = sizes[cluster[record.content]] == 2
            relation = "nearly the same as" if is_pair else "in a chain of near-duplicates with"
            yield Problem(record.place, "near_leak", f"{relation} {_description(other, record)}")


def _description(other: Record, record: Record) -> str:
    label = f" and is labelled {other.label!r}, not {record.label!r}" if record.label != other.label else ""
    return f"{other.place}, which is in {other.split}{label}"


def _in_two_splits(records: Sequence[Record], key: Callable[[Record], str]) -> Iterator[tuple[Record, Record]]:
    """Each record that has its key in common with a record of an earlier split, and the first such record."""
    first: dict[str, Record] = {}
    for record in sorted(records, key=_order):
        other = first.setdefault(key(record), record)
        if key(record) and other.split != record.split:
            yield record, other


def _order(record: Record) -> tuple[int, bool]:
    """Train, validation, test; real items first in each."""
    return SPLITS.index(record.split or SPLITS[0]), record.source != COLLECTED


def _groups(records: Sequence[Record]) -> Iterator[Problem]:
    members: dict[str, list[Record]] = defaultdict(list)
    for record in sorted(records, key=_order):
        if record.group:
            members[record.group].append(record)
    for group, items in members.items():
        counts = Counter(record.split for record in items)
        if len(counts) > 1:
            splits = " and ".join(f"{split} ({count})" for split, count in counts.items())
            yield Problem(items[-1].place, "group_leak", f"its group {group!r} is in {splits}")


def _lineage(records: Sequence[Record]) -> Iterator[Problem]:
    """Synthetic items in validation or test, and synthetic training items whose parent is held out."""
    by_id = {record.id: record for record in records}
    for record in records:
        if record.source == COLLECTED:
            continue
        if record.split != SPLITS[0]:
            detail = f"it was {record.source} but is in {record.split}, where only real items are allowed"
            yield Problem(record.place, "made_held_out", detail)
            continue
        for parent in (by_id[name] for name in record.origin.split() if name in by_id):
            if parent.split != SPLITS[0]:
                detail = f"it was made from {parent.place}, which is in {parent.split}"
                yield Problem(record.place, "lineage_leak", detail)
