"""A version while it is written, in a hidden folder."""

import contextlib
import hashlib
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genset.atomic import flush_tree, writing
from genset.errors import GensetError
from genset.safe_json import json_bytes
from genset.versions.checksums import write_checksums
from genset.versions.version import MANIFEST, NOT_SUMMED, SUMS, is_inside


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
        with writing(self.path / SUMS):
            write_checksums(self.path, self.sums)
        self.write(MANIFEST, json_bytes(manifest))
        flush_tree(self.path)


def _linked(source: Path, target: str) -> bool:
    """Whether a hard link was made: not possible to another disk or to a file of another user."""
    try:
        os.link(os.path.realpath(source) if os.path.islink(source) else source, target)
    except FileExistsError:
        raise
    except OSError:
        return False
    return True
