"""`genset bench`: how fast this machine is."""

from typing import TYPE_CHECKING, Annotated

import typer

from genset.cli.command import common_options
from genset.errors import ExitCode

if TYPE_CHECKING:
    from genset.cli.session import Session

EXAMPLE = "genset bench --steps 500"

Steps = Annotated[int, typer.Option(help="number of training steps", min=100, max=100_000)]


@common_options("workers", "engine", "json", "quiet", "debug")
def command(steps: Steps = 200, *, session: "Session") -> int:
    """Measure how many small images per second this machine processes in each stage of a run."""
    from genset.cli.json_output.bench import BenchOutput
    from genset.workflows.bench import bench

    stages, console = bench(steps, session.job(session.root())), session.console
    rows = [[each.stage, f"{each.items:,}", f"{each.seconds:.2f}", f"{each.items_per_second:,.0f}"] for each in stages]
    console.table("this machine", rows, ("", "items", "seconds", "items/s"))
    console.say("to compare machines or versions of genset, run the same command on each, with nothing else running")
    session.finish(BenchOutput, stages=stages)
    return ExitCode.DONE
