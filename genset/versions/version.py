"""Versioned output folders: OUT/KIND/NAME/v0001, complete or absent, never changed afterwards.

A version is written in a hidden sibling folder, flushed, and renamed last. There is one lock per output root; the run
that holds it also removes what crashed runs left.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genset.errors import DamagedError, GensetError
from genset.safe_json import parse_json

KINDS = ("models", "datasets")
MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
CONFIG = "config.yaml"
WORK = ".work"
# The manifest contains times and config.yaml the paths of this machine: equal runs differ there and nowhere else.
# The manifest contains the hash of config.yaml, so that config.yaml can be verified too.
NOT_SUMMED = (MANIFEST, CONFIG, SUMS)
_OWN = {"genset", "kind", "name", "id"}  # keys that every manifest of genset has
_NEEDED = {
    "status": str, "ended": str, "modality": str, "counts": dict, "parents": list, "inputs": dict, "config": dict,
}  # fmt: skip
_NEEDED_OF_MODELS = {"model": dict, "problems": list}
VERSION = re.compile(r"^v(\d{4,})$")
_DRAFT = re.compile(r"^\.v\d{4,}\.partial$")


@dataclass(frozen=True)
class Version:
    """One finished version."""

    path: Path
    kind: str
    name: str
    id: str

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest, read from the disk. Raises DamagedError if it is damaged or lacks a required key."""
        manifest = _read_manifest(self.path)
        fault = _manifest_fault(manifest)
        if fault:
            raise _damaged(self.path, fault)
        return dict(manifest)

    @property
    def status(self) -> str:
        """How the run ended, "ok" or "failed"; "damaged" if the manifest is damaged."""
        try:
            return str(self.manifest["status"])
        except DamagedError:
            return "damaged"

    @property
    def reference(self) -> str:
        """NAME@vNNNN, as commands take it."""
        return f"{self.name}@{self.id}"


def open_version(path: Path) -> Version | None:
    """The version at a path (`latest` is followed), also a copied one; None if genset wrote no version there.

    Raises GensetError for an incomplete version, and DamagedError for a damaged manifest.
    """
    path = path.resolve()
    if _DRAFT.match(path.name):
        raise GensetError(
            "this version is incomplete: a run is writing it or crashed",
            where=str(path),
            hint="Wait for the run to end; the next run removes what a crashed one left.",
        )
    if not (path / MANIFEST).is_file():
        return None
    manifest = _read_manifest(path)
    if not isinstance(manifest, dict) or not set(manifest) >= _OWN:
        return None  # a file of that name by another program
    fault = _manifest_fault(manifest)
    if fault:
        raise _damaged(path, fault)
    return Version(path, f"{manifest['kind']}s", str(manifest["name"]), str(manifest["id"]))


def _read_manifest(folder: Path) -> Any:
    try:
        return parse_json((folder / MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        raise _damaged(folder, f"cannot be read: {error}") from None


def _manifest_fault(manifest: Any) -> str:
    """Why a manifest is invalid; "" for a valid one."""
    if not isinstance(manifest, dict):
        return "it is not a JSON object"
    kind = f"{manifest.get('kind')}s"
    if kind not in KINDS:
        return "manifest field `kind` is missing or invalid"
    needed = _NEEDED | (_NEEDED_OF_MODELS if kind == "models" else {})
    wrong = next((name for name, type_ in needed.items() if not isinstance(manifest.get(name), type_)), "")
    return wrong and f"manifest field `{wrong}` is missing or invalid"


def _damaged(folder: Path, fault: str) -> DamagedError:
    return DamagedError(
        fault, where=str(folder / MANIFEST), hint="The version is damaged: write it again with --force."
    )


def is_inside(name: str) -> bool:
    """Whether a relative name can only mean a file inside its folder."""
    parts = name.replace("\\", "/").split("/")
    return bool(parts[0]) and ".." not in parts and "\0" not in name
