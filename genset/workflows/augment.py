"""`augment`: a dataset as it is, with transformed copies and generated items beside the real ones of its train part."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

from genset.config.sections import Augment, Balance, Generate
from genset.dataset import ExportItem, Record
from genset.errors import GensetError
from genset.export.folder import FolderExporter
from genset.pipeline.augment.copies import Copy, Recipe, next_numbers, with_soft_labels
from genset.pipeline.augment.latent import latent_of, uses_model
from genset.pipeline.augment.plan import ClassPlan, plan
from genset.pipeline.generate import sampling, training_items
from genset.pipeline.generate.generator import Filters, SampleModel
from genset.pipeline.job import Job
from genset.pipeline.prepare import Prepared
from genset.pipeline.write import dataset
from genset.pipeline.write.dataset import CopyJob
from genset.pipeline.write.estimate import Estimate, by_some, of_copies, size_of
from genset.versions.version import Version
from genset.workflows.generate import rare_problems
from genset.workflows.open_dataset import OpenDataset, WrittenVersion, export_unchanged
from genset.workflows.provenance_check import learned_from


@dataclass(frozen=True)
class AugmentPlan:
    """A dataset, what is going to be done with its train part, and by what."""

    source: OpenDataset
    plan: ClassPlan
    copying: CopyJob
    records: list[Record]  # those that stay, as the version is going to hold them
    model: Version | None
    sections: tuple[Augment, Balance]

    @property
    def seed(self) -> int:
        """Of every draw."""
        return self.copying.recipe.seed

    def rows(self) -> list[dict[str, Any]]:
        """The plan for each class of the train part."""
        return self.plan.rows([record for record in self.source.records if record.split == "train"])

    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """The counts that the plan leads to, by class of the train part and by source."""
        made = {"augmented": len(self.plan.copies), "generated": sum(self.plan.generated.values())}
        for record in self.records:
            made[record.source] = made.get(record.source, 0) + 1
        return {
            "label": {row["label"]: row["total"] for row in self.rows()},
            "source": {name: n for name, n in sorted(made.items()) if n},
        }


def augment_plan(
    source: OpenDataset, section: Augment, target: Balance, model: Version | None, seed: int, job: Job
) -> AugmentPlan:
    """Plan it. Raises GensetError for what the dataset or the model cannot do."""
    if model and target.fill == "augmented" and not _uses_model(section):
        raise GensetError(
            "`fill: augmented` has no use for a model", where="balance.fill", hint="Leave out --model, or use both."
        )
    train = [record for record in source.records if record.split == "train"]
    start = next_numbers(source.records)
    planned = plan(train, start, section, target, seed, has_model=model is not None)
    steps = dataset.steps_of(
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
    latent = latent_of(recipe, model)
    if latent and model:
        _learned_of(latent.model, model, source, job)
    records = dataset.one_schema(with_soft_labels(planned.kept(source.records), steps))
    row = {record.id: record for record in records}
    copies = [Copy(row[copy.parent.id], copy.number) for copy in planned.copies]
    planned = replace(planned, copies=copies, problems=problems)
    return AugmentPlan(source, planned, CopyJob(copies, recipe, latent), records, model, (section, target))


def _uses_model(section: Augment) -> bool:
    return uses_model(section.steps or ())


def _check_classes(model: Version, planned: ClassPlan) -> None:
    known = model.manifest["model"]["classes"]
    strange = [label for label, count in planned.generated.items() if count and label not in known]
    if strange:
        raise GensetError(
            f"the model knows no class {strange[0]!r}",
            where=model.reference,
            hint=f"Its classes are {', '.join(known)}.",
        )


def augment_version(made_of: AugmentPlan, name: str, job: Job) -> WrittenVersion:
    """The dataset as it is, with what the plan adds and without what it leaves out."""
    source, planned, records, model = made_of.source, made_of.plan, made_of.records, made_of.model
    parents = [(record, partial(source.modality.decode_native, record.raw)) for record in records]
    problems = [*source.problems, *planned.problems]
    parts = [
        export_unchanged(records, source, job),
        dataset.augmented_copies(parents, made_of.copying, source.modality, job, problems),
    ]
    made = _fill(model, source, planned, made_of.seed, job) if model and any(planned.generated.values()) else None
    if made:
        blank = dict.fromkeys(records[0].columns, "")
        pairs = ((replace(record, columns=blank), item) for record, item in zip(made.dataset, made.items, strict=True))
        parts.append(dataset.encode_all(pairs, source.modality, job))
        problems += sampling.rejected_problems(made.given_up)
    section, target = made_of.sections
    recipe = made_of.copying.recipe
    version, total = dataset.write_dataset(
        name,
        chain(*parts),
        len(records) + len(planned.copies) + (len(made.dataset) if made else 0),
        job,
        exporter=FolderExporter(),
        modality=source.modality,
        problems=problems,
        seed=made_of.seed,
        inputs=source.inputs,
        sources=source.sources,
        parents=source.parents + ([model.reference] if model else []),
        redrawn=made.redrawn if made else {},
        recipes={**source.recipes, **(recipe.as_dict() if planned.copies else {})},
        settings={"augment": section.model_dump(mode="json"), "balance": target.model_dump(mode="json")},
    )
    return WrittenVersion(version, total, problems, made.redrawn if made else {})


def _fill(model: Version, source: OpenDataset, planned: ClassPlan, seed: int, job: Job) -> sampling.GeneratedItems:
    """Generated items for a plan. Raises GensetError for a model of other items, or that has seen too much."""
    generator = SampleModel.open(model)
    learned = _learned_of(generator, model, source, job)
    start = sampling.next_numbers(source.records, generator.reference, seed)
    filters = Filters(training_items.train_closeness(learned))
    return sampling.generate_items(generator, planned.generated, filters, job, seed=seed, start=start)


def _learned_of(generator: SampleModel, model: Version, source: OpenDataset, job: Job) -> Prepared:
    """What a model learned from. Raises GensetError for a model of other items, or that has seen what is held out."""
    table = type(source.modality)
    if generator.modality.kind != table.kind:
        raise GensetError(
            f"the model makes {generator.modality.kind} items, the dataset holds {table.kind} items",
            where=model.reference,
            hint="Give --model a model that was trained on such items.",
        )
    shape, own = (
        table(table.resolve_settings(source.modality.settings, source.probes)).item_shape,
        generator.modality.item_shape,
    )
    if source.modality.fixed_shape and shape != own:
        raise GensetError(
            f"the model makes items of shape {own}, those of the dataset have {shape}",
            where=model.reference,
            hint="Train a model on items of this form, or use the dataset that `genset run` made with this model.",
        )
    learned = training_items.training_items_of(
        model, job, "Restore the items: genset must know what the model was trained on."
    )
    leaked = learned_from(source.records, learned)
    if leaked:
        raise GensetError(
            f"the model has learned from {len(leaked)} items that this dataset holds out, such as {leaked[0].place}: "
            "generated items would carry them into train",
            where=model.reference,
            hint="Use the dataset that `genset run` made with this model, or train a model on this dataset's version.",
        )
    return learned


def estimate(made_of: AugmentPlan, job: Job) -> Estimate:
    """What it takes beside reading what is there, by a few of the copies and generated items."""
    source, model = made_of.source, made_of.model
    there = Estimate(sum(map(size_of, made_of.records)))
    parents = [(record, partial(source.modality.decode_native, record.raw)) for record in made_of.records]
    places = [(label, n) for label, count in made_of.plan.generated.items() for n in range(count)] if model else []
    generator = SampleModel.open(model) if model and places else None

    def drawn(some: Sequence[tuple[str, int]]) -> Iterator[ExportItem]:
        if generator:
            items = generator.at(list(some), made_of.seed, 0)
            yield from (dataset.to_export_item(made_of.records[0], item, generator.modality) for item in items)

    return there + of_copies(parents, made_of.copying, source.modality, job) + by_some(places, drawn)
