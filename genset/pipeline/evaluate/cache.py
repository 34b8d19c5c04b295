"""A cache of arrays that an evaluation computed, in the working folder of an output root."""

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
from genset.interfaces import Progress
from genset.versions.root import Root

_MAX_BYTES = 512 * 2**20  # of all files together
Arrays = Mapping[str, npt.NDArray[Any]]


class FeatureCache:
    """Computed arrays by a hash of everything that they depend on."""

    def __init__(self, root: Root, progress: Progress) -> None:
        self._root, self._say = root, progress.say

    @cached_property
    def _folder(self) -> Path | None:
        """None if there is no output root: nothing is written into the user's folders."""
        return self._root.work("_features") if self._root.path.is_dir() else None  # no config can have this name

    def arrays(self, key: Sequence[Any], compute: Callable[[], Arrays]) -> Arrays:
        """The cached arrays of a key; computed and cached if there are none."""
        if self._folder is None:
            return compute()
        name = hashlib.sha256(json.dumps([__version__, *key], default=str).encode()).hexdigest()[:32]
        path = self._folder / f"{name}.npz"
        cached = self._read(path) if path.is_file() else None
        if cached is not None:
            return cached
        arrays = compute()
        self._write(path, arrays)
        return arrays

    def _read(self, path: Path) -> Arrays | None:
        """The arrays of a file; None if it is damaged, as after a power failure."""
        try:
            # numpy leaves a file that it opened itself open when the archive is damaged
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                return dict(stored)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            self._say(f"a cached result is damaged and will be computed again: {path}: {error}")
            return None

    def _write(self, path: Path, arrays: Arrays) -> None:
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")  # the next run with the lock removes it
        try:
            with partial.open("wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
            os.replace(partial, path)
            self._prune(path.parent)
        except OSError as error:
            partial.unlink(missing_ok=True)
            self._say(f"could not cache a result, so the next evaluation will compute it again: {error}")

    @staticmethod
    def _prune(folder: Path) -> None:
        """Remove the oldest files beyond the limit."""
        files = sorted(folder.glob("*.npz"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        total = 0
        for path in files:
            total += path.stat().st_size
            if total > _MAX_BYTES:
                path.unlink(missing_ok=True)
