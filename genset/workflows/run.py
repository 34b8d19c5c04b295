"""The whole pipeline: prepare, train, generate, augment, balance, write, judge; skipping what is up to date."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from genset.config.sections import Config
from genset.dataset import ExportItem, Record
from genset.errors import GensetError
from genset.interfaces import Problem, Step
from genset.memory import release_memory
from genset.models.distributed import VARIABLE, Rank
from genset.pipeline import reading
from genset.pipeline.augment import latent
from genset.pipeline.augment.copies import Recipe, with_soft_labels
from genset.pipeline.augment.plan import ClassPlan, plan_classes
from genset.pipeline.evaluate.evaluator import Evaluator, LabelledItems
from genset.pipeline.evaluate.verdict import QUALITY
from genset.pipeline.generate import sampling
from genset.pipeline.generate.counts import rare_class_problems, skipped_classes, target_counts
from genset.pipeline.generate.generator import Filters, SampleModel
from genset.pipeline.job import Job, cache_key, up_to_date
from genset.pipeline.prepare import Prepared, prepare, with_settings
from genset.pipeline.train.train import train_model
from genset.pipeline.write.dataset import (
    CopyJob,
    augmentation_steps,
    augmented_copies,
    encode_items,
    ordered_records,
    write_dataset,
)
from genset.versions.remote import Store
from genset.versions.version import Version
from genset.workflows.publish import PublishResult, publish

SECTIONS = ("generate", "augment", "balance", "quality")  # of the config, that a dataset depends on beside its model


@dataclass(frozen=True)
class RunResult:
    """What a run made or found, and what is to be told of it."""

    model: Version
    dataset: Version
    made: bool  # whether anything new was made
    counts: Mapping[str, Mapping[str, int]]
    verdict: Mapping[str, Any]
    problems: list[Mapping[str, str]]
    redrawn: Mapping[str, int]
    published: Sequence[PublishResult] = ()  # where the config says so, unless gates failed


def run(config: Config, job: Job, *, resume: bool = True, force: bool = False) -> RunResult:
    """Make a model version and a dataset version, or find that both are up to date. Needs the root's lock."""
    config.output.format.ready()
    if config.output.publish:
        Store(config.output.publish).ready()
    if Rank.from_environment().count > 1:
        raise GensetError(
            "several workers train together, and one alone can do the rest",
            where=VARIABLE,
            hint="Start `genset train` on all of them; then unset it and start `genset run`, which takes that model.",
        )
    prepared = prepare(config, job)
    asked, config = config, with_settings(config, prepared.modality)
    planned(config, prepared.dataset.where(split="train").records)  # what it cannot do is told before training
    _steps(config, prepared)  # and so is what copies lack
    model, trained = train_model(asked, prepared, job, resume=resume, force=force)
    release_memory()  # what learning took, and judging has no use for
    key = key_for(config, prepared.items_key, model)
    found = None if force else up_to_date(job.root, "datasets", config.name, key)
    if found and found.manifest["status"] == "ok":
        job.root.point(found)
    result = _result(model, found, trained) if found else _build(config, prepared, model, key, job)
    if not config.output.publish or result.dataset.status != "ok":
        return result
    store = Store(config.output.publish)
    return replace(result, published=[publish(version, store, job) for version in (result.model, result.dataset)])


def key_for(config: Config, identity: str, model: Version) -> str:
    """The key of a dataset by a config, of the items of an identity and a model."""
    sections = [getattr(config, name).model_dump() for name in SECTIONS]
    reference = model.manifest["model"]["reference"]
    return cache_key("dataset", identity, reference, config.seed, *sections, config.output.format.model_dump())


