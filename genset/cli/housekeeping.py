"""The commands around the pipeline: to begin a config, and to keep house among versions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genset.cli import completion
from genset.cli.options import (
    DEFAULT_LOCK_TIMEOUT,
    ConfigFile,
    Debug,
    EngineName,
    Json,
    LockTimeout,
    LogFile,
    Name,
    OutputRoot,
    Overrides,
    Quiet,
    Workers,
    do,
    example,
)

if TYPE_CHECKING:
    from genset.cli.session import Command

_PANEL = "Configs and versions"
_OneName = Annotated[
    str | None,
    typer.Argument(
        help="the versions of this name alone",
        metavar="[NAME]",
        show_default=False,
        autocompletion=completion.versions("datasets", "models"),
    ),
]


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    for name, command, line in (
        ("init", init, "genset init samples/image"),
        ("list", list_versions, "genset list digits"),
        ("status", status, "genset status configs/quickstart.yaml"),
        ("prune", prune, "genset prune --keep 3 --dry-run"),
        ("publish", publish, "genset publish digits s3://bucket/folder"),
        ("schema", schema, "genset schema > genset.schema.json"),
        ("bench", bench, "genset bench --steps 500"),
    ):
        app.command(name, rich_help_panel=_PANEL, epilog=example(line))(command)


def init(
    folder: Annotated[Path, typer.Argument(help="folder of your items", metavar="FOLDER", show_default=False)],
    config: Annotated[
        Path | None,
        typer.Option(
            help="write the config to this file, which must not be there yet", metavar="FILE", show_default=False
        ),
    ] = None,
    modality: Annotated[
        str | None, typer.Option(help="what the items are, where it is not what most files are", show_default=False)
    ] = None,
    name: Name = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="write NAME.yaml without asking anything")] = False,
    workers: Workers = None,
    engine: EngineName = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Look at a folder and begin a config for it, with the reason for each choice. Printed where it is not written."""

    def work(command: "Command") -> int:
        from genset.cli import init as begin

        return begin.begin(folder, config, modality, name, command, command.engine(workers, engine), yes=yes)

    do("init", work, json, quiet, debug)


def list_versions(
    name: _OneName = None,
    output: OutputRoot = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """The versions there are: size, counts, headline figures, and what they were made from."""

    def work(command: "Command") -> int:
        from genset.cli import upkeep
        from genset.pipeline.shelf import shelf

        return upkeep.versions(shelf(command.root(output), name), command)

    do("list", work, json, quiet, debug)


def status(
    config: ConfigFile,
    overrides: Overrides = None,
    output: OutputRoot = None,
    workers: Workers = None,
    engine: EngineName = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Whether a run of the config would make anything new, and why; exit code 1 when it would."""

    def work(command: "Command") -> int:
        from genset.cli import upkeep
        from genset.pipeline.status import status as pipeline

        settings = command.config(config, overrides)
        job = command.job(command.root(output, settings), command.engine(workers, engine))
        return upkeep.status(*pipeline(settings, job), command)

    do("status", work, json, quiet, debug)


def prune(
    name: _OneName = None,
    keep: Annotated[int, typer.Option(help="how many of the newest versions of each name stay", min=1)] = 3,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would go, and remove nothing")] = False,
    output: OutputRoot = None,
    lock_timeout: LockTimeout = DEFAULT_LOCK_TIMEOUT,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Remove old versions, never one that `latest` means or that a version which stays was made from."""

    def work(command: "Command") -> int:
        from genset.cli import upkeep
        from genset.pipeline import shelf

        root = command.root(output)
        if dry_run:
            return upkeep.pruned(shelf.prune(root, name, keep), command, dry_run=True)
        with command.locked(root, command.engine(None)) as job:
            pruning = shelf.prune(root, name, keep)
            shelf.remove(pruning, job)
        return upkeep.pruned(pruning, command, dry_run=False)

    do("prune", work, json, quiet, debug, lock_timeout)


def publish(
    version: Annotated[
        str,
        typer.Argument(
            help="dataset or model version: folder, NAME or NAME@vNNNN",
            metavar="VERSION",
            show_default=False,
            autocompletion=completion.versions("datasets", "models"),
        ),
    ],
    url: Annotated[
        str, typer.Argument(help="folder of a bucket, such as s3://bucket/folder", metavar="URL", show_default=False)
    ],
    output: OutputRoot = None,
    workers: Workers = None,
    engine: EngineName = None,
    lock_timeout: LockTimeout = DEFAULT_LOCK_TIMEOUT,
    log_file: LogFile = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Send a version to a bucket, or whatever fsspec reaches: there whole or not at all, and never changed."""

    def work(command: "Command") -> int:
        from genset.cli import upkeep
        from genset.pipeline.publish import publish as send

        root, store = command.root(output), command.store(url)
        found = command.whole(root, version)
        with command.locked(root, command.engine(workers, engine)) as job:
            return upkeep.published(send(found, store, job), command)

    do("publish", work, json, quiet, debug, lock_timeout, log_file)


def schema(
    output: Annotated[
        bool, typer.Option("--output", help="that of the JSON objects which commands print with --json")
    ] = False,
    debug: Debug = False,
) -> None:
    """Print the JSON Schema of the config, by which editors complete and check."""

    def work(command: "Command") -> int:
        from genset.cli.json_output import output_schema
        from genset.schema import config_schema

        command.console.result(output_schema() if output else config_schema())
        return 0

    do("schema", work, True, False, debug)


def bench(
    steps: Annotated[int, typer.Option(help="of training", min=100, max=100_000)] = 200,
    workers: Workers = None,
    engine: EngineName = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """How fast this machine is: items a second of each stage, on small pictures that are drawn for it."""

    def work(command: "Command") -> int:
        from genset.cli import upkeep
        from genset.pipeline.bench import bench as measured

        return upkeep.benched(
            measured(steps, command.job(command.root(None), command.engine(workers, engine))), command
        )

    do("bench", work, json, quiet, debug)
