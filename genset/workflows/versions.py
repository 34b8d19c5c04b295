"""genset list and genset prune: the versions under an output root, and which of them can be removed."""

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
    """A version with what `list` shows of it."""

    version: Version
    manifest: Mapping[str, Any]  # {} if it is damaged
    size_bytes: int
    latest: bool
    figures: Mapping[str, float]  # the headline figures that were computed
    fault: str = ""  # what is damaged; checksums are not verified

    @property
    def status(self) -> str:
        """Either "ok", "failed" if the version failed its gates, or "damaged"."""
        return "damaged" if self.fault else str(self.manifest["status"])

    @property
    def created(self) -> str:
        """The time at which its run ended, in ISO 8601; "" if the manifest is damaged."""
        return str(self.manifest.get("ended", ""))

    @property
    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """Number of items by split, label and source."""
        counts: Mapping[str, Mapping[str, int]] = self.manifest.get("counts", {})
        return counts

    @property
    def parents(self) -> list[str]:
        """References of the versions that it is based on."""
        return list(self.manifest.get("parents", ()))


def list_versions(root: Root, name: str | None = None) -> list[ListedVersion]:
    """The versions of all names, or of one: models before datasets, old versions before new ones.

    Raises GensetError if the name has no version.
    """
    names = sorted({each for kind in KINDS for each in root.names(kind)})
    if name is not None and name not in names:
        hint = f"Names with versions: {', '.join(names)}." if names else "This output root has no versions yet."
        raise GensetError(
            f"no version has the name {name!r}{did_you_mean(name, names)}", where=str(root.path), hint=hint
        )
    return [
        _listed(version, root)
        for kind in KINDS
        for each in root.names(kind)
        if name in (None, each)
        for version in root.versions(kind, each)
    ]


def _listed(version: Version, root: Root) -> ListedVersion:
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
    """The versions to remove, and the older versions to keep, with the reason for each."""

    removed: Sequence[ListedVersion]
    needed: Mapping[Version, str]


def prune(root: Root, name: str | None, keep: int) -> Pruning:
    """Choose the versions to remove, of one name or of all. Nothing is removed yet.

    The newest `keep` undamaged versions of each name are kept, `latest`, all versions that a kept one is based on, and
    damaged ones, because other versions may still need their files.
    """
    versions = list_versions(root)
    selected = versions if name is None else list_versions(root, name)
    by_name: dict[tuple[str, str], list[Version]] = {}
    for each in versions:
        if not each.fault:
            by_name.setdefault((each.version.kind, each.version.name), []).append(each.version)
    newest = {version for group in by_name.values() for version in group[-keep:]}
    kept = [each for each in versions if each.version in newest or each not in selected]
    needed = {each.version: "`latest` points to it" for each in versions if each.latest and each.version not in newest}
    needed |= {e.version: f"it is damaged ({e.fault}): remove it yourself" for e in selected if e.fault}
    by_version = {each.version: each for each in versions}
    queue = [*kept, *(by_version[version] for version in by_version if version in needed)]
    keeping = {each.version for each in queue}
    while queue:
        child = queue.pop()
        for parent in _parents(child, by_version):
            if parent not in keeping:
                keeping.add(parent)
                needed[parent] = f"{child.version.kind[:-1]} {child.version.reference} is based on it"
                queue.append(by_version[parent])
    return Pruning([each for each in versions if each.version not in keeping], needed)


def _parents(child: ListedVersion, versions: Mapping[Version, ListedVersion]) -> Iterator[Version]:
    """The versions that one is based on. A reference can mean a model and a dataset: then both are parents."""
    yield from (version for version in versions if version.reference in child.parents)
    by_path = {version.path.resolve(): version for version in versions}
    for source in _sources(child.manifest):
        parent = by_path.get(Path(source).resolve())
        if parent:
            yield parent


def _sources(manifest: Mapping[str, Any]) -> list[str]:
    """The folders that a version was collected from, or whose splits it keeps."""
    config = manifest.get("config", {})
    previous = (settings.get("split", {}).get("previous") for settings in (config, manifest.get("settings", {})))
    return [*manifest.get("sources", ()), *config.get("data", {}).get("source", ()), *filter(None, previous)]


def remove(pruning: Pruning, job: Job) -> None:
    """Remove the chosen versions, children before their parents, in case the command is interrupted. Needs the lock."""
    newest_first = sorted(pruning.removed, key=lambda each: each.created, reverse=True)
    for done, each in enumerate(newest_first, start=1):
        job.root.remove(each.version)
        job.progress.tick("prune", done, len(pruning.removed), "")
