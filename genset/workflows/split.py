"""genset split: a dataset version with its items assigned to train, validation and test."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from genset.config.split_section import Split
from genset.dataset import Record
from genset.errors import GensetError
from genset.export.folder import FolderExporter
from genset.interfaces import Problem
from genset.pipeline.job import Job
from genset.pipeline.prepare import check_training_items, splits_by_id
from genset.pipeline.split.assign import assign, deviations, folds, shares_of
from genset.pipeline.write import dataset
from genset.pipeline.write.written_version import WrittenVersion
from genset.versions.version import Version
from genset.workflows.open_dataset import OpenDataset, export_unchanged


@dataclass(frozen=True)
class SplitRequest:
    """The settings of a split."""

    section: Split
    group: str | None = None
    seed: int = 0
    reassign: bool = False  # whether to ignore the splits that items have already

    def settings(self) -> dict[str, Any]:
        """The settings as the manifest holds them."""
        # An absolute path means the same in any working directory
        previous = self.section.previous and os.path.abspath(self.section.previous)
        return {"split": {**self.section.model_dump(mode="json"), "previous": previous}, "group": self.group or ""}


def split_version(source: OpenDataset, request: SplitRequest, name: str, job: Job) -> WrittenVersion:
    """Write a version of a dataset with its items assigned to splits.

    Synthetic items stay in train, unless an item that they are derived from has left train. Splits of a user's folder
    are kept, those of a version are not. An earlier split continues: that of `split.previous`, else that of the last
    version of the same name and settings. Items keep the split that they have there, so none moves from test to train.
    """
    section, versioned = request.section, source.records[0].versioned
    real = [record for record in source.records if record.source == "collected"]
    last = None if request.reassign or section.previous else _last_version(name, request, job)
    previous = section.previous or (str(last.path) if last else "")
    known = splits_by_id(Path(previous)) if previous else {}
    unassigned = [replace(record, split="") for record in real] if request.reassign or versioned else real
    shares = shares_of(section, unassigned)
    assigned = [r for r in assign(unassigned, shares, request.seed, section.stratify, known) if r.split]
    check_training_items(assigned, source.name)
    notes = deviations(unassigned, assigned, shares)
    kept = sum(record.id in known for record in assigned)
    where = last.reference if last else previous
    notes += [f"{kept:,} items keep the split that they have in {where}"] if kept else []
    return _write_version(source, real, assigned, request, name, job, notes)


def _last_version(name: str, request: SplitRequest, job: Job) -> Version | None:
    """The last version of a name, if `split` wrote it with the same settings."""
    versions = job.root.versions("datasets", name)
    manifest = versions[-1].manifest if versions else {}
    same = manifest.get("settings") == request.settings() and manifest.get("seed") == request.seed
    return versions[-1] if same and manifest.get("command") == "split" else None


def fold_versions(source: OpenDataset, request: SplitRequest, number: int, name: str, job: Job) -> list[WrittenVersion]:
    """Write a version for each of so many folds into train and test, named NAME-fold1, ... Raises GensetError."""
    real = [record for record in source.records if record.source == "collected"]
    has_splits = not source.records[0].versioned and any(record.split != "train" for record in real)
    if has_splits and not request.reassign:
        raise GensetError(
            "the items have splits already, and folds would mix held-out items with training items",
            where="--folds",
            hint="Reassign all items with --reassign.",
        )
    unassigned = [replace(record, split="") for record in real]
    return [
        _write_version(
            source, real, assigned, request, f"{name}-fold{fold}", job, [], fold={"fold": fold, "folds": number}
        )
        for fold, assigned in enumerate(folds(unassigned, number, request.seed, request.section.stratify), start=1)
    ]


def _write_version(
    source: OpenDataset,
    real: Sequence[Record],
    assigned: Sequence[Record],
    request: SplitRequest,
    name: str,
    job: Job,
    notes: Sequence[str],
    fold: Mapping[str, int] | None = None,
) -> WrittenVersion:
    """Write the assigned real items, with the synthetic items that may stay in train."""
    left_train = {record.id for record in real if record.split == "train"}
    left_train -= {record.id for record in assigned if record.split == "train"}
    synthetic, leaks = _synthetic_items(source.records, left_train)
    problems = [*source.problems, *leaks]
    records = dataset.ordered_records([*assigned, *synthetic])
    version, counts = dataset.write_dataset(
        name,
        export_unchanged(records, source, job),
        len(records),
        job,
        exporter=FolderExporter(),
        modality=source.modality,
        problems=problems,
        seed=request.seed,
        inputs=source.inputs,
        parents=source.parents,
        sources=source.sources,
        recipes=source.recipes,
        settings={**request.settings(), **(fold or {})},
    )
    return WrittenVersion(version, counts, problems, {}, notes)


def _synthetic_items(records: Sequence[Record], left_train: set[str]) -> tuple[list[Record], list[Problem]]:
    """(the synthetic items that may stay in train, a problem for each that is derived from an item that left it)."""
    kept, problems = [], []
    for record in records:
        if record.source == "collected":
            continue
        # A model saw all of train, whatever items it varied or mixed
        leaks = left_train if record.model else left_train & set(record.origin.split())
        if leaks:
            detail = f"derived from {sorted(leaks)[0]}, which is no longer in train"
            problems.append(Problem(record.place, "leak", detail))
        else:
            kept.append(replace(record, split="train"))
    return kept, problems
