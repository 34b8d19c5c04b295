"""genset list: all versions with their sizes, counts, figures and parents."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genset.config.by_modality import EVERY_FIGURE
from genset.errors import DamagedError, GensetError, did_you_mean
from genset.pipeline.evaluate.verdict import stored_verdict
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
        hint = f"Use one of {', '.join(names)}." if names else "Create a version first: genset run CONFIG."
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
