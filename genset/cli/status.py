"""`genset status`: whether the versions of a config are up to date, and what has changed."""

from typing import TYPE_CHECKING

from genset.cli.command import common_options
from genset.cli.options import ConfigFile, Overrides
from genset.errors import ExitCode

if TYPE_CHECKING:
    from genset.cli.session import Session
    from genset.workflows.status import VersionState

EXAMPLE = "genset status configs/quickstart.yaml"


@common_options("output", "workers", "engine", "json", "quiet", "debug")
def command(config: ConfigFile, overrides: Overrides = None, *, session: "Session") -> int:
    """Report whether a run of the config would create anything new, and why; exit code 1 if it would."""
    from genset.config.loading import load
    from genset.workflows.status import status

    settings = load(config, overrides or ())
    model, dataset = status(settings, session.job(session.root(settings)))
    return _print_states({"model": model, "dataset": dataset}, session)


def _print_states(states: "dict[str, VersionState]", session: "Session") -> int:
    from genset.cli.json_output.status import StatusOutput

    console = session.console
    for what, state in states.items():
        place = f" {state.version.path}" if state.version else ""
        console.say(f"{what}{place}: {'not up to date' if state.reasons else 'up to date'}")
        for reason in state.reasons:
            console.say(f"  {reason.key + ': ' if reason.key else ''}{reason.detail}")
    up_to_date = not any(state.reasons for state in states.values())
    if not up_to_date:
        console.say("next: genset run CONFIG")
    session.finish(StatusOutput, up_to_date=up_to_date, **states)
    return ExitCode.DONE if up_to_date else ExitCode.FAILED
