"""What is in a dataset or a model, what is wrong with it, and how made items stand beside real ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from genset.config import DEFAULT_RATIOS, Config, Data
from genset.config import load as load_config
from genset.dataset import Dataset, Record, read_version
from genset.errors import GensetError
from genset.interfaces import Items, Labels, Modality, Quarantined
from genset.modalities import MODALITIES
from genset.pipeline.build import Verdict
from genset.pipeline.clean import clean
from genset.pipeline.collect import collect, guess_modality
from genset.pipeline.job import Job, counts
from genset.pipeline.split import assign
from genset.quality import FIGURES, gates, measure
from genset.quality.evidence import Features, gather
from genset.versions import CONFIG, Version, open_version, verify_sums


@dataclass(frozen=True)
class Contents:
    """A dataset as it lies there: its records, what they decode to, and what is wrong."""

    dataset: Dataset
    counts: Mapping[str, Mapping[str, int]]
    traits: Mapping[str, Mapping[str, int]]
    problems: Sequence[Quarantined]
    seed: int = 0


def contents(path: Path, job: Job) -> Contents:
    """Look at every file of a dataset: a version, or any folder of class folders."""
    version = open_version(path)
    if version and version.kind == "datasets":
        modality = MODALITIES[version.manifest["modality"]]
        records: Sequence[Record] = read_version(version.path, modality.kind).records
        problems = [
            Quarantined(name, "checksum", "missing or changed since it was written") for name in verify_sums(version)
        ]
    else:
        modality = guess_modality(path, MODALITIES)
        found = collect(Data(source=[str(path)]), modality, job.engine)
        records, problems = found.records, list(found.problems)
    looked = clean(records, modality, job.engine, job.progress, "report")
    kept = Dataset(modality.kind, looked.records)
    return Contents(kept, counts(kept), modality.describe(looked.probes), [*problems, *looked.problems])


def model_facts(version: Version) -> dict[str, Any]:
    """What is known of a model version."""
    manifest = version.manifest
    wrong = [
        {"path": name, "kind": "checksum", "detail": "missing or changed since it was written"}
        for name in verify_sums(version)
    ]
    return {"model": manifest["model"], "counts": manifest["counts"], "problems": wrong, "command": manifest["command"]}


def against(made: Contents, real_path: Path, job: Job) -> Verdict:
    """Judge the made items of a dataset beside real ones.

    Made are the generated items, or all of them where none says that it was generated. The real items keep the
    splits they have; those without are split as the made set's own config says, so that test is what was held out.
    """
    real = contents(real_path, job)
    if real.dataset.modality != made.dataset.modality:
        raise GensetError(
            f"the two sets are of different modalities: {made.dataset.modality} and {real.dataset.modality}",
            where=str(real_path),
            hint="Give --against a set of the same modality.",
        )
    collected = real.dataset.where(source="collected")
    records = collected.records
    if not any(record.split == "test" for record in records):
        job.progress.say(
            f"{real_path} has no test part: splitting it {DEFAULT_RATIOS}; a model may have seen what is tested"
        )
        records = tuple(assign(records, DEFAULT_RATIOS, made.seed))
    generated = made.dataset.where(source="generated")
    judged = generated if len(generated) else made.dataset
    return _judge_records(Dataset(real.dataset.modality, records), judged, job)


def _judge_records(real: Dataset, made: Dataset, job: Job) -> Verdict:
    table = MODALITIES[real.modality]
    train, test = real.where(split="train"), real.where(split="test")
    strangers = sorted(set(made.classes) - set(real.classes))
    if strangers:
        raise GensetError(
            f"the class {strangers[0]!r} of the made set is not among the real ones ({', '.join(real.classes)})",
            hint="Compare sets with the same classes.",
        )
    probes = [table.probe(record.path) for record in train]
    modality = table(table.settle(table.Settings(), probes))

    def load(dataset: Dataset) -> Items:
        return _decoded(dataset, modality, job)

    parts = {
        name: (load(part), _labels(part, real.classes))
        for name, part in (("train", train), ("test", test), ("made", made))
    }
    return judge(real.classes, parts["train"], parts["test"], parts["made"], modality)


def judge(
    classes: tuple[str, ...],
    train: tuple[Items, Labels],
    test: tuple[Items, Labels],
    made: tuple[Items, Labels],
    modality: Modality,
    conditions: Sequence[str] = (),
) -> Verdict:
    """All figures of made items beside real ones, and the gates that fail."""
    train_features, test_features, made_features = (
        Features(modality.features(items), modality.closeness(items), labels) if len(items) else _nothing(modality)
        for items, labels in (train, test, made)
    )
    evidence = gather(classes, train_features, test_features, made_features)
    figures, skipped = measure(evidence)
    failed = gates.failures([gates.parse(text) for text in conditions], figures, skipped)
    sizes = {"train": len(train[1]), "test": len(test[1]), "made": len(made[1])}
    return Verdict(figures, skipped, sizes, evidence.space_name, failed)


def gated(verdict: Verdict, conditions: Sequence[str]) -> Verdict:
    """The verdict with the gates that fail."""
    parsed = [gates.parse(text) for text in conditions]
    return replace(verdict, failed_gates=gates.failures(parsed, verdict.figures, verdict.skipped))


def headline(figures: Mapping[str, float]) -> list[tuple[str, float, str]]:
    """(name, value, what it is) of every figure that was computed, in the order of the table."""
    return [(name, figures[name], figure.what) for name, figure in FIGURES.items() if name in figures]


def config_of(version: Version) -> Config:
    """The config that a version was made with."""
    return load_config(version.path / CONFIG)


def _nothing(modality: Modality) -> Features:
    empty = np.zeros((1, *modality.item_shape), np.uint8)
    return Features(modality.features(empty)[:0], modality.closeness(empty)[:0], np.zeros(0, np.int64))


def _labels(dataset: Dataset, classes: Sequence[str]) -> Labels:
    index = {label: i for i, label in enumerate(classes)}
    return np.array([index[record.label] for record in dataset], np.int64)


def _decoded(dataset: Dataset, modality: Modality, job: Job) -> Items:
    out = np.zeros((len(dataset), *modality.item_shape), np.uint8)
    for row, item in enumerate(job.engine.map(lambda record: modality.decode(record.path), dataset)):
        out[row] = item
    return out
