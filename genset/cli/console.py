"""The only module that prints: progress, tables, errors, and the one JSON object of --json."""

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from genset.errors import ExitCode, GensetError, Interrupt
from genset.interfaces import Progress

LINE_EVERY = 20.0  # seconds between lines without a terminal: the contract allows up to 30
_MAX_ROWS = 12
_BAR_WIDTH = 14
_PROSE_WIDTH = 32  # characters that a cell of prose needs


class Console:
    """Prints what a command reports, for a person or for a script."""

    def __init__(self, *, json_output: bool = False, quiet: bool = False) -> None:
        self.json_output, self.quiet = json_output, quiet
        # With --json, standard output holds nothing but the one object.
        self.out = _rich(stderr=json_output, highlight=False, soft_wrap=not sys.stdout.isatty())
        self.error = _rich(stderr=True, highlight=False, soft_wrap=True)
        self._bar: Any = None
        self._task: Any = None
        self._stage = ""
        self._line_at = time.monotonic()
        self._note = self._last_line = ""
        self._ended = threading.Event()
        self.failed: GensetError | None = None  # the error that ended the command

    def progress(self) -> Progress:
        """The receiver of progress: a bar on a terminal, a line every 20 s elsewhere, nothing with --quiet."""
        if self.quiet:
            return Progress.silent()
        if not self.error.is_terminal:
            threading.Thread(target=self._repeat_last_line, daemon=True).start()
        return Progress(self._tick, self._say)

    def say(self, text: str) -> None:
        """Print plain text for a person."""
        self.stop()
        if not self.quiet:
            self.out.print(_plain(text), markup=False)

    def warn(self, text: str) -> None:
        """Print plain text to standard error, even with --quiet."""
        self.error.print(_plain(text), markup=False)

    @property
    def can_ask(self) -> bool:
        """Whether a person is at the terminal and can answer."""
        return sys.stdin.isatty() and self.error.is_terminal and not (self.json_output or self.quiet)

    def ask(self, question: str, default: bool) -> bool:
        """Ask for yes or no; Enter chooses the default."""
        self.stop()
        from rich.prompt import Confirm

        return bool(Confirm.ask(_escape(question), console=self.error, default=default))

    def choose(self, question: str, choices: Sequence[str], default: str) -> str:
        """Ask for one of the choices; Enter chooses the default."""
        self.stop()
        from rich.prompt import Prompt

        return str(Prompt.ask(_escape(question), console=self.error, choices=list(choices), default=default))

    def table(
        self, title: str, rows: Sequence[Sequence[str]], head: Sequence[str] = (), optional: Sequence[int] = ()
    ) -> None:
        """Print a table of text. The `optional` columns are left out, in this order, if the terminal is too narrow."""
        self.stop()
        if self.quiet:
            return
        from rich.table import Table

        for column in _dropped_columns(rows, head, optional, self.out.width):
            rows = [[*row[:column], *row[column + 1 :]] for row in rows]
            head = [*head[:column], *head[column + 1 :]]
        table = Table(title=title, title_justify="left", show_header=bool(head), box=None, pad_edge=False)
        for number in range(len(rows[0]) if rows else 0):
            table.add_column(head[number] if head else "")
        for row in rows:
            table.add_row(*(_escape(cell) for cell in row))
        self.out.print(table)

    def counts(self, title: str, counts: Mapping[str, int]) -> None:
        """Print counts, only the first ones if there are many."""
        shown = list(counts.items())[:_MAX_ROWS]
        rest = len(counts) - len(shown)
        rows = [[name or "(none)", f"{count:,}"] for name, count in shown]
        self.table(title, [*rows, [f"... and {rest} more", ""]] if rest else rows)

    def problems(self, problems: Sequence[Mapping[str, Any]]) -> None:
        """Print problems, only the first ones if there are many."""
        if not problems:
            return
        rows = [[p["path"], p["kind"], p["detail"]] for p in problems[:_MAX_ROWS]]
        if len(problems) > _MAX_ROWS:
            rows.append([f"... and {len(problems) - _MAX_ROWS} more; --json lists all", "", ""])
        kinds = Counter(problem["kind"] for problem in problems)
        title = f"{len(problems)} problem{'s' * (len(problems) != 1)}"
        if 1 < len(kinds) < len(problems):
            title += ": " + ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
        self.table(title, rows)

    def result(self, value: Mapping[str, Any]) -> None:
        """Print the one JSON object, with --json only."""
        self.stop()
        if self.json_output:
            self.print_json(value)

    def failure(self, error: GensetError, command: str) -> None:
        """Print the one message of an error and, with --json, the object for a script."""
        self.stop()
        self.failed = error
        self.error.print(f"genset: {_plain(str(error))}", markup=False)
        if self.json_output:
            self.print_json({"command": command, "error": error.as_dict(), "exit_code": int(error.exit_code)})

    def close(self) -> None:
        """Stop all output that is not requested by a call."""
        self._ended.set()
        self.stop()

    def stop(self) -> None:
        """Remove the progress bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    @staticmethod
    def print_json(value: Mapping[str, Any]) -> None:
        """Print a JSON object to standard output. Raises GensetError where that is not possible."""
        try:
            text = json.dumps(value, ensure_ascii=False, default=str)  # a path may hold bytes that are not UTF-8
            sys.stdout.write(text.encode("utf-8", "backslashreplace").decode() + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            _redirect_to_null(sys.stdout)
        except OSError as error:
            raise GensetError(f"cannot write to standard output: {(error.strerror or '').lower()}") from None

    def _repeat_last_line(self) -> None:
        """Print a line every LINE_EVERY seconds while a stage has nothing to count."""
        while not self._ended.wait(1.0):
            if time.monotonic() - self._line_at > LINE_EVERY:
                self._line_at = time.monotonic()
                self.error.print(_plain(f"{self._last_line or self._stage}: still running"), markup=False)

    def _say(self, text: str) -> None:
        self.stop()
        self.error.print(_plain(text), markup=False)
        self._last_line, self._line_at = text, time.monotonic()

    def _tick(self, stage: str, done: int, total: int, note: str) -> None:
        self._note = note or (self._note if stage == self._stage else "")
        if self.error.is_terminal:
            self._show(stage, done, total)
        elif time.monotonic() - self._line_at > LINE_EVERY:
            self.error.print(_plain(f"{stage}: {done:,} of {total:,}  {self._note}".rstrip()), markup=False)
            self._line_at = time.monotonic()
        self._stage, self._last_line = stage, ""

    def _show(self, stage: str, done: int, total: int) -> None:
        if self._bar is None or stage != self._stage:
            from rich import progress
            from rich.table import Column

            self.stop()
            self._bar = progress.Progress(
                progress.TextColumn("{task.description}"),
                progress.BarColumn(_BAR_WIDTH),
                progress.MofNCompleteColumn(),
                progress.TimeRemainingColumn(compact=True),
                progress.TextColumn("{task.fields[note]}", table_column=Column(no_wrap=True, overflow="ellipsis")),
                console=self.error,
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task(stage, total=total, note="")
        self._bar.update(self._task, completed=done, total=total, note=self._note)


def guarded(command: str, console: Console, work: Callable[[], int], *, debug: bool) -> int:
    """Run a command to its exit code: an error of the user becomes one message, an interrupt exit code 130."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        return work()
    except GensetError as error:
        console.failure(error, command)
        return int(error.exit_code)
    except (Interrupt, KeyboardInterrupt) as stop:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # the command is already ending: a second signal must not stop that
        console.failure(_InterruptedError("interrupted; no incomplete file was left", hint=str(stop)), command)
        return int(ExitCode.INTERRUPTED)
    except OSError as error:
        if debug:
            traceback.print_exc()
        reason = (error.strerror or str(error)).lower()
        console.failure(GensetError(f"operating system error: {reason}", where=str(error.filename or "")), command)
        return int(ExitCode.WRONG)
    except Exception:
        traceback.print_exc()
        console.failure(_BugError("internal error", hint="Please report it with the lines above."), command)
        return int(ExitCode.BUG)
    finally:
        console.close()