def _build(config: Config, prepared: Prepared, model: Version, key: str, job: Job) -> RunResult:
    steps, form = _steps(config, prepared), prepared.modality.settings.model_dump(mode="json")
    reference = model.manifest["model"]["reference"] if latent.uses_model(steps) else ""
    recipe = Recipe(steps, config.seed, form, False, reference)
    real = with_soft_labels(ordered_records(prepared.dataset.records), recipe.steps)
    (train_items, _), (test_items, _) = prepared.split_items("train"), prepared.split_items("test")
    added = planned(config, [record for record in real if record.split == "train"])
    real, copies = added.kept(real), added.copies
    made = _made(config, prepared, model, added, job)
    release_memory()  # judging has no use for what making took either
    rare = rare_class_problems(prepared.dataset.where(split="train").counts("label"), config.generate)
    problems = [*prepared.problems, *added.problems, *rare, *sampling.rejected_problems(made.given_up)]
    job.progress.say("judging the generated items against the held-out ones")
    verdict = Evaluator(prepared.modality, job.engine, seeds=config.quality.seeds).verdict(
        prepared.classes,
        LabelledItems(prepared.dataset.where(split="train").records, train_items),
        LabelledItems(prepared.dataset.where(split="test").records, test_items),
        LabelledItems(made.dataset.records, made.items),
        config.quality.gates,
    )
    version, counts = write_dataset(
        config.name,
        _items(prepared, real, made, CopyJob(copies, recipe, latent.open_latent_mixer(recipe, model)), job, problems),
        len(real) + len(made.dataset) + len(copies),
        job,
        exporter=config.output.format,
        modality=prepared.modality,
        config=_resolved(config, model),
        verdict=verdict,
        problems=problems,
        keys=[key],
        seed=config.seed,
        inputs={"identity": prepared.items_key, "items": len(real)},
        parents=[model.reference],
        sources=config.data.source,
        redrawn=made.redrawn,
        recipes=recipe.as_dict() if copies else {},
    )
    return RunResult(model, version, True, counts, verdict.as_dict(), [p.as_dict() for p in problems], made.redrawn)


def _made(config: Config, prepared: Prepared, model: Version, added: ClassPlan, job: Job) -> sampling.GeneratedItems:
    """The generated items; the model and what it is filtered by are let go."""
    generator = replace(SampleModel.open(model), sampling=config.generate.sampling)
    train_items, _ = prepared.split_items("train")
    filters = Filters.from_section(config.generate, lambda: prepared.modality.closeness(train_items))
    return sampling.generate_items(generator, added.generated, filters, job, seed=config.seed)


def planned(config: Config, train: Sequence[Record]) -> ClassPlan:
    """What was asked for, and what then lacks to the balance target."""
    counts = Counter(record.label for record in train)
    return plan_classes(
        train,
        {},
        config.augment,
        config.balance,
        config.seed,
        has_model=True,
        requested=target_counts(dict(sorted(counts.items())), config.generate),
        not_generated=skipped_classes(counts, config.generate),
    )


def _steps(config: Config, prepared: Prepared) -> tuple[Step, ...]:
    return augmentation_steps(config.augment, prepared.modality, prepared.classes, needed=config.balance.copies)


def _items(
    prepared: Prepared,
    real: Sequence[Record],
    made: sampling.GeneratedItems,
    copying: CopyJob,
    job: Job,
    problems: list[Problem],
) -> Iterator[ExportItem]:
    """All items of the version as files: real ones, generated ones, transformed copies."""
    row = {record.id: number for number, record in enumerate(prepared.dataset)}
    modality = prepared.modality
    blank = {name: "" for record in real[:1] for name in record.columns}
    pairs = [(record, prepared.items[row[record.id]]) for record in real]
    collected = encode_items(pairs, modality, job)
    generated = encode_items(
        [(replace(record, columns=blank), item) for record, item in zip(made.dataset, made.items, strict=True)],
        modality,
        job,
    )
    return chain(collected, generated, augmented_copies(pairs, copying, modality, job, problems))


def _resolved(config: Config, model: Version) -> Config:
    """The config that runs again to the same bytes: with the steps that the model was trained for."""
    trained = reading.config_of(model)
    return config.model_copy(update={"model": trained.model, "train": trained.train})


def _result(model: Version, dataset: Version, made: bool) -> RunResult:
    manifest = dataset.manifest
    quality = json.loads((dataset.path / QUALITY).read_bytes())
    problems = quality.pop("problems")
    return RunResult(model, dataset, made, manifest["counts"], quality, problems, manifest.get("redrawn", {}))
