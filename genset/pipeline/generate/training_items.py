"""The items that a model was trained on."""

from genset.config.loading import load as load_config
from genset.errors import GensetError
from genset.interfaces import Floats
from genset.pipeline.job import Job
from genset.pipeline.prepare import Prepared, find_prepared, prepare
from genset.versions.root import roots_of
from genset.versions.version import CONFIG, WORK, Version


def load_training_items(version: Version, job: Job, hint: str) -> Prepared:
    """The items that a model was trained on, with their splits.

    Raises GensetError, with the hint, if these items have moved or changed.
    """
    identity = version.manifest["inputs"]["identity"]
    for work in {root.path / WORK / version.name for root in (*roots_of(version), job.root)}:
        prepared = find_prepared(work, identity)
        if prepared:
            return prepared
    config = load_config(version.path / CONFIG)
    try:
        prepared = prepare(config, job)
    except GensetError as error:
        raise GensetError(
            f"the training items of {version.reference} cannot be read ({error.message})", where=error.where, hint=hint
        ) from None
    if prepared.items_key != identity:
        raise GensetError(
            f"the training items of {version.reference} have changed", where=", ".join(config.data.source), hint=hint
        )
    return prepared


def train_closeness(prepared: Prepared) -> Floats:
    """Closeness vectors of the training items of a model, with which near copies are found."""
    return prepared.modality.closeness(prepared.split_items("train")[0])
