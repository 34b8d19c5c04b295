"""Arrays that an earlier evaluation computed, kept in the working folder."""

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from genset import __version__
from genset.interfaces import (
    Progress,
)
from genset.versions.root import Root

_KEPT_BYTES = 512 * 2**20
Arrays = Mapping[str, npt.NDArray[Any]]


class FeatureCache:
    """What was computed before, by a hash of all that it depends on; in the working place of an output root."""

    def __init__(self, root: Root, progress: Progress) -> None:
        self._root, self._say = root, progress.say

    @cached_property
    def _folder(self) -> Path | None:
        """None where there is no output root: nothing is written into the user's folders."""
        return self._root.work("_features") if self._root.path.is_dir() else None  # no config can have this name

    def arrays(self, key: Sequence[Any], make: Callable[[], Arrays]) -> Arrays:
        """The arrays of a key, made anew unless they are kept."""
        if self._folder is None:
            return make()
        name = hashlib.sha256(json.dumps([__version__, *key], default=str).encode()).hexdigest()[:32]
        path = self._folder / f"{name}.npz"
        kept = self._read(path) if path.is_file() else None
        if kept is not None:
            return kept
        made = make()
        self._keep(path, made)
        return made

    def _read(self, path: Path) -> Arrays | None:
        """What is kept there; None where a power failure left half of it."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                return dict(stored)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            self._say(f"what was computed before is damaged, and is computed anew: {path}: {error}")
            return None

    def _keep(self, path: Path, made: Arrays) -> None:
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")  # the next run with the lock sweeps it away
        try:
            with partial.open("wb") as file:
                np.savez(file, allow_pickle=False, **made)
            os.replace(partial, path)
            self._prune(path.parent)
        except OSError as error:
            partial.unlink(missing_ok=True)
            self._say(f"what was computed is not kept for the next time: {error}")

    @staticmethod
    def _prune(folder: Path) -> None:
        """Take away the oldest beyond the limit."""
        files = sorted(folder.glob("*.npz"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        total = 0
        for path in files:
            total += path.stat().st_size
            if total > _KEPT_BYTES:
                path.unlink(missing_ok=True)
