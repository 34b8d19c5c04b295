"""genset verify: whether the items of a version come from the parents, models and sources that they name."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from genset.dataset import SPLITS, Record
from genset.errors import GensetError
from genset.interfaces import INFORMATION, Problem
from genset.metadata import read_version
from genset.pipeline.prepare import Prepared, find_prepared
from genset.pipeline.reading import reader
from genset.versions.root import roots_of
from genset.versions.version import KINDS, WORK, Version


def trained_on(records: Iterable[Record], prepared: Prepared) -> list[Record]:
    """The held-out records that were training items of a model; `prepared` are the items that it was trained with."""
    names = {name for record in prepared.dataset.where(split=SPLITS[0]) for name in (record.content, record.id)}
    return [r for r in records if r.split != SPLITS[0] and (r.id in names or r.content in names)]


@dataclass(frozen=True)
class ProvenanceCheck:
    """A dataset version and its records, checked against the versions that they come from."""

    version: Version
    records: Sequence[Record]

    def problems(self) -> list[Problem]:
        """Origins that do not exist, and training items that depend on held-out items. What cannot be checked, because
        a version or source no longer exists, is INFORMATION."""
        untraced = [
            Problem(name, INFORMATION, "this parent version was not found, so items are not traced through it")
            for name in self._parents[1]
        ]
        return [*untraced, *self._origin_problems(), *self._model_problems(), *self._missing_sources()]

    @cached_property
    def _parents(self) -> tuple[list[Version], list[str]]:
        """All versions that this one is based on, directly or not, and the references of those that were not found."""
        parents_by_path: dict[Path, Version] = {}
        missing: dict[str, None] = {}
        queue = [self.version]
        while queue:
            child = queue.pop()
            for reference in child.manifest["parents"]:
                parents = [parent for parent in _versions_named(child, reference) if "parents" in _manifest(parent)]
                missing |= {} if parents else {reference: None}
                queue += [parent for parent in parents if parent.path not in parents_by_path]
                parents_by_path |= {parent.path: parent for parent in parents}
        return list(parents_by_path.values()), list(missing)

    def _origin_problems(self) -> Iterator[Problem]:
        """Augmented items whose parent item is in no version, and real items without a source file."""
        ids = {record.id for record in self.records}
        origins = [(r, name) for r in self.records if r.source == "augmented" for name in r.origin.split() or [""]]
        origins = [(record, name) for record, name in origins if name not in ids]
        for parent in self._parents[0] if origins else ():
            if parent.kind == "datasets":
                faults: list[GensetError] = []
                ids |= {record.id for record in read_version(parent.path, reader(parent), faults).records}
        for record, name in origins:
            if name not in ids and not self._parents[1]:
                detail = f"its parent {name} is not in this version or its parents" if name else "it names no parent"
                yield Problem(record.place, "lineage", detail)
        unnamed = (record for record in self.records if record.source == "collected" and not record.origin)
        yield from (Problem(record.place, "lineage", "it names no source file") for record in unnamed)

    def _model_problems(self) -> Iterator[Problem]:
        """For each model that generated items: whether it is a parent, and was not trained on held-out items."""
        first_items: dict[str, Record] = {}
        for record in self.records:
            if record.source == "generated" or record.model:
                first_items.setdefault(record.model, record)
        models = [parent for parent in self._parents[0] if parent.kind == "models"]
        for reference, record in first_items.items():
            model = next((each for each in models if each.manifest["model"]["reference"] == reference), None)
            if model:
                yield from self._model_leaks(model)
            elif not self._parents[1]:
                detail = f"its model {reference or '(none named)'} is not a parent of this version"
                yield Problem(record.place, "lineage", detail)

    def _model_leaks(self, model: Version) -> Iterator[Problem]:
        """Held-out items that a model was trained on."""
        held_out = [r for r in self.records if r.source == "collected" and r.split != SPLITS[0]]
        if not held_out:
            return
        identity = model.manifest["inputs"]["identity"]
        candidates = (find_prepared(root.path / WORK / model.name, identity) for root in roots_of(model))
        prepared = next((candidate for candidate in candidates if candidate), None)
        if prepared:
            for record in trained_on(held_out, prepared):
                detail = f"{model.reference}, which generated training items, was trained on it"
                yield Problem(record.place, "lineage_leak", detail)
        elif self.version.manifest["inputs"].get("identity") != identity:
            detail = "its training items were not found: cannot check whether it was trained on held-out items"
            yield Problem(model.reference, INFORMATION, detail)

    def _missing_sources(self) -> Iterator[Problem]:
        for source in self.version.manifest.get("sources", ()):
            if not Path(source).exists():
                yield Problem(source, INFORMATION, "real items were collected from here, but it no longer exists")


def _manifest(version: Version) -> dict[str, Any]:
    """The manifest; {} if it is damaged, which ends the search for parents there."""
    try:
        return version.manifest
    except GensetError:
        return {}


def _versions_named(child: Version, reference: str) -> list[Version]:
    """The versions beside a child that a reference NAME@vNNNN can mean: a dataset, a model, or both."""
    name, _, number = reference.partition("@")
    versions = (version for root in roots_of(child) for kind in KINDS for version in root.versions(kind, name))
    return [version for version in versions if version.id == number and version.path != child.path]
