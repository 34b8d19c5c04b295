"""What stands in two parts of a split, or came from one into another: it makes every figure on held-out items a lie."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

from genset.dataset import SPLITS, Record
from genset.interfaces import Problem

COLLECTED = "collected"


def leaks(records: Sequence[Record]) -> list[Problem]:
    """Every leak between the splits of records that `clean` has looked at."""
    return [*_contents(records), *_groups(records), *_lineage(records)]


def _contents(records: Sequence[Record]) -> Iterator[Problem]:
    """Items of equal content in two splits, and near-duplicates of them: each but those of the first split."""
    told = set()
    for record, twin in _shared(records, lambda record: record.content):
        told.add(record.content)
        yield Problem(record.place, "exact_leak", f"the same content as {_named(twin, record)}")
    cluster = {record.content: record.cluster for record in records if record.cluster}
    sizes = Counter(cluster.values())
    for record, twin in _shared(records, lambda record: cluster.get(record.content, "")):
        if record.content not in told and record.source == twin.source == COLLECTED:
            how = "as" if sizes[cluster[record.content]] == 2 else "as, or joined by others to,"
            yield Problem(record.place, "near_leak", f"nearly the same {how} {_named(twin, record)}")


def _named(twin: Record, record: Record) -> str:
    label = f" and is labelled {twin.label!r}, not {record.label!r}" if record.label != twin.label else ""
    return f"{twin.place}, which stands in {twin.split}{label}"


def _shared(records: Sequence[Record], key: Callable[[Record], str]) -> Iterator[tuple[Record, Record]]:
    """Each record whose key a record of an earlier split has, with the first one that does."""
    first: dict[str, Record] = {}
    for record in sorted(records, key=_place):
        other = first.setdefault(key(record), record)
        if key(record) and other.split != record.split:
            yield record, other


def _place(record: Record) -> tuple[int, bool]:
    """Train, validation, test; in each of them real items first."""
    return SPLITS.index(record.split or SPLITS[0]), record.source != COLLECTED


def _groups(records: Sequence[Record]) -> Iterator[Problem]:
    members: dict[str, list[Record]] = defaultdict(list)
    for record in sorted(records, key=_place):
        if record.group:
            members[record.group].append(record)
    for group, found in members.items():
        counts = Counter(record.split for record in found)
        if len(counts) > 1:
            told = " and ".join(f"{split} ({count})" for split, count in counts.items())
            yield Problem(found[-1].place, "group_leak", f"its group {group!r} stands in {told}")


def _lineage(records: Sequence[Record]) -> Iterator[Problem]:
    """Made items that are held out, and those of train that were made from one that is."""
    by_id = {record.id: record for record in records}
    for record in records:
        if record.source == COLLECTED:
            continue
        if record.split != SPLITS[0]:
            detail = f"it was {record.source} and stands in {record.split}: only real items can judge"
            yield Problem(record.place, "made_held_out", detail)
            continue
        for parent in (by_id[name] for name in record.origin.split() if name in by_id):
            if parent.split != SPLITS[0]:
                detail = f"it was made from {parent.place}, which stands in {parent.split}"
                yield Problem(record.place, "lineage_leak", detail)
