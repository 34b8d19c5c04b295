"""Records for tests of functions that take nothing else."""

from pathlib import Path
from typing import Any

from genset.dataset import Record


def record(name: str, label: str = "a", **fields: Any) -> Record:
    """A record whose user file has the same name."""
    return Record(name, Path(name), label, **{"origin": name, **fields})


def records(count: int, label: str = "a", **fields: Any) -> list[Record]:
    """Records of one class: a0, a1, ..."""
    return [record(f"{label}{number}", label, **fields) for number in range(count)]
