"""What a path holds: its modality, its version, its containers."""

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


def reader(version: Version) -> Modality:
    """The modality that reads the items of a dataset version in their own form. Raises GensetError for a version whose
    items stand in files that only other programs read."""
    form = version.manifest.get("format", FolderExporter().kind)
    if form != FolderExporter().kind:
        raise GensetError(
            f"a version in the form of {form} is for other programs: genset reads folders",
            where=version.reference,
            hint="Make it again with output.format=folder; the model is used again.",
        )
    return modality_of(version)


def modality_of(version: Version) -> Modality:
    """The modality of a version in the form that its items have. Raises DamagedError where there is none such."""
    table = MODALITIES[_kind(version)]
    try:
        return table(table.Settings(**version.manifest.get("form", {})))
    except (pydantic.ValidationError, TypeError):
        raise DamagedError("its `form` is of no use", where=str(version.path / MANIFEST)) from None


def kind_of(path: Path, version: Version | None) -> str:
    """The modality of a dataset that lies there. Raises GensetError when none is known."""
    return _kind(version) if version else guess_modality(path, MODALITIES).kind


def _kind(version: Version) -> str:
    kind = str(version.manifest["modality"])
    if kind not in MODALITIES:
        raise DamagedError(f"no such modality: {kind!r}", where=str(version.path / MANIFEST))
    return kind


def guess_modality(path: Path, table: Mapping[str, type[Modality]]) -> type[Modality]:
    """The modality that most files of a folder belong to, or one file. Raises GensetError when none belongs to any."""
    found = files_by_modality(path, table)
    best = max(found, key=lambda kind: found[kind])
    if not found[best] or os.path.isfile(path):
        inside = modality_in(path, table)
        if inside:
            return inside
    if not found[best]:
        raise GensetError(f"no file here belongs to a modality that genset knows ({', '.join(table)})", where=str(path))
    return table[best]


def files_by_modality(path: Path, table: Mapping[str, type[Modality]]) -> dict[str, int]:
    """How many files of a folder, or whether the one file, could hold items of each modality."""
    if os.path.isfile(path):
        suffixes = Counter([path.suffix.lower()])
    else:
        names = (name for _, _, files in os.walk(path, followlinks=False) for name in files)
        suffixes = Counter(os.path.splitext(name)[1].lower() for name in names)
    return {kind: sum(suffixes[suffix] for suffix in modality.suffixes) for kind, modality in table.items()}


def containers_at(path: Path, modality: type[Modality] | None = None) -> list[tuple[Container, Path]]:
    """The containers that a path is, or that a folder holds where it holds nothing else that could be items.

    Lines of JSON are items themselves for a modality of rows. Without a modality, of all kinds that could be meant.
    """
    suffixes = modality.suffixes if modality else ()
    if os.path.isfile(path):
        found = [] if path.suffix.lower() in suffixes else [path]
    elif os.path.isdir(path):
        inside = [Path(top, name) for top, _, names in os.walk(path) for name in names if not name.startswith(".")]
        found = [] if any(file.suffix.lower() in suffixes for file in inside) else sorted(inside)
    else:
        found = []
    pairs = [(kind, file) for file in found for kind in CONTAINERS.values() if kind.matches(file.name)]
    return [] if len(pairs) > 1 and os.path.isfile(path) else pairs


def modality_in(path: Path, table: Mapping[str, type[Modality]]) -> type[Modality] | None:
    """The modality of what a container's first item is; None where there is no container.

    Raises MissingPackageError where the container needs a package that is not installed.
    """
    for container, file in containers_at(path):
        with _unreadable_skipped():
            suffixes = [suffix for each in table.values() for suffix in each.suffixes]
            row = next((row for row in container.rows(file, suffixes, files=True) if row.data is not None), None)
            if row is None or row.data is None:
                continue
            fitting = [each for each in table.values() if _fits(row.data, row.suffix, each)]
            if fitting:
                return fitting[0]
        with _unreadable_skipped():
            if any(not row.fault for row in container.rows(file, (), files=False)):
                return next((each for each in table.values() if each.rows), None)
    return None


@contextlib.contextmanager
def _unreadable_skipped() -> Iterator[None]:
    """Pass over a container that cannot be read, but not one that another package could read."""
    try:
        yield
    except MissingPackageError:
        raise
    except GensetError:
        pass


def _fits(data: bytes | npt.NDArray[Any], suffix: str, modality: type[Modality]) -> bool:
    if isinstance(data, bytes):
        return suffix in modality.suffixes
    return data.ndim in modality.array_axes


def default_name(path: Path) -> str:
    """A name for the versions that are made of a folder's items."""
    name = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in path.resolve().name).lstrip("._-")
    return name or "dataset"


def model_facts(version: Version) -> dict[str, Any]:
    """What is known of a model version."""
    manifest = version.manifest
    problems = [*manifest["problems"], *as_dicts(checksum_problems(version))]
    return {"model": manifest["model"], "counts": manifest["counts"], "problems": problems}


def checksum_problems(version: Version) -> list[Problem]:
    """A problem for each file of a version that is not as it was written."""
    wrong = verify_sums(version)
    return [Problem(name, "extra" if what == UNKNOWN else "checksum", f"it {what}") for name, what in wrong.items()]


def config_of(version: Version) -> Config:
    """The config that a version was made with."""
    return load_config(version.path / CONFIG)
