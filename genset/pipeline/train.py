"""Train a model on the train part and write it as a version: networks, prior, exported generator, curves, samples."""

import contextlib
import csv
import io
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genset.config import Config, dump
from genset.errors import GensetError
from genset.export.card import model_card
from genset.interfaces import INFORMATION, Items, Labels, Modality, Networks, Quarantined
from genset.models.distributed import VARIABLE, Rank, WorkerGroup
from genset.models.npz import npz_bytes
from genset.models.onnx_network import OnnxNetwork
from genset.models.silence import STDERR, silenced
from genset.models.tensorboard import TensorBoard
from genset.pipeline import generate, outliers
from genset.pipeline.job import Job, as_dicts, as_json, counts, key_of, up_to_date
from genset.pipeline.prepare import Prepared, prepare, with_settings
from genset.quality.label_filter import LabelFilter, label_limit
from genset.quality.neighbours import copy_limit, nearest_others
from genset.quality.privacy import EXPECTED_SHARE
from genset.quality.sample_score import SampleScore
from genset.report.learning_curves import draw_curves
from genset.seeds import rng_for
from genset.versions import CONFIG, WORK, Draft, Root, Version, writing

if TYPE_CHECKING:
    from genset.models.precision import Precision
    from genset.models.trainer import TrainingResult
    from genset.models.training_task import Examples, TrainingTask

CHECKPOINT = "checkpoint.npz"
ASKED = ("modality", "model", "train")  # the sections that a training settles: the manifest has both forms
FEWEST_TRAIN = 8
_SHEET_COLUMNS = 12
_MOST_SHEET_ROWS = 20
_SAMPLED = 1000  # items that show how often the model misses its label
_MOST_VALIDATION = 2000  # items that each evaluation looks at: more would only cost time
_BLANK = 0.5  # of the smallest spread of a train item


def train(config: Config, prepared: Prepared, job: Job, *, resume: bool, force: bool) -> tuple[Version, bool]:
    """(version, whether it was made now). Needs the root's lock."""
    asked, config = config, settled(config, prepared.modality)
    key = key_for(config, prepared.identity)
    found = None if force else up_to_date(job.root, "models", config.name, key)
    if found:
        job.progress.say(f"model {found.reference} is up to date")
        job.root.point(found)
        return found, False
    _check_enough(prepared)
    checkpoint = job.root.work(config.name) / CHECKPOINT
    trained = _train(config, prepared, job, key, resume, checkpoint)
    with job.root.draft("models", config.name) as draft:
        version = _write(draft, trained, prepared, job, key, asked)
    checkpoint.unlink(missing_ok=True)
    return version, True


def help_train(config: Config, job: Job, *, resume: bool, force: bool) -> bool:
    """Train as one of several workers that is not the chief, who alone writes; False where the model is up to date.

    It looks at the items itself, in a place of its own: the output root, locked by the chief, is only read.
    """
    with tempfile.TemporaryDirectory(prefix="genset-worker-") as own:
        prepared = prepare(config, replace(job, root=Root(Path(own))))
        settled_config = settled(config, prepared.modality)
        key = key_for(settled_config, prepared.identity)
        if not force and up_to_date(job.root, "models", config.name, key):
            return False
        _check_enough(prepared)
        _train(settled_config, prepared, job, key, resume, job.root.path / WORK / config.name / CHECKPOINT)
    return True


class _Trained:
    """What a training leaves behind, before it is written."""

    def __init__(self, config: Config, modality: Modality, nets: Networks, outcome: "TrainingResult") -> None:
        self.config, self.modality, self.nets, self.outcome = config, modality, nets, outcome


def _train(config: Config, prepared: Prepared, job: Job, key: str, resume: bool, checkpoint: Path) -> _Trained:
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
    return _Trained(resolved, task.modality, task.nets, outcome)


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
    modality, model = prepared.modality.learned(*prepared.part("train")), config.model
    train, validation = Examples(*prepared.part("train")), _seen(*prepared.part("validation"), config.seed)
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


