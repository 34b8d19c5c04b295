"""genset generate: a dataset version sampled from a model."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from genset.config.sections import Generate
from genset.dataset import ExportItem
from genset.errors import GensetError
from genset.export.shards import ShardedExporter
from genset.interfaces import Exporter, Problem
from genset.pipeline.generate import sampling, training_items, variations
from genset.pipeline.generate.counts import rare_class_problems, target_counts
from genset.pipeline.generate.generator import Filters, Places, SampleModel, SampleSource
from genset.pipeline.job import Job
from genset.pipeline.prepare import Prepared
from genset.pipeline.write import dataset, shards
from genset.versions.version import Version
from genset.workflows.open_dataset import WrittenVersion

DEFAULT_VARY = 0.3


@dataclass(frozen=True)
class VariationRequest:
    """What generated items shall be like: one item, varied, or what lies between two."""

    items: Sequence[str] = ()  # files, or items themselves where the modality takes them
    vary: float = 0.0


def generate_version(
    model: Version,
    section: Generate,
    labels: Sequence[str],
    like: VariationRequest,
    seed: int | None,
    name: str,
    job: Job,
    exporter: Exporter,
) -> WrittenVersion:
    """Items from a model as a dataset version: all in train, all generated."""
    exporter.ready()
    drawing, wanted = _drawing(model, section, labels, like, seed, job)
    tally, problems = sampling.GenerationTally(sum(wanted.values())), rare_problems(model, wanted, section)
    settings = {"generate": {**section.model_dump(exclude_none=True), "labels": list(labels)}}
    items: Iterator[ExportItem] | shards.ShardWriter = _drawn(drawing, wanted, tally, problems, job)
    if isinstance(exporter, ShardedExporter):
        items = shards.shard_writer(name, drawing, wanted, exporter, settings, tally, problems, job)
    version, total = dataset.write_dataset(
        name,
        items,
        tally.wanted,
        job,
        exporter=exporter,
        modality=drawing.model.modality,
        problems=problems,
        seed=drawing.seed,
        inputs={"model": drawing.model.reference},
        parents=[model.reference],
        redrawn=tally.redrawn,
        settings=settings,
    )
    if isinstance(items, shards.ShardWriter):
        items.clear()
    return WrittenVersion(version, total, problems, tally.redrawn)


def _drawing(
    model: Version, section: Generate, labels: Sequence[str], like: VariationRequest, seed: int | None, job: Job
) -> tuple[sampling.FilteredSampler, dict[str, int]]:
    """(what items are drawn from and filtered by, how many of each label)."""
    generator = SampleModel.open(model)
    if "sampling" in section.model_fields_set:  # else as the model's config has it
        generator = replace(generator, sampling=section.sampling)
    wanted = _target_counts(generator, model, section, labels)
    given = _given(generator, model, like, labels, job)
    cure = "Restore the items, or add --near-copies keep to skip the check for near copies."
    filters = Filters.from_section(
        section, lambda: training_items.train_closeness(training_items.training_items_of(model, job, cure))
    )
    draws: SampleSource = generator
    if given:
        wanted = {given[0].label: wanted[given[0].label] if section.count is None else section.count}
        draws = variations.source(generator, given, like.vary, *wanted.values())
    return sampling.FilteredSampler(generator, filters, generator.seed if seed is None else seed, draws), wanted


def _given(
    generator: SampleModel, model: Version, like: VariationRequest, labels: Sequence[str], job: Job
) -> list[variations.EncodedItem]:
    """The items that generated ones shall be like. Raises GensetError for several classes, and a held-out item."""
    if not like.items:
        return []
    if len(labels) > 1:
        raise GensetError("--like makes items of one class", where="--label", hint=f"Give one, not {len(labels)}.")
    given = [variations.encode_item(generator, model, item, labels[0] if labels else None) for item in like.items]
    cure = "Restore the items: genset must know whether the item is held out."
    return _known(given, training_items.training_items_of(model, job, cure), like.items)


def _drawn(
    drawing: sampling.FilteredSampler,
    wanted: Mapping[str, int],
    tally: sampling.GenerationTally,
    problems: list[Problem],
    job: Job,
) -> Iterator[ExportItem]:
    """Generated items as files, without holding more of them than are under way."""
    modality = drawing.model.modality

    def one(places: Places) -> tuple[sampling.SampledPart, list[ExportItem]]:
        part = drawing(places)
        items = dataset.to_export_items(part.records, part.items, modality)
        return replace(part, records=[], items=part.items[:0]), items

    size = sampling.at_once(tally.wanted, job.engine.slots())
    for part, items in job.engine.map(one, sampling.stretches(wanted, {}, size)):
        tally.add(part.redrawn, part.given_up, len(items))
        yield from items
    tally.check(drawing.model, drawing.draws.hint)
    problems += sampling.rejected_problems(tally.given_up)


def rare_problems(model: Version, wanted: Mapping[str, int], section: Generate) -> list[Problem]:
    """What is to be told of the wanted classes that the model has seen very few items of."""
    rare = rare_class_problems(model.manifest["model"]["train_counts"], section)
    return [problem for problem in rare if wanted.get(problem.path)]


def _known(
    given: Sequence[variations.EncodedItem], learned: Prepared, items: Sequence[str]
) -> list[variations.EncodedItem]:
    """The items by the ids under which the model learned from them, where it did.

    Raises GensetError for a held-out one, whatever file it comes in: what is made from it would carry it into train.
    """
    known = {name: record for record in learned.dataset for name in (record.content, record.id)}
    records = [known.get(item.content) or known.get(item.id) for item in given]
    for record, item in zip(records, items, strict=True):
        if record and record.split != "train":
            raise GensetError(
                "this item is held out for judging: items made from it would carry it into train",
                where=item,
                hint="Give an item of the train part, or one that the model has not met.",
            )
    return [replace(item, id=record.id) if record else item for item, record in zip(given, records, strict=True)]


def _target_counts(generator: SampleModel, model: Version, section: Generate, labels: Sequence[str]) -> dict[str, int]:
    unknown = [label for label in labels if label not in generator.classes]
    if unknown:
        raise GensetError(
            f"the model knows no class {unknown[0]!r}", hint=f"Its classes are {', '.join(generator.classes)}."
        )
    counts = model.manifest["model"]["train_counts"]
    return target_counts({label: counts[label] for label in generator.classes if label in (labels or counts)}, section)
