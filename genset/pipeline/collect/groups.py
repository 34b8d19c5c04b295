"""Groups of items, by a column or by a pattern on their paths: set by the user, or guessed from names."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from genset.dataset import Record
from genset.errors import GensetError


def with_groups(records: Sequence[Record], group: str | None) -> tuple[Record, ...]:
    """The records with their groups, by a column or a pattern on the path. Raises GensetError if none has a group."""
    if group is None:
        return tuple(records)
    if re.fullmatch(r"\w+", group):
        names = [_column(record, group) for record in records]
    else:
        pattern = re.compile(group)
        matches = [pattern.search(record.origin) for record in records]
        names = [(match["group"] or "") if match else "" for match in matches]
    if not any(names):
        example = records[0].origin if records else ""
        raise GensetError(
            f"{group!r} gives no item a group; the first item is {example!r}",
            where="data.group",
            hint="Give a column of the metadata, or a regular expression for the relative path with (?P<group>...).",
        )
    return tuple(replace(record, group=name) for record, name in zip(records, names, strict=True))


def _column(record: Record, name: str) -> str:
    """The value of a user's column, also of one that was renamed because genset writes a column of this name."""
    value = record.columns.get(name, record.columns.get(f"user_{name}", ""))
    return value or (record.group if name == "group" else "")


# From the most reliable to the least: a nested folder, then the text before a separator in the file name.
PATTERNS = (
    r"^[^/]+/(?P<group>[^/]+)/",
    r"(?P<group>[^/]+?)__[^/]*$",
    r"(?P<group>[^/_]+)_[^/]*$",
    r"(?P<group>[^/-]+)-[^/]*$",
    r"(?P<group>[^/]+)_[^/_]*$",
)
_COLUMNS = ("group", "speaker", "subject", "patient", "person", "author", "user", "writer", "session", "recording")
_MIN_GROUP_SIZE = 3  # items, on average
_MAX_GROUP_FRACTION = 0.5  # of all items, in one group
_SHOWN = 3  # groups in the message


@dataclass(frozen=True)
class Grouping:
    """A value for `data.group`, and the sizes of its groups."""

    group: str
    sizes: Mapping[str, int]  # items of each group

    @property
    def why(self) -> str:
        """One line about the groups."""
        largest = sorted(self.sizes, key=lambda name: (-self.sizes[name], name))[:_SHOWN]
        shown = ", ".join(f"{name} ({self.sizes[name]:,})" for name in largest)
        return f"{len(self.sizes):,} groups: {shown}{', ...' if len(self.sizes) > _SHOWN else ''}"


def guess_grouping(records: Sequence[Record]) -> Grouping | None:
    """The first plausible grouping by a column with a typical name, or by a pattern on the path; None if none is."""
    return next((each for each in _candidates(records) if _plausible(each, records)), None)


def _candidates(records: Sequence[Record]) -> Iterator[Grouping]:
    for name in _COLUMNS:
        if all(name in record.columns for record in records):
            yield Grouping(name, Counter(record.columns[name] for record in records))
    if all(record.text is None for record in records):  # lines of a file have no names of their own
        split = any(record.split for record in records)  # then the path starts with the folder of the split
        for pattern in PATTERNS[split:]:
            matches = [re.search(pattern, record.origin) for record in records]
            yield Grouping(pattern, Counter(match["group"] if match else "" for match in matches))


def _plausible(grouping: Grouping, records: Sequence[Record]) -> bool:
    """Whether every item has a group, groups have several items each, none has most, and they are not the classes."""
    sizes = grouping.sizes
    several = len(sizes) > 1 and len(records) >= _MIN_GROUP_SIZE * len(sizes)
    if "" in sizes or not several or max(sizes.values()) > _MAX_GROUP_FRACTION * len(records):
        return False
    return sorted(sizes.values()) != sorted(Counter(record.label for record in records).values())
