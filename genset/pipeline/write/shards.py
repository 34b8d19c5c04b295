"""Generated items in files of many, each made apart by whoever is free: what is finished stays finished.

Every file is a range of the items by their numbers, so it has the same bytes whoever makes it, and when. The command
itself sees no item: it hands out numbers, and gathers the files in the version at the end.
"""

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genset.atomic import write_atomically
from genset.export.shards import ShardedExporter
from genset.interfaces import Problem
from genset.pipeline.generate import generator, sampling
from genset.pipeline.job import Job, cache_key
from genset.pipeline.write import dataset
from genset.safe_json import json_bytes, parse_json
from genset.versions.draft import Draft

_SPLIT = "train"  # what is made joins train only


@dataclass(frozen=True)
class Shards:
    """How a generation is divided into files."""

    folder: str  # that they are made in: on the disk of the output root
    sampler: sampling.FilteredSampler
    requested: Mapping[str, int]  # items of each label
    exporter: ShardedExporter

    @property
    def size(self) -> int:
        """Items of a file."""
        return self.exporter.items_per_file(self.sampler.model.modality)

    @property
    def files(self) -> int:
        """How many there are."""
        return -(-sum(self.requested.values()) // self.size)

    def __call__(self, number: int) -> dict[str, Any]:
        """Make the file of a number, unless it is there; what is told of it."""
        places = sampling.place_range(self.requested, number * self.size, self.size)
        path = Path(self.folder) / self.exporter.name(_SPLIT, number)
        told = path.with_suffix(".json")
        if told.is_file():
            known: dict[str, Any] = parse_json(told.read_bytes())
            if not known["sha256"] or (path.is_file() and _digest(path.read_bytes()) == known["sha256"]):
                return known
        made, data = self._made(places)
        out = {"name": path.name, "sha256": _digest(data) if data else "", **made}
        if data:
            write_atomically(path, data)
        write_atomically(told, json_bytes(out))
        return out

    def _made(self, places: generator.Places) -> tuple[dict[str, Any], bytes]:
        """(what is told of the items of some places, the bytes of their file; none where there is no item)."""
        modality = self.sampler.model.modality
        tally, items = dataset.ExportTally(), []
        redrawn: Counter[str] = Counter()
        given_up: Counter[tuple[str, str]] = Counter()
        size = sampling.items_per_task(len(places), 1)
        for start in range(0, len(places), size):
            part = self.sampler(places[start : start + size])
            items += dataset.to_export_items(part.records, part.items, modality)
            redrawn += part.redrawn
            given_up += part.given_up
        for item in items:
            tally.add(item)
        lost = [[label, reason, count] for (label, reason), count in sorted(given_up.items())]
        told = {"tally": tally.as_dict(), "kept": len(items), "redrawn": dict(redrawn), "given_up": lost}
        return told, self.exporter.file(items, modality) if items else b""


@dataclass(frozen=True)
class ShardWriter:
    """Fills the draft of a version with files that are made apart."""

    name: str
    shards: Shards
    tally: sampling.GenerationTally
    problems: list[Problem]  # of items that could not be made: filled, too
    job: Job

    def __call__(self, draft: Draft) -> dataset.ExportTally:
        """Raises GensetError where no item can be made, or workers are lost; finished files stay for the next run."""
        sampler = self.shards.sampler
        total, files = dataset.ExportTally(), []
        for told in self.job.engine.map(self.shards, range(self.shards.files)):
            lost = {(label, reason): count for label, reason, count in told["given_up"]}
            self.tally.add(told["redrawn"], lost, told["kept"])
            total.merge(told["tally"])
            files += [(told["name"], told["sha256"])] if told["sha256"] else []
            self.job.progress.tick("generate", self.tally.done, self.tally.requested, "")
        self.tally.check(sampler.model, sampler.source.hint)
        self.problems.extend(sampling.rejected_problems(self.tally.given_up))
        for name, digest in files:
            draft.adopt(name, Path(self.shards.folder) / name, digest)
        return total

    def clear(self) -> None:
        """Take away what was made for this name, also of other generations that never ended."""
        for folder in self.job.root.work(self.name).glob("shards-*"):
            shutil.rmtree(folder, ignore_errors=True)


def shard_writer(
    name: str,
    sampler: sampling.FilteredSampler,
    requested: Mapping[str, int],
    exporter: ShardedExporter,
    settings: Mapping[str, Any],
    tally: sampling.GenerationTally,
    problems: list[Problem],
    job: Job,
) -> ShardWriter:
    """The files of a generation. What was finished of an equal one that did not end is taken over."""
    asked = [
        sampler.model.reference,
        sampler.seed,
        dict(requested),
        exporter.model_dump(),
        sampler.source.details(),
        settings,
    ]
    folder = Path(os.path.abspath(job.root.work(name))) / f"shards-{cache_key('shards', *asked)}"
    folder.mkdir(exist_ok=True)
    return ShardWriter(name, Shards(str(folder), sampler, requested, exporter), tally, problems, job)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
