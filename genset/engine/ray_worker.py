"""What runs on a worker of a cluster: a stretch of items, by a function that came from the command."""

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

_KEPT = 4  # functions that a worker keeps: some hold networks, which take a while to be read

_functions: OrderedDict[str, Callable[[Any], Any]] = OrderedDict()
_fit: set[tuple[Any, ...]] = set()  # surroundings that were found to be right


@dataclass(frozen=True)
class Surroundings:
    """What a worker must have, so that it does what the command would do itself."""

    libraries: Mapping[str, str] = field(default_factory=dict)  # versions of those that genset needs
    folder: str = ""  # that the command was started in
    probes: Mapping[str, str] = field(default_factory=dict)  # what each path holds, as `print_of` tells
    written: str = ""  # a file of the command's own that must be there


@dataclass(frozen=True)
class Strange:
    """Why a worker cannot work for this command."""

    what: str
    cure: str


@dataclass(frozen=True)
class Done:
    """Results of a stretch, up to the first item whose function raised."""

    results: list[Any]
    seconds: float
    raised: Exception | None = None


@functools.cache
def libraries() -> dict[str, str]:
    """Versions of the libraries that this installation of genset needs, as far as they can be told."""
    out = {}
    for wanted in importlib.metadata.requires("genset") or ():
        name = re.match(r"[\w.-]+", wanted)
        if name and "extra" not in wanted.partition(";")[2]:
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # told as "none"
                out[name[0]] = importlib.metadata.version(name[0])
    return out


def print_of(path: str) -> str:
    """What is to be the same wherever a path is looked at: the size of a file, the names in a folder."""
    try:
        if os.path.isdir(path):
            names = "\n".join(sorted(os.listdir(path)))
            return hashlib.sha256(os.fsencode(names)).hexdigest()
        return str(os.stat(path).st_size)
    except OSError as error:
        return f"not there ({os.strerror(error.errno or 0).lower()})"


def strange(wanted: Surroundings) -> Strange | None:
    """What is wrong with this worker, if anything; it then works in the folder of the command."""
    own = libraries()
    other = [
        f"{name} {own.get(name, 'none')} and not {v}" for name, v in wanted.libraries.items() if own.get(name) != v
    ]
    if other:
        cure = "Install the same versions on every node: pip install -c constraints.txt."
        return Strange(f"it has other libraries, so its bytes could differ: {', '.join(other[:3])}", cure)
    for path, held in {**wanted.probes, **({wanted.written: "0"} if wanted.written else {})}.items():
        found = print_of(path)
        if found != held:
            what = found if found.startswith("not there") else "something else stands there"
            shown = str(Path(path).parent) if path == wanted.written else path
            cure = "Put it on a file system that all nodes share, under the same path."
            return Strange(f"it does not see what this command sees at {shown}: {what}", cure)
    try:
        os.chdir(wanted.folder)
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()
        what = f"it cannot enter {wanted.folder}, where this command was started: {why}"
        return Strange(what, "Start the command in a folder that all nodes share.")
    return None


def work(sent: bytes, fetch: Callable[[], Callable[[Any], Any]]) -> Done | Strange:
    """What is done of some items: `sent` holds the surroundings, the name of the function and the items, and `fetch`
    brings the function where it is not known yet."""
    wanted, name, items = pickle.loads(sent)  # the command's own, by way of Ray, which runs what it is sent anyway
    key = (*wanted.probes.items(), wanted.folder, wanted.written)
    if key not in _fit:
        wrong = strange(wanted)
        if wrong:
            return wrong
        _fit.add(key)
    if name not in _functions:
        _functions[name] = fetch()
        while len(_functions) > _KEPT:
            _functions.popitem(last=False)
    started = time.perf_counter()
    results: list[Any] = []
    raised = None
    for item in items:
        try:
            results.append(_functions[name](item))
        except Exception as error:  # handed to the command, which raises it where the item's turn comes
            raised = error
            break
    return Done(results, time.perf_counter() - started, raised)
