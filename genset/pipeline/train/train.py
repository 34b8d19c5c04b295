"""Train a model on the train part and write it as a version: networks, prior, exported generator, curves, samples."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genset.config.sections import Config
from genset.errors import GensetError
from genset.interfaces import Items, Labels, Modality
from genset.models.distributed import VARIABLE, Rank, WorkerGroup
from genset.models.silence import STDERR, silenced
from genset.models.tensorboard import TensorBoard
from genset.pipeline.job import Job, up_to_date
from genset.pipeline.prepare import Prepared, prepare, with_settings
from genset.quality.sample_score import SampleScore
from genset.seeds import rng_for
from genset.versions.root import Root
from genset.versions.version import WORK, Version

if TYPE_CHECKING:
    from genset.models.precision import Precision
    from genset.models.training_task import Examples, TrainingTask
from genset.pipeline.train.model_version import CHECKPOINT, TrainedParts, training_key, write_model

FEWEST_TRAIN = 8
_MOST_VALIDATION = 2000  # items that each evaluation looks at: more would only cost time


def train_model(config: Config, prepared: Prepared, job: Job, *, resume: bool, force: bool) -> tuple[Version, bool]:
    """(version, whether it was made now). Needs the root's lock."""
    asked, config = config, with_data_settings(config, prepared.modality)
    key = training_key(config, prepared.items_key)
    found = None if force else up_to_date(job.root, "models", config.name, key)
    if found:
        job.progress.say(f"model {found.reference} is up to date")
        job.root.point(found)
        return found, False
    _check_enough(prepared)
    checkpoint = job.root.work(config.name) / CHECKPOINT
    trained = _train(config, prepared, job, key, resume, checkpoint)
    with job.root.draft("models", config.name) as draft:
        version = write_model(draft, trained, prepared, job, key, asked)
    checkpoint.unlink(missing_ok=True)
    return version, True


def train_as_worker(config: Config, job: Job, *, resume: bool, force: bool) -> bool:
    """Train as one of several workers that is not the chief, who alone writes; False where the model is up to date.

    It looks at the items itself, in a place of its own: the output root, locked by the chief, is only read.
    """
    with tempfile.TemporaryDirectory(prefix="genset-worker-") as own:
        prepared = prepare(config, replace(job, root=Root(Path(own))))
        settled_config = with_data_settings(config, prepared.modality)
        key = training_key(settled_config, prepared.items_key)
        if not force and up_to_date(job.root, "models", config.name, key):
            return False
        _check_enough(prepared)
        _train(settled_config, prepared, job, key, resume, job.root.path / WORK / config.name / CHECKPOINT)
    return True


def _train(config: Config, prepared: Prepared, job: Job, key: str, resume: bool, checkpoint: Path) -> TrainedParts:
    rank = Rank.from_environment()
    _start_tensorflow(job)
    from genset.models import precision
    from genset.models.trainer import Trainer

    if rank.count > 1:
        job.progress.say(f"waiting for all {rank.count} workers of {VARIABLE}; this is number {rank.index}")
    workers = WorkerGroup.from_rank(rank)
    _check_key(key, workers)
    chosen = precision.resolve_precision(config.train.precision)
    settings = config.train.model_copy(update={"precision": chosen})
    logs = config.output.tensorboard if rank.chief else None
    task = _task(config, prepared, workers, chosen, logs)
    with _lost_workers(rank):
        outcome = Trainer(task).fit(settings, checkpoint, key, resume=resume, progress=job.progress)
    precision.use_float32(task.nets)
    for _, text in outcome.notes:
        job.progress.say(text)
    model = config.model.model_copy(update={"family": outcome.family})
    resolved = config.model_copy(update={"model": model, "train": outcome.plan.resolved(settings)})
    return TrainedParts(resolved, task.modality, task.nets, outcome)


def _start_tensorflow(job: Job) -> None:
    """Import what training needs, which takes seconds."""
    job.progress.say("starting TensorFlow")
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever the user's other projects have in keras.json
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with silenced(STDERR):
        import keras  # noqa: F401

        import genset.models.trainer  # noqa: F401


