"""The commands. One short function each: read what was asked, call the pipeline, say what came of it."""

import os
import sys
from json import dumps as json_text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genset import __version__
from genset.cli import completion, housekeeping
from genset.cli.options import (
    DEFAULT_LOCK_TIMEOUT,
    ConfigFile,
    Dataset,
    Debug,
    EngineName,
    Force,
    Json,
    LockTimeout,
    LogFile,
    Name,
    OutputRoot,
    Overrides,
    Quiet,
    Resume,
    Rules,
    Workers,
    example,
)
from genset.cli.options import do as _do

if TYPE_CHECKING:
    from genset.cli.session import Command

app = typer.Typer(
    name="genset",
    help="Expand a small, unbalanced or private dataset with synthetic items, and measure whether that helps.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

housekeeping.register(app)


@app.callback()
def _top(
    version: Annotated[
        bool, typer.Option("--version", help="print the version", is_eager=True, callback=lambda on: _version(on))
    ] = False,
) -> None:
    """Options of genset itself."""


def _version(on: bool) -> None:
    if on:
        typer.echo(f"genset {__version__}")
        raise typer.Exit


@app.command(epilog=example("genset run configs/quickstart.yaml train.seconds=120 --summary figures.md"))
def run(
    config: ConfigFile,
    overrides: Overrides = None,
    resume: Resume = True,
    force: Force = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="print the settled config and the plan, with time and disk, and write nothing"),
    ] = False,
    sweep: Annotated[
        bool,
        typer.Option(
            "--sweep", help="run every combination of the overrides with commas, such as model.family=ae,vae; compare"
        ),
    ] = False,
    summary: Annotated[
        Path | None,
        typer.Option(
            help="write the figures as Markdown too, for a job summary", metavar="FILE.md", show_default=False
        ),
    ] = None,
    output: OutputRoot = None,
    workers: Workers = None,
    engine: EngineName = None,
    lock_timeout: LockTimeout = DEFAULT_LOCK_TIMEOUT,
    log_file: LogFile = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """The whole pipeline: collect, clean, split, train, generate, augment, balance, judge."""

    def work(command: "Command") -> int:
        from genset.cli import rendering as show
        from genset.cli.session import check_place
        from genset.errors import GensetError
        from genset.pipeline.run import run as pipeline

        command.unattended = not dry_run
        if summary:
            check_place(summary, "--summary")
        if sweep:
            from genset.cli.sweep import sweep as all_of_them

            alone = {"--dry-run": dry_run, "--summary": summary}
            for option in (name for name, given in alone.items() if given):
                raise GensetError(f"there is no {option} of many runs", where="--sweep")
            given = {
                "--output": output,
                "--workers": workers,
                "--engine": engine,
                "--lock-timeout": lock_timeout,
                "--log-file": log_file,
            }
            options = [part for name, value in given.items() if value is not None for part in (name, str(value))]
            options += [*(["--force"] if force else []), *([] if resume else ["--no-resume"])]
            return all_of_them(config, overrides or [], options, command)
        settings = command.config(config, overrides)
        if dry_run:
            from genset.cli import upkeep
            from genset.pipeline.dry import dry_run as plan

            job = command.job(command.root(output, settings), command.engine(workers, engine))
            return upkeep.dry_run(plan(settings, job), command)
        with command.locked(command.root(output, settings), command.engine(workers, engine, settings)) as job:
            result = pipeline(settings, job, resume=resume, force=force)
        return show.run(result, command, summary)

    _do("run", work, json, quiet, debug, lock_timeout, log_file)