class _BugError(GensetError):
    exit_code = ExitCode.BUG


class _InterruptedError(GensetError):
    exit_code = ExitCode.INTERRUPTED


def _rich(**settings: Any) -> Any:
    """A rich console that lets a command end normally after the reader of its output has gone (`| head`)."""
    from rich.console import Console as RichConsole

    class PatientConsole(RichConsole):
        def on_broken_pipe(self) -> None:
            _redirect_to_null(self.file)

    return PatientConsole(**settings)


def _redirect_to_null(file: Any) -> None:
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), file.fileno())


def _interrupt(number: int, frame: Any) -> None:
    raise Interrupt


def _dropped_columns(
    rows: Sequence[Sequence[str]], head: Sequence[str], optional: Sequence[int], width: int
) -> Iterator[int]:
    """The optional columns to leave out so that the others fit; a column of prose counts _PROSE_WIDTH at most."""
    widths = [2 + max(len(cell) for cell in column) for column in zip(*rows, *([head] if head else []), strict=True)]
    widths = [min(one, _PROSE_WIDTH) for one in widths]
    for column in optional:  # from right to left, so that the numbers of the remaining ones stay valid
        if sum(widths) <= width:
            return
        widths[column] = 0
        yield column


def _plain(text: str) -> str:
    """Text without control characters: a file name must not control the terminal."""
    return "".join(c if c.isprintable() or c in "\n" else f"\\x{ord(c):02x}" for c in text)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(_plain(text))
