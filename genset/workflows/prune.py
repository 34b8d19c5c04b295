"""genset prune: remove old versions that no other version needs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genset.pipeline.job import Job
from genset.versions.root import Root
from genset.versions.version import Version
from genset.workflows.list import ListedVersion, list_versions


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
