"""The whole pipeline: prepare, train, generate, augment, balance, write, judge; skipping what is up to date."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from genset.config import Config
from genset.dataset import Item, Record
from genset.interfaces import Quarantined
from genset.pipeline import augment, balance, build, generate, inspect
from genset.pipeline.job import Job, key_of, up_to_date
from genset.pipeline.judge import Judge, Side
from genset.pipeline.prepare import Prepared, prepare, with_settings
from genset.pipeline.train import train
from genset.versions import Version


@dataclass(frozen=True)
class Result:
    """What a run made or found, and what is to be told of it."""

    model: Version
    dataset: Version
    made: bool  # whether anything new was made
    counts: Mapping[str, Mapping[str, int]]
    verdict: Mapping[str, Any]
    problems: list[Mapping[str, str]]
    redrawn: Mapping[str, int]


def run(config: Config, job: Job, *, resume: bool = True, force: bool = False) -> Result:
    """Make a model version and a dataset version, or find that both are up to date. Needs the root's lock."""
    prepared = prepare(config, job)
    config = with_settings(config, prepared)
    balance.missing(dict.fromkeys(prepared.classes, 0), config.balance.target)  # a wrong label is told before training
    build.steps_of(config.augment, prepared.modality, needed=config.balance.copies)  # and so is what copies lack
    model, trained = train(config, prepared, job, resume=resume, force=force)
    key = _key(config, prepared, model)
    found = None if force else up_to_date(job.root, "datasets", config.name, key)
    if found:
        if found.manifest["status"] == "ok":
            job.root.point(found)
        return _result(model, found, trained)
    return _build(config, prepared, model, key, job)


def _key(config: Config, prepared: Prepared, model: Version) -> str:
    sections = [getattr(config, name).model_dump() for name in ("generate", "augment", "balance", "quality")]
    reference = model.manifest["model"]["reference"]
    return key_of("dataset", prepared.identity, reference, config.seed, *sections, config.output.format.model_dump())


def _build(config: Config, prepared: Prepared, model: Version, key: str, job: Job) -> Result:
    generator = replace(generate.Generator.open(model), sampling=config.generate.sampling)
    real = build.one_schema(prepared.dataset.records)
    (train_items, _), (test_items, _) = prepared.part("train"), prepared.part("test")
    train = [record for record in real if record.split == "train"]
    wanted, filling = _wanted(config, train)
    copies = augment.copies(train, config.augment.copies, {}) + filling.copies
    filters = generate.Filters.of(config.generate, lambda: prepared.modality.closeness(train_items))
    made = generate.make(generator, wanted, filters, job, seed=config.seed)
    rare = generate.rare(prepared.dataset.where(split="train").counts("label"), config.generate)
    problems = [*prepared.problems, *filling.problems, *rare, *generate.given_up(made)]
    job.progress.say("judging the generated items against the held-out ones")
    verdict = Judge(prepared.modality, job.engine).verdict(
        prepared.classes,
        Side(prepared.dataset.where(split="train").records, train_items),
        Side(prepared.dataset.where(split="test").records, test_items),
        Side(made.dataset.records, made.items),
        config.quality.gates,
    )
    version, counts = build.write(
        config.name,
        _items(config, prepared, real, made, copies, job, problems),
        len(real) + len(made.dataset) + len(copies),
        job,
        exporter=config.output.format,
        modality=prepared.modality,
        config=_resolved(config, model),
        verdict=verdict,
        problems=problems,
        keys=[key],
        seed=config.seed,
        inputs={"identity": prepared.identity, "items": len(real)},
        parents=[model.reference],
        redrawn=made.redrawn,
    )
    return Result(model, version, True, counts, verdict.as_dict(), [p.as_dict() for p in problems], made.redrawn)


def _wanted(config: Config, train: Sequence[Record]) -> tuple[dict[str, int], balance.Filling]:
    """Items to generate for each class, what was asked for and what then lacks to the balance target; the filling."""
    train_counts = Counter(record.label for record in train)
    labels = sorted(train_counts)
    wanted = generate.wanted({label: train_counts[label] for label in labels}, config.generate)
    per_item = 1 + config.augment.copies
    have = {label: per_item * train_counts[label] + wanted[label] for label in labels}
    lacking = balance.missing(have, config.balance.target)
    none = generate.left_out(train_counts, config.generate)
    filling = balance.filling(lacking, train, {}, config.augment.copies, config.balance, has_model=True, none=none)
    return {label: wanted[label] + filling.generated[label] for label in labels}, filling


def _items(
    config: Config,
    prepared: Prepared,
    real: Sequence[Record],
    made: generate.Made,
    copies: list[augment.Copy],
    job: Job,
    problems: list[Quarantined],
) -> Iterator[Item]:
    """All items of the version as files: real ones, generated ones, transformed copies."""
    row = {record.id: number for number, record in enumerate(prepared.dataset)}
    modality = prepared.modality
    blank = {name: "" for record in real[:1] for name in record.columns}
    pairs = [(record, prepared.items[row[record.id]]) for record in real]
    collected = build.encoded(pairs, modality, job)
    generated = build.encoded(
        [(replace(record, columns=blank), item) for record, item in zip(made.dataset, made.items, strict=True)],
        modality,
        job,
    )
    steps = build.steps_of(config.augment, modality)
    return chain(collected, generated, build.augmented(pairs, copies, steps, config.seed, modality, job, problems))


def _resolved(config: Config, model: Version) -> Config:
    """The config that runs again to the same bytes: with the steps that the model was trained for."""
    trained = inspect.config_of(model)
    return config.model_copy(update={"model": trained.model, "train": trained.train})


def _result(model: Version, dataset: Version, made: bool) -> Result:
    manifest = dataset.manifest
    quality = json.loads((dataset.path / build.QUALITY).read_bytes())
    problems = quality.pop("problems")
    return Result(model, dataset, made, manifest["counts"], quality, problems, manifest.get("redrawn", {}))
