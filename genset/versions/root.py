"""The output root: its versions, its lock, its working folder."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import filelock

from genset.atomic import flush_folder, writing
from genset.errors import GensetError, LockedError
from genset.versions.draft import Draft
from genset.versions.version import KINDS, VERSION, WORK, Version, open_version


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
            flush_folder(path.parent)
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
            flush_folder(gone.parent)
            shutil.rmtree(gone)

    def latest(self, kind: str, name: str) -> Version | None:
        """The version that `latest` means; None if the name has no versions, or none passed its gates."""
        versions = self.versions(kind, name)
        if not versions:
            return None
        try:
            latest_id = self.latest_id(kind, name, versions)
        except GensetError:
            return None
        return next((version for version in versions if version.id == latest_id), None)

    def versions(self, kind: str, name: str) -> list[Version]:
        """The finished versions of one name, oldest first."""
        folder = self.path / kind / name
        if not folder.is_dir():
            return []
        found = [entry for entry in folder.iterdir() if VERSION.match(entry.name) and entry.is_dir()]
        return [Version(p, kind, name, p.name) for p in sorted(found, key=lambda p: int(p.name[1:]))]

    def names(self, kind: str) -> list[str]:
        """The names with versions of a kind."""
        folder = self.path / kind
        return sorted(p.name for p in folder.iterdir() if self.versions(kind, p.name)) if folder.is_dir() else []

    def latest_id(self, kind: str, name: str, versions: list[Version]) -> str:
        """The id of the version that `latest` means. Raises GensetError if no version passed its gates."""
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
    return any(VERSION.match(name) and open_version(path / name) for name in names)
