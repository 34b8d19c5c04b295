"""Write real, generated and augmented items as one dataset version."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from genset.config.by_modality import EVERY_FIGURE
from genset.config.loading import dump as dump_config
from genset.config.sections import Augment, Config
from genset.dataset import SPLIT_FOLDERS, SPLITS, ExportItem, Record, same_columns
from genset.errors import GensetError, did_you_mean
from genset.export.card import dataset_card
from genset.export.croissant import croissant
from genset.export.folder import FolderExporter
from genset.interfaces import Exporter, ItemArray, Modality, Problem, Step
from genset.metadata import read_version
from genset.modalities.composition import may_run_late, walk
from genset.pipeline.augment import copies as augment_copies
from genset.pipeline.augment.latent import uses_model
from genset.pipeline.augment.mixing import LatentMixer, PartnerPool, TrainContext
from genset.pipeline.evaluate.verdict import QUALITY, Verdict
from genset.pipeline.job import COUNT_KEYS, Job, as_dicts
from genset.pipeline.pages.dataset import dataset_page
from genset.pipeline.pages.page_data import DatasetPageData
from genset.safe_json import json_bytes
from genset.versions.draft import Draft
from genset.versions.version import CONFIG, Version

REPORT = "report.html"
CROISSANT = "croissant.json"


def to_export_item(record: Record, item: ItemArray, modality: Modality) -> ExportItem:
    """An item in the form that exporters take: the bytes of a file, or the columns of a row."""
    fields = modality.to_row(item)
    return ExportItem(record, modality.encode(item) if fields is None else b"", modality.suffix, fields, array=item)


def to_export_items(records: Sequence[Record], items: Iterable[ItemArray], modality: Modality) -> list[ExportItem]:
    """Records and their items in the form that exporters take."""
    return [to_export_item(*pair, modality) for pair in zip(records, items, strict=True)]


def encode_items(pairs: Iterable[tuple[Record, ItemArray]], modality: Modality, job: Job) -> Iterator[ExportItem]:
    """Records and their items, encoded in parallel."""
    return job.engine.map(lambda pair: to_export_item(*pair, modality), pairs)


@dataclass(frozen=True)
class CopyJob:
    """Planned copies, and how to make them."""

    copies: Sequence[augment_copies.Copy]
    recipe: augment_copies.Recipe
    latent: LatentMixer | None  # for steps that interpolate between latent codes


def augmented_copies(
    parents: Iterable[tuple[Record, ItemArray | Callable[[], ItemArray]]],
    copy_job: CopyJob,
    modality: Modality,
    job: Job,
    problems: list[Problem],
) -> Iterator[ExportItem]:
    """The encoded copies of a plan; each parent comes with its item, or with a function that decodes it.

    Real training items among the parents can be mixed in. A copy that is equal to its parent after all attempts is left
    out and added to the problems.
    """
    items = {record.id: (record, source) for record, source in parents}
    pool = PartnerPool([record for record, _ in items.values()])

    def decode(record: Record) -> ItemArray:
        source = items[record.id][1]
        return source() if callable(source) else source

    def make_copy(copy: augment_copies.Copy) -> ExportItem | Problem:
        context = TrainContext(copy.parent, pool, decode, copy_job.latent)
        transformed = augment_copies.transform_copy(decode(copy.parent), copy, copy_job.recipe, context)
        if transformed is None:
            return Problem(copy.parent.place, "unchanged", "no transform changes it, so a copy was left out")
        return to_export_item(
            augment_copies.copy_record(copy, copy_job.recipe, transformed), transformed.item, modality
        )

    for outcome in job.engine.map(make_copy, copy_job.copies):
        if isinstance(outcome, Problem):
            problems.append(outcome)
        else:
            yield outcome


@dataclass
class ExportTally:
    """Counts of the items of a version while it is written; they take the same memory for any number of items."""

    counts: dict[str, Counter[str]] = field(default_factory=lambda: {key: Counter() for key in COUNT_KEYS})
    models: set[str] = field(default_factory=set)
    columns: dict[str, None] = field(default_factory=dict)  # in order

    def add(self, item: ExportItem) -> None:
        """Count an item."""
        record = item.record
        for key, counter in self.counts.items():
            counter[str(getattr(record, key))] += 1
        if record.model:
            self.models.add(record.model)
        first = ["file_name"] if item.fields is None else ["id", *item.fields]
        self.columns.update(dict.fromkeys([*first, *record.row()]))

    def merge(self, other: Mapping[str, Any]) -> None:
        """Add the counts of another tally, given as its `as_dict()`."""
        for key, counter in self.counts.items():
            counter.update(other["counts"][key])
        self.models.update(other["models"])
        self.columns.update(dict.fromkeys(other["columns"]))

    def as_dict(self) -> dict[str, Any]:
        """The value for JSON."""
        return {"counts": self.total(), "models": sorted(self.models), "columns": list(self.columns)}

    def total(self) -> dict[str, dict[str, int]]:
        """The number of items by split, class and source."""
        return {key: dict(sorted(counter.items())) for key, counter in self.counts.items()}


ItemStream = Callable[[Draft], ExportTally]  # writes the items of a version into its draft


def write_dataset(
    name: str,
    items: Iterable[ExportItem] | ItemStream,
    expected: int,
    job: Job,
    *,
    exporter: Exporter,
    modality: Modality,
    config: Config | None = None,
    verdict: Verdict | None = None,
    problems: Sequence[Problem] = (),
    **fields: Any,
) -> tuple[Version, dict[str, dict[str, int]]]:
    """Write one dataset version; (the version, its counts). The caller holds the lock of the root.

    A version that failed its gates is written with status "failed", and `latest` is not moved. A version with a verdict
    gets a report page.
    """
    exporter.ready()
    with job.root.draft("datasets", name) as draft:
        tally = _write_items(draft, items, expected, exporter, modality, job)
        evaluation = verdict.as_dict() if verdict else {}
        failed = bool(verdict and verdict.failed_gates)
        manifest = job.manifest(
            config,
            kind="dataset",
            name=name,
            id=draft.id,
            status="failed" if failed else "ok",
            modality=modality.kind,
            form=dict(modality.form),
            format=exporter.kind,
            counts=tally.total(),
            **fields,
        )
        if config:
            draft.write(CONFIG, dump_config(config).encode())
        _write_descriptions(draft, manifest, tally, evaluation, problems, exporter, modality, job)
        version = job.root.commit(draft, manifest, latest=not failed)
    return version, tally.total()


def _write_items(
    draft: Draft,
    items: Iterable[ExportItem] | ItemStream,
    expected: int,
    exporter: Exporter,
    modality: Modality,
    job: Job,
) -> ExportTally:
    """Write all items of a version, and count them."""
    tally = ExportTally()
    if callable(items):
        tally = items(draft)
    else:
        exporter.write(draft, _counted(items, tally, expected, job), modality)
    warn_about_labels(() if modality.rows else tally.total()["label"], job)
    return tally


def _write_descriptions(
    draft: Draft,
    manifest: Mapping[str, Any],
    tally: ExportTally,
    evaluation: Mapping[str, Any],
    problems: Sequence[Problem],
    exporter: Exporter,
    modality: Modality,
    job: Job,
) -> None:
    """Write the files that describe a version: figures and problems, README, report and Croissant metadata."""
    draft.write(QUALITY, json_bytes({**evaluation, "problems": as_dicts(problems)}))
    draft.write("README.md", dataset_card(draft.name, manifest, EVERY_FIGURE, evaluation, exporter, modality))
    if evaluation and exporter.kind != FolderExporter().kind:
        job.progress.say(f"no {REPORT}: it needs output.format: {FolderExporter().kind}")
    elif evaluation:
        job.progress.say("writing the report")
        records = read_version(draft.path, modality).records
        page_data = DatasetPageData(
            draft.reference, modality, records, evaluation, as_dicts(problems), manifest=manifest
        )
        draft.write(REPORT, dataset_page(page_data, job.engine))
    columns, origins = list(tally.columns), _origins(tally, manifest)
    draft.write(CROISSANT, croissant(draft.name, manifest, exporter, draft.sums, columns, origins))


def _origins(tally: ExportTally, manifest: Mapping[str, Any]) -> list[str]:
    """The models and datasets that a version is derived from, by names that do not depend on the output root."""
    return sorted(tally.models or {parent.partition("@")[0] for parent in manifest.get("parents", ())})


def _counted(items: Iterable[ExportItem], tally: ExportTally, expected: int, job: Job) -> Iterator[ExportItem]:
    for done, item in enumerate(items, start=1):
        tally.add(item)
        job.progress.tick("write", done, expected, "")
        yield item


def ordered_records(records: Sequence[Record]) -> list[Record]:
    """Records in the order of a version (split, class, id), all with the same columns."""
    place = {split: number for number, split in enumerate(SPLITS)}
    return same_columns(sorted(records, key=lambda record: (place[record.split], record.label, record.id)))


def warn_about_labels(labels: Iterable[str], job: Job) -> None:
    """Report class names that dataset loaders mistake for splits."""
    for label in sorted(labels):
        if label.lower() in SPLIT_FOLDERS:
            job.progress.say(
                f"the class {label!r} has the name of a split: some loaders will misread its folder; "
                "metadata.jsonl has the right label"
            )


def augmentation_steps(
    section: Augment, modality: Modality, classes: Collection[str], *, needed: bool = False, has_model: bool = True
) -> tuple[Step, ...]:
    """The transforms of a section, or the defaults of the modality.

    Raises GensetError if copies need a transform and there is none, for an unknown class, and for a `latent_mix` that
    has no model or is not the first step.
    """
    steps = modality.default_steps if section.steps is None else tuple(section.steps)
    if (section.copies or needed) and not steps:
        raise GensetError(
            "augment.copies is set but augment.steps is empty: copies would equal the originals",
            where="augment.steps",
            hint=f"Add one of {', '.join(modality.augmentations)}, or remove `steps` to use the mild defaults.",
        )
    for label in (label for step in walk(steps) for label in (*(step.only_for or ()), *(step.not_for or ()))):
        if label not in classes:
            raise GensetError(
                f"no class {label!r}{did_you_mean(label, classes)}",
                where="augment.steps",
                hint=f"The classes are {', '.join(sorted(classes))}.",
            )
    if uses_model(steps) and not has_model:
        raise GensetError("`latent_mix` needs a model", where="augment.steps", hint="Give --model MODEL.")
    if may_run_late(steps):
        raise GensetError(
            "`latent_mix` starts from two real items, so it must be the first transform",
            where="augment.steps",
            hint="Move it to the start of `steps`.",
        )
    return tuple(step.for_modality(modality) for step in steps)
