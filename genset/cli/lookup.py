"""What NAME, NAME@vNNNN or a path on the command line means: a dataset, a model, a folder or a file."""

import os
from pathlib import Path

from genset.errors import GensetError, did_you_mean
from genset.versions.root import Root
from genset.versions.version import Version, open_version

_MISSING = {
    "datasets": ("folder", "Check the path, or create a version: genset run CONFIG."),
    "models": ("model version", "Check the path, or train a model first: genset train CONFIG."),
}  # what is missing, and what to do if there are no versions yet


def lookup(root: Root, kind: str, text: str) -> Version | None:
    """The version that a user means: a path, NAME, NAME@latest or NAME@v0003. None for a folder without a manifest.

    Raises GensetError if nothing has this path or name.
    """
    path = Path(text)
    if os.path.isdir(path):  # False, where Path.is_dir raises: a name that is too long
        if _is_name(text) and root.versions(kind, text) and path.resolve() != root.path / kind / text:
            raise GensetError(
                f"{text!r} is a folder here and a name under {root.path / kind}",
                hint=f"Write ./{text} for the folder, or {text}@latest for the version.",
            )
        return open_version(path)
    name, _, tag = text.partition("@")
    versions = root.versions(kind, name) if _is_name(name) else []
    if versions and (tag or "@" not in text):
        version_id = root.latest_id(kind, name, versions) if tag in ("", "latest") else tag
        match = [version for version in versions if version.id == version_id]
        if match:
            return match[0]
        known = " or ".join(version.reference for version in versions)
        raise GensetError(f"{name} has no version {tag!r}", where=str(root.path / kind / name), hint=f"Write {known}.")
    names = root.names(kind)
    what, new = _MISSING[kind]
    hint = f"Check the path, or use a name in {root.path}: {', '.join(names)}." if names else new
    raise GensetError(f"no such {what} or name: {text!r}{did_you_mean(name, names)}", hint=hint)


def find_model(root: Root, text: str) -> Version:
    """The model version that is meant. Raises GensetError."""
    version = lookup(root, "models", text)
    if version is None or version.kind != "models":
        raise GensetError(
            "this is not a model version: it has no manifest, or it is a dataset",
            where=text,
            hint="Give a folder such as out/models/NAME/latest, or NAME@v0001.",
        )
    return version


def find_dataset(root: Root, text: str) -> tuple[Path, Version | None]:
    """The dataset that is meant: its folder, and its version if genset wrote it. Raises GensetError for a model."""
    if Path(text).is_file():  # a table, where the modality reads rows
        return Path(text), None
    version = lookup(root, "datasets", text)
    if version and version.kind != "datasets":
        raise GensetError(
            "this is a model, not a dataset", where=text, hint="Give a folder of items, or a dataset version."
        )
    return (version.path if version else Path(text)), version


def find_path(root: Root, text: str) -> Path:
    """The path that is meant: an existing file or folder, a dataset version, or else a model version."""
    names = (*root.names("models"), *root.names("datasets"))
    if os.path.isfile(text) or (os.path.isdir(text) and text not in names):
        return Path(text)  # in whatever state: the caller reports on that
    version = find_version(root, text)
    return version.path if version else Path(text)


def find_version(root: Root, text: str) -> Version | None:
    """The version that a path, NAME or NAME@vNNNN means: of a dataset, or else of a model; None for any other path."""
    name = text.partition("@")[0]
    is_model = name in root.names("models") and name not in root.names("datasets")
    return lookup(root, "models" if is_model else "datasets", text)


def require_version(root: Root, text: str) -> Version:
    """The version that a path, NAME or NAME@vNNNN means. Raises GensetError if genset wrote no version there."""
    version = find_version(root, text)
    if version is None:
        raise GensetError(
            "this is not a version that genset wrote: it has no manifest",
            where=text,
            hint="Give a folder such as out/datasets/NAME/latest, or NAME@v0001.",
        )
    return version


def _is_name(text: str) -> bool:
    return bool(text) and "/" not in text and not text.startswith(".")