def _task(
    config: Config, prepared: Prepared, workers: WorkerGroup, chosen: "Precision", logs: str | None
) -> "TrainingTask":
    """The networks with new weights, the items that they learn from, and what scores their samples."""
    import keras

    from genset.models import precision
    from genset.models.training_task import Examples, TrainingTask

    keras.utils.clear_session()  # the names of layers count up from here, so equal runs write equal files
    modality, model = prepared.modality.fitted(*prepared.split_items("train")), config.model
    train = Examples(*prepared.split_items("train"))
    validation = _seen(*prepared.split_items("validation"), config.seed)
    classes, latent_dim = len(prepared.classes), _latent_dim(config)
    with workers.scope(), precision.default_precision(chosen):
        nets = model.family.build(modality, model.network, latent_dim, classes)

    def make_scorer(known: Any, held_out: Any) -> SampleScore:
        return SampleScore(known, held_out, validation.labels, classes, shared_unit=modality.shared_unit)

    return TrainingTask(
        model.family,
        model.prior,
        nets,
        modality,
        train,
        validation,
        classes=classes,
        code_length=latent_dim,
        seed=config.seed,
        make_scorer=make_scorer if len(validation) > 1 else None,
        workers=workers,
        watch=TensorBoard(Path(logs)) if logs else None,
    )


@contextlib.contextmanager
def _lost_workers(rank: Rank) -> Iterator[None]:
    """Turn the failure of an operation into one message, where several workers train together."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError as error:
        if rank.count == 1:
            raise
        raise GensetError(
            f"another worker was lost ({type(error).__name__})",
            where=VARIABLE,
            hint="Start the command again on all of them: the training goes on from its last checkpoint.",
        ) from None


def _check_key(key: str, workers: WorkerGroup) -> None:
    """That all workers have the same config, items and genset. Raises GensetError."""
    if not workers.all_equal(np.array(key)):
        raise GensetError(
            "the workers do not train the same: another config, other items or another genset",
            where=VARIABLE,
            hint="Give all of them the same config, data and versions.",
        )


def _seen(items: Items, labels: Labels, seed: int) -> "Examples":
    """The validation part as the training looks at it: all of it, or some of each class where it is large."""
    from genset.models.training_task import Examples

    if len(labels) > _MOST_VALIDATION:
        rows = np.sort(rng_for(seed, "validation part").permutation(len(labels))[:_MOST_VALIDATION])
        items, labels = items[rows], labels[rows]
    return Examples(items, labels)


def with_data_settings(config: Config, modality: Modality) -> Config:
    """The config with what the data decide: size and mode, latent length."""
    config = with_settings(config, modality)
    family = config.model.family.for_modality(type(modality))
    config = config.model_copy(update={"model": config.model.model_copy(update={"family": family})})
    latent_dim = config.model.latent_dim or modality.latent_dim
    return config.model_copy(update={"model": config.model.model_copy(update={"latent_dim": latent_dim})})


def _latent_dim(config: Config) -> int:
    latent_dim: int | None = config.model.latent_dim
    if latent_dim is None:
        raise ValueError("the latent length is not set yet")
    return latent_dim


def _check_enough(prepared: Prepared) -> None:
    parts = dict.fromkeys(prepared.classes, 0)
    for record in prepared.dataset.where(split="train"):
        parts[record.label] += 1
    if sum(parts.values()) < FEWEST_TRAIN:
        raise GensetError(
            f"the train part has {sum(parts.values())} items, at least {FEWEST_TRAIN} are needed",
            where="split.ratios",
            hint="Give train a larger share, or add items.",
        )
    empty = [label for label, count in parts.items() if not count]
    if empty:
        raise GensetError(
            f"no item of class {empty[0]!r} is in the train part, so none can be learned",
            where="data",
            hint="Add items of this class, give train a larger share, or take the class out of the source.",
        )
