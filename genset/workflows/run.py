"""genset run: prepare, train, generate, augment, balance, evaluate and write; steps that are up to date are skipped."""

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
from genset.pipeline.augment.copy_job import CopyJob, augmented_copies
from genset.pipeline.augment.plan import ClassPlan, plan_classes
from genset.pipeline.augment.steps import augmentation_steps
from genset.pipeline.evaluate.evaluator import Evaluator, LabelledItems
from genset.pipeline.evaluate.verdict import QUALITY, Verdict
from genset.pipeline.export_items import encode_items
from genset.pipeline.generate import sampling
from genset.pipeline.generate.counts import rare_class_problems, skipped_classes, target_counts
from genset.pipeline.generate.generator import Filters, SampleModel
from genset.pipeline.job import Job, as_dicts, cache_key, up_to_date
from genset.pipeline.prepare import Prepared, prepare, with_settings
from genset.pipeline.train.train import train_model
from genset.pipeline.write.dataset import ordered_records, write_dataset
from genset.versions.remote import Store
from genset.versions.version import Version
from genset.workflows.publish import PublishResult, publish

# The sections of the config that a dataset depends on, besides its model
SECTIONS = ("generate", "augment", "balance", "quality")


@dataclass(frozen=True)
class RunResult:
    """The model and the dataset of a run, new or up to date, with what the run reports about them."""

    model: Version
    dataset: Version
    created: bool  # whether anything is new
    counts: Mapping[str, Mapping[str, int]]
    verdict: Mapping[str, Any]
    problems: list[Mapping[str, str]]
    redrawn: Mapping[str, int]  # number of items that were drawn again, by reason
    published: Sequence[PublishResult] = ()  # if the config has `output.publish`, unless gates failed

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON holds it."""
        return {
            "version": self.dataset,
            "model": self.model,
            "made": self.created,
            "counts": self.counts,
            **{key: self.verdict[key] for key in ("figures", "skipped", "failed_gates")},
            "problems": self.problems,
            "redrawn": self.redrawn,
            "published": self.published,
        }


def run(config: Config, job: Job, *, resume: bool = True, force: bool = False) -> RunResult:
    """Create a model version and a dataset version, unless both are up to date. Needs the lock of the output root."""
    config.output.format.ready()
    if config.output.publish:
        Store(config.output.publish).ready()
    if Rank.from_environment().count > 1:
        raise GensetError(
            "`genset run` uses one worker only, and this is one of several",
            where=VARIABLE,
            hint="Start `genset train` on all workers. Then unset the variable and start `genset run`, "
            "which uses that model.",
        )
    prepared = prepare(config, job)
    resolved = with_settings(config, prepared.modality)
    # Impossible plans and missing steps are reported before training
    plan_dataset(resolved, prepared.dataset.where(split="train").records)
    _steps(resolved, prepared)
    model, trained = train_model(config, prepared, job, resume=resume, force=force)
    release_memory()  # of TensorFlow: evaluation does not need it
    key = dataset_key(resolved, prepared.items_key, model)
    existing = None if force else up_to_date(job.root, "datasets", config.name, key)
    if existing and existing.manifest["status"] == "ok":
        job.root.point(existing)
    if existing:
        result = _existing_result(model, existing, trained)
    else:
        result = _create_dataset(resolved, prepared, model, key, job)
    if not config.output.publish or result.dataset.status != "ok":
        return result
    store = Store(config.output.publish)
    return replace(result, published=[publish(version, store, job) for version in (result.model, result.dataset)])


def dataset_key(config: Config, items_key: str, model: Version) -> str:
    """The cache key of the dataset that a config, real items with a key, and a model lead to."""
    sections = [getattr(config, name).model_dump() for name in SECTIONS]
    reference = model.manifest["model"]["reference"]
    return cache_key("dataset", items_key, reference, config.seed, *sections, config.output.format.model_dump())


def _create_dataset(config: Config, prepared: Prepared, model: Version, key: str, job: Job) -> RunResult:
    """Generate, augment, evaluate, and write the dataset version."""
    steps, settings = _steps(config, prepared), prepared.modality.settings.model_dump(mode="json")
    reference = model.manifest["model"]["reference"] if latent.uses_model(steps) else ""
    recipe = Recipe(steps, config.seed, settings, False, reference)
    real = with_soft_labels(ordered_records(prepared.dataset.records), recipe.steps)
    class_plan = plan_dataset(config, [record for record in real if record.split == "train"])
    real, copies = class_plan.kept(real), class_plan.copies
    generated = _generate(config, prepared, model, class_plan, job)
    release_memory()  # of the model: evaluation does not need it
    rare = rare_class_problems(prepared.dataset.where(split="train").counts("label"), config.generate)
    problems = [*prepared.problems, *class_plan.problems, *rare, *sampling.rejected_problems(generated.given_up)]
    verdict = _evaluate(config, prepared, generated, job)
    version, counts = write_dataset(
        config.name,
        _export_items(
            prepared, real, generated, CopyJob(copies, recipe, latent.open_latent_mixer(recipe, model)), job, problems
        ),
        len(real) + len(generated.dataset) + len(copies),
        job,
        exporter=config.output.format,
        modality=prepared.modality,
        config=_trained_config(config, model),
        verdict=verdict,
        problems=problems,
        keys=[key],
        seed=config.seed,
        inputs={"identity": prepared.items_key, "items": len(real)},
        parents=[model.reference],
        sources=config.data.source,
        redrawn=generated.redrawn,
        recipes=recipe.as_dict() if copies else {},
    )
    return RunResult(model, version, True, counts, verdict.as_dict(), as_dicts(problems), generated.redrawn)


def _generate(
    config: Config, prepared: Prepared, model: Version, class_plan: ClassPlan, job: Job
) -> sampling.GeneratedItems:
    """The generated items. The model and the filters are local, so that their memory is free afterwards."""
    train_items, _ = prepared.split_items("train")
    generator = replace(SampleModel.open(model), sampling=config.generate.sampling)
    filters = Filters.from_section(config.generate, lambda: prepared.modality.closeness(train_items))
    return sampling.generate_items(generator, class_plan.generated, filters, job, seed=config.seed)


def _evaluate(config: Config, prepared: Prepared, generated: sampling.GeneratedItems, job: Job) -> Verdict:
    """The figures of the generated items, and the gates that fail."""
    job.progress.say("evaluating the generated items with the held-out items")
    (train_items, _), (test_items, _) = prepared.split_items("train"), prepared.split_items("test")
    return Evaluator(prepared.modality, job.engine, seeds=config.quality.seeds).verdict(
        prepared.classes,
        LabelledItems(prepared.dataset.where(split="train").records, train_items),
        LabelledItems(prepared.dataset.where(split="test").records, test_items),
        LabelledItems(generated.dataset.records, generated.items),
        config.quality.gates,
    )


def plan_dataset(config: Config, train: Sequence[Record]) -> ClassPlan:
    """How many items to generate for each class, and how many then to add or leave out to reach the balance target."""
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


def _export_items(
    prepared: Prepared,
    real: Sequence[Record],
    generated: sampling.GeneratedItems,
    copy_job: CopyJob,
    job: Job,
    problems: list[Problem],
) -> Iterator[ExportItem]:
    """All items of the version as files: real items, generated items, transformed copies."""
    row = {record.id: number for number, record in enumerate(prepared.dataset)}
    modality = prepared.modality
    blank = {name: "" for record in real[:1] for name in record.columns}
    pairs = [(record, prepared.items[row[record.id]]) for record in real]
    generated_pairs = [
        (replace(record, columns=blank), item) for record, item in zip(generated.dataset, generated.items, strict=True)
    ]
    return chain(
        encode_items(pairs, modality, job),
        encode_items(generated_pairs, modality, job),
        augmented_copies(pairs, copy_job, modality, job, problems),
    )


def _trained_config(config: Config, model: Version) -> Config:
    """The config that gives the same bytes again: with the number of steps that the model was trained for."""
    trained = reading.config_of(model)
    return config.model_copy(update={"model": trained.model, "train": trained.train})


def _existing_result(model: Version, dataset: Version, created: bool) -> RunResult:
    """The result of a run whose dataset is up to date."""
    manifest = dataset.manifest
    quality = json.loads((dataset.path / QUALITY).read_bytes())
    problems = quality.pop("problems")
    return RunResult(model, dataset, created, manifest["counts"], quality, problems, manifest.get("redrawn", {}))
