"""Write real, generated and augmented items as one dataset version."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from genset.config.by_modality import EVERY_FIGURE
from genset.config.loading import dump as dump_config
from genset.config.sections import Config
from genset.dataset import SPLIT_FOLDERS, SPLITS, ExportItem, Record, same_columns
from genset.export.card import dataset_card
from genset.export.croissant import croissant
from genset.export.folder import FolderExporter
from genset.interfaces import Exporter, Modality, Problem
from genset.metadata import read_version
from genset.pipeline.evaluate.verdict import QUALITY, Verdict
from genset.pipeline.job import COUNT_KEYS, Job, as_dicts
from genset.pipeline.pages.dataset import dataset_page
from genset.pipeline.pages.page_data import DatasetPageData
from genset.safe_json import json_bytes
from genset.versions.draft import Draft
from genset.versions.version import CONFIG, Version

REPORT = "report.html"
CROISSANT = "croissant.json"


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
