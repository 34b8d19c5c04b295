"""Write a trained model as a version: networks, limits, curves, samples, manifest."""

import csv
import io
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from genset.atomic import writing
from genset.config.loading import dump
from genset.config.sections import Config
from genset.export.card import model_card
from genset.interfaces import INFORMATION, Items, Modality, Networks, Problem
from genset.models.npz import npz_bytes
from genset.models.onnx_network import OnnxNetwork
from genset.pipeline.generate import outliers
from genset.pipeline.generate.counts import proportional_counts
from genset.pipeline.generate.generator import ENCODER, LABEL_FILTER, PRIOR, Limits, SampleModel, spread
from genset.pipeline.job import Job, as_dicts, as_json, cache_key, counts
from genset.pipeline.prepare import Prepared
from genset.quality.label_filter import LabelFilter, label_limit
from genset.quality.neighbours import copy_limit, nearest_others
from genset.quality.privacy import EXPECTED_SHARE
from genset.report.learning_curves import draw_curves
from genset.versions.draft import Draft
from genset.versions.version import CONFIG, Version

if TYPE_CHECKING:
    from genset.models.trainer import TrainingResult

CHECKPOINT = "checkpoint.npz"
REQUESTED_SECTIONS = ("modality", "model", "train")  # sections that training completes: kept as given, too
_SHEET_COLUMNS = 12
_MAX_SHEET_ROWS = 20
_LABEL_SAMPLES = 1000  # items, to measure how often the model misses the requested label
_BLANK = 0.5  # an item is blank below this share of the smallest spread of a training item


class TrainedParts:
    """The results of a training before they are written."""

    def __init__(self, config: Config, modality: Modality, nets: Networks, outcome: "TrainingResult") -> None:
        self.config, self.modality, self.nets, self.outcome = config, modality, nets, outcome


def write_model(
    draft: Draft, trained: TrainedParts, prepared: Prepared, job: Job, key: str, requested: Config
) -> Version:
    """Write a trained model as a version. Raises GensetError."""
    job.progress.say("exporting the model")
    config, outcome, modality = trained.config, trained.outcome, trained.modality
    networks, encoder = _write_networks(draft, trained)
    _write_curves(draft, trained)
    draft.write(CONFIG, dump(config).encode())
    resolved_key = training_key(config, prepared.items_key)
    label_filter = _train_label_filter(prepared)
    if label_filter:
        draft.write(LABEL_FILTER, npz_bytes(label_filter.arrays))
    model = {
        **_facts(trained, prepared),
        "reference": f"{config.name}-{resolved_key[:10]}",
        "judge": label_filter is not None,
        "limits": asdict(_limits(prepared)),
        "networks": list(networks),
        "samples": f"samples{modality.sheet_suffix}",
    }
    generator = SampleModel.from_parts(networks, outcome.prior, config, modality, model, label_filter)
    model["limits"] |= _measured_limits(generator, prepared, encoder)
    draft.write(model["samples"], _sample_sheet(generator))
    manifest = _manifest(
        draft, trained, prepared, job, keys=sorted({key, resolved_key}), requested=requested, model=model
    )
    draft.write("README.md", model_card(config.name, manifest, model))
    return job.root.commit(draft, manifest)


def _manifest(
    draft: Draft,
    trained: TrainedParts,
    prepared: Prepared,
    job: Job,
    *,
    keys: list[str],
    requested: Config,
    model: dict[str, Any],
) -> dict[str, Any]:
    config = trained.config
    problems = [Problem("", *note) for note in trained.outcome.notes if note[0] != INFORMATION]
    return job.manifest(
        config,
        kind="model",
        name=draft.name,
        id=draft.id,
        status="ok",
        modality=prepared.modality.kind,
        keys=keys,
        seed=config.seed,
        inputs={"identity": prepared.items_key, "items": len(prepared.dataset)},
        asked={name: as_json(getattr(requested, name)) for name in REQUESTED_SECTIONS},
        parents=[],
        counts=counts(prepared.dataset),
        model=model,
        problems=as_dicts([*prepared.problems, *problems]),
    )