def _write(draft: Draft, trained: _Trained, prepared: Prepared, job: Job, key: str, asked: Config) -> Version:
    """Write a trained model as a version. Raises GensetError."""
    job.progress.say("exporting the model")
    config, outcome, modality = trained.config, trained.outcome, trained.modality
    networks, encoder = _write_networks(draft, trained)
    _write_curves(draft, trained)
    draft.write(CONFIG, dump(config).encode())
    resolved_key = key_for(config, prepared.identity)
    judge = _judge(prepared)
    if judge:
        draft.write(generate.JUDGE, npz_bytes(judge.arrays))
    model = {
        **_facts(trained, prepared),
        "reference": f"{config.name}-{resolved_key[:10]}",
        "judge": judge is not None,
        "limits": asdict(_limits(prepared)),
        "networks": list(networks),
        "samples": f"samples{modality.sheet_suffix}",
    }
    generator = generate.Generator.from_parts(networks, outcome.prior, config, modality, model, judge)
    model["limits"] |= _measured_limits(generator, prepared, encoder)
    draft.write(model["samples"], _samples(generator, job))
    problems = [Quarantined("", *note) for note in outcome.notes if note[0] != INFORMATION]
    manifest = job.manifest(
        config,
        kind="model",
        name=draft.name,
        id=draft.id,
        status="ok",
        modality=prepared.modality.kind,
        keys=sorted({key, resolved_key}),
        seed=config.seed,
        inputs={"identity": prepared.identity, "items": len(prepared.dataset)},
        asked={name: as_json(getattr(asked, name)) for name in ASKED},
        parents=[],
        counts=counts(prepared.dataset),
        model=model,
        problems=as_dicts([*prepared.problems, *problems]),
    )
    draft.write("README.md", model_card(config.name, manifest, model))
    return job.root.commit(draft, manifest)


def _write_networks(draft: Draft, trained: _Trained) -> tuple[dict[str, bytes], bytes | None]:
    """Write all networks and the prior; (the exported ones by name, the exported encoder where there is one)."""
    from genset.models.export import keras_bytes, onnx_bytes

    modality, family, seed = trained.modality, trained.config.model.family, trained.config.seed
    with writing(draft.path):  # keras exports to files
        models = family.sampler(trained.nets, modality)
        networks = {name: onnx_bytes(network, seed) for name, network in models.items()}
        whole = keras_bytes(family.keras_model(trained.nets, modality))
        network = family.encoder(trained.nets, modality)
        encoder = None if network is None else onnx_bytes(network, seed)
    if encoder is not None:
        draft.write(generate.ENCODER, encoder)
    for name, data in {**{f"{name}.onnx": data for name, data in networks.items()}, **modality.state}.items():
        draft.write(name, data)
    draft.write(generate.PRIOR, npz_bytes(trained.outcome.prior))
    draft.write("model.keras", whole)
    return networks, encoder


def _write_curves(draft: Draft, trained: _Trained) -> None:
    """Write the losses, and samples from the course of the training where some were taken."""
    outcome = trained.outcome
    draft.write("history.csv", _history(outcome.history))
    draft.write("curves.png", draw_curves(outcome.history, outcome.best_step))
    if outcome.frames:
        frames = np.concatenate([items for _, items in outcome.frames])
        sheet = trained.modality.sheet(frames, [f"step {step:,}" for step, _ in outcome.frames])
        draft.write("progress.png", sheet)


def _measured_limits(generator: generate.Generator, prepared: Prepared, encoder: bytes | None) -> dict[str, float]:
    """The limits that take the model itself: label, and error where it has an encoder and validation items."""
    limits = {"label": _label_limit(generator, prepared)}
    validation, rows = prepared.part("validation")
    if encoder is not None and len(validation):
        labels = [prepared.classes[row] for row in rows]
        limits["error"] = float(outliers.errors(generator, OnnxNetwork(encoder), validation, labels).max())
    return limits


