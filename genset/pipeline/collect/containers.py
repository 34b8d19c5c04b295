"""Unpack datasets in containers, such as .npz or .parquet, into folders that are read like any other folder."""

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genset.atomic import flush_tree, writing
from genset.containers.base import LABEL_COLUMNS, Container, ContainerRow, to_json_value
from genset.interfaces import UNDECODABLE, Modality, Problem, UndecodableError
from genset.metadata import METADATA, check_label, rows_file, write_rows
from genset.pipeline.job import Job, cache_key
from genset.pipeline.reading import containers_at
from genset.safe_json import as_text

_FOLDER = "unpacked"  # in the work folder of the output root
_PROBLEMS = ".problems.json"
_CACHED = 4  # unpacked containers that stay on disk, the most recently used
_PARTIAL = re.compile(r".*\.(\d+)\.tmp")  # with the id of the process that writes it
_UNSAFE = re.compile(r"[^\w-]+", re.ASCII)
_MAX_STEM = 40  # characters


@dataclass(frozen=True)
class Unpacked:
    """Containers as a folder of items with metadata, or of files of rows."""

    folder: Path
    problems: tuple[Problem, ...]


def unpack(path: Path, modality: Modality, job: Job) -> Unpacked | None:
    """The folder with the unpacked containers of a path, written now or by an earlier run; None without containers.

    Raises GensetError for a damaged container, and for a class whose name cannot be the name of a folder.
    """
    containers = containers_at(path, type(modality))
    if not containers:
        return None
    job.progress.say(f"{path.name}: {_file_counts(containers)}")
    files = [(os.path.relpath(file, path), _digest(container, file)) for container, file in containers]
    key = cache_key(_FOLDER, modality.kind, modality.settings.model_dump(), files)
    cache = job.root.work(_FOLDER)
    folder = cache / key
    if not folder.is_dir():
        _remove_old(cache)
        partial = cache / f"{key}.{os.getpid()}.tmp"
        with writing(folder):
            try:
                partial.mkdir()
                _write_folder(containers, path, modality, partial, job)
                flush_tree(partial)
                if not folder.is_dir():  # another process may have written it meanwhile
                    os.rename(partial, folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    with contextlib.suppress(OSError):
        os.utime(folder)  # `_remove_old` removes the least recently used
    problems = json.loads((folder / _PROBLEMS).read_bytes())
    return Unpacked(folder, tuple(Problem(**problem) for problem in problems))


def _file_counts(containers: Sequence[tuple[Container, Path]]) -> str:
    kinds = Counter(container.kind for container, _ in containers)
    return ", ".join(f"{count} {kind} file{'s' * (count != 1)}" for kind, count in sorted(kinds.items()))


def _digest(container: Container, file: Path) -> str:
    total = hashlib.sha256()
    for each in (file, *sorted(container.companions(file))):
        with each.open("rb") as opened:
            total.update(hashlib.file_digest(opened, "sha256").digest())
    return total.hexdigest()


def _remove_old(cache: Path) -> None:
    """Remove the folders of all but the last few containers, and incomplete ones whose process has ended."""
    for entry in cache.iterdir():
        partial = _PARTIAL.fullmatch(entry.name)
        if partial and not Path(f"/proc/{partial[1]}").exists():
            shutil.rmtree(entry, ignore_errors=True)
    complete = [entry for entry in cache.iterdir() if not _PARTIAL.fullmatch(entry.name)]
    for entry in sorted(complete, key=lambda entry: entry.stat().st_mtime)[: max(0, len(complete) - _CACHED + 1)]:
        shutil.rmtree(entry, ignore_errors=True)


def _write_folder(
    containers: Sequence[tuple[Container, Path]], path: Path, modality: Modality, target: Path, job: Job
) -> None:
    """Write the items and metadata of all containers, and the problems of their rows."""
    problems: list[Problem] = []
    lines: dict[str, list[dict[str, Any]]] = {}
    for number, (row, where) in enumerate(_rows(containers, path, modality), start=1):
        job.progress.tick("unpack", number, number, "")  # the total is not known
        try:
            if row.fault:
                raise UndecodableError(row.fault)
            values = _values(row, where)
            if not modality.rows:
                data, suffix = _file(row, modality)
                name = f"{number:07d}{_stem(row.name)}{suffix}"
                (target / row.split).mkdir(exist_ok=True)
                (target / row.split / name).write_bytes(data)
                values = {"file_name": name, **{key: as_text(value) for key, value in values.items()}}
        except UndecodableError as error:
            problems.append(Problem(where, UNDECODABLE, str(error)))
        else:
            lines.setdefault(row.split, []).append(values)
    if "train" not in lines or "" in lines:  # without train, a name such as test.tar does not mean a split
        _merge_splits(lines, target)
    for split, rows in lines.items():
        file = target / rows_file(split or "items") if modality.rows else target / split / METADATA
        file.write_bytes(write_rows(rows))
    (target / _PROBLEMS).write_text(json.dumps([problem.as_dict() for problem in problems]), encoding="ascii")


def _rows(
    containers: Sequence[tuple[Container, Path]], path: Path, modality: Modality
) -> Iterator[tuple[ContainerRow, str]]:
    """Each row of all files, and where it is."""
    for container, file in containers:
        prefix = "" if file == path else f"{file.relative_to(path).as_posix()}: "
        for row in container.rows(file, modality.suffixes, files=not modality.rows):
            yield row, f"{prefix}{row.place}"


def _merge_splits(lines: dict[str, list[dict[str, Any]]], folder: Path) -> None:
    """Move the files and rows of all splits together."""
    rows = [row for rows_of_split in lines.values() for row in rows_of_split]
    for split in filter(None, lines):
        if (folder / split).is_dir():
            for file in (folder / split).iterdir():
                os.rename(file, folder / file.name)
            (folder / split).rmdir()
    lines.clear()
    lines.update({"": rows} if rows else {})


def _values(row: ContainerRow, where: str) -> dict[str, Any]:
    """The columns of an item, with its class as `label`. Raises GensetError for a class that cannot name a folder."""
    values = {name: to_json_value(value) for name, value in row.values.items() if not isinstance(value, bytes)}
    column = next((name for name in LABEL_COLUMNS if name in values), "")
    label = row.label if row.label is not None else as_text(values.pop(column)) if column else ""
    if label:
        check_label(label, where)
    return {**values, **({"label": label} if label else {})}


def _file(row: ContainerRow, modality: Modality) -> tuple[bytes, str]:
    """The bytes of the item as a file, and its suffix. Raises UndecodableError if the row has no item."""
    if isinstance(row.data, bytes):
        if row.suffix not in modality.suffixes:
            raise UndecodableError(f"the content is no {modality.kind} file: it begins with {row.data[:8]!r}")
        return row.data, row.suffix
    if row.data is None:
        raise UndecodableError(f"the row contains no {modality.kind}")
    return modality.encode(modality.from_array(row.data)), modality.suffix


def _stem(name: str) -> str:
    """The name of an item in its container, without directories, extension and unsafe characters."""
    stem = _UNSAFE.sub("-", Path(name).name.partition(".")[0]).strip("-")[:_MAX_STEM]
    return f"-{stem}" if stem else ""
