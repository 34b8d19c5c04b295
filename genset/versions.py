"""Versioned output folders: OUT/KIND/NAME/v0001, complete or absent, never changed afterwards.

A version is written in a hidden sibling folder, flushed, and renamed last. There is one lock per output root; the run
that holds it also removes what crashed runs left.
"""

import contextlib
import ctypes
import errno
import hashlib
import json
import os
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import filelock

from genset.errors import DamagedError, GensetError, LockedError
from genset.jsons import parsed
from genset.yaml_source import did_you_mean

KINDS = ("models", "datasets")
MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
CONFIG = "config.yaml"
WORK = ".work"
# The manifest contains times and config.yaml the paths of this machine: equal runs differ there and nowhere else.
# The manifest contains the hash of config.yaml, so that config.yaml can be verified too.
NOT_SUMMED = (MANIFEST, CONFIG, SUMS)
_OWN = {"genset", "kind", "name", "id"}  # keys that every manifest of genset has
_NEEDED = {
    "status": str, "ended": str, "modality": str, "counts": dict, "parents": list, "inputs": dict, "config": dict,
}  # fmt: skip
_NEEDED_OF_MODELS = {"model": dict, "problems": list}
_VERSION = re.compile(r"^v(\d{4,})$")
_DRAFT = re.compile(r"^\.v\d{4,}\.partial$")


@contextlib.contextmanager
def writing(place: str | Path) -> Iterator[None]:
    """Turn errors of the file system into one message that says what to do."""
    try:
        yield
    except OSError as error:
        hints = {
            errno.ENOSPC: "Free some space, or choose another place with --output.",
            errno.EDQUOT: "Your quota is used up: free some space, or choose another place with --output.",
            errno.EFBIG: "The file system or a limit forbids files of this size; choose another place with --output.",
            errno.EROFS: "Choose a place that can be written to, with --output.",
            errno.EACCES: "Change the permissions, or choose another place with --output.",
            errno.EPERM: "Change the permissions, or choose another place with --output.",
            errno.EEXIST: "A file has this name: move it, or choose another place with --output.",
            errno.ENOTDIR: "A file has this name: move it, or choose another place with --output.",
        }
        reason = os.strerror(error.errno or 0).lower()
        raise GensetError(
            f"cannot write: {reason}; no incomplete file was left",
            where=str(error.filename or place),
            hint=hints.get(error.errno or 0, "Choose another place with --output."),
        ) from error


def write_atomically(path: Path, data: bytes) -> None:
    """Replace the content of a file completely or not at all, flushed to the disk."""
    partial = path.with_name(f".{path.name}.partial")  # a crash leaves it, and the next run removes it
    with writing(path):
        try:
            with partial.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def write_new(path: Path, data: bytes) -> None:
    """Write a new file completely or not at all. Raises GensetError if the file exists."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with writing(path):
        try:
            with partial.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            _named(partial, path)
        finally:
            partial.unlink(missing_ok=True)


def _named(partial: Path, path: Path) -> None:
    """Give a complete file its name. Raises FileExistsError if the name exists."""
    try:
        os.link(partial, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: here another process could take the name in between
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        os.replace(partial, path)


def json_bytes(value: Any) -> bytes:
    """JSON as genset writes it to files: indented, in a stable order."""
    return (json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n").encode()


@dataclass(frozen=True)
class Version:
    """One finished version."""

    path: Path
    kind: str
    name: str
    id: str

    def as_dict(self) -> dict[str, str]:
        """The JSON object of a version."""
        return {"path": str(self.path), "name": self.name, "id": self.id}

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest, read from the disk. Raises DamagedError if it is damaged or lacks a required key."""
        manifest = _read_manifest(self.path)
        fault = _manifest_fault(manifest)
        if fault:
            raise _damaged(self.path, fault)
        return dict(manifest)

    @property
    def status(self) -> str:
        """How the run ended, "ok" or "failed"; "damaged" if the manifest is damaged."""
        try:
            return str(self.manifest["status"])
        except DamagedError:
            return "damaged"

    @property
    def reference(self) -> str:
        """NAME@vNNNN, as commands take it."""
        return f"{self.name}@{self.id}"


