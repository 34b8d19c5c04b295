"""The only place that prints: progress, tables, errors, and the one JSON object of --json."""

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

LINE_EVERY = 20.0  # seconds between lines where there is no terminal: the contract says 30 at most
_MOST_ROWS = 12
_BAR_WIDTH = 14
_READABLE = 32  # columns that a cell of prose needs


class Console:
    """What a command says, and how."""

    def __init__(self, *, json_output: bool = False, quiet: bool = False) -> None:
        self.json_output, self.quiet = json_output, quiet
        # With --json the standard output belongs to the one object.
        self.out = _rich(stderr=json_output, highlight=False, soft_wrap=not sys.stdout.isatty())
        self.error = _rich(stderr=True, highlight=False, soft_wrap=True)
        self._bar: Any = None
        self._task: Any = None
        self._stage = ""
        self._line_at = time.monotonic()
        self._note = self._said = ""
        self._ended = threading.Event()
        self.failed: GensetError | None = None  # what ended the command

    def progress(self) -> Progress:
        """What long work reports to: a bar on a terminal, now and then a line elsewhere, nothing with --quiet."""
        if self.quiet:
            return Progress.silent()
        if not self.error.is_terminal:
            threading.Thread(target=self._still, daemon=True).start()
        return Progress(self._tick, self._say)

    def say(self, text: str) -> None:
        """One line of plain text for a person."""
        self.stop()
        if not self.quiet:
            self.out.print(_plain(text), markup=False)

    def warn(self, text: str) -> None:
        """One line that --quiet does not silence."""
        self.error.print(_plain(text), markup=False)

    @property
    def can_ask(self) -> bool:
        """Whether a person sits there who can answer."""
        return sys.stdin.isatty() and self.error.is_terminal and not (self.json_output or self.quiet)

    def ask(self, question: str, default: bool) -> bool:
        """A yes or no, by Enter the default."""
        self.stop()
        from rich.prompt import Confirm

        return bool(Confirm.ask(_escape(question), console=self.error, default=default))

    def choose(self, question: str, choices: Sequence[str], default: str) -> str:
        """One of some words, by Enter the default."""
        self.stop()
        from rich.prompt import Prompt

        return str(Prompt.ask(_escape(question), console=self.error, choices=list(choices), default=default))

    def table(
        self, title: str, rows: Sequence[Sequence[str]], head: Sequence[str] = (), optional: Sequence[int] = ()
    ) -> None:
        """A table of text. The `optional` columns are left out, in this order, while the terminal is too narrow."""
        self.stop()
        if self.quiet:
            return
        from rich.table import Table

        for column in _too_wide(rows, head, optional, self.out.width):
            rows = [[*row[:column], *row[column + 1 :]] for row in rows]
            head = [*head[:column], *head[column + 1 :]]
        table = Table(title=title, title_justify="left", show_header=bool(head), box=None, pad_edge=False)
        for number in range(len(rows[0]) if rows else 0):
            table.add_column(head[number] if head else "")
        for row in rows:
            table.add_row(*(_escape(cell) for cell in row))
        self.out.print(table)

    def counts(self, title: str, counts: Mapping[str, int]) -> None:
        """Counts, the first few of them when there are many."""
        shown = list(counts.items())[:_MOST_ROWS]
        rest = len(counts) - len(shown)
        rows = [[name or "(none)", f"{count:,}"] for name, count in shown]
        self.table(title, [*rows, [f"... and {rest} more", ""]] if rest else rows)

    def problems(self, problems: Sequence[Mapping[str, Any]]) -> None:
        """What was found wrong, the first few."""
        if not problems:
            return
        rows = [[p["path"], p["kind"], p["detail"]] for p in problems[:_MOST_ROWS]]
        if len(problems) > _MOST_ROWS:
            rows.append([f"... and {len(problems) - _MOST_ROWS} more, all of them with --json", "", ""])
        kinds = Counter(problem["kind"] for problem in problems)
        title = f"{len(problems)} problem{'s' * (len(problems) != 1)}"
        if 1 < len(kinds) < len(problems):
            title += ": " + ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
        self.table(title, rows)

    def result(self, value: Mapping[str, Any]) -> None:
        """The one JSON object, where it was asked for."""
        self.stop()
        if self.json_output:
            self._object(value)

    def failure(self, error: GensetError, command: str) -> None:
        """One message for a person, and the object for a script."""
        self.stop()
        self.failed = error
        self.error.print(f"genset: {_plain(str(error))}", markup=False)
        if self.json_output:
            told = {"message": error.message, "where": error.where, "hint": error.hint}
            self._object({"command": command, "error": told, "exit_code": int(error.exit_code)})

    def close(self) -> None:
        """Say nothing more by itself."""
        self._ended.set()
        self.stop()

    def stop(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    @staticmethod
    def _object(value: Mapping[str, Any]) -> None:
        try:
            text = json.dumps(value, ensure_ascii=False, default=str)  # a path may hold bytes that are no UTF-8
            sys.stdout.write(text.encode("utf-8", "backslashreplace").decode() + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            _to_nowhere(sys.stdout)
        except OSError as error:
            raise GensetError(f"cannot write to standard output: {(error.strerror or '').lower()}") from None

    def _still(self) -> None:
        """A line now and then while a stage has nothing to count."""
        while not self._ended.wait(1.0):
            if time.monotonic() - self._line_at > LINE_EVERY:
                self._line_at = time.monotonic()
                self.error.print(_plain(f"{self._said or self._stage}: still at work"), markup=False)

    def _say(self, text: str) -> None:
        self.stop()
        self.error.print(_plain(text), markup=False)
        self._said, self._line_at = text, time.monotonic()

    def _tick(self, stage: str, done: int, total: int, note: str) -> None:
        self._note = note or (self._note if stage == self._stage else "")
        if self.error.is_terminal:
            self._show(stage, done, total)
        elif time.monotonic() - self._line_at > LINE_EVERY:
            self.error.print(_plain(f"{stage}: {done:,} of {total:,}  {self._note}".rstrip()), markup=False)
            self._line_at = time.monotonic()
        self._stage, self._said = stage, ""

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
    """Run a command; turn a user's mistake into one message and an exit code, an interrupt into 130."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        return work()
    except GensetError as error:
        console.failure(error, command)
        return int(error.exit_code)
    except (Interrupt, KeyboardInterrupt) as stop:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # once is enough: what is under way is a clean end
        console.failure(_InterruptedError("interrupted; no incomplete file was left", hint=str(stop)), command)
        return int(ExitCode.INTERRUPTED)
    except OSError as error:
        if debug:
            traceback.print_exc()
        reason = (error.strerror or str(error)).lower()
        console.failure(GensetError(f"the system refuses: {reason}", where=str(error.filename or "")), command)
        return int(ExitCode.WRONG)
    except Exception:
        traceback.print_exc()
        console.failure(_BugError("genset itself failed", hint="Please report it, with the lines above."), command)
        return int(ExitCode.BUG)
    finally:
        console.close()


class _BugError(GensetError):
    exit_code = ExitCode.BUG


class _InterruptedError(GensetError):
    exit_code = ExitCode.INTERRUPTED


def _rich(**settings: Any) -> Any:
    """A rich console that lets a command end as it should when nobody reads its output any more (`| head`)."""
    from rich.console import Console as Rich

    class Patient(Rich):
        def on_broken_pipe(self) -> None:
            _to_nowhere(self.file)

    return Patient(**settings)


def _to_nowhere(file: Any) -> None:
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), file.fileno())


def _interrupt(number: int, frame: Any) -> None:
    raise Interrupt


def _too_wide(rows: Sequence[Sequence[str]], head: Sequence[str], optional: Sequence[int], width: int) -> Iterator[int]:
    """The optional columns that must go for the others to have room; a column of prose needs _READABLE at least."""
    widths = [2 + max(len(cell) for cell in column) for column in zip(*rows, *([head] if head else []), strict=True)]
    widths = [min(one, _READABLE) for one in widths]
    for column in optional:  # from the right to the left, so that the numbers of those that stay hold
        if sum(widths) <= width:
            return
        widths[column] = 0
        yield column


def _plain(text: str) -> str:
    """Text without control characters: a file name must not steer the terminal."""
    return "".join(c if c.isprintable() or c in "\n" else f"\\x{ord(c):02x}" for c in text)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(_plain(text))
