"""genset verify: whether the metadata of a dataset match its files: missing and unlisted files, and labels."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from genset.dataset import SPLITS, Record
from genset.export.folder import UNLABELLED
from genset.interfaces import Modality, Problem
from genset.metadata import metadata_file, read_metadata


def metadata_problems(path: Path, records: Sequence[Record], modality: Modality) -> list[Problem]:
    """Where the metadata files of a dataset, in its folder and in the folders of its splits, do not match the files."""
    if not path.is_dir():
        return []
    labels = {record.label or UNLABELLED for record in records}
    problems = []
    for folder in (path, *sorted(entry for entry in path.iterdir() if entry.is_dir())):
        metadata = metadata_file(folder)
        if metadata:
            problems += [
                Problem(f"{folder.relative_to(path).as_posix()}/{name}".removeprefix("./"), kind, detail)
                for name, kind, detail in _folder_problems(folder, metadata, labels, modality)
            ]
    return problems


def _folder_problems(
    folder: Path, metadata: Path, labels: set[str], modality: Modality
) -> Iterator[tuple[str, str, str]]:
    """(name, kind, detail) of the problems in one folder that has metadata."""
    names: Counter[str] = Counter()
    for _, row in read_metadata(metadata, []):  # reading the records has already reported invalid rows
        name = PurePosixPath(row["file_name"].replace("\\", "/"))
        names[str(name)] += 1
        if not (folder / name).is_file():
            yield str(name), "missing_file", f"{metadata.name} lists it, but it is missing"
        label = row.get("label", "") or UNLABELLED
        if len(name.parts) > 1 and name.parts[0] in labels - {label}:
            yield str(name), "label", f"it is labelled {label!r}, but is in the folder {name.parts[0]!r}"
    for file, count in names.items():
        if count > 1:
            yield file, "listed_twice", f"{metadata.name} lists it {count} times"
    for file in sorted(_files(folder, modality)):
        if file not in names:
            yield file, "unlisted", f"it is not listed in {metadata.name}, so some loaders skip it"


def _files(folder: Path, modality: Modality) -> Iterator[str]:
    """The files of a modality in a folder, relative to it, without hidden ones."""
    for top, inner, files in os.walk(folder):
        inner[:] = [name for name in inner if not name.startswith(".")]
        for name in files:
            if Path(name).suffix.lower() in modality.suffixes and not name.startswith("."):
                yield Path(top, name).relative_to(folder).as_posix()


def label_problems(records: Sequence[Record]) -> Iterator[Problem]:
    """Classes that have held-out items, but no training items."""
    trained = {record.label for record in records if record.split in ("", SPLITS[0])}
    untrained: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        if record.label not in trained:
            untrained[record.split, record.label].append(record)
    for (split, label), items in untrained.items():
        detail = f"class {label!r} has no training items, but {len(items)} in {split}"
        yield Problem(items[0].place, "label", detail)
