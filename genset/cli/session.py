"""What every command needs: its config or sections, its output root and lock, its clock, its end."""

import contextlib
import os
import re
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from genset.cli.console import Console, guarded
from genset.cli.run_log import Journal
from genset.config import (
    DEFAULT_ROOT,
    NAME_PATTERN,
    Augment,
    Balance,
    Clean,
    Config,
    Generate,
    Output,
    Quality,
    Split,
    check_group,
    config_class,
    load,
    section,
)
from genset.engine import ENGINES, Engine, Local
from genset.errors import GensetError
from genset.interfaces import Exporter, Section
from genset.pipeline.job import Job
from genset.store import Store, check_url
from genset.versions import Root, Version, open_version
from genset.yaml_source import Position, Tree, did_you_mean, override

_SECTIONS: Mapping[str, type[Section]] = {
    "clean": Clean,
    "split": Split,
    "generate": Generate,
    "augment": Augment,
    "balance": Balance,
    "quality": Quality,
}


class Command:
    """One command under way."""

    def __init__(self, name: str, json_output: bool, quiet: bool, lock_timeout: float) -> None:
        self.name, self.lock_timeout = name, lock_timeout
        self.console = Console(json_output=json_output, quiet=quiet)
        self.journal = Journal(name, self.console.warn)
        self.unattended = False  # whether one line at the end says how it went, for monitoring
        self._started = time.monotonic()

    def seconds(self) -> float:
        """Time since the command started."""
        return round(time.monotonic() - self._started, 2)

    def config(self, path: Path, overrides: list[str] | None) -> Config:
        """The config file with its overrides."""
        return load(path, overrides or ())

    def root(self, output: Path | None, config: Config | None = None) -> Root:
        """The output root: of the command line, of the config, or the default in the working directory."""
        configured = config.output.root if config else None
        return Root(output or Path(configured or DEFAULT_ROOT))

    def model(self, root: Root, text: str) -> Version:
        """The model version that was meant. Raises GensetError."""
        version = root.find("models", text)
        if version is None or version.kind != "models":
            raise GensetError(
                "this is no model version: it has no manifest, or is a dataset",
                where=text,
                hint="Give a folder such as out/models/NAME/latest, or NAME@v0001.",
            )
        return version

    def dataset(self, root: Root, text: str) -> tuple[Path, Version | None]:
        """The dataset that was meant: its folder, and its version where genset wrote it."""
        if Path(text).is_file():  # of rows, where the modality has them
            return Path(text), None
        version = root.find("datasets", text)
        if version and version.kind != "datasets":
            raise GensetError("this is a model, not a dataset", where=text, hint="Give a folder of items.")
        return (version.path if version else Path(text)), version

    def anything(self, root: Root, text: str) -> Path:
        """What stands at a path or has a name: a file, a folder, a dataset version, else a model version."""
        models, datasets = root.names("models"), root.names("datasets")
        if os.path.isfile(text) or (os.path.isdir(text) and text not in (*models, *datasets)):
            return Path(text)  # whatever state it is in: to tell that is the affair of who looks at it
        version = self.version(root, text)
        return version.path if version else Path(text)

    def version(self, root: Root, text: str) -> Version | None:
        """What a path or NAME or NAME@vNNNN means: a dataset version, or else a model; None for any other path."""
        name = text.partition("@")[0]
        is_model = name in root.names("models") and name not in root.names("datasets")
        return root.find("models" if is_model else "datasets", text)

    def whole(self, root: Root, text: str) -> Version:
        """The version that was meant, of a dataset or a model. Raises GensetError."""
        version = self.version(root, text)
        if version is None:
            raise GensetError(
                "this is no version of genset's: it has no manifest",
                where=text,
                hint="Give a folder such as out/datasets/NAME/latest, or NAME@v0001.",
            )
        return version

    def store(self, url: str) -> Store:
        """The place of a URL. Raises GensetError."""
        try:
            return Store(check_url(url))
        except ValueError as error:
            raise GensetError(str(error), where="URL") from None

    def sections(
        self,
        keys: tuple[str, ...],
        flags: Mapping[str, Any],
        overrides: list[str] | None = None,
        modality: str | None = None,
    ) -> list[Any]:
        """Sections of the config as flags and overrides give them, read as strictly as a file."""
        tree = Tree({}, {(): Position("command line")})
        override(tree, [f"{key}={value}" for key, value in flags.items() if value is not None])
        override(tree, overrides or ())
        unknown = [key for key in tree.values if key not in keys]
        if unknown:
            allowed = " and ".join([", ".join(keys[:-1]), keys[-1]] if keys[1:] else keys)
            raise GensetError(
                f"{self.name} takes overrides of {allowed}, not of {unknown[0]!r}",
                hint=f"Write {keys[0]}.KEY=VALUE.",
            )
        classes = dict(_SECTIONS)
        if modality:
            own = config_class(modality).model_fields
            classes |= {name: type(own[name].default) for name in ("augment", "generate", "clean", "quality")}
        return [section(classes[key], tree, key) for key in keys]

    def exporter(self, text: str | None) -> Exporter:
        """The form of --format, as the config's is read. Raises ConfigError."""
        tree = Tree({"output": {} if text is None else {"format": text}}, {(): Position("--format")})
        form: Exporter = section(Output, tree, "output").format
        return form

    def version_name(self, given: str | None, default: str) -> str:
        """The name of the version to write, checked as a config's name is. Raises GensetError."""
        if given is not None and not re.match(NAME_PATTERN, given):
            raise GensetError(
                f"not a name: {given!r}", where="--name", hint="Use letters, digits, dots, dashes and underscores."
            )
        return given or default

    def group(self, text: str | None) -> str | None:
        """A column or pattern of --group-by, checked as the config's is. Raises GensetError."""
        try:
            return None if text is None else check_group(text)
        except ValueError as error:
            raise GensetError(str(error), where="--group-by") from None

    def finish(self, **fields: Any) -> None:
        """The one JSON object, where it was asked for, and what the log says of it."""
        self.journal.result(fields)
        self.console.result({"command": self.name, **fields, "seconds": self.seconds()})

    def job(self, root: Root, engine: Engine) -> Job:
        """The job of this command."""
        return Job(self.name, root, engine, self.journal.watching(self.console.progress()))

    def engine(self, workers: int | None, name: str | None = None, config: Config | None = None) -> Engine:
        """That of --engine, else of the config, else threads of this process; with as many workers as --workers says.

        Raises GensetError.
        """
        kind, _, address = (name or "").partition("=")
        told: Engine = config.engine if config and not name else Local()
        if kind not in ("", *ENGINES):
            known = ", ".join(ENGINES)
            raise GensetError(
                f"no such engine: {kind!r}{did_you_mean(kind, ENGINES)}", where="--engine", hint=f"There are {known}."
            )
        told = told if told.kind == (kind or told.kind) else ENGINES[kind].model_validate({})
        asked = {"address": address or None, "workers": workers}
        given = told.model_dump(exclude_unset=True) | {key: value for key, value in asked.items() if value is not None}
        engine: Engine = section(type(told), Tree({"engine": given}, {(): Position("command line")}), "engine")
        return engine

    @contextlib.contextmanager
    def locked(self, root: Root, engine: Engine) -> Iterator[Job]:
        """The job, with the output root to itself."""
        job = self.job(root, engine)
        with root.lock(self.lock_timeout, job.progress.say), engine.sharing(root.path):
            yield job


