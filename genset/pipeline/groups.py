"""Which items seem to belong together, by their names or columns: a speaker's takes, a writer's pages. Only a guess."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from genset.dataset import Record

# From the most telling to the least: an inner folder, then what stands before a divider in the name of the file.
PATTERNS = (
    r"^[^/]+/(?P<group>[^/]+)/",
    r"(?P<group>[^/]+?)__[^/]*$",
    r"(?P<group>[^/_]+)_[^/]*$",
    r"(?P<group>[^/-]+)-[^/]*$",
    r"(?P<group>[^/]+)_[^/_]*$",
)
_COLUMNS = ("group", "speaker", "subject", "patient", "person", "author", "user", "writer", "session", "recording")
_FEWEST_ITEMS = 3  # of a group, on average
_LARGEST_SHARE = 0.5  # of the items, in one group
_SHOWN = 3


@dataclass(frozen=True)
class Grouping:
    """A value for `data.group`, and the items that stay together with it."""

    group: str
    sizes: Mapping[str, int]  # items of each group

    @property
    def why(self) -> str:
        """What it finds, in a line."""
        largest = sorted(self.sizes, key=lambda name: (-self.sizes[name], name))[:_SHOWN]
        shown = ", ".join(f"{name} ({self.sizes[name]:,})" for name in largest)
        return f"{len(self.sizes):,} groups: {shown}{', ...' if len(self.sizes) > _SHOWN else ''}"


def grouping(records: Sequence[Record]) -> Grouping | None:
    """The first plausible grouping: by a column of a telling name, else by a pattern on the path. None without any."""
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
    """Whether every item has a group, groups hold several items and no single one most of them, and they tell
    something else than the classes do."""
    sizes = found.sizes
    several = len(sizes) > 1 and len(records) >= _FEWEST_ITEMS * len(sizes)
    if "" in sizes or not several or max(sizes.values()) > _LARGEST_SHARE * len(records):
        return False
    return sorted(sizes.values()) != sorted(Counter(record.label for record in records).values())
