"""`genset run`: the complete pipeline, a dry run of it, or a sweep over settings."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genset.cli.command import common_options
from genset.cli.options import Common, ConfigFile, Force, Overrides, Resume
from genset.errors import GensetError

if TYPE_CHECKING:
    from genset.cli.session import Session
    from genset.workflows.dry_run import DryRun as RunPlan
    from genset.workflows.run import RunResult

EXAMPLE = "genset run configs/quickstart.yaml train.seconds=120 --summary figures.md"

DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="print the complete config and the plan with estimates of time and disk space, and write nothing",
    ),
]
Sweep = Annotated[
    bool,
    typer.Option(
        "--sweep",
        help="KEY=VALUE may list values, such as model.family=ae,vae: run every combination and compare the results",
    ),
]
Summary = Annotated[
    Path | None,
    typer.Option(
        help="also write the figures as Markdown, for a CI report, such as GitHub Actions",
        metavar="FILE.md",
        show_default=False,
    ),
]


@common_options()
def command(
    config: ConfigFile,
    overrides: Overrides = None,
    resume: Resume = True,
    force: Force = False,
    dry_run: DryRun = False,
    sweep: Sweep = False,
    summary: Summary = None,
    *,
    session: "Session",
) -> int:
    """Run the complete pipeline: collect, clean, split, train, generate, augment, balance, evaluate."""
    from genset.cli.flag_values import check_writable
    from genset.config.loading import load
    from genset.workflows.dry_run import dry_run as plan_run
    from genset.workflows.run import run

    session.reports_health = not dry_run
    if summary:
        check_writable(summary, "--summary")
    if sweep:
        from genset.cli.sweep import run_sweep

        _check_sweep({"--dry-run": dry_run, "--summary": summary})
        return run_sweep(config, overrides or [], _repeated_options(session.common, force, resume), session)
    settings = load(config, overrides or ())
    if dry_run:
        return _print_plan(plan_run(settings, session.job(session.root(settings))), session)
    with session.locked(session.root(settings), settings) as job:
        result = run(settings, job, resume=resume, force=force)
    return _print_result(result, summary, session)


def _check_sweep(options: dict[str, object]) -> None:
    for option in (name for name, value in options.items() if value):
        raise GensetError(f"{option} does not work with several runs", where="--sweep", hint=f"Leave {option} out.")


def _repeated_options(common: Common, force: bool, resume: bool) -> list[str]:
    """The options that each run of a sweep gets."""
    values = {
        "--output": common.output,
        "--workers": common.workers,
        "--engine": common.engine,
        "--lock-timeout": common.lock_timeout,
        "--log-file": common.log_file,
    }
    options = [part for name, value in values.items() if value is not None for part in (name, str(value))]
    return [*options, *(["--force"] if force else []), *([] if resume else ["--no-resume"])]


def _print_result(result: "RunResult", summary: Path | None, session: "Session") -> int:
    from genset.atomic import write_atomically
    from genset.cli.json_output.run import RunOutput
    from genset.cli.rendering import print_counts, print_failed_gates, print_figures
    from genset.pipeline.pages.comparison import evaluation_markdown

    console, verdict = session.console, result.verdict
    if summary:
        write_atomically(summary, evaluation_markdown(result.dataset.reference, verdict))
    if not result.created:
        console.say(f"up to date: {result.dataset.path}")
    print_counts(console, {key: result.counts[key] for key in ("split", "source")})
    console.problems(result.problems)
    print_figures(console, verdict, brief=True)
    _print_places(result, session)
    code = print_failed_gates(console, verdict["failed_gates"])
    if code:
        console.warn(f"{result.dataset.path} is marked as failed; `latest` did not change")
    session.finish(RunOutput, **result.as_dict())
    return code


def _print_places(result: "RunResult", session: "Session") -> None:
    """Print where the versions, the report and the uploads are, and what to do next."""
    from genset.pipeline.write.dataset import REPORT

    console, report = session.console, result.dataset.path / REPORT
    if result.created:
        console.say(f"dataset {result.dataset.path}\nmodel   {result.model.path}")
    if report.is_file():  # only the folder format has one
        console.say(f"report  {report} (all figures, charts, items)")
    for upload in result.published:
        console.say(f"published {upload.url}")
    if result.created:
        console.say(f"next: genset inspect {result.dataset.path}")


def _print_plan(plan: "RunPlan", session: "Session") -> int:
    from genset.cli.json_output.run import RunPlanOutput
    from genset.cli.rendering import format_bytes, print_class_plan, print_counts
    from genset.config.loading import dump
    from genset.errors import ExitCode
    from genset.pipeline.job import as_dicts

    console = session.console
    console.say(dump(plan.config).rstrip("\n") + "\n")
    for what, state in (("model", plan.model), ("dataset", plan.dataset)):
        place = state.version.path if state.version else ""
        console.say(f"{what}: {'would be created' if state.reasons else f'up to date, {place}'}")
    print_class_plan(console, plan.rows)
    print_counts(console, {key: plan.counts[key] for key in ("split", "source")}, ", as planned")
    console.problems(as_dicts(plan.problems))
    budget = f"{plan.budget} of training, " if plan.trains else ""
    seconds = f"{plan.estimate.seconds:,.1f} s on one core to read and write, without generating and evaluating"
    console.say(f"about {format_bytes(plan.estimate.disk_bytes)} on disk without the model; {budget}{seconds}")
    console.say("nothing was written")
    session.finish(RunPlanOutput, **plan.as_dict())
    return ExitCode.DONE