def execute(command: Command, work: Callable[[Command], int], debug: bool, log_file: Path | None = None) -> int:
    """Run a command's work to its exit code; with `debug` the traceback of a mistake is shown too."""

    warnings.filterwarnings("ignore", module=r"PIL\.")  # odd EXIF or palette blocks: the pixels count

    def traced() -> int:
        try:
            if log_file:
                command.journal.open(log_file)
            return work(command)
        except GensetError:
            if debug:
                traceback.print_exc()
            raise

    code = guarded(command.name, command.console, traced, debug=debug)
    seconds = command.seconds()
    command.journal.end(code, seconds, command.console.failed)
    if command.unattended:
        command.console.say(command.journal.health(code, seconds))
    return code


def check_place(path: Path, option: str) -> None:
    """That a file can be written there, before any work is done. Raises GensetError."""
    folder = path.resolve().parent
    if path.is_dir() or not folder.is_dir():
        why = "this is a folder" if path.is_dir() else f"there is no folder {folder}"
        raise GensetError(why, where=f"{option} {path}", hint="Give the name of a file in a folder that is there.")
    inside = next((version for place in (folder, *folder.parents) if (version := open_version(place))), None)
    if inside:
        raise GensetError(
            f"this is inside the version {inside.reference}, and versions are never changed",
            where=f"{option} {path}",
            hint="Write it somewhere else.",
        )
