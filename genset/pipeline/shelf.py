"""The versions under an output root: what they are, what they need, and which of them can go."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genset.config import EVERY_FIGURE
from genset.errors import GensetError
from genset.pipeline.build import QUALITY
from genset.pipeline.job import Job
from genset.versions import KINDS, Root, Version, open_version
from genset.yaml_source import did_you_mean


@dataclass(frozen=True)
class Kept:
    """A version as it stands on the shelf."""

    version: Version
    manifest: Mapping[str, Any]
    size_bytes: int
    latest: bool
    figures: Mapping[str, float]  # the headline ones, where they were computed

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        version, manifest = self.version, self.manifest
        return {
            "kind": version.kind,
            "name": version.name,
            "id": version.id,
            "path": str(version.path),
            "status": manifest["status"],
            "latest": self.latest,
            "made": manifest["ended"],
            "bytes": self.size_bytes,
            "counts": manifest["counts"],
            "figures": dict(self.figures),
            "parents": list(manifest["parents"]),
        }


def shelf(root: Root, name: str | None = None) -> list[Kept]:
    """The versions of all names, or of one, models first and the oldest first. Raises GensetError for a name that has
    none."""
    known = sorted({each for kind in KINDS for each in root.names(kind)})
    if name is not None and name not in known:
        hint = f"There are {', '.join(known)}." if known else "Nothing was made there yet."
        raise GensetError(
            f"no version has the name {name!r}{did_you_mean(name, known)}", where=str(root.path), hint=hint
        )
    return [
        _kept(version, root)
        for kind in KINDS
        for each in root.names(kind)
        if name in (None, each)
        for version in root.versions(kind, each)
    ]


def _kept(version: Version, root: Root) -> Kept:
    quality = version.path / QUALITY
    figures = json.loads(quality.read_bytes()).get("figures", {}) if quality.is_file() else {}
    headline = {key: value for key, value in figures.items() if key in EVERY_FIGURE and EVERY_FIGURE[key].headline}
    latest = root.latest(version.kind, version.name)
    size = sum(path.lstat().st_size for path in version.path.rglob("*") if not path.is_dir())
    return Kept(version, version.manifest, size, latest == version, headline)


@dataclass(frozen=True)
class Pruning:
    """What goes, and what stays beyond the number that was asked for, with the reason."""

    removed: Sequence[Kept]
    needed: Mapping[Version, str]


def prune(root: Root, name: str | None, keep: int) -> Pruning:
    """What can go, of one name or of all: not the newest `keep` of a name, nor `latest`, nor what any version that
    stays was made from."""
    every = shelf(root)
    asked = every if name is None else shelf(root, name)
    newest = {version for kind in KINDS for each in root.names(kind) for version in root.versions(kind, each)[-keep:]}
    stays = [each for each in every if each.version in newest or each not in asked]
    needed = {each.version: "latest means it" for each in every if each.latest and each.version not in newest}
    queue = [*stays, *(each for each in every if each.version in needed)]
    by_version = {each.version: each for each in every}
    seen = {each.version for each in queue}
    while queue:
        child = queue.pop()
        for parent in _parents(child, by_version):
            if parent not in seen:
                seen.add(parent)
                needed[parent] = f"{child.version.kind[:-1]} {child.version.reference} was made from it"
                queue.append(by_version[parent])
    return Pruning([each for each in every if each.version not in seen], needed)


def _parents(child: Kept, every: Mapping[Version, Kept]) -> Iterator[Version]:
    """The versions that one was made from. A reference says not whether a model or a dataset is meant: both stay."""
    yield from (version for version in every if version.reference in child.manifest["parents"])
    config = child.manifest["config"]
    sources = [*child.manifest.get("sources", []), *(config["data"]["source"] if config else [])]
    places = {version.path.resolve(): version for version in every}
    for source in sources:
        folder = Path(source)
        found = open_version(folder) if os.path.isdir(folder) else None
        if found and found.path in places:
            yield places[found.path]


def remove(pruning: Pruning, job: Job) -> None:
    """Take away what can go, the youngest first, so that nothing ever lacks what it was made from. Needs the lock."""
    youngest_first = sorted(pruning.removed, key=lambda each: str(each.manifest["ended"]), reverse=True)
    for done, each in enumerate(youngest_first, start=1):
        job.root.remove(each.version)
        job.progress.tick("prune", done, len(pruning.removed), "")
