"""Datasets that come in containers are laid out as folders once, and read like any other from then on."""

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

_FOLDER = "unpacked"  # under the working place of the output root
_TOLD = ".problems.json"
_KEPT = 4  # containers, the last that were used
_LEFTOVER = re.compile(r".*\.(\d+)\.tmp")
_ODD = re.compile(r"[^\w-]+", re.ASCII)
_LONGEST_STEM = 40


@dataclass(frozen=True)
class Unpacked:
    """A container as a folder of items with metadata, or of rows."""

    folder: Path
    problems: tuple[Problem, ...]


def unpacked(path: Path, modality: Modality, job: Job) -> Unpacked | None:
    """The folder that a container was laid out as, now or the last time; None where the path holds none.

    Raises GensetError for a container that is damaged, and for classes that can be no folders.
    """
    found = containers_at(path, type(modality))
    if not found:
        return None
    job.progress.say(f"{path.name}: {_told(found)}")
    files = [(os.path.relpath(file, path), _digest(container, file)) for container, file in found]
    key = cache_key(_FOLDER, modality.kind, modality.settings.model_dump(), files)
    place = job.root.work(_FOLDER)
    folder = place / key
    if not folder.is_dir():
        _make_room(place)
        partial = place / f"{key}.{os.getpid()}.tmp"
        with writing(folder):
            try:
                partial.mkdir()
                _lay_out(found, path, modality, partial, job)
                flush_tree(partial)
                if not folder.is_dir():  # another process may have been as quick
                    os.rename(partial, folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    with contextlib.suppress(OSError):
        os.utime(folder)
    told = json.loads((folder / _TOLD).read_bytes())
    return Unpacked(folder, tuple(Problem(**problem) for problem in told))


def _told(found: Sequence[tuple[Container, Path]]) -> str:
    kinds = Counter(container.kind for container, _ in found)
    return ", ".join(f"{count} {kind} file{'s' * (count != 1)}" for kind, count in sorted(kinds.items()))


def _digest(container: Container, file: Path) -> str:
    total = hashlib.sha256()
    for each in (file, *sorted(container.companions(file))):
        with each.open("rb") as opened:
            total.update(hashlib.file_digest(opened, "sha256").digest())
    return total.hexdigest()


def _make_room(place: Path) -> None:
    """Take away what other containers were laid out as, but the last few; and what a process that is gone has left."""
    for entry in place.iterdir():
        left = _LEFTOVER.fullmatch(entry.name)
        if left and not Path(f"/proc/{left[1]}").exists():
            shutil.rmtree(entry, ignore_errors=True)
    whole = [entry for entry in place.iterdir() if not _LEFTOVER.fullmatch(entry.name)]
    for entry in sorted(whole, key=lambda entry: entry.stat().st_mtime)[: max(0, len(whole) - _KEPT + 1)]:
        shutil.rmtree(entry, ignore_errors=True)


def _lay_out(found: Sequence[tuple[Container, Path]], path: Path, modality: Modality, into: Path, job: Job) -> None:
    problems: list[Problem] = []
    lines: dict[str, list[dict[str, Any]]] = {}
    for number, (row, where) in enumerate(_rows(found, path, modality), start=1):
        job.progress.tick("unpack", number, number, "")  # how many there are is not known
        try:
            if row.fault:
                raise UndecodableError(row.fault)
            values = _values(row, where)
            if not modality.rows:
                data, suffix = _file(row, modality)
                name = f"{number:07d}{_stem(row.name)}{suffix}"
                (into / row.split).mkdir(exist_ok=True)
                (into / row.split / name).write_bytes(data)
                values = {"file_name": name, **{key: as_text(value) for key, value in values.items()}}
        except UndecodableError as error:
            problems.append(Problem(where, UNDECODABLE, str(error)))
        else:
            lines.setdefault(row.split, []).append(values)
    if "train" not in lines or "" in lines:  # names such as test.tar alone tell of no division
        _flatten(lines, into)
    for split, rows in lines.items():
        place = into / rows_file(split or "items") if modality.rows else into / split / METADATA
        place.write_bytes(write_rows(rows))
    (into / _TOLD).write_text(json.dumps([problem.as_dict() for problem in problems]), encoding="ascii")


def _rows(
    found: Sequence[tuple[Container, Path]], path: Path, modality: Modality
) -> Iterator[tuple[ContainerRow, str]]:
    """The rows of all files with their places."""
    for container, file in found:
        before = "" if file == path else f"{file.relative_to(path).as_posix()}: "
        for row in container.rows(file, modality.suffixes, files=not modality.rows):
            yield row, f"{before}{row.place}"


def _flatten(lines: dict[str, list[dict[str, Any]]], into: Path) -> None:
    whole = [row for rows in lines.values() for row in rows]
    for split in filter(None, lines):
        if (into / split).is_dir():
            for file in (into / split).iterdir():
                os.rename(file, into / file.name)
            (into / split).rmdir()
    lines.clear()
    lines.update({"": whole} if whole else {})


def _values(row: ContainerRow, where: str) -> dict[str, Any]:
    """What stands beside an item, with its class as `label`. Raises GensetError for a class that can be no folder."""
    values = {name: to_json_value(value) for name, value in row.values.items() if not isinstance(value, bytes)}
    column = next((name for name in LABEL_COLUMNS if name in values), "")
    label = row.label if row.label is not None else as_text(values.pop(column)) if column else ""
    if label:
        check_label(label, where)
    return {**values, **({"label": label} if label else {})}


def _file(row: ContainerRow, modality: Modality) -> tuple[bytes, str]:
    """The bytes of a file and its suffix. Raises UndecodableError."""
    if isinstance(row.data, bytes):
        if row.suffix not in modality.suffixes:
            raise UndecodableError(f"no {modality.kind} file, but one that begins with {row.data[:8]!r}")
        return row.data, row.suffix
    if row.data is None:
        raise UndecodableError(f"it holds no {modality.kind}")
    return modality.encode(modality.from_array(row.data)), modality.suffix


def _stem(name: str) -> str:
    """What is kept of the name that an item has in its container."""
    stem = _ODD.sub("-", Path(name).name.partition(".")[0]).strip("-")[:_LONGEST_STEM]
    return f"-{stem}" if stem else ""