@app.command(epilog=example("genset train configs/quickstart.yaml model.family=gan"))
def train(
    config: ConfigFile,
    overrides: Overrides = None,
    resume: Resume = True,
    force: Force = False,
    output: OutputRoot = None,
    workers: Workers = None,
    engine: EngineName = None,
    lock_timeout: LockTimeout = DEFAULT_LOCK_TIMEOUT,
    log_file: LogFile = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Collect, clean, assign splits, and train a model on the train part."""

    def work(command: "Command") -> int:
        from genset.cli import rendering as show
        from genset.models.distributed import Rank
        from genset.pipeline.prepare import prepare
        from genset.pipeline.train import help_train
        from genset.pipeline.train import train as pipeline

        settings, rank = command.config(config, overrides), Rank.from_environment()
        if not rank.chief:
            job = command.job(command.root(output, settings), command.engine(workers, engine, settings))
            return show.helped(help_train(settings, job, resume=resume, force=force), rank, command)
        with command.locked(command.root(output, settings), command.engine(workers, engine, settings)) as job:
            version, made = pipeline(settings, prepare(settings, job), job, resume=resume, force=force)
        return show.model(version, made, command)

    _do("train", work, json, quiet, debug, lock_timeout, log_file)


@app.command(epilog=example("genset generate digits -n 1000 --seed 2 --name more"))
def generate(
    model: Annotated[
        str,
        typer.Argument(
            help="model version: folder, NAME or NAME@vNNNN",
            metavar="MODEL",
            show_default=False,
            autocompletion=completion.versions("models"),
        ),
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            help="settings of generate, such as generate.sampling.temperature=0.7",
            metavar="KEY=VALUE",
            autocompletion=completion.keys("generate"),
        ),
    ] = None,
    count: Annotated[int | None, typer.Option("--count", "-n", help="items in all", min=1, show_default=False)] = None,
    per_class: Annotated[
        int | None, typer.Option(help="items for each class  [default: 200]", min=1, show_default=False)
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="items of this class alone; may be given again", show_default=False)
    ] = None,
    like: Annotated[
        list[str] | None,
        typer.Option(
            help="items like this one, a file or a text; given twice, items between the two",
            metavar="FILE_OR_TEXT",
            show_default=False,
        ),
    ] = None,
    vary: Annotated[
        float | None,
        typer.Option(
            help="with --like: 0 is the item as the model sees it, 1 any of its class  [default: 0.3]",
            min=0,
            max=1,
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="another seed gives other items; by default that of the training", min=0, show_default=False),
    ] = None,
    near_copies: Annotated[
        str | None,
        typer.Option(
            help="reject draws again what is too near to a train item; keep does not look  [default: reject]",
            show_default=False,
        ),
    ] = None,
    wrong_labels: Annotated[
        str | None,
        typer.Option(
            help="reject draws again what a classifier takes for another class; keep does not ask  [default: reject]",
            show_default=False,
        ),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="folder, webdataset, parquet, tfrecord or npz  [default: folder]",
            show_default=False,
        ),
    ] = None,
    name: Name = None,
    output: OutputRoot = None,
    workers: Workers = None,
    engine: EngineName = None,
    lock_timeout: LockTimeout = DEFAULT_LOCK_TIMEOUT,
    log_file: LogFile = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Sample new items from a trained model, without TensorFlow."""

    def work(command: "Command") -> int:
        from genset.cli import rendering as show
        from genset.errors import GensetError
        from genset.pipeline.derive import DEFAULT_VARY, Like, generate_version

        if vary is not None and not like:
            raise GensetError("it says how far an item is varied", where="--vary", hint="Add --like FILE.")
        root = command.root(output)
        version = command.model(root, model)
        flags = {
            "count": count,
            "per_class": per_class,
            "near_copies": near_copies,
            "wrong_labels": wrong_labels,
        }
        given = {f"generate.{key}": value for key, value in flags.items()}
        (section,) = command.sections(("generate",), given, overrides, version.manifest["modality"])
        exporter = command.exporter(form)
        target = command.version_name(name, f"{version.name}-generated")
        with command.locked(root, command.engine(workers, engine)) as job:
            made = generate_version(
                version,
                section,
                label or [],
                Like(like or (), DEFAULT_VARY if vary is None else vary),
                seed,
                target,
                job,
                exporter,
            )
        return show.derived(made, command)

    _do("generate", work, json, quiet, debug, lock_timeout, log_file)


@app.command(epilog=example("genset augment samples/image --balance max --name even"))
def augment(
    dataset: Dataset,
    overrides: Overrides = None,
    copies: Annotated[
        int | None, typer.Option(help="transformed copies of each real train item", min=0, show_default=False)
    ] = None,
    balance: Annotated[
        str | None, typer.Option(help="bring every class to max, median or a number of items", show_default=False)
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="fill small classes with generated items of this model", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="seed of every draw", min=0)] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="print the plan, with disk and time, and write nothing")
    ] = False,
    replay: Annotated[
        str | None,
        typer.Option(
            help="make one made item of a version again, alone, and compare it; exit 1 when it differs",
            metavar="ID",
            show_default=False,
        ),
    ] = None,
    name: Name = None,
    output: OutputRoot = None,
    workers: Workers = None,
    engine: EngineName = None,
    lock_timeout: LockTimeout = DEFAULT_LOCK_TIMEOUT,
    log_file: LogFile = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Label-preserving transforms of a dataset's train part, and small classes filled."""

    def work(command: "Command") -> int:
        from genset.cli import rendering as show
        from genset.errors import GensetError
        from genset.pipeline import derive, enlarge
        from genset.pipeline import replay as again
        from genset.pipeline.collect import kind_of

        root = command.root(output)
        path, version = command.dataset(root, dataset)
        filler = command.model(root, model) if model else None
        if replay:
            if version is None:
                raise GensetError("only items of a version can be made again", where=dataset)
            with command.locked(root, command.engine(workers, engine)) as job:
                return show.replayed(again.replay(version, replay, filler, job), command)
        with command.locked(root, command.engine(workers, engine)) as job:
            flags = {"augment.copies": copies, "balance.target": balance}
            keys, kind = ("augment", "balance", "clean"), kind_of(path, version)
            section, target, rules = command.sections(keys, flags, overrides, kind)
            source = derive.open_dataset(path, version, job, section=rules.named())
            planned = enlarge.enlargement(source, section, target, filler, seed, job)
            if dry_run:
                return show.plan(planned, enlarge.estimate(planned, job), command)
            made = enlarge.augment_version(planned, command.version_name(name, source.name), job)
        return show.derived(made, command)

    _do("augment", work, json, quiet, debug, lock_timeout, log_file)