@dataclass
class Draft:
    """A version that is being written, in a hidden folder; several threads may write to it."""

    path: Path
    kind: str
    name: str
    id: str
    sums: dict[str, str] = field(default_factory=dict)
    _folders: set[str] = field(default_factory=set)  # that exist
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def reference(self) -> str:
        """NAME@vNNNN, as commands will take it."""
        return f"{self.name}@{self.id}"

    def write(self, name: str, data: bytes, link: Path | None = None) -> None:
        """Write one file and record its checksum. It is flushed with the others when the version is complete.

        `link` is a file with the same bytes: a hard link replaces the copy where the file system supports it.
        """
        path = os.path.join(self.path, name)
        with self._making(name):
            if link is None or not _linked(link, path):
                with open(path, "xb") as file:
                    file.write(data)
        if name not in NOT_SUMMED:
            with self._lock:
                self.sums[name] = hashlib.sha256(data).hexdigest()

    def adopt(self, name: str, path: Path, digest: str) -> None:
        """Add a file with this SHA-256 that was written and flushed elsewhere on the disk; the original is kept."""
        with self._making(name):
            if not _linked(path, os.path.join(self.path, name)):
                shutil.copyfile(path, self.path / name)
        self.sums[name] = digest

    @contextlib.contextmanager
    def _making(self, name: str) -> Iterator[None]:
        """Prepare to write a file: its path is inside the version and its folder exists."""
        if not is_inside(name):
            raise GensetError(f"the path {name!r} is outside the version", where=str(self.path))
        folder = os.path.join(self.path, os.path.dirname(name))
        with writing(os.path.join(self.path, name)):
            if folder not in self._folders:
                os.makedirs(folder, exist_ok=True)
                self._folders.add(folder)
            yield

    def _finish(self, manifest: dict[str, Any]) -> None:
        sums = "".join(f"{digest}  {name}\n" for name, digest in sorted(self.sums.items()))
        self.write(SUMS, sums.encode())
        self.write(MANIFEST, json_bytes(manifest))
        flush_tree(self.path)


