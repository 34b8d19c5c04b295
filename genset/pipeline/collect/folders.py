"""Find the items in class folders, split folders, metadata files and tables."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from genset.dataset import COLUMNS, SPLIT_FOLDERS, Record
from genset.errors import GensetError
from genset.export.folder import UNLABELLED
from genset.interfaces import UNDECODABLE, Modality, Problem
from genset.metadata import (
    Faults,
    check_label,
    from_row,
    is_own_row,
    metadata_file,
    noting,
    read_metadata,
    read_version,
)
from genset.pipeline.reading import reader
from genset.safe_json import printable
from genset.versions.root import is_output
from genset.versions.version import MANIFEST, open_version

SYNTHETIC = "made"  # the kind of the problem: a synthetic item in a source
_NOTES = re.compile(r"(README|LICEN[CS]E|NOTICE|SOURCE|COPYING)([._-].*)?", re.IGNORECASE)  # files about the dataset

RecordOrProblem = Record | Problem  # the result for a file, or for a line of a file


def item_files(path: Path, modality: Modality) -> list[Path]:
    """The files of a source that may contain items, sorted."""
    if os.path.isfile(path):
        return [path]
    return sorted(
        Path(top, name)
        for top, _, names in os.walk(path)
        for name in names
        if os.path.splitext(name)[1].lower() in modality.suffixes and not name.startswith(".")
        if not _is_special_file(os.path.join(top, name))
    )


def _is_special_file(path: str | Path) -> bool:
    """Whether a path exists and is no regular file. Reading a pipe, for example, could wait forever."""
    return not os.path.isfile(path) and os.path.exists(path)


def find_records(path: Path, modality: Modality, faults: Faults) -> Iterator[RecordOrProblem]:
    """The items of a source: rows of a file, a version, split folders, split files or class folders.

    Raises GensetError for a source that cannot contain items.
    """
    if modality.rows and os.path.isfile(path) and path.suffix.lower() in modality.suffixes:
        yield from _from_file(path, path.name, "", modality)
        return
    if not os.path.isdir(path):
        problem = "is a file, expected a folder" if os.path.exists(path) else "does not exist"
        raise GensetError(
            f"the source {problem}",
            where=str(path),
            hint="Point data.source at a folder. Relative paths start at the folder of the config file.",
        )
    version = open_version(path) if (path / MANIFEST).is_file() else None
    if version:
        version_modality = reader(version) if version.manifest["modality"] == modality.kind else modality
        yield from read_version(path, version_modality).where(source="collected")
        return
    if is_output(path):
        raise GensetError(
            "this is an output folder of genset, not a folder of classes",
            where=str(path),
            hint="Give one version, such as out/datasets/NAME/latest, or a folder of real items.",
        )
    splits = _split_paths(path, modality)
    for part, split in splits:
        outcomes = _from_folder(part, modality, faults) if part.is_dir() else _from_file(part, part.name, "", modality)
        prefix = f"{part.name}/" if part.is_dir() else ""
        for each in outcomes:
            yield replace(each, split=split, origin=f"{prefix}{each.origin}") if isinstance(each, Record) else each
    if not splits:
        yield from _from_folder(path, modality, faults)


def _split_paths(path: Path, modality: Modality) -> list[tuple[Path, str]]:
    """(folder or file, split) for each split of a dataset that is already split, train first; [] for other folders."""
    folders = [entry for entry in _visible(path) if entry.is_dir()]
    splits = [(folder, SPLIT_FOLDERS.get(folder.name.lower(), "")) for folder in folders]
    if "train" in {split for _, split in splits} and all(split for _, split in splits):
        return sorted(splits, key=lambda pair: (pair[1] != "train", pair[0].name))
    return _split_files(path, modality)


def _split_files(path: Path, modality: Modality) -> list[tuple[Path, str]]:
    """(file, split) for files such as train.jsonl and test.jsonl, train first; [] if there are none."""
    if not modality.rows:
        return []
    files = [entry for entry in _visible(path) if entry.is_file() and entry.suffix.lower() in modality.suffixes]
    splits = [(file, SPLIT_FOLDERS.get(file.stem.lower(), "")) for file in files]
    if not all(split for _, split in splits) or "train" not in {split for _, split in splits}:
        return []
    return sorted(splits, key=lambda pair: (pair[1] != "train", pair[0]))


def _from_folder(folder: Path, modality: Modality, faults: Faults) -> Iterator[RecordOrProblem]:
    metadata = metadata_file(folder)
    return _from_metadata(metadata, faults) if metadata else _from_class_folders(folder, modality)


def _from_metadata(path: Path, faults: Faults) -> Iterator[RecordOrProblem]:
    for where, row in read_metadata(path, faults):
        record = None
        with noting(faults):
            record = _from_line(row, path.parent, where)
        if record and record.source != "collected":
            yield Problem(row["file_name"], SYNTHETIC, f"it was {record.source}: not a real item")
        elif record:
            yield record


def _from_line(row: Mapping[str, str], folder: Path, where: str) -> Record:
    """The record of a line of metadata, which the user or genset may have written."""
    if is_own_row(row):
        return from_row(row, folder, where)
    name, label = row["file_name"], row.get("label", "")
    if label:
        check_label(label, where)
    rest = {key: value for key, value in row.items() if key not in ("file_name", "label")}
    # A user's column with the name of one that genset writes keeps its values under another name.
    columns = {f"user_{key}" if key in COLUMNS else key: value for key, value in rest.items()}
    return Record(name, folder / name, label, origin=printable(name), columns=columns)


def _from_class_folders(folder: Path, modality: Modality) -> Iterator[RecordOrProblem]:
    unlabelled = [entry.name for entry in _visible(folder) if entry.is_dir()] == [UNLABELLED]
    errors: list[OSError] = []
    for top, names, files in os.walk(folder, followlinks=True, onerror=errors.append):
        yield from (_unreadable(Path(error.filename), folder, error) for error in errors)
        errors.clear()
        reasons = {name: _skip_reason(Path(top, name), folder, modality) for name in sorted(names)}
        yield from filter(None, reasons.values())
        names[:] = [name for name, problem in reasons.items() if problem is None and not name.startswith(".")]
        if not names and not files:
            yield Problem(printable(str(Path(top).relative_to(folder))), "empty_folder", "the folder contains no files")
        for name in sorted(name for name in files if not name.startswith(".")):
            yield from _from_class_file(Path(top, name), folder, modality, unlabelled=unlabelled)
    yield from (_unreadable(Path(error.filename), folder, error) for error in errors)


def _from_class_file(path: Path, folder: Path, modality: Modality, *, unlabelled: bool) -> Iterator[RecordOrProblem]:
    """The items of a file in a folder of class folders, with the label of the outermost."""
    relative = path.relative_to(folder)
    origin, top = printable(str(relative.as_posix())), len(relative.parts) == 1
    if path.suffix.lower() not in modality.suffixes or _NOTES.fullmatch(path.stem):
        if not top:  # beside the class folders, a licence or a note about the dataset is expected
            yield Problem(origin, "ignored", _ignored_reason(path, modality))
        return
    if _is_special_file(path):
        yield Problem(origin, UNDECODABLE, "cannot be read: not a regular file")
        return
    label = modality.file_label(path) if top else relative.parts[0]
    label = "" if unlabelled else label and check_label(label, str(folder))
    yield from _from_file(path, origin, label, modality, top=top)


def _ignored_reason(path: Path, modality: Modality) -> str:
    if path.suffix.lower() in modality.suffixes:
        return "a file about the dataset, not an item"
    extension = f"extension {path.suffix}" if path.suffix else "no extension"
    return f"{extension}: not a file type of {modality.kind} items"


def _from_file(
    path: Path, origin: str, label: str, modality: Modality, *, top: bool = True
) -> Iterator[RecordOrProblem]:
    """The items of one file."""
    try:
        for entry in modality.entries(path, top=top):
            place = f"{origin}:{entry.place}" if entry.place else origin
            if entry.fault:
                yield Problem(place, UNDECODABLE, entry.fault)
                continue
            columns = dict(entry.columns)
            if all(name in columns for name in COLUMNS if name not in ("file_name", "label")):  # genset wrote it
                if columns["source"] != "collected":
                    yield Problem(place, SYNTHETIC, f"it was {columns['source']}: not a real item")
                    continue
                columns = {name: value for name, value in columns.items() if name not in (*COLUMNS, "id")}
            columns = {f"user_{key}" if key in (*COLUMNS, "id") else key: value for key, value in columns.items()}
            own_label = entry.label and check_label(entry.label, f"{path}:{entry.place}")
            group = "" if entry.piece is None else origin
            yield Record(
                place,
                path,
                label if own_label is None else own_label,
                origin=place,
                columns=columns,
                group=group,
                text=entry.content,
                piece=entry.piece,
            )
    except OSError as error:
        yield Problem(origin, UNDECODABLE, f"cannot be read: {error.strerror}")


def _skip_reason(path: Path, folder: Path, modality: Modality) -> Problem | None:
    """The problem for a nested folder that is skipped; None if it is searched, or hidden and without items."""
    origin = printable(str(path.relative_to(folder)))
    try:
        inside = os.listdir(path)
    except OSError as error:
        return _unreadable(path, folder, error)
    if path.name.startswith("."):
        items = any(Path(name).suffix.lower() in modality.suffixes for name in inside)
        return Problem(origin, "ignored", "a hidden folder: rename it if it is a class") if items else None
    if os.path.realpath(path) in {os.path.realpath(parent) for parent in path.parents}:
        return Problem(origin, "ignored", "a link to a folder that contains it")
    if is_output(path):
        return Problem(origin, SYNTHETIC, "genset wrote this folder: its items are not real")
    return None


def _unreadable(path: Path, folder: Path, error: OSError) -> Problem:
    origin = printable(str(path.relative_to(folder)))
    return Problem(origin, UNDECODABLE, f"the folder cannot be read: {error.strerror}")


def _visible(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
