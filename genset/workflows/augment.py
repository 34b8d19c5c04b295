"""genset augment: a version of a dataset with transformed copies and generated items added to its training set."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

from genset.config.sections import Augment, Balance, Generate
from genset.dataset import ExportItem, Record
from genset.errors import GensetError
from genset.export.folder import FolderExporter
from genset.pipeline import export_items
from genset.pipeline.augment.copies import Copy, Recipe, next_numbers, with_soft_labels
from genset.pipeline.augment.copy_job import CopyJob, augmented_copies
from genset.pipeline.augment.latent import open_latent_mixer, uses_model
from genset.pipeline.augment.plan import ClassPlan, plan_classes
from genset.pipeline.augment.steps import augmentation_steps
from genset.pipeline.generate import sampling, training_items
from genset.pipeline.generate.generator import Filters, SampleModel
from genset.pipeline.job import Job, as_dicts
from genset.pipeline.prepare import Prepared
from genset.pipeline.write import dataset
from genset.pipeline.write.estimate import Estimate, estimate_copies, estimate_from_sample, source_bytes
from genset.pipeline.write.written_version import WrittenVersion
from genset.versions.version import Version
from genset.workflows.generate import rare_problems
from genset.workflows.open_dataset import OpenDataset, export_unchanged
from genset.workflows.provenance_check import trained_on


@dataclass(frozen=True)
class AugmentPlan:
    """What will be added to the training set of a dataset, and what is left out."""

    source: OpenDataset
    class_plan: ClassPlan
    copy_job: CopyJob
    records: list[Record]  # the items that are kept, as the version will hold them
    model: Version | None
    sections: tuple[Augment, Balance]

    @property
    def seed(self) -> int:
        """Seed of all random choices."""
        return self.copy_job.recipe.seed

    def rows(self) -> list[dict[str, Any]]:
        """The plan for each class of the training set."""
        return self.class_plan.rows([record for record in self.source.records if record.split == "train"])

    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """The number of training items of each class, and of all items by source, if the plan is carried out."""
        by_source = {"augmented": len(self.class_plan.copies), "generated": sum(self.class_plan.generated.values())}
        for record in self.records:
            by_source[record.source] = by_source.get(record.source, 0) + 1
        return {
            "label": {row["label"]: row["total"] for row in self.rows()},
            "source": {name: count for name, count in sorted(by_source.items()) if count},
        }

    def as_dict(self, estimate: Estimate) -> dict[str, Any]:
        """The plan and its cost as JSON holds them."""
        return {
            "dry_run": True,
            "counts": self.counts(),
            "plan": self.rows(),
            "estimate": estimate.as_dict(),
            "problems": as_dicts(self.class_plan.problems),
        }


def augment_plan(
    source: OpenDataset, section: Augment, target: Balance, model: Version | None, seed: int, job: Job
) -> AugmentPlan:
    """Plan copies and generated items. Raises GensetError if the settings do not fit the dataset or the model."""
    if model and target.fill == "augmented" and not uses_model(section.steps or ()):
        raise GensetError(
            "`fill: augmented` does not use a model",
            where="balance.fill",
            hint="Leave out --model, or set balance.fill=both.",
        )
    train = [record for record in source.records if record.split == "train"]
    start = next_numbers(source.records)
    planned = plan_classes(train, start, section, target, seed, has_model=model is not None)
    steps = augmentation_steps(
        section,
        source.modality,
        {record.label for record in source.records},
        needed=bool(planned.copies),
        has_model=model is not None,
    )
    reference = model.manifest["model"]["reference"] if model and uses_model(steps) else ""
    recipe = Recipe(steps, seed, source.modality.settings.model_dump(mode="json"), True, reference)
    problems = list(planned.problems)
    if model:
        _check_classes(model, planned)
        problems += rare_problems(model, planned.generated, Generate())
    latent = open_latent_mixer(recipe, model)
    if latent and model:
        _training_items(latent.model, model, source, job)
    records = dataset.ordered_records(with_soft_labels(planned.kept(source.records), steps))
    row = {record.id: record for record in records}
    copies = [Copy(row[copy.parent.id], copy.number) for copy in planned.copies]
    planned = replace(planned, copies=copies, problems=problems)
    return AugmentPlan(source, planned, CopyJob(copies, recipe, latent), records, model, (section, target))


def _check_classes(model: Version, planned: ClassPlan) -> None:
    known = model.manifest["model"]["classes"]
    unknown = [label for label, count in planned.generated.items() if count and label not in known]
    if unknown:
        raise GensetError(
            f"the model has no class {unknown[0]!r}, so it cannot generate items of it",
            where=model.reference,
            hint=f"Add only items of its classes {', '.join(known)}, or set balance.fill=augmented.",
        )


def augment_version(planned: AugmentPlan, name: str, job: Job) -> WrittenVersion:
    """Write a version as planned: the items of the dataset that are kept, with copies and generated items."""
    source, class_plan, records, model = planned.source, planned.class_plan, planned.records, planned.model
    parents = [(record, partial(source.modality.decode_native, record.raw)) for record in records]
    problems = [*source.problems, *class_plan.problems]
    parts = [
        export_unchanged(records, source, job),
        augmented_copies(parents, planned.copy_job, source.modality, job, problems),
    ]
    generated = (
        _generate(model, source, class_plan, planned.seed, job)
        if model and any(class_plan.generated.values())
        else None
    )
    if generated:
        blank = dict.fromkeys(records[0].columns, "")
        pairs = zip(generated.dataset, generated.items, strict=True)
        blanked = ((replace(record, columns=blank), item) for record, item in pairs)
        parts.append(export_items.encode_items(blanked, source.modality, job))
        problems += sampling.rejected_problems(generated.given_up)
    section, target = planned.sections
    redrawn = generated.redrawn if generated else {}
    version, counts = dataset.write_dataset(
        name,
        chain(*parts),
        len(records) + len(class_plan.copies) + (len(generated.dataset) if generated else 0),
        job,
        exporter=FolderExporter(),
        modality=source.modality,
        problems=problems,
        seed=planned.seed,
        inputs=source.inputs,
        sources=source.sources,
        parents=source.parents + ([model.reference] if model else []),
        redrawn=redrawn,
        recipes={**source.recipes, **(planned.copy_job.recipe.as_dict() if class_plan.copies else {})},
        settings={"augment": section.model_dump(mode="json"), "balance": target.model_dump(mode="json")},
    )
    return WrittenVersion(version, counts, problems, redrawn)


def _generate(
    model: Version, source: OpenDataset, class_plan: ClassPlan, seed: int, job: Job
) -> sampling.GeneratedItems:
    """The generated items of a plan. Raises GensetError if the model does not fit the dataset."""
    generator = SampleModel.open(model)
    prepared = _training_items(generator, model, source, job)
    start = sampling.next_numbers(source.records, generator.reference, seed)
    filters = Filters(training_items.train_closeness(prepared))
    return sampling.generate_items(generator, class_plan.generated, filters, job, seed=seed, start=start)


def _training_items(generator: SampleModel, model: Version, source: OpenDataset, job: Job) -> Prepared:
    """The items that a model was trained on. Raises GensetError if it is a model of items of another modality or shape,
    or if it was trained on items that the dataset holds out."""
    modality_type = type(source.modality)
    if generator.modality.kind != modality_type.kind:
        raise GensetError(
            f"the model generates {generator.modality.kind} items, the dataset has {modality_type.kind} items",
            where=model.reference,
            hint=f"Give --model a model that was trained on {modality_type.kind} items.",
        )
    settings = modality_type.resolve_settings(source.modality.settings, source.probes)
    shape, model_shape = modality_type(settings).item_shape, generator.modality.item_shape
    if source.modality.fixed_shape and shape != model_shape:
        raise GensetError(
            f"the model generates items of shape {model_shape}, the items of the dataset have shape {shape}",
            where=model.reference,
            hint="Train a model on items of this shape, or use the dataset that `genset run` created with this model.",
        )
    prepared = training_items.load_training_items(
        model, job, "Restore the items: genset must know what the model was trained on."
    )
    leaked = trained_on(source.records, prepared)
    if leaked:
        raise GensetError(
            f"the model was trained on {len(leaked)} items that this dataset holds out, such as {leaked[0].place}: "
            "generated items would leak them into train",
            where=model.reference,
            hint="Use the dataset that `genset run` created with this model, or train a model on this version.",
        )
    return prepared


def estimate(planned: AugmentPlan, job: Job) -> Estimate:
    """Disk space and time of a plan, measured with a few of its copies and generated items."""
    source, model = planned.source, planned.model
    kept = Estimate(sum(map(source_bytes, planned.records)))
    parents = [(record, partial(source.modality.decode_native, record.raw)) for record in planned.records]
    places = (
        [(label, n) for label, count in planned.class_plan.generated.items() for n in range(count)] if model else []
    )
    generator = SampleModel.open(model) if model and places else None

    def generate_some(some: Sequence[tuple[str, int]]) -> Iterator[ExportItem]:
        if generator:
            items = generator.items_at(list(some), planned.seed, 0)
            yield from (export_items.to_export_item(planned.records[0], item, generator.modality) for item in items)

    return (
        kept
        + estimate_copies(parents, planned.copy_job, source.modality, job)
        + estimate_from_sample(places, generate_some)
    )
