"""What runs on a worker of a Ray cluster: a function that came from the command, over a batch of items."""

import contextlib
import functools
import hashlib
import importlib.metadata
import os
import pickle
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_FUNCTIONS_KEPT = 4  # by a worker: some hold networks, which take a while to load
_MISSING = "missing"

_functions: OrderedDict[str, Callable[[Any], Any]] = OrderedDict()
_fulfilled: set[tuple[Any, ...]] = set()  # requirements that this worker is known to meet


@dataclass(frozen=True)
class WorkerRequirements:
    """What a worker must have, so that its results equal those of the command itself."""

    libraries: Mapping[str, str] = field(default_factory=dict)  # versions of the libraries that genset needs
    folder: str = ""  # in which the command was started
    paths: Mapping[str, str] = field(default_factory=dict)  # `path_fingerprint` of each path that is read
    probe: str = ""  # an empty file that the command has written into its output root


@dataclass(frozen=True)
class Mismatch:
    """Why a worker cannot be used, and what to do about it."""

    reason: str
    hint: str


@dataclass(frozen=True)
class BatchResult:
    """Results of a batch, up to the first item whose function raised."""

    results: list[Any]
    seconds: float
    raised: Exception | None = None


@functools.cache
def libraries() -> dict[str, str]:
    """Versions of the installed libraries that genset requires; uninstalled ones are left out."""
    versions = {}
    for requirement in importlib.metadata.requires("genset") or ():
        name = re.match(r"[\w.-]+", requirement)
        if name and "extra" not in requirement.partition(";")[2]:
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                versions[name[0]] = importlib.metadata.version(name[0])
    return versions


def path_fingerprint(path: str) -> str:
    """What must be equal wherever a path is read: the size of a file, a hash of the names in a folder."""
    try:
        if os.path.isdir(path):
            names = "\n".join(sorted(os.listdir(path)))
            return hashlib.sha256(os.fsencode(names)).hexdigest()
        return str(os.stat(path).st_size)
    except OSError as error:
        return f"{_MISSING} ({os.strerror(error.errno or 0).lower()})"


def find_mismatch(requirements: WorkerRequirements) -> Mismatch | None:
    """Which requirement this worker does not meet, if any; otherwise it changes to the folder of the command."""
    mismatch = _library_mismatch(requirements) or _path_mismatch(requirements)
    if mismatch:
        return mismatch
    try:
        os.chdir(requirements.folder)
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        return Mismatch(
            f"it cannot enter {requirements.folder}, where this command was started: {reason}",
            "Start the command in a folder that all nodes share.",
        )
    return None


def _library_mismatch(requirements: WorkerRequirements) -> Mismatch | None:
    own = libraries()
    differing = [
        f"{name} {own.get(name, 'none')} instead of {version}"
        for name, version in requirements.libraries.items()
        if own.get(name) != version
    ]
    if not differing:
        return None
    return Mismatch(
        f"its library versions differ, so results could differ: {', '.join(differing[:3])}",
        "Install the same versions on every node: pip install -c constraints.txt.",
    )


def _path_mismatch(requirements: WorkerRequirements) -> Mismatch | None:
    expected = dict(requirements.paths)
    if requirements.probe:
        expected[requirements.probe] = "0"  # bytes
    for path, fingerprint in expected.items():
        actual = path_fingerprint(path)
        if actual != fingerprint:
            shown = str(Path(path).parent) if path == requirements.probe else path
            difference = actual if actual.startswith(_MISSING) else "the content differs"
            return Mismatch(
                f"it does not see the same files as this command at {shown}: {difference}",
                "Use a file system that all nodes share, mounted under the same path.",
            )
    return None


def run_batch(message: bytes, fetch: Callable[[], Callable[[Any], Any]]) -> BatchResult | Mismatch:
    """Apply a function to a batch: `message` is the pickle of (requirements, name of the function, items).

    `fetch` returns the function, where this worker has not cached it.
    """
    requirements, name, items = pickle.loads(message)  # from the command itself, by way of Ray, which runs its code
    key = (*requirements.paths.items(), requirements.folder, requirements.probe)
    if key not in _fulfilled:
        mismatch = find_mismatch(requirements)
        if mismatch:
            return mismatch
        _fulfilled.add(key)
    if name not in _functions:
        _functions[name] = fetch()
        while len(_functions) > _FUNCTIONS_KEPT:
            _functions.popitem(last=False)
    started = time.perf_counter()
    results: list[Any] = []
    raised = None
    for item in items:
        try:
            results.append(_functions[name](item))
        except Exception as error:  # returned to the command, which raises it when the item's turn comes
            raised = error
            break
    return BatchResult(results, time.perf_counter() - started, raised)
