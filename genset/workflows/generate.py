"""genset generate: a dataset version of items that a model generates."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from genset.config.sections import Generate
from genset.dataset import ExportItem
from genset.errors import GensetError
from genset.export.shards import ShardedExporter
from genset.interfaces import Exporter, Problem
from genset.pipeline import export_items
from genset.pipeline.generate import sampling, training_items, variations
from genset.pipeline.generate.counts import rare_class_problems, target_counts
from genset.pipeline.generate.generator import Filters, Places, SampleModel, SampleSource
from genset.pipeline.job import Job
from genset.pipeline.prepare import Prepared
from genset.pipeline.write import dataset, shards
from genset.pipeline.write.written_version import WrittenVersion
from genset.versions.version import Version

DEFAULT_VARY = 0.3


@dataclass(frozen=True)
class VariationRequest:
    """The items to generate variations of: one item, or two to interpolate between."""

    items: Sequence[str] = ()  # files, or texts if the modality is text
    vary: float = 0.0  # 0 = the reconstructed item, 1 = any item of its class


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
    """Write a version of generated items, all of them in train. Raises GensetError."""
    exporter.ready()
    sampler, targets = _sampler_and_targets(model, section, labels, like, seed, job)
    tally, problems = sampling.GenerationTally(sum(targets.values())), rare_problems(model, targets, section)
    settings = {"generate": {**section.model_dump(exclude_none=True), "labels": list(labels)}}
    items: Iterator[ExportItem] | shards.ShardWriter = _generated_items(sampler, targets, tally, problems, job)
    if isinstance(exporter, ShardedExporter):
        items = shards.shard_writer(name, sampler, targets, exporter, settings, tally, problems, job)
    version, counts = dataset.write_dataset(
        name,
        items,
        tally.requested,
        job,
        exporter=exporter,
        modality=sampler.model.modality,
        problems=problems,
        seed=sampler.seed,
        inputs={"model": sampler.model.reference},
        parents=[model.reference],
        redrawn=tally.redrawn,
        settings=settings,
    )
    if isinstance(items, shards.ShardWriter):
        items.clear()
    return WrittenVersion(version, counts, problems, tally.redrawn)


def _sampler_and_targets(
    model: Version, section: Generate, labels: Sequence[str], like: VariationRequest, seed: int | None, job: Job
) -> tuple[sampling.FilteredSampler, dict[str, int]]:
    """(the sampler with its filters, the number of items to generate for each label)."""
    generator = SampleModel.open(model)
    if "sampling" in section.model_fields_set:  # else the settings in the model's config apply
        generator = replace(generator, sampling=section.sampling)
    targets = _target_counts(generator, model, section, labels)
    encoded = _encoded_items(generator, model, like, labels, job)
    hint = "Restore the items, or add --near-copies keep to skip the check for near copies."
    filters = Filters.from_section(
        section, lambda: training_items.train_closeness(training_items.load_training_items(model, job, hint))
    )
    source: SampleSource = generator
    if encoded:
        targets = {encoded[0].label: targets[encoded[0].label] if section.count is None else section.count}
        source = variations.variation_source(generator, encoded, like.vary, *targets.values())
    return sampling.FilteredSampler(generator, filters, generator.seed if seed is None else seed, source), targets


def _encoded_items(
    generator: SampleModel, model: Version, like: VariationRequest, labels: Sequence[str], job: Job
) -> list[variations.EncodedItem]:
    """The items to generate variations of. Raises GensetError for several classes, and for a held-out item."""
    if not like.items:
        return []
    if len(labels) > 1:
        raise GensetError(
            "--like generates items of one class", where="--label", hint=f"Give one --label, not {len(labels)}."
        )
    encoded = [variations.encode_item(generator, model, item, labels[0] if labels else None) for item in like.items]
    hint = "Restore the items: genset must know whether the item is held out."
    return _with_known_ids(encoded, training_items.load_training_items(model, job, hint), like.items)


def _generated_items(
    sampler: sampling.FilteredSampler,
    targets: Mapping[str, int],
    tally: sampling.GenerationTally,
    problems: list[Problem],
    job: Job,
) -> Iterator[ExportItem]:
    """Generated items as files; only the batches in progress are in memory."""
    modality = sampler.model.modality

    def generate_batch(places: Places) -> tuple[sampling.SampledPart, list[ExportItem]]:
        part = sampler(places)
        items = export_items.to_export_items(part.records, part.items, modality)
        return replace(part, records=[], items=part.items[:0]), items

    size = sampling.items_per_task(tally.requested, job.engine.slots())
    for part, items in job.engine.map(generate_batch, sampling.place_chunks(targets, {}, size)):
        tally.add(part.redrawn, part.given_up, len(items))
        yield from items
    tally.check(sampler.model, sampler.source.hint)
    problems += sampling.rejected_problems(tally.given_up)


def rare_problems(model: Version, targets: Mapping[str, int], section: Generate) -> list[Problem]:
    """A problem for each class to generate of which the model was trained on very few items."""
    rare = rare_class_problems(model.manifest["model"]["train_counts"], section)
    return [problem for problem in rare if targets.get(problem.path)]


def _with_known_ids(
    encoded: Sequence[variations.EncodedItem], prepared: Prepared, items: Sequence[str]
) -> list[variations.EncodedItem]:
    """The items, those that are in the model's dataset with their ids there.

    Raises GensetError for a held-out item, whatever its file is called: items derived from it would leak it into train.
    """
    known = {name: record for record in prepared.dataset for name in (record.content, record.id)}
    records = [known.get(item.content) or known.get(item.id) for item in encoded]
    for record, item in zip(records, items, strict=True):
        if record and record.split != "train":
            raise GensetError(
                "this item is held out for evaluation: items derived from it would leak it into train",
                where=item,
                hint="Give a training item, or an item that is not in the model's dataset.",
            )
    return [replace(item, id=record.id) if record else item for item, record in zip(encoded, records, strict=True)]


def _target_counts(generator: SampleModel, model: Version, section: Generate, labels: Sequence[str]) -> dict[str, int]:
    unknown = [label for label in labels if label not in generator.classes]
    if unknown:
        raise GensetError(
            f"the model has no class {unknown[0]!r}", hint=f"Use one of its classes {', '.join(generator.classes)}."
        )
    counts = model.manifest["model"]["train_counts"]
    return target_counts({label: counts[label] for label in generator.classes if label in (labels or counts)}, section)
