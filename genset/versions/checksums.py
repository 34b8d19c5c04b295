"""SHA256SUMS: written with a version, and compared with its files later."""

import hashlib
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from genset.errors import GensetError
from genset.safe_json import lone_surrogate, printable
from genset.versions.version import CONFIG, NOT_SUMMED, SUMS, Version, is_inside

_LINE = re.compile(r"([0-9a-f]{64})  (.+)")  # as sha256sum writes it
MISSING, CHANGED, UNKNOWN = "is missing", "has changed since it was written", "was not written by genset"


def write_checksums(folder: Path, sums: Mapping[str, str]) -> None:
    """Write SHA256SUMS for SHA-256 digests by file name, as sha256sum reads it. Raises OSError."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
    with (folder / SUMS).open("xb") as file:
        file.write(lines.encode())


def verify_sums(version: Version) -> dict[str, str]:
    """What is wrong with the files of a version, by name.

    A file can be missing, changed or unknown; a line of SHA256SUMS can be invalid, or name a path outside the version,
    which is not read. Raises GensetError if the manifest is damaged.
    """
    sums, wrong = listed(version)
    return (
        wrong | compare(version.path, sums) | (dict(_unknown_files(version.path, {*sums, *NOT_SUMMED})) if sums else {})
    )


def verified(version: Version, names: Sequence[str], hint: str = "") -> dict[str, bytes]:
    """The bytes of some files, each read once, so that the bytes used are the bytes whose checksum was correct.

    Raises GensetError if a file differs from what was written, or if the manifest is damaged.
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
                wrong[name] = CHANGED if name in sums else UNKNOWN
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
    """What is wrong with the files that a SHA256SUMS lists, by name; any program may have written it."""
    sums, wrong = _read(folder / SUMS)
    return wrong | compare(folder, sums)


def _read(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """(the checksums of a SHA256SUMS by name, what is wrong with its lines by position)."""
    sums: dict[str, str] = {}
    wrong: dict[str, str] = {}
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        text = line.decode("utf-8", "surrogateescape")
        match = None if lone_surrogate(text) else _LINE.fullmatch(text)
        if match and is_inside(match[2]):
            sums[match[2]] = match[1]
        elif match:
            wrong[f"{SUMS}:{number}"] = f"names {match[2]!r}, which is not a path inside the version"
        elif line:
            wrong[f"{SUMS}:{number}"] = f"is not a checksum line: {line[:40]!r}"
    return sums, wrong


def compare(folder: Path, sums: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with the files of a folder, by name, compared with their checksums."""
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


def _unknown_files(folder: Path, names: Collection[str]) -> Iterator[tuple[str, str]]:
    """The files and folders that genset did not write: loaders read a folder inside a split as a class."""
    folders = {str(parent) for name in names for parent in PurePosixPath(name).parents}
    for top, inner, files in os.walk(folder):
        place = Path(top).relative_to(folder)
        for name in sorted(inner):
            if (place / name).as_posix() not in folders:
                inner.remove(name)
                yield printable(f"{(place / name).as_posix()}/"), UNKNOWN
        for name in sorted(files):
            if (place / name).as_posix() not in names:
                yield printable((place / name).as_posix()), UNKNOWN
