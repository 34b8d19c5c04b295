"""One command while it runs: its console, log and clock, the output root with its lock, and how it ends."""

import contextlib
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from genset.cli.console import Console, guarded
from genset.cli.flag_values import engine_from_flag
from genset.cli.json_output.parts import CommandOutput
from genset.cli.options import Common
from genset.cli.run_log import RunLog
from genset.config.sections import DEFAULT_ROOT, Config
from genset.engine import Engine
from genset.errors import GensetError
from genset.pipeline.job import Job
from genset.versions.root import Root


class Session:
    """What a command works with; `command` is its name, `common` the values of the common options."""

    def __init__(self, command: str, common: Common) -> None:
        self.command, self.common = command, common
        self.console = Console(json_output=common.json, quiet=common.quiet)
        self.run_log = RunLog(command, self.console.warn)
        self.reports_health = False  # whether the last line is one for monitoring
        self._started = time.monotonic()

    def seconds(self) -> float:
        """Time since the command started."""
        return round(time.monotonic() - self._started, 2)

    def root(self, config: Config | None = None) -> Root:
        """The output root: of --output, else of the config, else the default in the working directory."""
        configured = config.output.root if config else None
        return Root(self.common.output or Path(configured or DEFAULT_ROOT))

    def engine(self, config: Config | None = None) -> Engine:
        """The engine of --engine, else of the config, else the local one. Raises GensetError."""
        return engine_from_flag(self.common.engine, self.common.workers, config.engine if config else None)

    def job(self, root: Root, config: Config | None = None) -> Job:
        """The job of this command, without the lock of the output root."""
        return Job(self.command, root, self.engine(config), self.run_log.watching(self.console.progress()))

    @contextlib.contextmanager
    def locked(self, root: Root, config: Config | None = None) -> Iterator[Job]:
        """The job of this command, while it holds the lock of the output root."""
        job = self.job(root, config)
        with root.lock(self.common.lock_timeout, job.progress.say), job.engine.sharing(root.path):
            yield job

    def finish(self, output_type: type[CommandOutput], /, **fields: Any) -> None:
        """Print the one JSON object with --json, validated by its model, and keep what the log repeats of it."""
        output = output_type(command=self.command, seconds=self.seconds(), **fields)
        dumped = output.model_dump(exclude_unset=True)
        values = {key: dumped[key] for key in fields}  # in the order in which they are given
        self.run_log.result(values)
        self.console.result({"command": output.command, **values, "seconds": output.seconds})


def execute(session: Session, work: Callable[[], int]) -> int:
    """Run a command to its exit code. With --debug the traceback of a user's mistake is shown too."""
    warnings.filterwarnings("ignore", module=r"PIL\.")  # unusual EXIF or palette blocks: only the pixels matter
    debug = session.common.debug

    def traced() -> int:
        try:
            if session.common.log_file:
                session.run_log.open(session.common.log_file)
            return work()
        except GensetError:
            if debug:
                traceback.print_exc()
            raise

    code = guarded(session.command, session.console, traced, debug=debug)
    seconds = session.seconds()
    session.run_log.end(code, seconds, session.console.failed)
    if session.reports_health:
        session.console.say(session.run_log.health(code, seconds))
    return code
