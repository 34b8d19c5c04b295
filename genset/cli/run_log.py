"""The machine-readable log of a command: JSON Lines, appended, so that many runs can share one file."""

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from genset import __version__
from genset.errors import ExitCode, GensetError
from genset.interfaces import Progress

_STATUS = {ExitCode.DONE: "ok", ExitCode.FAILED: "failed", ExitCode.INTERRUPTED: "interrupted"}
# Keys of the command's JSON object that the last line repeats
_REPEATED = ("version", "versions", "model", "made", "counts", "figures", "failed_gates", "redrawn")


@dataclass
class _RunningStage:
    """The stage that is running, with its last progress."""

    name: str
    started: float
    done: int = 0
    total: int = 0


class RunLog:
    """Names a run, and with --log-file writes what it does.

    Lines have `time` (UTC), `run` and `event`: `start` (command, arguments, version of genset), `stage` (seconds, done,
    total, peak memory), `note` (a line that was printed), `end` (status, exit code, seconds, and the result or the
    error). Each line is appended by one system call, so that several runs can share a file.
    """

    def __init__(self, command: str, warn: Callable[[str], None]) -> None:
        self.run = f"{datetime.now(UTC):%Y%m%dT%H%M%S}Z-{os.getpid()}"
        self._command, self._warn = command, warn
        self._file: int | None = None
        self._stage: _RunningStage | None = None
        self._result: Mapping[str, Any] = {}

    def open(self, path: Path) -> None:
        """Start writing to a file. Raises GensetError where that is not possible."""
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        except OSError as error:
            raise GensetError(
                f"cannot write the log: {(error.strerror or '').lower()}",
                where=f"--log-file {path}",
                hint="Give the name of a file in an existing folder.",
            ) from None
        self._write("start", command=self._command, arguments=sys.argv[1:], genset=__version__)

    def watching(self, progress: Progress) -> Progress:
        """The same progress receiver, which also writes stages and notes to the log."""
        if self._file is None:
            return progress

        def tick(stage: str, done: int, total: int, note: str) -> None:
            if self._stage is None or self._stage.name != stage:
                self._close_stage()
                self._stage = _RunningStage(stage, time.monotonic())
            self._stage.done, self._stage.total = done, total
            progress.tick(stage, done, total, note)

        def say(text: str) -> None:
            self._write("note", text=text)
            progress.say(text)

        return Progress(tick, say)

    def result(self, fields: Mapping[str, Any]) -> None:
        """Keep parts of the command's JSON object for the last line."""
        problems = {"problems": len(fields["problems"])} if "problems" in fields else {}
        self._result = {name: fields[name] for name in _REPEATED if name in fields} | problems

    def end(self, exit_code: int, seconds: float, error: GensetError | None) -> None:
        """Write the last line."""
        self._close_stage()
        failed = {"error": error.as_dict()} if error else {}
        self._write(
            "end",
            status=status(exit_code),
            exit_code=int(exit_code),
            seconds=seconds,
            **_memory(),
            **self._result,
            **failed,
        )

    def health(self, exit_code: int, seconds: float) -> str:
        """The line that monitoring can look for."""
        made = self._result.get("made")
        version = self._result.get("version")
        parts = [f"genset: {status(exit_code)}", f"run={self.run}", f"exit={int(exit_code)}"]
        parts += [f"dataset={version['name']}@{version['id']}"] if version else []
        parts += [f"made={'yes' if made else 'no'}"] if made is not None else []
        return " ".join([*parts, f"seconds={seconds}"])

    def _close_stage(self) -> None:
        stage, self._stage = self._stage, None
        if stage:
            seconds = round(time.monotonic() - stage.started, 2)
            self._write("stage", stage=stage.name, seconds=seconds, done=stage.done, total=stage.total, **_memory())

    def _write(self, event: str, **fields: Any) -> None:
        if self._file is None:
            return
        row = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "run": self.run, "event": event, **fields}
        line = json.dumps(row, default=str) + "\n"  # ASCII: a path may hold bytes that are not UTF-8
        try:
            os.write(self._file, line.encode())
        except OSError as error:  # such as a full disk: the command continues without its log
            self._file = None
            self._warn(f"genset: the log ends here: {(error.strerror or '').lower()}")


def status(exit_code: int) -> str:
    """The word for an exit code: ok, failed (a gate or a check), interrupted, or error."""
    return _STATUS.get(ExitCode(exit_code), "error")


def _memory() -> dict[str, float]:
    """Peak memory of the process so far, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return {"peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)}