class Root:
    """The output root: its versions, its lock, its working folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextlib.contextmanager
    def lock(self, timeout: float, waiting: Callable[[str], None]) -> Iterator[None]:
        """Lock the root. Raises LockedError if another run holds the lock for more than `timeout` seconds."""
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self.path / ".lock")
            try:
                try:
                    lock.acquire(timeout=0)
                except filelock.Timeout:
                    waiting(f"another run is using {self.path}: waiting up to {timeout:g} s for it to end")
                    lock.acquire(timeout=timeout)
            except filelock.Timeout:
                raise LockedError(
                    f"another run still holds the lock after {timeout:g} s",
                    where=str(self.path),
                    hint="Wait for it to end, wait longer with --lock-timeout, or use another --output.",
                ) from None
            except NotImplementedError:
                raise GensetError(
                    "this file system has no file locks, so two runs at the same time could damage each other's output",
                    where=str(self.path),
                    hint="Choose a place on another file system with --output.",
                ) from None
        try:
            self._sweep()
            yield
        finally:
            lock.release()

    def _sweep(self) -> None:
        """Remove what crashed runs left."""
        for kind in KINDS:
            for pattern in ("*/.v*.partial", "*/.v*.removed"):
                for partial in (self.path / kind).glob(pattern):
                    shutil.rmtree(partial)
        for partial in (*(self.path / WORK).glob("*/.*.partial"), *(self.path / WORK).glob("*/shards-*/.*.partial")):
            if partial.is_dir():
                shutil.rmtree(partial)
            else:
                partial.unlink()

    def work(self, name: str) -> Path:
        """The folder for what a run keeps between its stages: prepared items and checkpoints."""
        path = self.path / WORK / name
        with writing(path):
            path.mkdir(parents=True, exist_ok=True)
        return path

    @contextlib.contextmanager
    def draft(self, kind: str, name: str) -> Iterator[Draft]:
        """A new version to write; it is removed unless `commit` is called. Needs the lock."""
        versions = self.versions(kind, name)
        number = int(versions[-1].id[1:]) + 1 if versions else 1
        path = self.path / kind / name / f".v{number:04d}.partial"
        with writing(path):
            path.mkdir(parents=True)
        try:
            yield Draft(path, kind, name, f"v{number:04d}")
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def commit(self, draft: Draft, manifest: dict[str, Any], *, latest: bool = True) -> Version:
        """Make a draft visible with one rename; then point `latest` to it."""
        with writing(draft.path):
            draft._finish(manifest)
            path = draft.path.with_name(draft.id)
            os.rename(draft.path, path)
            _flush_folder(path.parent)
            if latest:
                self._point_to(path)
        return Version(path, draft.kind, draft.name, draft.id)

    def point(self, version: Version) -> None:
        """Point `latest` to a version."""
        link = version.path.with_name("latest")
        if not link.is_symlink() or os.readlink(link) != version.id:
            with writing(link):
                self._point_to(version.path)

    @staticmethod
    def _point_to(path: Path) -> None:
        link = path.with_name(".latest.new")
        link.unlink(missing_ok=True)
        link.symlink_to(path.name)
        os.replace(link, path.with_name("latest"))

    def remove(self, version: Version) -> None:
        """Remove a version: first one rename hides it, then its files are deleted. Needs the lock."""
        gone = version.path.with_name(f".{version.id}.removed")
        with writing(version.path):
            os.rename(version.path, gone)
            _flush_folder(gone.parent)
            shutil.rmtree(gone)

    def latest(self, kind: str, name: str) -> Version | None:
        """The version that `latest` means; None if no version passed its gates."""
        versions = self.versions(kind, name)
        try:
            wanted = self._latest(kind, name, versions)
        except GensetError:
            return None
        return next((version for version in versions if version.id == wanted), None)

    def versions(self, kind: str, name: str) -> list[Version]:
        """The finished versions of one name, oldest first."""
        folder = self.path / kind / name
        if not folder.is_dir():
            return []
        found = [entry for entry in folder.iterdir() if _VERSION.match(entry.name) and entry.is_dir()]
        return [Version(p, kind, name, p.name) for p in sorted(found, key=lambda p: int(p.name[1:]))]

    def names(self, kind: str) -> list[str]:
        """The names with versions of a kind."""
        folder = self.path / kind
        return sorted(p.name for p in folder.iterdir() if self.versions(kind, p.name)) if folder.is_dir() else []

    def find(self, kind: str, text: str) -> Version | None:
        """The version that a user means: a path, NAME, NAME@latest or NAME@v0003. None for a folder without a manifest.

        Raises GensetError if nothing has this path or name.
        """
        path = Path(text)
        if os.path.isdir(path):  # False, where Path.is_dir raises: a name that is too long
            if _is_name(text) and self.versions(kind, text) and path.resolve() != self.path / kind / text:
                raise GensetError(
                    f"{text!r} is a folder here and a name under {self.path / kind}",
                    hint=f"Write ./{text} for the folder, or {text}@latest for the version.",
                )
            return open_version(path)
        name, _, tag = text.partition("@")
        versions = self.versions(kind, name) if _is_name(name) else []
        if versions and (tag or "@" not in text):
            wanted = self._latest(kind, name, versions) if tag in ("", "latest") else tag
            match = [version for version in versions if version.id == wanted]
            if match:
                return match[0]
            ids = ", ".join(version.id for version in versions)
            raise GensetError(
                f"{name} has no version {tag!r}", where=str(self.path / kind / name), hint=f"It has {ids}."
            )
        names = self.names(kind)
        hint = f"Names under {self.path}: {', '.join(names)}." if names else f"{self.path / kind} has no versions yet."
        what = "folder" if kind == "datasets" else "model version"
        raise GensetError(f"no such {what} or name: {text!r}{did_you_mean(name, names)}", hint=hint)

    def _latest(self, kind: str, name: str, versions: list[Version]) -> str:
        link = self.path / kind / name / "latest"
        if link.is_symlink() and link.is_dir():
            return link.resolve().name
        passed = [version.id for version in versions if version.status == "ok"]
        if not passed:
            ids = ", ".join(version.id for version in versions)
            raise GensetError(
                f"no version of {name} passed its quality gates, so there is no `latest`",
                where=str(self.path / kind / name),
                hint=f"Name one of {ids}, such as {name}@{versions[-1].id}.",
            )
        return passed[-1]


def open_version(path: Path) -> Version | None:
    """The version at a path (`latest` is followed), also a copied one; None if genset wrote no version there.

    Raises GensetError for an incomplete version, and DamagedError for a damaged manifest.
    """
    path = path.resolve()
    if _DRAFT.match(path.name):
        raise GensetError(
            "this version is incomplete: a run is writing it or crashed",
            where=str(path),
            hint="Wait for the run to end; the next run removes what a crashed one left.",
        )
    if not (path / MANIFEST).is_file():
        return None
    manifest = _read_manifest(path)
    if not isinstance(manifest, dict) or not set(manifest) >= _OWN:
        return None  # a file of that name by another program
    fault = _manifest_fault(manifest)
    if fault:
        raise _damaged(path, fault)
    return Version(path, f"{manifest['kind']}s", str(manifest["name"]), str(manifest["id"]))


def _read_manifest(folder: Path) -> Any:
    try:
        return parsed((folder / MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        raise _damaged(folder, f"cannot be read: {error}") from None


def _manifest_fault(manifest: Any) -> str:
    """Why a manifest is invalid; "" for a valid one."""
    if not isinstance(manifest, dict):
        return "it is not a JSON object"
    kind = f"{manifest.get('kind')}s"
    if kind not in KINDS:
        return "manifest field `kind` is missing or invalid"
    needed = _NEEDED | (_NEEDED_OF_MODELS if kind == "models" else {})
    wrong = next((name for name, type_ in needed.items() if not isinstance(manifest.get(name), type_)), "")
    return wrong and f"manifest field `{wrong}` is missing or invalid"


def _damaged(folder: Path, fault: str) -> DamagedError:
    return DamagedError(
        fault, where=str(folder / MANIFEST), hint="The version is damaged: write it again with --force."
    )


def roots_of(version: Version) -> list[Root]:
    """The output root that contains a version: none where too few folders are above it."""
    return [Root(version.path.parents[2])] if len(version.path.parents) > 2 else []


def is_output(path: Path) -> bool:
    """Whether genset wrote a folder: a version, a name with versions, an output root, or its models or datasets."""
    if open_version(path):
        return True
    if path.name in KINDS:
        return any(_has_versions(path / name) for name in os.listdir(path))
    return _has_versions(path) or any(is_output(path / kind) for kind in KINDS if os.path.isdir(path / kind))


def _has_versions(path: Path) -> bool:
    names = os.listdir(path) if os.path.isdir(path) else []
    return any(_VERSION.match(name) and open_version(path / name) for name in names)


def _linked(source: Path, target: str) -> bool:
    """Whether a hard link was made: not possible to another disk or to a file of another user."""
    try:
        os.link(os.path.realpath(source) if os.path.islink(source) else source, target)
    except FileExistsError:
        raise
    except OSError:
        return False
    return True


def is_inside(name: str) -> bool:
    """Whether a relative name can only mean a file inside its folder."""
    parts = name.replace("\\", "/").split("/")
    return bool(parts[0]) and ".." not in parts and "\0" not in name


def _is_name(text: str) -> bool:
    return bool(text) and "/" not in text and not text.startswith(".")


def flush_tree(path: Path) -> None:
    """Flush a folder and its files to the disk: with one system call where there is one, which is much faster."""
    library = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    if library and hasattr(library, "syncfs"):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            if library.syncfs(descriptor):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
        finally:
            os.close(descriptor)
        return
    for top, _, files in os.walk(path):
        for name in files:
            with open(os.path.join(top, name), "rb+") as file:
                os.fsync(file.fileno())
        _flush_folder(Path(top))


def _flush_folder(path: Path) -> None:
    """Flush the entries of a folder to the disk, so that a rename survives a power failure."""
    if os.name == "posix":  # a folder cannot be opened for flushing elsewhere
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
