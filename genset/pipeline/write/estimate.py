"""Estimates of time and disk space, from a sample of the work."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from genset.dataset import ExportItem, Record
from genset.interfaces import ItemArray, Modality
from genset.pipeline.augment.copy_job import CopyJob, augmented_copies
from genset.pipeline.job import Job

SAMPLE_SIZE = 20  # tasks of a kind that are executed
_T = TypeVar("_T")


@dataclass(frozen=True)
class Estimate:
    """The time and disk space that a plan needs."""

    disk_bytes: float = 0
    seconds: float = 0  # of one core

    def __add__(self, other: "Estimate") -> "Estimate":
        return Estimate(self.disk_bytes + other.disk_bytes, self.seconds + other.seconds)

    def as_dict(self) -> dict[str, float]:
        """The value for JSON."""
        return {"bytes": round(self.disk_bytes), "seconds": round(self.seconds, 1)}


def estimate_from_sample(tasks: Sequence[_T], execute: Callable[[Sequence[_T]], Iterable[ExportItem]]) -> Estimate:
    """Estimate all tasks by executing an even sample of them; the results are discarded."""
    if not tasks:
        return Estimate()
    sample = tasks[:: max(1, len(tasks) // SAMPLE_SIZE)]
    started = time.perf_counter()
    items = list(execute(sample))
    seconds = (time.perf_counter() - started) * len(tasks) / len(sample)
    return Estimate(sum(map(written_bytes, items)) / max(1, len(items)) * len(tasks), seconds)


def estimate_copies(
    parents: Sequence[tuple[Record, Callable[[], ItemArray]]], copy_job: CopyJob, modality: Modality, job: Job
) -> Estimate:
    """Estimate the copies of a plan."""
    return estimate_from_sample(
        copy_job.copies,
        lambda sample: augmented_copies(parents, replace(copy_job, copies=sample), modality, job, []),
    )


def source_bytes(record: Record) -> int:
    """The size of an item in the user's files, in bytes."""
    return record.path.stat().st_size if record.text is None else len(record.text.encode())


def written_bytes(item: ExportItem) -> int:
    """The size of an item as written, in bytes, without its metadata."""
    return len(item.data) or sum(len(str(value).encode()) for value in (item.fields or {}).values())
