"""Writes generated items as shards. Each shard is a task of its own, and a run that is repeated keeps finished shards.

A shard is a range of item numbers, so it has the same bytes whichever worker writes it, and when. The process of the
command handles no items: it hands out numbers of shards, and moves the finished files into the version.
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
from genset.pipeline import export_items
from genset.pipeline.generate import generator, sampling
from genset.pipeline.job import Job, cache_key
from genset.pipeline.write import dataset
from genset.safe_json import json_bytes, parse_json
from genset.versions.draft import Draft

_SPLIT = "train"  # synthetic items join train only


@dataclass(frozen=True)
class Shards:
    """The division of generated items into files; calling it writes one file."""

    folder: str  # working folder, on the same disk as the output root
    sampler: sampling.FilteredSampler
    requested: Mapping[str, int]  # items of each label
    exporter: ShardedExporter

    @property
    def size(self) -> int:
        """The number of items of each file."""
        return self.exporter.items_per_file(self.sampler.model.modality)

    @property
    def files(self) -> int:
        """The number of files."""
        return -(-sum(self.requested.values()) // self.size)

    def __call__(self, number: int) -> dict[str, Any]:
        """Write the file of a number, unless it exists; its name, checksum and counts."""
        places = sampling.place_range(self.requested, number * self.size, self.size)
        path = Path(self.folder) / self.exporter.name(_SPLIT, number)
        details_path = path.with_suffix(".json")
        if details_path.is_file():
            known: dict[str, Any] = parse_json(details_path.read_bytes())
            if not known["sha256"] or (path.is_file() and _sha256(path.read_bytes()) == known["sha256"]):
                return known
        counts, data = self._sample(places)
        details = {"name": path.name, "sha256": _sha256(data) if data else "", **counts}
        if data:
            write_atomically(path, data)
        write_atomically(details_path, json_bytes(details))
        return details

    def _sample(self, places: generator.Places) -> tuple[dict[str, Any], bytes]:
        """(counts of the items of places, the bytes of their file; b"" if there is no item)."""
        modality = self.sampler.model.modality
        tally, items = dataset.ExportTally(), []
        redrawn: Counter[str] = Counter()
        given_up: Counter[tuple[str, str]] = Counter()
        size = sampling.items_per_task(len(places), 1)
        for start in range(0, len(places), size):
            part = self.sampler(places[start : start + size])
            items += export_items.to_export_items(part.records, part.items, modality)
            redrawn += part.redrawn
            given_up += part.given_up
        for item in items:
            tally.add(item)
        rejected = [[label, reason, count] for (label, reason), count in sorted(given_up.items())]
        counts = {"tally": tally.as_dict(), "kept": len(items), "redrawn": dict(redrawn), "given_up": rejected}
        return counts, self.exporter.file(items, modality) if items else b""


@dataclass(frozen=True)
class ShardWriter:
    """Writes all shards in parallel and moves them into the draft of a version."""

    name: str
    shards: Shards
    tally: sampling.GenerationTally
    problems: list[Problem]  # rejected items are added to it
    job: Job

    def __call__(self, draft: Draft) -> dataset.ExportTally:
        """Raises GensetError if no item passes or workers are lost; the next run uses the finished files."""
        sampler = self.shards.sampler
        total, files = dataset.ExportTally(), []
        for details in self.job.engine.map(self.shards, range(self.shards.files)):
            rejected = {(label, reason): count for label, reason, count in details["given_up"]}
            self.tally.add(details["redrawn"], rejected, details["kept"])
            total.merge(details["tally"])
            files += [(details["name"], details["sha256"])] if details["sha256"] else []
            self.job.progress.tick("generate", self.tally.done, self.tally.requested, "")
        self.tally.check(sampler.model, sampler.source.hint)
        self.problems.extend(sampling.rejected_problems(self.tally.given_up))
        for name, digest in files:
            draft.adopt(name, Path(self.shards.folder) / name, digest)
        return total

    def clear(self) -> None:
        """Remove the working files of this name, also those of earlier runs that did not end."""
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
    """The writer of a generation. It continues an equal generation that did not end, and keeps its finished files."""
    settings_key = [
        sampler.model.reference,
        sampler.seed,
        dict(requested),
        exporter.model_dump(),
        sampler.source.details(),
        settings,
    ]
    folder = Path(os.path.abspath(job.root.work(name))) / f"shards-{cache_key('shards', *settings_key)}"
    folder.mkdir(exist_ok=True)
    return ShardWriter(name, Shards(str(folder), sampler, requested, exporter), tally, problems, job)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
