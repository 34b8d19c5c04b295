"""`genset train`: train the model of a config, without creating a dataset."""

from typing import TYPE_CHECKING

from genset.cli.command import common_options
from genset.cli.options import ConfigFile, Force, Overrides, Resume
from genset.errors import ExitCode

if TYPE_CHECKING:
    from genset.cli.session import Session
    from genset.models.distributed import Rank

EXAMPLE = "genset train configs/quickstart.yaml model.family=gan"


@common_options()
def command(
    config: ConfigFile,
    overrides: Overrides = None,
    resume: Resume = True,
    force: Force = False,
    *,
    session: "Session",
) -> int:
    """Collect, clean and split the items, and train a model on the training set."""
    from genset.cli.rendering import print_model
    from genset.config.loading import load
    from genset.models.distributed import Rank
    from genset.pipeline.prepare import prepare
    from genset.pipeline.train.train import train_as_worker, train_model

    settings, rank = load(config, overrides or ()), Rank.from_environment()
    root = session.root(settings)
    if not rank.chief:
        trained = train_as_worker(settings, session.job(root, settings), resume=resume, force=force)
        return _print_worker(trained, rank, session)
    with session.locked(root, settings) as job:
        version, trained = train_model(settings, prepare(settings, job), job, resume=resume, force=force)
    if not trained:
        session.console.say(f"up to date: {version.path}")
    return print_model(version, session, created=trained)


def _print_worker(trained: bool, rank: "Rank", session: "Session") -> int:
    """Print the result of a worker that is not the chief. Returns the exit code."""
    from genset.cli.json_output.train import WorkerOutput

    outcome = "done: the chief writes the model" if trained else "the model is up to date"
    session.console.say(f"worker {rank.index} of {rank.count}: {outcome}")
    session.finish(WorkerOutput, made=trained, worker=rank.index, workers=rank.count)
    return ExitCode.DONE
