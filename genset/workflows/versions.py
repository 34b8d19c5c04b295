"""The versions under an output root: what they are, what they need, and which of them can go."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genset.config.by_modality import EVERY_FIGURE
from genset.errors import DamagedError, GensetError, did_you_mean
from genset.pipeline.evaluate.verdict import stored_verdict
from genset.pipeline.job import Job
from genset.versions.root import Root
from genset.versions.version import KINDS, Version


@dataclass(frozen=True)
class ListedVersion:
    """A version as it stands on the shelf."""

    version: Version
    manifest: Mapping[str, Any]  # {} where it is damaged
    size_bytes: int
    latest: bool
    figures: Mapping[str, float]  # the headline ones, where they were computed
    fault: str = ""  # what is damaged, so far as a look at the version shows it

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        version, manifest = self.version, self.manifest
        return {
            "kind": version.kind,
            "name": version.name,
            "id": version.id,
            "path": str(version.path),
            "status": "damaged" if self.fault else manifest["status"],
            "latest": self.latest,
            "made": manifest.get("ended", ""),
            "bytes": self.size_bytes,
            "counts": manifest.get("counts", {}),
            "figures": dict(self.figures),
            "parents": list(manifest.get("parents", ())),
        }


def shelf(root: Root, name: str | None = None) -> list[ListedVersion]:
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


def _kept(version: Version, root: Root) -> ListedVersion:
    manifest: Mapping[str, Any] = {}
    figures: Mapping[str, float] = {}
    fault = ""
    try:
        manifest = version.manifest
        figures = stored_verdict(version).get("figures", {})
    except DamagedError as error:
        fault = f"{Path(error.where).name}: {error.message}"
    headline = {key: value for key, value in figures.items() if EVERY_FIGURE[key].headline}
    latest = root.latest(version.kind, version.name)
    size = sum(path.lstat().st_size for path in version.path.rglob("*") if not path.is_dir())
    return ListedVersion(version, manifest, size, latest == version, headline, fault)


@dataclass(frozen=True)
class Pruning:
    """What goes, and what stays beyond the number that was asked for, with the reason."""

    removed: Sequence[ListedVersion]
    needed: Mapping[Version, str]


def prune(root: Root, name: str | None, keep: int) -> Pruning:
    """What can go, of one name or of all: not the newest `keep` whole ones of a name, nor `latest`, nor what any
    version that stays was made from, nor a damaged one: nobody knows what it is still good for."""
    every = shelf(root)
    asked = every if name is None else shelf(root, name)
    whole: dict[tuple[str, str], list[Version]] = {}
    for each in every:
        if not each.fault:
            whole.setdefault((each.version.kind, each.version.name), []).append(each.version)
    newest = {version for versions in whole.values() for version in versions[-keep:]}
    stays = [each for each in every if each.version in newest or each not in asked]
    needed = {each.version: "latest means it" for each in every if each.latest and each.version not in newest}
    needed |= {e.version: f"it is damaged ({e.fault}): remove it yourself" for e in asked if e.fault}
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


def _parents(child: ListedVersion, every: Mapping[Version, ListedVersion]) -> Iterator[Version]:
    """The versions that one was made from. A reference says not whether a model or a dataset is meant: both stay."""
    yield from (version for version in every if version.reference in child.manifest.get("parents", ()))
    places = {version.path.resolve(): version for version in every}
    for source in _sources(child.manifest):
        found = places.get(Path(source).resolve())
        if found:
            yield found


def _sources(manifest: Mapping[str, Any]) -> list[str]:
    """The folders that a version was made from, or whose parts it keeps."""
    config = manifest.get("config", {})
    kept = (told.get("split", {}).get("previous") for told in (config, manifest.get("settings", {})))
    return [*manifest.get("sources", ()), *config.get("data", {}).get("source", ()), *filter(None, kept)]


def remove(pruning: Pruning, job: Job) -> None:
    """Take away what can go, the youngest first, so that nothing ever lacks what it was made from. Needs the lock."""
    youngest_first = sorted(pruning.removed, key=lambda each: str(each.manifest["ended"]), reverse=True)
    for done, each in enumerate(youngest_first, start=1):
        job.root.remove(each.version)
        job.progress.tick("prune", done, len(pruning.removed), "")
