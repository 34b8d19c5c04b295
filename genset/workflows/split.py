"""genset split: a dataset version divided into train, validation and test."""

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
from genset.versions.version import Version
from genset.workflows.open_dataset import OpenDataset, WrittenVersion, as_they_are


@dataclass(frozen=True)
class SplitRequest:
    """What `split` was asked for."""

    section: Split
    group: str | None = None
    seed: int = 0
    anew: bool = False  # whether the parts that items have already count for nothing

    def settings(self) -> dict[str, Any]:
        """As the manifest holds them."""
        previous = self.section.previous and os.path.abspath(self.section.previous)  # wherever the next command starts
        return {"split": {**self.section.model_dump(mode="json"), "previous": previous}, "group": self.group or ""}


def split_version(source: OpenDataset, wanted: SplitRequest, name: str, job: Job) -> WrittenVersion:
    """A dataset divided. Made items stay in train, and go where what they were made from left it.

    Splits that a user's folder has stay, those of a version do not. The last version of the same name that was divided
    by the same settings is continued, or `split.previous`: its items keep their split; none moves from test to train.
    """
    section, versioned = wanted.section, source.records[0].versioned
    real = [record for record in source.records if record.source == "collected"]
    before = None if wanted.anew or section.previous else _before(name, wanted, job)
    earlier = section.previous or (str(before.path) if before else "")
    known = splits_by_id(Path(earlier)) if earlier else {}
    loose = [replace(record, split="") for record in real] if wanted.anew or versioned else real
    shares = shares_of(section, loose)
    assigned = [r for r in assign(loose, shares, wanted.seed, section.stratify, known) if r.split]
    check_training_items(assigned, source.name)
    notes = deviations(loose, assigned, shares)
    stay = sum(record.id in known for record in assigned)
    where = before.reference if before else earlier
    notes += [f"{stay:,} items keep the part that they have in {where}"] if stay else []
    return _divided(source, real, assigned, wanted, name, job, notes)


def _before(name: str, wanted: SplitRequest, job: Job) -> Version | None:
    """The last version of a name, where it was divided by the same settings."""
    versions = job.root.versions("datasets", name)
    manifest = versions[-1].manifest if versions else {}
    same = manifest.get("settings") == wanted.settings() and manifest.get("seed") == wanted.seed
    return versions[-1] if same and manifest.get("command") == "split" else None


def fold_versions(source: OpenDataset, wanted: SplitRequest, number: int, name: str, job: Job) -> list[WrittenVersion]:
    """A dataset divided into train and test in as many ways, each as a version of its own name: NAME-fold1, ..."""
    real = [record for record in source.records if record.source == "collected"]
    divided = not source.records[0].versioned and any(record.split != "train" for record in real)
    if divided and not wanted.anew:
        raise GensetError(
            "the items are divided already, and folds would mix what is held out with what is not",
            where="--folds",
            hint="Reassign all items with --reassign.",
        )
    loose = [replace(record, split="") for record in real]
    made = folds(loose, number, wanted.seed, wanted.section.stratify)
    return [
        _divided(source, real, assigned, wanted, f"{name}-fold{fold}", job, [], fold={"fold": fold, "folds": number})
        for fold, assigned in enumerate(made, start=1)
    ]


def _divided(
    source: OpenDataset,
    real: Sequence[Record],
    assigned: Sequence[Record],
    wanted: SplitRequest,
    name: str,
    job: Job,
    notes: Sequence[str],
    fold: Mapping[str, int] | None = None,
) -> WrittenVersion:
    left_train = {record.id for record in real if record.split == "train"}
    left_train -= {record.id for record in assigned if record.split == "train"}
    stay, leaks = _made_that_stay(source.records, left_train)
    problems = [*source.problems, *leaks]
    kept = [*assigned, *stay]
    ordered = dataset.one_schema(kept)
    version, total = dataset.write_dataset(
        name,
        as_they_are(ordered, source, job),
        len(ordered),
        job,
        exporter=FolderExporter(),
        modality=source.modality,
        problems=problems,
        seed=wanted.seed,
        inputs=source.inputs,
        parents=source.parents,
        sources=source.sources,
        recipes=source.recipes,
        settings={**wanted.settings(), **(fold or {})},
    )
    return WrittenVersion(version, total, problems, {}, notes)


def _made_that_stay(records: Sequence[Record], left_train: set[str]) -> tuple[list[Record], list[Problem]]:
    """(the made items that can stay in train, a problem for each that was made from an item that is not there now)."""
    stay, problems = [], []
    for record in records:
        if record.source == "collected":
            continue
        # A model saw all of train, whatever items it varied or mixed
        leaks = left_train if record.model else left_train & set(record.origin.split())
        if leaks:
            detail = f"made from {sorted(leaks)[0]}, which is not in train any more"
            problems.append(Problem(record.place, "leak", detail))
        else:
            stay.append(replace(record, split="train"))
    return stay, problems
