"""Whether the metadata of a dataset and its files tell the same: rows without a file, files without a row, labels."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from genset.dataset import SPLITS, Record
from genset.export.folder import UNLABELLED
from genset.interfaces import Modality, Problem
from genset.metadata import metadata_file, read_metadata


def metadata_problems(path: Path, records: Sequence[Record], modality: Modality) -> list[Problem]:
    """What the metadata files of a dataset, in its folder and in those of its splits, do not tell as it is."""
    if not path.is_dir():
        return []
    known = {record.label or UNLABELLED for record in records}
    found = []
    for folder in (path, *sorted(entry for entry in path.iterdir() if entry.is_dir())):
        metadata = metadata_file(folder)
        if metadata:
            found += [
                Problem(f"{folder.relative_to(path).as_posix()}/{name}".removeprefix("./"), kind, detail)
                for name, kind, detail in _of_folder(folder, metadata, known, modality)
            ]
    return found


def _of_folder(folder: Path, metadata: Path, known: set[str], modality: Modality) -> Iterator[tuple[str, str, str]]:
    """(name, kind, detail) of what is wrong in one folder with metadata."""
    names: Counter[str] = Counter()
    for _, row in read_metadata(metadata, []):  # faults of rows are told by whoever reads the records
        name = PurePosixPath(row["file_name"].replace("\\", "/"))
        names[str(name)] += 1
        if not (folder / name).is_file():
            yield str(name), "missing_file", f"{metadata.name} lists it, and it is not there"
        label = row.get("label", "") or UNLABELLED
        if len(name.parts) > 1 and name.parts[0] in known - {label}:
            yield str(name), "label", f"it is labelled {label!r}, and stands among {name.parts[0]!r}"
    for each, count in names.items():
        if count > 1:
            yield each, "listed_twice", f"{metadata.name} lists it {count} times"
    for file in sorted(_files(folder, modality)):
        if file not in names:
            yield file, "unlisted", f"it is not listed in {metadata.name}: some loaders will not see it"


def _files(folder: Path, modality: Modality) -> Iterator[str]:
    for top, inner, files in os.walk(folder):
        inner[:] = [name for name in inner if not name.startswith(".")]
        for name in files:
            if Path(name).suffix.lower() in modality.suffixes and not name.startswith("."):
                yield Path(top, name).relative_to(folder).as_posix()


def labels(records: Sequence[Record]) -> Iterator[Problem]:
    """Classes that are held out, and that train has none of."""
    learned = {record.label for record in records if record.split in ("", SPLITS[0])}
    strange: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        if record.label not in learned:
            strange[record.split, record.label].append(record)
    for (split, label), found in strange.items():
        detail = f"of class {label!r}, which train has none of: {len(found)} in {split}"
        yield Problem(found[0].place, "label", detail)
