"""What work will take, by what a little of it takes just now."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from genset.dataset import ExportItem, Record
from genset.interfaces import ItemArray, Modality
from genset.pipeline.job import Job
from genset.pipeline.write import dataset

SAMPLE_SIZE = 20  # pieces of work of a kind that are done
_T = TypeVar("_T")


@dataclass(frozen=True)
class Estimate:
    """What a plan takes."""

    disk_bytes: float = 0
    seconds: float = 0  # of one core

    def __add__(self, other: "Estimate") -> "Estimate":
        return Estimate(self.disk_bytes + other.disk_bytes, self.seconds + other.seconds)

    def as_dict(self) -> dict[str, float]:
        """As JSON holds it."""
        return {"bytes": round(self.disk_bytes), "seconds": round(self.seconds, 1)}


def estimate_from_sample(work: Sequence[_T], do: Callable[[Sequence[_T]], Iterable[ExportItem]]) -> Estimate:
    """What all pieces of work take, by a few of them from all over, which are done and thrown away."""
    if not work:
        return Estimate()
    some = work[:: max(1, len(work) // SAMPLE_SIZE)]
    started = time.perf_counter()
    made = list(do(some))
    share = len(work) / len(some)
    size = sum(map(written_bytes, made)) / max(1, len(made)) * len(work)
    return Estimate(size, (time.perf_counter() - started) * share)


def estimate_copies(
    parents: Sequence[tuple[Record, Callable[[], ItemArray]]], copying: dataset.CopyJob, modality: Modality, job: Job
) -> Estimate:
    """What the copies of a plan take."""
    return estimate_from_sample(
        copying.copies, lambda some: dataset.augmented_copies(parents, replace(copying, copies=some), modality, job, [])
    )


def source_bytes(record: Record) -> int:
    """Bytes of an item as it stands in the user's files."""
    return record.path.stat().st_size if record.text is None else len(record.text.encode())


def written_bytes(item: ExportItem) -> int:
    """Bytes of an item as it is written, without what is told of it."""
    return len(item.data) or sum(len(str(value).encode()) for value in (item.fields or {}).values())
