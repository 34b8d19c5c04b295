"""Find out what a path contains: its modality, its containers, the facts of a version."""

import contextlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt
import pydantic

from genset.config.loading import load as load_config
from genset.config.sections import Config
from genset.containers import CONTAINERS
from genset.containers.base import Container
from genset.errors import DamagedError, GensetError, MissingPackageError
from genset.export.folder import FolderExporter
from genset.interfaces import Modality, Problem
from genset.modalities import MODALITIES
from genset.pipeline.job import as_dicts
from genset.versions.checksums import UNKNOWN, verify_sums
from genset.versions.version import CONFIG, MANIFEST, Version

_REPAIR = "Restore the file from a backup, or write the version again."


def reader(version: Version) -> Modality:
    """The modality with the settings that read the items of a dataset version.

    Raises GensetError for a version in a format that genset only writes.
    """
    output_format = version.manifest.get("format", FolderExporter().kind)
    if output_format != FolderExporter().kind:
        raise GensetError(
            f"genset cannot read the items of a version in {output_format} format, only in folder format",
            where=version.reference,
            hint="Write the version again with output.format=folder. The trained model is reused.",
        )
    return modality_of(version)


def modality_of(version: Version) -> Modality:
    """The modality with the settings that a version was written with. Raises DamagedError if they are invalid."""
    modality_type = MODALITIES[_kind(version)]
    try:
        return modality_type(modality_type.Settings(**version.manifest.get("form", {})))
    except (pydantic.ValidationError, TypeError):
        raise DamagedError(
            "manifest field `form` is invalid", where=str(version.path / MANIFEST), hint=_REPAIR
        ) from None


def kind_of(path: Path, version: Version | None) -> str:
    """The name of the modality of a version or folder. Raises GensetError if it cannot be determined."""
    return _kind(version) if version else guess_modality(path, MODALITIES).kind


def _kind(version: Version) -> str:
    kind = str(version.manifest["modality"])
    if kind not in MODALITIES:
        raise DamagedError(
            f"unknown modality {kind!r}, expected one of {', '.join(MODALITIES)}",
            where=str(version.path / MANIFEST),
            hint=_REPAIR,
        )
    return kind


def guess_modality(path: Path, modalities: Mapping[str, type[Modality]]) -> type[Modality]:
    """The modality of most files in a folder, or of one file. Raises GensetError if no file can contain items."""
    counts = files_by_modality(path, modalities)
    best = max(counts, key=lambda kind: counts[kind])
    if not counts[best] or os.path.isfile(path):
        inside = modality_in(path, modalities)
        if inside:
            return inside
    if not counts[best]:
        raise GensetError(
            f"no {', '.join(list(modalities)[:-1])} or {list(modalities)[-1]} files found, {_contents(path)}",
            where=str(path),
            hint="Give a folder of such files, or a dataset file such as .npz, .parquet or .tar.",
        )
    return modalities[best]


def files_by_modality(path: Path, modalities: Mapping[str, type[Modality]]) -> dict[str, int]:
    """The number of files that may contain items of each modality, by their extensions."""
    suffixes = _suffixes(path)
    return {kind: sum(suffixes[suffix] for suffix in modality.suffixes) for kind, modality in modalities.items()}


def _suffixes(path: Path) -> Counter[str]:
    """The number of files with each extension."""
    if os.path.isfile(path):
        return Counter([path.suffix.lower()])
    names = (name for _, _, files in os.walk(path, followlinks=False) for name in files)
    return Counter(os.path.splitext(name)[1].lower() for name in names)


def _contents(path: Path) -> str:
    """In a few words, what is there instead of files of items."""
    if os.path.isfile(path):
        return "this is another kind of file"
    suffixes = [suffix or "files without an extension" for suffix, _ in _suffixes(path).most_common(5)]
    return f"only {', '.join(suffixes)}" if suffixes else "the folder is empty"


def containers_at(path: Path, modality: type[Modality] | None = None) -> list[tuple[Container, Path]]:
    """The containers at a path: the file itself, or all containers of a folder that has no other files of items.

    A file that the modality reads itself, such as JSON Lines of texts, is no container. Without a modality, containers
    of every kind are returned; none for a single file that could be of several kinds.
    """
    suffixes = modality.suffixes if modality else ()
    if os.path.isfile(path):
        files = [] if path.suffix.lower() in suffixes else [path]
    elif os.path.isdir(path):
        inside = [Path(top, name) for top, _, names in os.walk(path) for name in names if not name.startswith(".")]
        files = [] if any(file.suffix.lower() in suffixes for file in inside) else sorted(inside)
    else:
        files = []
    pairs = [(kind, file) for file in files for kind in CONTAINERS.values() if kind.matches(file.name)]
    return [] if len(pairs) > 1 and os.path.isfile(path) else pairs


def modality_in(path: Path, modalities: Mapping[str, type[Modality]]) -> type[Modality] | None:
    """The modality of the first item in the containers at a path; None without a readable container.

    Raises MissingPackageError if a container needs a package that is not installed.
    """
    for container, file in containers_at(path):
        with _unreadable_skipped():
            suffixes = [suffix for each in modalities.values() for suffix in each.suffixes]
            row = next((row for row in container.rows(file, suffixes, files=True) if row.data is not None), None)
            if row is None or row.data is None:
                continue
            matches = [each for each in modalities.values() if _matches(row.data, row.suffix, each)]
            if matches:
                return matches[0]
        with _unreadable_skipped():
            if any(not row.fault for row in container.rows(file, (), files=False)):
                return next((each for each in modalities.values() if each.rows), None)
    return None


@contextlib.contextmanager
def _unreadable_skipped() -> Iterator[None]:
    """Skip a container that cannot be read, unless a package is missing that would read it."""
    try:
        yield
    except MissingPackageError:
        raise
    except GensetError:
        pass


def _matches(data: bytes | npt.NDArray[Any], suffix: str, modality: type[Modality]) -> bool:
    if isinstance(data, bytes):
        return suffix in modality.suffixes
    return data.ndim in modality.array_axes


def default_name(path: Path) -> str:
    """The default name of versions that are written from a folder: that of the folder, in safe characters."""
    name = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in path.resolve().name).lstrip("._-")
    return name or "dataset"


def model_facts(version: Version) -> dict[str, Any]:
    """The model, counts and problems of a model version, as JSON objects."""
    manifest = version.manifest
    problems = [*manifest["problems"], *as_dicts(checksum_problems(version))]
    return {"model": manifest["model"], "counts": manifest["counts"], "problems": problems}


def checksum_problems(version: Version) -> list[Problem]:
    """A problem for each file of a version that is missing, changed or not listed in SHA256SUMS."""
    faults = verify_sums(version)
    return [Problem(name, "extra" if fault == UNKNOWN else "checksum", f"it {fault}") for name, fault in faults.items()]


def config_of(version: Version) -> Config:
    """The config that a version was written with."""
    return load_config(version.path / CONFIG)