def _write_networks(draft: Draft, trained: TrainedParts) -> tuple[dict[str, bytes], bytes | None]:
    """Write all networks and the prior; (the exported networks by name, the exported encoder or None)."""
    from genset.models.export import keras_bytes, onnx_bytes

    modality, family, seed = trained.modality, trained.config.model.family, trained.config.seed
    with writing(draft.path):  # keras exports to files
        models = family.sampler(trained.nets, modality)
        networks = {name: onnx_bytes(network, seed) for name, network in models.items()}
        keras_model = keras_bytes(family.keras_model(trained.nets, modality))
        network = family.encoder(trained.nets, modality)
        encoder = None if network is None else onnx_bytes(network, seed)
    if encoder is not None:
        draft.write(ENCODER, encoder)
    for name, data in {**{f"{name}.onnx": data for name, data in networks.items()}, **modality.state}.items():
        draft.write(name, data)
    draft.write(PRIOR, npz_bytes(trained.outcome.prior))
    draft.write("model.keras", keras_model)
    return networks, encoder


def _write_curves(draft: Draft, trained: TrainedParts) -> None:
    """Write the losses, and the samples that were taken during training."""
    outcome = trained.outcome
    draft.write("history.csv", _history(outcome.history))
    draft.write("curves.png", draw_curves(outcome.history, outcome.best_step))
    if outcome.frames:
        frames = np.concatenate([items for _, items in outcome.frames])
        sheet = trained.modality.sheet(frames, [f"step {step:,}" for step, _ in outcome.frames])
        draft.write("progress.png", sheet)


def _measured_limits(generator: SampleModel, prepared: Prepared, encoder: bytes | None) -> dict[str, float]:
    """The limits that need the model: `label`, and `error` if it has an encoder and validation items."""
    limits = {"label": _label_limit(generator, prepared)}
    validation, rows = prepared.split_items("validation")
    if encoder is not None and len(validation):
        labels = [prepared.classes[row] for row in rows]
        limits["error"] = float(
            outliers.reconstruction_errors(generator, OnnxNetwork(encoder), validation, labels).max()
        )
    return limits


def _facts(trained: TrainedParts, prepared: Prepared) -> dict[str, Any]:
    """The facts of a model that `inspect` shows."""
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


def training_key(config: Config, identity: str) -> str:
    """The key of a training: equal for the same resolved config and the same items."""
    return cache_key("model", identity, config.seed, config.model.model_dump(), config.train.model_dump())


def _limits(prepared: Prepared) -> Limits:
    """The limits `copy` and `blank`.

    `copy` is a quantile of the distances of the validation items to the training items. Without validation items, it is
    the same quantile of the distances between the training items.
    """
    validation = prepared.split_items("validation")[0]
    train = prepared.modality.closeness(prepared.split_items("train")[0])
    if len(validation):
        copy = copy_limit(prepared.modality.closeness(validation), train, EXPECTED_SHARE)
    else:
        copy = float(np.quantile(nearest_others(train), EXPECTED_SHARE))
    return Limits(copy, _BLANK * float(spread(train).min()))


def _train_label_filter(prepared: Prepared) -> LabelFilter | None:
    items, labels = prepared.split_items("train")
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


def _label_limit(model: SampleModel, prepared: Prepared) -> float:
    """The limit `label`, from samples in the proportions of the training set and from the validation items."""
    real, real_labels = prepared.split_items("validation")
    if model.label_filter is None or not len(real):
        return 0.0
    train_counts = prepared.dataset.where(split="train").counts("label")
    sizes = proportional_counts(train_counts, _LABEL_SAMPLES)
    places = [(label, number) for label, count in sizes.items() for number in range(count)]
    labels = np.array([model.classes.index(label) for label, _ in places])
    features = prepared.modality.features
    probabilities = model.label_filter.probabilities(features(model.items_at(places, model.seed, 0)))
    return label_limit(probabilities, labels, model.label_filter.probabilities(features(real)), real_labels)


def _sample_sheet(model: SampleModel) -> bytes:
    """The sheet of samples: a row of items for each class."""
    classes = model.classes[:_MAX_SHEET_ROWS]
    rows = [model.sample(label, model.seed, range(_SHEET_COLUMNS)) for label in classes]
    items: Items = np.concatenate(rows)
    return model.modality.sheet(items, classes)


def _history(history: list[dict[str, float]]) -> bytes:
    text = io.StringIO()
    columns = dict.fromkeys(name for row in history for name in row)  # those of all stages, in order of appearance
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: f"{value:.8g}" for name, value in row.items()} for row in history)
    return text.getvalue().encode()
