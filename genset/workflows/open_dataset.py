"""Open a dataset, a version or a folder of items, cleaned, for a command."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from genset.config.clean_section import Clean
from genset.config.sections import Data
from genset.dataset import ExportItem, Record
from genset.errors import GensetError
from genset.interfaces import DecodedInfo, Modality, Problem
from genset.metadata import read_version
from genset.modalities import MODALITIES
from genset.pipeline.clean.clean import clean
from genset.pipeline.collect.collect import collect
from genset.pipeline.collect.groups import with_groups
from genset.pipeline.job import Job
from genset.pipeline.reading import default_name, guess_modality, reader
from genset.pipeline.write import dataset
from genset.versions.version import SUMS, Version

NO_PROBLEMS: tuple[Problem, ...] = ()
Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class WrittenVersion:
    """A version that was made, and what is to be told of it."""

    version: Version
    counts: Counts
    problems: Sequence[Problem]
    redrawn: Mapping[str, int]
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class OpenDataset:
    """A dataset as it was found, cleaned, with its modality."""

    records: tuple[Record, ...]  # all in train where the dataset has no splits
    problems: tuple[Problem, ...]
    modality: Modality
    probes: tuple[DecodedInfo, ...]
    name: str
    inputs: Mapping[str, str]
    parents: list[str]
    sources: list[str]  # folders that the real items were collected from
    recipes: Mapping[str, Any]  # steps that made what is augmented already, by their keys
    link: bool = False  # whether its files are linked to: those of a version always are


def open_dataset(
    path: Path,
    version: Version | None,
    job: Job,
    group: str | None = None,
    section: Clean | None = None,
    *,
    link: bool = False,
) -> OpenDataset:
    """A version, or any folder of class folders, without what cannot be decoded or stands twice, cleaned as a section
    says.

    With `link` new versions link to the user's own files, where those are taken as they are.
    """
    if version:
        job.engine.require_paths([version.path])
        modality = reader(version)
        records, problems = with_groups(read_version(version.path, modality).records, group), NO_PROBLEMS
        inputs = {"sums": hashlib.sha256((version.path / SUMS).read_bytes()).hexdigest()}
    else:
        table = guess_modality(path, MODALITIES)
        found = collect(Data(source=[str(path)], group=group), table(table.Settings()), job)
        records, problems, inputs = found.records, found.problems, {"fingerprint": found.fingerprint}
        modality = found.modality
    cleaned = clean(records, modality, job, section or Clean().named())
    if not cleaned.records:
        raise GensetError("no item here can be decoded", where=str(path))
    name = version.name if version else default_name(path)
    parents = [version.reference] if version else []
    manifest = version.manifest if version else {}
    sources = manifest.get("sources", []) if version else [str(path.absolute())]
    kept = tuple(replace(record, split=record.split or "train") for record in cleaned.records)
    modality = modality.for_native_sizes(cleaned.probes)
    every = (*problems, *cleaned.problems)
    recipes = manifest.get("recipes", {})
    return OpenDataset(kept, every, modality, cleaned.probes, name, inputs, parents, sources, recipes, link)


def as_they_are(records: Sequence[Record], source: OpenDataset, job: Job) -> Iterator[ExportItem]:
    """Items as files: their own bytes where every loader reads them, else written anew in their own size."""
    modality = source.modality
    loadable = {record.id: probe.loadable for record, probe in zip(source.records, source.probes, strict=True)}

    def one(record: Record) -> ExportItem:
        suffix = loadable[record.id]
        if suffix:
            link = record.path if source.link or record.versioned else None
            return ExportItem(record, record.path.read_bytes(), suffix, link=link)
        return dataset.to_export_item(record, modality.decode_native(record.raw), modality)

    return job.engine.map(one, records)
