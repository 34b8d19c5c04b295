"""Train a model on the training set and write it as a version."""

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
from genset.pipeline.train.model_version import CHECKPOINT, TrainedParts, training_key, write_model
from genset.quality.sample_score import SampleScore
from genset.seeds import rng_for
from genset.versions.root import Root
from genset.versions.version import WORK, Version

if TYPE_CHECKING:
    from genset.models.precision import Precision
    from genset.models.training_task import Examples, TrainingTask

MIN_TRAINING_ITEMS = 8
_MAX_VALIDATION = 2000  # items of each validation: more would only cost time


def train_model(config: Config, prepared: Prepared, job: Job, *, resume: bool, force: bool) -> tuple[Version, bool]:
    """(version, False if it was up to date). The caller holds the lock of the root."""
    requested, config = config, with_data_settings(config, prepared.modality)
    key = training_key(config, prepared.items_key)
    current = None if force else up_to_date(job.root, "models", config.name, key)
    if current:
        job.progress.say(f"model {current.reference} is up to date")
        job.root.point(current)
        return current, False
    _check_enough(prepared)
    checkpoint = job.root.work(config.name) / CHECKPOINT
    trained = _train(config, prepared, job, key, resume, checkpoint)
    with job.root.draft("models", config.name) as draft:
        version = write_model(draft, trained, prepared, job, key, requested)
    checkpoint.unlink(missing_ok=True)
    return version, True


def train_as_worker(config: Config, job: Job, *, resume: bool, force: bool) -> bool:
    """Train as a worker that is not the chief; False if the model is up to date. Only the chief writes the model.

    The worker prepares the items in a temporary folder, because the chief has locked the output root.
    """
    with tempfile.TemporaryDirectory(prefix="genset-worker-") as folder:
        prepared = prepare(config, replace(job, root=Root(Path(folder))))
        resolved = with_data_settings(config, prepared.modality)
        key = training_key(resolved, prepared.items_key)
        if not force and up_to_date(job.root, "models", config.name, key):
            return False
        _check_enough(prepared)
        _train(resolved, prepared, job, key, resume, job.root.path / WORK / config.name / CHECKPOINT)
    return True


def _train(config: Config, prepared: Prepared, job: Job, key: str, resume: bool, checkpoint: Path) -> TrainedParts:
    rank = Rank.from_environment()
    _start_tensorflow(job)
    from genset.models import precision
    from genset.models.trainer import Trainer

    if rank.count > 1:
        job.progress.say(f"waiting for all {rank.count} workers of {VARIABLE}; this is worker {rank.index}")
    workers = WorkerGroup.from_rank(rank)
    _check_key(key, workers)
    chosen = precision.resolve_precision(config.train.precision)
    settings = config.train.model_copy(update={"precision": chosen})
    logs = config.output.tensorboard if rank.chief else None
    task = _task(config, prepared, workers, chosen, logs)
    with _report_lost_workers(rank):
        outcome = Trainer(task).fit(settings, checkpoint, key, resume=resume, progress=job.progress)
    precision.use_float32(task.nets)
    for _, text in outcome.notes:
        job.progress.say(text)
    model = config.model.model_copy(update={"family": outcome.family})
    resolved = config.model_copy(update={"model": model, "train": outcome.plan.resolved(settings)})
    return TrainedParts(resolved, task.modality, task.nets, outcome)


def _start_tensorflow(job: Job) -> None:
    """Import TensorFlow and Keras, which takes seconds."""
    job.progress.say("starting TensorFlow")
    os.environ["KERAS_BACKEND"] = "tensorflow"  # takes precedence over the user's keras.json
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with silenced(STDERR):
        import keras  # noqa: F401

        import genset.models.trainer  # noqa: F401


def _task(
    config: Config, prepared: Prepared, workers: WorkerGroup, chosen: "Precision", logs: str | None
) -> "TrainingTask":
    """The untrained networks, their training and validation items, and the scorer of their samples."""
    import keras

    from genset.models import precision
    from genset.models.training_task import Examples, TrainingTask

    keras.utils.clear_session()  # restarts the numbering of layers, so equal runs write equal files
    modality, model = prepared.modality.fitted(*prepared.split_items("train")), config.model
    train = Examples(*prepared.split_items("train"))
    validation = _validation_examples(*prepared.split_items("validation"), config.seed)
    classes, latent_dim = len(prepared.classes), _latent_dim(config)
    with workers.scope(), precision.default_precision(chosen):
        nets = model.family.build(modality, model.network, latent_dim, classes)

    labels = validation.labels

    def make_scorer(train_features: Any, validation_features: Any) -> SampleScore:
        return SampleScore(train_features, validation_features, labels, classes, shared_unit=modality.shared_unit)

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
def _report_lost_workers(rank: Rank) -> Iterator[None]:
    """Turn a failed operation into one message if several workers train together."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError as error:
        if rank.count == 1:
            raise
        raise GensetError(
            f"another worker was lost ({type(error).__name__})",
            where=VARIABLE,
            hint="Start the command again on all workers: training continues from its last checkpoint.",
        ) from None


def _check_key(key: str, workers: WorkerGroup) -> None:
    """Raises GensetError if the workers have different configs, items or versions of genset."""
    if not workers.all_equal(np.array(key)):
        raise GensetError(
            "the workers have different configs, items or versions of genset",
            where=VARIABLE,
            hint="Use the same config, data and library versions on all workers.",
        )


def _validation_examples(items: Items, labels: Labels, seed: int) -> "Examples":
    """The validation items that training uses: all, or a random sample if there are many."""
    from genset.models.training_task import Examples

    if len(labels) > _MAX_VALIDATION:
        rows = np.sort(rng_for(seed, "validation part").permutation(len(labels))[:_MAX_VALIDATION])
        items, labels = items[rows], labels[rows]
    return Examples(items, labels)


def with_data_settings(config: Config, modality: Modality) -> Config:
    """The config with the settings that depend on the data: modality, model family, latent length."""
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
    sizes = dict.fromkeys(prepared.classes, 0)
    for record in prepared.dataset.where(split="train"):
        sizes[record.label] += 1
    if sum(sizes.values()) < MIN_TRAINING_ITEMS:
        raise GensetError(
            f"the training set has {sum(sizes.values())} items; at least {MIN_TRAINING_ITEMS} are needed",
            where="split.ratios",
            hint="Give train a larger share in split.ratios, or add items.",
        )
    empty = [label for label, count in sizes.items() if not count]
    if empty:
        raise GensetError(
            f"class {empty[0]!r} has no training items",
            where="data",
            hint="Add items of the class, give train a larger share in split.ratios, or remove the class from the "
            "source.",
        )