@app.command(epilog=example("genset split samples/image --ratios 0.8,0.1,0.1 --name divided"))
def split(
    dataset: Dataset,
    overrides: Rules = None,
    ratios: Annotated[
        str | None,
        typer.Option(help="shares of train, validation and test  [default: 0.8,0.1,0.1]", show_default=False),
    ] = None,
    counts: Annotated[
        str | None,
        typer.Option(help="items of each part instead, such as 800,100,100 or rest,100,100", show_default=False),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            help="as many versions NAME-fold1, ..., each item in the test part of one", min=2, show_default=False
        ),
    ] = None,
    stratify: Annotated[
        list[str] | None,
        typer.Option(help="a column that is divided evenly beside the label; may be given again", show_default=False),
    ] = None,
    group_by: Annotated[
        str | None,
        typer.Option(
            help="keep groups together: a metadata column, or a regex with (?P<group>...)", show_default=False
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="another seed gives another division", min=0)] = 0,
    anew: Annotated[
        bool, typer.Option("--anew", help="divide all items anew, also those that have a part already")
    ] = False,
    link: Annotated[
        bool,
        typer.Option(
            "--link", help="hard links to your files, not copies: a file that you edit changes the version too"
        ),
    ] = False,
    name: Name = None,
    output: OutputRoot = None,
    workers: Workers = None,
    engine: EngineName = None,
    lock_timeout: LockTimeout = DEFAULT_LOCK_TIMEOUT,
    log_file: LogFile = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Divide a dataset into train, validation and test without leaks."""

    def work(command: "Command") -> int:
        from genset.cli import rendering as show
        from genset.errors import GensetError
        from genset.pipeline import derive
        from genset.pipeline.collect import kind_of

        root = command.root(output)
        path, version = command.dataset(root, dataset)
        flags = {
            "split.ratios": ratios and f"[{ratios}]",
            "split.counts": counts and f"[{counts}]",
            "split.stratify": stratify and json_text(stratify),
        }
        section, rules = command.sections(("split", "clean"), flags, overrides, kind_of(path, version))
        others = section.model_fields_set & {"ratios", "counts", "previous"}
        if folds and others:
            raise GensetError(
                f"folds are all of one size and remember nothing: they have no {' nor '.join(sorted(others))}",
                where="--folds",
            )
        wanted = derive.Division(section, group_by, seed, anew)
        with command.locked(root, command.engine(workers, engine)) as job:
            source = derive.open_dataset(path, version, job, command.group(group_by), rules.named(), link=link)
            target = command.version_name(name, source.name)
            if folds:
                return show.folded(derive.fold_versions(source, wanted, folds, target, job), command)
            made = derive.split_version(source, wanted, target, job)
        return show.derived(made, command)

    _do("split", work, json, quiet, debug, lock_timeout, log_file)


@app.command(epilog=example("genset inspect digits --report page.html"))
def inspect(
    path: Annotated[
        str,
        typer.Argument(
            help="dataset, model, version, item, folder, container or config",
            metavar="PATH",
            show_default=False,
            autocompletion=completion.versions("datasets", "models"),
        ),
    ],
    overrides: Rules = None,
    against: Annotated[
        str | None,
        typer.Option(
            help="real dataset to judge the made items by; or the version or model to compare with",
            metavar="REAL",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="model that says which items it cannot rebuild: outliers", metavar="MODEL", show_default=False
        ),
    ] = None,
    gate: Annotated[
        list[str] | None,
        typer.Option(help='condition such as "cas_ratio >= 0.9"; exit 1 when it fails', show_default=False),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="with --against: look at 2,000 items of each part, less thoroughly")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            help="write one HTML page with all of it: figures, charts, items", metavar="FILE.html", show_default=False
        ),
    ] = None,
    summary: Annotated[
        Path | None,
        typer.Option(
            help="with --against: write what came of it as Markdown, for a job summary",
            metavar="FILE.md",
            show_default=False,
        ),
    ] = None,
    output: OutputRoot = None,
    workers: Workers = None,
    engine: EngineName = None,
    log_file: LogFile = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """What is in a dataset or a model; with --against, whether its made items are any good."""

    def work(command: "Command") -> int:
        from genset.cli.inspect import Asked, inspected

        asked = Asked(path, against, model, gate or (), quick, report, summary, overrides or ())
        return inspected(asked, command, output, command.engine(workers, engine))

    _do("inspect", work, json, quiet, debug, 0, log_file)


@app.command(epilog=example("genset verify digits"))
def verify(
    path: Annotated[
        str,
        typer.Argument(
            help="dataset, model, version or folder",
            metavar="PATH",
            show_default=False,
            autocompletion=completion.versions("datasets", "models"),
        ),
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help="clean.near_duplicates=off looks for equal items alone", metavar="KEY=VALUE"),
    ] = None,
    group_by: Annotated[
        str | None,
        typer.Option(
            help="groups that must not stand in two splits: a column, or a regex with (?P<group>...)",
            show_default=False,
        ),
    ] = None,
    output: OutputRoot = None,
    workers: Workers = None,
    engine: EngineName = None,
    log_file: LogFile = None,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Leaks between splits, checksums, labels and lineage of any dataset; exit 1 with the list of problems."""

    def work(command: "Command") -> int:
        from genset.cli import rendering as show
        from genset.pipeline.verify import kind_at
        from genset.pipeline.verify import verify as check

        root = command.root(output)
        place, group = command.anything(root, path), command.group(group_by)
        (section,) = command.sections(("clean",), {}, overrides, kind_at(place) if overrides else None)
        return show.verified(check(place, group, section, command.job(root, command.engine(workers, engine))), command)

    _do("verify", work, json, quiet, debug, 0, log_file)


def main() -> None:
    """The console script."""
    if sys.stdout is None:  # closed by the caller
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for as long as the process lives
    try:
        app(prog_name="genset")
    except SystemExit as stop:
        wrong = stop.__context__  # a wrong option, which Typer has told a person of
        message = getattr(wrong, "format_message", None)
        if message and "--json" in sys.argv:
            typer.echo(json_text({"error": {"message": message()}, "exit_code": stop.code}))
        raise


if __name__ == "__main__":
    main()
