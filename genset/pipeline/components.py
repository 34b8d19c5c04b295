"""Connected components: what hangs together through links, such as items of one group or pairs of near-duplicates."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

_Name = TypeVar("_Name", bound=Any)  # hashable, and ordered


def connected_components(links: Iterable[Sequence[_Name]]) -> list[list[_Name]]:
    """The names that links connect, each component and all of them sorted. A link of one name is a component too.

    Union-find in plain Python: `scipy.sparse.csgraph` takes as long for 200,000 items, whose names must become numbers
    first, and half a second to import.
    """
    parent: dict[_Name, _Name] = {}

    def root(name: _Name) -> _Name:
        while parent.setdefault(name, name) != name:
            parent[name] = name = parent[parent[name]]
        return name

    for first, *others in links:
        top = root(first)
        for other in map(root, others):
            if other < top:
                top, other = other, top
            parent[other] = top
    out: dict[_Name, list[_Name]] = {}
    for name in sorted(parent):
        out.setdefault(root(name), []).append(name)
    return list(out.values())
