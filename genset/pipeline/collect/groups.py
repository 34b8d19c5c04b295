"""Groups of items, by column or by a pattern on their paths: given by the user, or guessed from names."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from genset.dataset import Record
from genset.errors import GensetError


def with_groups(records: Sequence[Record], group: str | None) -> tuple[Record, ...]:
    """Each record with its group, by a column or by a pattern on its path. Raises GensetError when none has one."""
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
            f"no item has a group by {group!r}; the first item is {example!r}",
            where="data.group",
            hint="Name a column of the metadata, or a regular expression on the relative path with (?P<group>...).",
        )
    return tuple(replace(record, group=name) for record, name in zip(records, names, strict=True))


def _column(record: Record, name: str) -> str:
    """A column of the user's, also one that has the name of one of genset's."""
    own = record.columns.get(name, record.columns.get(f"user_{name}", ""))
    return own or (record.group if name == "group" else "")


# From the most reliable to the least: an inner folder, then the part before a divider in the file name.
PATTERNS = (
    r"^[^/]+/(?P<group>[^/]+)/",
    r"(?P<group>[^/]+?)__[^/]*$",
    r"(?P<group>[^/_]+)_[^/]*$",
    r"(?P<group>[^/-]+)-[^/]*$",
    r"(?P<group>[^/]+)_[^/_]*$",
)
_COLUMNS = ("group", "speaker", "subject", "patient", "person", "author", "user", "writer", "session", "recording")
_FEWEST_ITEMS = 3  # per group, on average
_LARGEST_SHARE = 0.5  # of the items, in one group
_SHOWN = 3


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
    """The first plausible grouping: by a column with a typical name, or by a pattern on the path; None without any."""
    return next((each for each in _candidates(records) if _plausible(each, records)), None)


def _candidates(records: Sequence[Record]) -> Iterator[Grouping]:
    for name in _COLUMNS:
        if all(name in record.columns for record in records):
            yield _counted(name, [record.columns[name] for record in records])
    if all(record.text is None for record in records):  # lines of a file have no names of their own
        split = any(record.split for record in records)  # then the path starts with that part's folder
        for pattern in PATTERNS[split:]:
            matches = [re.search(pattern, record.origin) for record in records]
            yield _counted(pattern, [match["group"] if match else "" for match in matches])


def _counted(group: str, names: Sequence[str]) -> Grouping:
    return Grouping(group, Counter(names))


def _plausible(found: Grouping, records: Sequence[Record]) -> bool:
    """Whether every item has a group, groups have several items, none has most of them, and groups are not the
    classes."""
    sizes = found.sizes
    several = len(sizes) > 1 and len(records) >= _FEWEST_ITEMS * len(sizes)
    if "" in sizes or not several or max(sizes.values()) > _LARGEST_SHARE * len(records):
        return False
    return sorted(sizes.values()) != sorted(Counter(record.label for record in records).values())