def _facts(trained: _Trained, prepared: Prepared) -> dict[str, Any]:
    """What `inspect` says of a model."""
    model, outcome = trained.config.model, trained.outcome
    best = next((row for row in outcome.history if row["step"] == outcome.best_step), outcome.history[-1])
    return {
        "family": model.family.kind,
        "network": model.network.kind,
        "latent_dim": model.latent_dim,
        "prior": model.density.kind,
        "parameters": sum(net.count_params() for net in trained.nets.models.values()),
        "item_shape": list(prepared.modality.item_shape),
        "classes": list(prepared.classes),
        "train_counts": prepared.dataset.where(split="train").counts("label"),
        "steps": outcome.steps_done,
        "planned_steps": outcome.plan.steps,
        "best_step": outcome.best_step,
        "stopped_early": outcome.stopped_early,
        **{kind: text for kind, text in outcome.notes if kind == INFORMATION},
        "losses": {name: value for name, value in best.items() if name.endswith("loss")},
    }


def settled(config: Config, modality: Modality) -> Config:
    """The config with what the data decide: size and mode, latent length."""
    config = with_settings(config, modality)
    family = config.model.family.for_modality(type(modality))
    config = config.model_copy(update={"model": config.model.model_copy(update={"family": family})})
    latent_dim = config.model.latent_dim or modality.latent_dim
    return config.model_copy(update={"model": config.model.model_copy(update={"latent_dim": latent_dim})})


def _latent_dim(config: Config) -> int:
    latent_dim: int | None = config.model.latent_dim
    if latent_dim is None:
        raise ValueError("the latent length is not settled yet")
    return latent_dim


def key_for(config: Config, identity: str) -> str:
    """The key of a training by a settled config on the items of an identity."""
    return key_of("model", identity, config.seed, config.model.model_dump(), config.train.model_dump())


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


def _limits(prepared: Prepared) -> generate.Limits:
    """What a made item may be like. The copy limit comes from the validation part, or where there is none from the
    distances of the train items to each other."""
    validation = prepared.part("validation")[0]
    train = prepared.modality.closeness(prepared.part("train")[0])
    if len(validation):
        copy = copy_limit(prepared.modality.closeness(validation), train, EXPECTED_SHARE)
    else:
        copy = float(np.quantile(nearest_others(train), EXPECTED_SHARE))
    return generate.Limits(copy, _BLANK * float(generate.spread(train).min()))


def _judge(prepared: Prepared) -> LabelFilter | None:
    items, labels = prepared.part("train")
    if len(prepared.classes) < 2:
        return None
    modality = prepared.modality
    return LabelFilter.train(
        modality.features(items),
        labels,
        len(prepared.classes),
        shared_unit=modality.shared_unit,
        overwrite_features=True,
    )


def _label_limit(made: generate.Generator, prepared: Prepared) -> float:
    """From as many items of each class as the train part has, a thousand in all, beside the validation part."""
    real, real_labels = prepared.part("validation")
    if made.judge is None or not len(real):
        return 0.0
    train_counts = prepared.dataset.where(split="train").counts("label")
    wanted = generate.shares(train_counts, _SAMPLED)
    places = [(label, number) for label, count in wanted.items() for number in range(count)]
    labels = np.array([made.classes.index(label) for label, _ in places])
    features = prepared.modality.features
    probabilities = made.judge.probabilities(features(made.at(places, made.seed, 0)))
    return label_limit(probabilities, labels, made.judge.probabilities(features(real)), real_labels)


def _samples(made: generate.Generator, job: Job) -> bytes:
    """The sample sheet: a row of items for each class."""
    classes = made.classes[:_MOST_SHEET_ROWS]
    rows = [made.sample(label, made.seed, range(_SHEET_COLUMNS)) for label in classes]
    items: Items = np.concatenate(rows)
    return made.modality.sheet(items, classes)


def _history(history: list[dict[str, float]]) -> bytes:
    text = io.StringIO()
    columns = dict.fromkeys(name for row in history for name in row)  # those of all stages, in order of appearance
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: f"{value:.8g}" for name, value in row.items()} for row in history)
    return text.getvalue().encode()
