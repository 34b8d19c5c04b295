"""genset augment, genset split: open a dataset, which is a version or a folder of items, and clean it."""

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
from genset.pipeline import export_items
from genset.pipeline.clean.clean import clean
from genset.pipeline.collect.collect import collect
from genset.pipeline.collect.groups import with_groups
from genset.pipeline.job import Job
from genset.pipeline.reading import default_name, guess_modality, reader
from genset.versions.version import SUMS, Version

NO_PROBLEMS: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class OpenDataset:
    """A dataset that was read and cleaned, with its modality."""

    records: tuple[Record, ...]  # all in train if the dataset has no splits
    problems: tuple[Problem, ...]
    modality: Modality
    probes: tuple[DecodedInfo, ...]
    name: str
    inputs: Mapping[str, str]
    parents: list[str]
    sources: list[str]  # folders that the real items were collected from
    recipes: Mapping[str, Any]  # the steps of items that are augmented already, by recipe key
    hard_links: bool = False  # whether new versions link to the user's files, as they always do to files of versions


def open_dataset(
    path: Path,
    version: Version | None,
    job: Job,
    group: str | None = None,
    section: Clean | None = None,
    *,
    hard_links: bool = False,
) -> OpenDataset:
    """Open a version, or any folder of class folders, without undecodable items and duplicates, cleaned by the rules of
    a section. Raises GensetError if no item can be decoded.

    With `hard_links` new versions link to the user's own files where they export them unchanged.
    """
    if version:
        job.engine.require_paths([version.path])
        modality = reader(version)
        records, problems = with_groups(read_version(version.path, modality).records, group), NO_PROBLEMS
        inputs = {"sums": hashlib.sha256((version.path / SUMS).read_bytes()).hexdigest()}
    else:
        modality_type = guess_modality(path, MODALITIES)
        collected = collect(Data(source=[str(path)], group=group), modality_type(modality_type.Settings()), job)
        records, problems, inputs = collected.records, collected.problems, {"fingerprint": collected.fingerprint}
        modality = collected.modality
    cleaned = clean(records, modality, job, section or Clean().named())
    _check_items(cleaned.records, path)
    name = version.name if version else default_name(path)
    parents = [version.reference] if version else []
    manifest = version.manifest if version else {}
    sources = manifest.get("sources", []) if version else [str(path.absolute())]
    kept = tuple(replace(record, split=record.split or "train") for record in cleaned.records)
    modality = modality.for_native_sizes(cleaned.probes)
    all_problems = (*problems, *cleaned.problems)
    recipes = manifest.get("recipes", {})
    return OpenDataset(
        kept, all_problems, modality, cleaned.probes, name, inputs, parents, sources, recipes, hard_links
    )


def _check_items(records: Sequence[Record], path: Path) -> None:
    if not records:
        raise GensetError(
            "none of the items can be decoded",
            where=str(path),
            hint="Run `genset inspect` on it to list the problems of its files.",
        )


def export_unchanged(records: Sequence[Record], source: OpenDataset, job: Job) -> Iterator[ExportItem]:
    """The items as files: with their own bytes if every loader reads those, else encoded again at their own size."""
    modality = source.modality
    loadable = {record.id: probe.loadable for record, probe in zip(source.records, source.probes, strict=True)}

    def export_item(record: Record) -> ExportItem:
        suffix = loadable[record.id]
        if suffix:
            link = record.path if source.hard_links or record.versioned else None
            return ExportItem(record, record.path.read_bytes(), suffix, link=link)
        return export_items.to_export_item(record, modality.decode_native(record.raw), modality)

    return job.engine.map(export_item, records)
