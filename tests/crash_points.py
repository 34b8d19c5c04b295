"""Kill a command at one of the moments at which it changes the disk, then look at what it left.

    python tests/crash_points.py TEMPLATE FOLDER 'COMMAND AS JSON' [--most N] [--torn]

TEMPLATE is an output root, of which each trial takes a copy to FOLDER/out; the command names that with {out}. The moments
are: a file opened for writing, renamed, removed, linked or flushed, a folder made or removed. With --torn the file that was
opened last loses its second half as well, as a power failure may leave it. Prints one JSON object: how many moments there
are, how many were tried, and what was found wrong. Needs a system with fork: the program is imported once, not each time.
"""

import argparse
import hashlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from genset import cli
from genset.cli.session import Session  # noqa: F401 - what children need is imported once
from genset.versions.checksums import verify_sums
from genset.versions.version import KINDS, WORK, open_version
from genset.workflows import (
    augment,  # noqa: F401
)

_CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate"}
_KILLED = -signal.SIGKILL


class _Moments:
    """Counts the moments of a process; at one of them it kills the process."""

    def __init__(self, out: str, stop_at: int, *, torn: bool) -> None:
        self.count, self._out, self._stop_at, self._torn = 0, out, stop_at, torn
        self._last = ""
        real = os.fsync

        def fsync(descriptor: int) -> None:
            self._moment("")
            real(descriptor)

        os.fsync = fsync
        sys.addaudithook(self._heard)

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            writes = bool(set(mode or "") & set("wxa+")) or bool(flags & (os.O_WRONLY | os.O_RDWR))
            if writes and isinstance(path, str | os.PathLike) and os.fspath(path).startswith(self._out):
                self._moment(os.fspath(path))
        elif event in _CHANGES:
            self._moment("")

    def _moment(self, opened: str) -> None:
        self.count += 1
        if self.count == self._stop_at:
            if self._torn and os.path.isfile(self._last):
                descriptor = os.open(self._last, os.O_RDONLY)
                size = os.fstat(descriptor).st_size
                os.truncate(self._last, size // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        self._last = opened or self._last


def _run(command: Sequence[str], out: Path, stop_at: int = 0, *, torn: bool = False) -> tuple[int, int]:
    """(exit code, moments) of the command in a process of its own; it is killed at the moment `stop_at`."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        code = 70
        try:
            moments = _Moments(str(out), stop_at, torn=torn)
            sys.argv = ["genset", *command]
            try:
                cli.main()
            except SystemExit as end:
                code = int(end.code or 0)
            os.write(writer, str(moments.count).encode())
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        count = int(pipe.read() or 0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), count


def _hashes(folder: Path) -> dict[str, str]:
    """Of every file in the visible versions of a root, by its path."""
    files = (p for kind in KINDS for p in (folder / kind).glob("*/v*/**/*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def _faults(out: Path, before: dict[str, str], *, removes: bool) -> list[str]:
    """What no reader of the root may ever meet."""
    found = []
    for kind in KINDS:
        for place in (out / kind).glob("*/v*"):
            version = open_version(place)
            if version is None or verify_sums(version):
                found.append(f"{place.relative_to(out)} is visible and not whole")
        dead = (latest for latest in (out / kind).glob("*/latest") if open_version(latest) is None)
        found += [f"{latest.relative_to(out)} leads nowhere" for latest in dead]
    now = _hashes(out)
    whole = {name.rpartition("/v")[0] for name in now}
    left = {Path(name).parts[:3] for name in now}  # kind, name, version
    for name, digest in before.items():
        gone = removes and Path(name).parts[:3] not in left
        if now.get(name) != digest and not gone:
            found.append(f"{name} of an old version changed")
    return found if whole or removes else [*found, "no version is left"]


def _leftovers(out: Path) -> list[str]:
    hidden = [*out.glob("*/*/.*"), *(out / WORK).glob("*/.*.partial")]
    return [f"{path.relative_to(out)} was left" for path in hidden]


def _comparable(out: Path) -> dict[str, str]:
    """What must be the same however often the command was killed before: all but manifests and cards, which have times."""
    sums = {p: p.read_text(encoding="utf-8") for kind in KINDS for p in (out / kind).glob("*/v*/SHA256SUMS")}
    return {str(p.relative_to(out)): text for p, text in sums.items()}


def trials(
    template: Path, folder: Path, command: Sequence[str], most: int, *, torn: bool, say: Callable[[str], None]
) -> dict[str, Any]:
    """Kill at each moment, or at `most` of them evenly spread; {"moments", "tried", "faults"}."""
    out = folder / "out"

    def fresh() -> None:
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(template, out, symlinks=True)

    asked = [part.replace("{out}", str(out)) for part in command]
    fresh()
    before = _hashes(out)
    code, moments = _run(asked, out)
    if code != 0:
        return {"moments": 0, "tried": 0, "faults": [f"the undisturbed command ends {code}"]}
    wanted = _comparable(out)
    chosen = sorted({1 + n * moments // most for n in range(most)}) if moments > most else range(1, moments + 1)
    faults, killed = [], 0
    for moment in chosen:
        fresh()
        code, _ = _run(asked, out, moment, torn=torn)
        killed += code == _KILLED
        found = _faults(out, before, removes=asked[0] == "prune")
        code, _ = _run(asked, out)
        found += [f"the next one ends {code}"] if code else []
        found += [] if {**wanted, **_comparable(out)} == _comparable(out) else ["the next one made other bytes"]
        faults += [f"killed at moment {moment}: {fault}" for fault in [*found, *_leftovers(out)]]
        say(f"{moment} of {moments}: {len(faults)} faults")
    return {"moments": moments, "tried": killed, "faults": faults}


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("template", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("command", type=json.loads)
    parser.add_argument("--most", type=int, default=10**9)
    parser.add_argument("--torn", action="store_true")
    asked = parser.parse_args()
    told = trials(asked.template, asked.folder, asked.command, asked.most, torn=asked.torn, say=lambda text: None)
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
