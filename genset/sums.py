"""Whether the files of a version are still those that were written."""

import hashlib
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from genset.dataset import lone_surrogate
from genset.errors import GensetError
from genset.versions import CONFIG, NOT_SUMMED, SUMS, Version, is_inside

_LINE = re.compile(r"([0-9a-f]{64})  (.+)")  # as sha256sum writes it
MISSING, CHANGED, STRANGE = "is missing", "has changed since it was written", "was not written by genset"


def verify_sums(version: Version) -> dict[str, str]:
    """What is wrong with the files of a version, by name.

    A file can be missing, changed, or one that genset did not write; a line of SHA256SUMS can be none, or lead out of
    the version: then nothing outside is read. Raises GensetError when the manifest is damaged.
    """
    sums, wrong = listed(version)
    return wrong | compare(version.path, sums) | (dict(_strange(version.path, {*sums, *NOT_SUMMED})) if sums else {})


def verified(version: Version, names: Sequence[str], hint: str = "") -> dict[str, bytes]:
    """The bytes of some files, read once: those that are used are those whose checksum was right.

    Raises GensetError when one is not as it was written, and when the manifest is damaged.
    """
    sums, wrong = listed(version)
    out = {}
    for name in names:
        try:
            out[name] = (version.path / name).read_bytes()
        except FileNotFoundError:
            wrong[name] = MISSING
        except OSError as error:
            wrong[name] = f"cannot be read: {error.strerror}"
        else:
            if hashlib.sha256(out[name]).hexdigest() != sums.get(name):
                wrong[name] = CHANGED if name in sums else STRANGE
    if wrong:
        raise GensetError(" ".join(next(iter(wrong.items()))), where=str(version.path), hint=hint)
    return out


def listed(version: Version) -> tuple[dict[str, str], dict[str, str]]:
    """The checksums of a version by name, and what is wrong with its list of them and with its config, by name."""
    expected = version.manifest.get("config_sha256")
    wrong = compare(version.path, {CONFIG: expected}) if expected else {}
    if not (version.path / SUMS).is_file():
        return {}, {**wrong, SUMS: MISSING}
    sums, faults = _read(version.path / SUMS)
    return sums, wrong | faults


def listed_sums(folder: Path) -> dict[str, str]:
    """What is wrong with the files that the SHA256SUMS of a folder lists, whoever wrote it."""
    sums, wrong = _read(folder / SUMS)
    return wrong | compare(folder, sums)


def _read(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The checksums of a SHA256SUMS by name, and what is wrong with its lines by their places."""
    sums: dict[str, str] = {}
    wrong: dict[str, str] = {}
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        text = line.decode("utf-8", "surrogateescape")
        match = None if lone_surrogate(text) else _LINE.fullmatch(text)
        if match and is_inside(match[2]):
            sums[match[2]] = match[1]
        elif match:
            wrong[f"{SUMS}:{number}"] = f"names {match[2]!r}, which is no path inside the version"
        elif line:
            wrong[f"{SUMS}:{number}"] = f"is no line of checksums: {line[:40]!r}"
    return sums, wrong


def compare(folder: Path, sums: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with the files of a folder, by name, where they should have these checksums."""
    wrong = {}
    for name, expected in sums.items():
        try:
            with (folder / name).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                    wrong[name] = CHANGED
        except FileNotFoundError:
            wrong[name] = MISSING
        except OSError as error:
            wrong[name] = f"cannot be read: {error.strerror}"
    return wrong


def _strange(folder: Path, names: Collection[str]) -> Iterator[tuple[str, str]]:
    """The files and folders that genset did not write: loaders take a folder inside a split for a class."""
    folders = {str(parent) for name in names for parent in PurePosixPath(name).parents}
    for top, inner, files in os.walk(folder):
        place = Path(top).relative_to(folder)
        for name in sorted(inner):
            if (place / name).as_posix() not in folders:
                inner.remove(name)
                yield _text(f"{(place / name).as_posix()}/"), STRANGE
        for name in sorted(files):
            if (place / name).as_posix() not in names:
                yield _text((place / name).as_posix()), STRANGE


def _text(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "backslashreplace")
