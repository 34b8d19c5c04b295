"""Whether the items of a version came from where they say: parents, models and sources, as far as they are at hand."""

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


def learned_from(records: Iterable[Record], learned: Prepared) -> list[Record]:
    """The held-out ones of some records that a model has learned from."""
    seen = {name for record in learned.dataset.where(split=SPLITS[0]) for name in (record.content, record.id)}
    return [r for r in records if r.split != SPLITS[0] and (r.id in seen or r.content in seen)]


@dataclass(frozen=True)
class ProvenanceCheck:
    """A dataset version, its records, and the versions that it came from."""

    version: Version
    records: Sequence[Record]

    def problems(self) -> list[Problem]:
        """What leads nowhere or back to held-out items; what is only not at hand any more is INFORMATION."""
        gone = [
            Problem(name, INFORMATION, "this parent version is not at hand, so what came from it is not followed")
            for name in self._parents[1]
        ]
        return [*gone, *self._origins(), *self._models(), *self._sources()]

    @cached_property
    def _parents(self) -> tuple[list[Version], list[str]]:
        """All versions that it came from, and the references of those that are not at hand."""
        found: dict[Path, Version] = {}
        gone: dict[str, None] = {}
        waiting = [self.version]
        while waiting:
            child = waiting.pop()
            for reference in child.manifest["parents"]:
                parents = [parent for parent in _of_reference(child, reference) if "parents" in _manifest(parent)]
                gone |= {} if parents else {reference: None}
                waiting += [parent for parent in parents if parent.path not in found]
                found |= {parent.path: parent for parent in parents}
        return list(found.values()), list(gone)

    def _origins(self) -> Iterator[Problem]:
        known = {record.id for record in self.records}
        waiting = [(r, name) for r in self.records if r.source == "augmented" for name in r.origin.split() or [""]]
        waiting = [(record, name) for record, name in waiting if name not in known]
        for parent in self._parents[0] if waiting else ():
            if parent.kind == "datasets":
                faults: list[GensetError] = []
                known |= {record.id for record in read_version(parent.path, reader(parent), faults).records}
        for record, name in waiting:
            if name not in known and not self._parents[1]:
                detail = f"its parent {name} stands in no version that it came from" if name else "it names no parent"
                yield Problem(record.place, "lineage", detail)
        nameless = (record for record in self.records if record.source == "collected" and not record.origin)
        yield from (Problem(record.place, "lineage", "it names no file that it came from") for record in nameless)

    def _models(self) -> Iterator[Problem]:
        """Of each model that made some of the items: whether it is a parent, and has seen nothing that is held out."""
        first: dict[str, Record] = {}
        for record in self.records:
            if record.source == "generated" or record.model:
                first.setdefault(record.model, record)
        models = [parent for parent in self._parents[0] if parent.kind == "models"]
        for reference, record in first.items():
            model = next((each for each in models if each.manifest["model"]["reference"] == reference), None)
            if model:
                yield from self._seen(model)
            elif not self._parents[1]:
                detail = f"its model {reference or '(none named)'} is none of the versions that it came from"
                yield Problem(record.place, "lineage", detail)

    def _seen(self, model: Version) -> Iterator[Problem]:
        held_out = [r for r in self.records if r.source == "collected" and r.split != SPLITS[0]]
        if not held_out:
            return
        identity = model.manifest["inputs"]["identity"]
        found = (find_prepared(root.path / WORK / model.name, identity) for root in roots_of(model))
        learned = next((prepared for prepared in found if prepared), None)
        if learned:
            for record in learned_from(held_out, learned):
                detail = f"{model.reference}, which made items of train, has learned from it"
                yield Problem(record.place, "lineage_leak", detail)
        elif self.version.manifest["inputs"].get("identity") != identity:
            detail = "what this model learned from is not at hand: whether it has seen held-out items is not known"
            yield Problem(model.reference, INFORMATION, detail)

    def _sources(self) -> Iterator[Problem]:
        for source in self.version.manifest.get("sources", ()):
            if not Path(source).exists():
                yield Problem(source, INFORMATION, "the real items came from here, and it is not there any more")


def _manifest(version: Version) -> dict[str, Any]:
    """{} where it is damaged: nothing can be followed there."""
    try:
        return version.manifest
    except GensetError:
        return {}


def _of_reference(child: Version, reference: str) -> list[Version]:
    """The versions beside a child that a reference NAME@vNNNN may mean: a dataset, a model, or both."""
    name, _, number = reference.partition("@")
    found = (version for root in roots_of(child) for kind in KINDS for version in root.versions(kind, name))
    return [version for version in found if version.id == number and version.path != child.path]
