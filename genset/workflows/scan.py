"""genset init: what a folder contains: modality, classes, sizes and groups, from which a config is proposed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genset.config.clean_section import Clean, NearDuplicates
from genset.config.sections import Data
from genset.dataset import SPLIT_FOLDERS, Record
from genset.interfaces import Modality, Problem, SuggestedSetting
from genset.metadata import metadata_file
from genset.modalities import MODALITIES
from genset.pipeline.clean.clean import clean
from genset.pipeline.collect.collect import Collected, collect
from genset.pipeline.collect.groups import Grouping, guess_grouping
from genset.pipeline.job import Job
from genset.pipeline.prepare import check_enough
from genset.pipeline.reading import containers_at, default_name, guess_modality

# A column can be the class if it has few enough values, with enough items per value on average
_MAX_CLASSES = 100
_MIN_ITEMS_PER_CLASS = 5
_EXACT_DUPLICATES_ONLY = Clean(near_duplicates=NearDuplicates(kind="off")).named()  # a run finds the others


@dataclass(frozen=True)
class ScanResult:
    """What a folder contains."""

    name: str  # of the versions
    source: Path
    modality: Modality  # with the settings that the items determine
    settings: Sequence[SuggestedSetting]  # of the modality
    records: Sequence[Record]  # of usable items
    class_source: str  # where the classes come from, as a phrase
    group: Grouping | None
    problems: Sequence[Problem]

    @property
    def classes(self) -> Mapping[str, int]:
        """Number of usable items by class, sorted; empty if there are no classes."""
        labels = Counter(record.label for record in self.records)
        return {} if set(labels) == {""} else dict(sorted(labels.items()))

    @property
    def splits(self) -> Mapping[str, int]:
        """Number of usable items by split, if the folder is already split; else empty."""
        return Counter(record.split for record in self.records if record.split)


def scan(folder: Path, kind: str | None, job: Job) -> ScanResult:
    """Read all files of a folder as items of one modality: `kind`, or the modality of most files.

    Raises GensetError if too few items are usable for training.
    """
    source = _class_folder(folder, kind)
    modality_type = MODALITIES[kind] if kind else guess_modality(source, MODALITIES)
    collected, class_source, class_settings = _collect_with_classes(source, modality_type, job)
    cleaned = clean(collected.records, collected.modality, job, _EXACT_DUPLICATES_ONLY)
    problems = [*collected.problems, *cleaned.problems]
    check_enough(cleaned.records, problems, [str(source)])
    unsettled = collected.modality
    modality = modality_type(unsettled.resolve_settings(unsettled.settings, cleaned.probes))
    return ScanResult(
        name=_version_name(folder),
        source=source,
        modality=modality,
        settings=[*class_settings, *modality.suggested_settings(cleaned.probes)],
        records=cleaned.records,
        class_source=class_source,
        group=guess_grouping(cleaned.records),
        problems=problems,
    )


def _class_folder(folder: Path, kind: str | None) -> Path:
    """The folder that contains the folders of the classes; it can be the only folder in the user's folder."""
    suffixes = MODALITIES[kind].suffixes if kind else [s for each in MODALITIES.values() for s in each.suffixes]
    while folder.is_dir():
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
        inner = [entry for entry in entries if entry.is_dir() and not entry.is_symlink()]
        items = [entry for entry in entries if entry.is_file() and entry.suffix.lower() in suffixes]
        if len(inner) != 1 or items or metadata_file(folder) or inner[0].name.lower() in SPLIT_FOLDERS:
            break
        folder = inner[0]
    return folder


def _version_name(folder: Path) -> str:
    """The name of the folder; of its parent if the folder has the name of a split."""
    folder = folder.resolve()
    return default_name(folder.parent if folder.name.lower() in SPLIT_FOLDERS else folder)


def _collect_with_classes(
    source: Path, modality_type: type[Modality], job: Job
) -> tuple[Collected, str, list[SuggestedSetting]]:
    """(the items, where their classes come from, the settings that this needs)."""
    data = Data(source=[str(source)])
    collected = collect(data, modality_type(modality_type.Settings()), job)
    records = collected.records
    if any(record.label for record in records):
        return collected, _class_source(records, source, modality_type), []
    key = modality_type.class_column
    column = _class_column(records) if key else ""
    if not column:
        return collected, "no classes were found", []
    settings: dict[str, Any] = {key: column}
    collected = collect(data, modality_type(modality_type.Settings(**settings)), job)
    return collected, f"column {column!r} is the class", [SuggestedSetting(key, column, "this column is the class")]


def _class_source(records: Sequence[Record], source: Path, modality_type: type[Modality]) -> str:
    """Where the classes of labelled items come from, as a phrase."""
    kinds = sorted({container.kind for container, _ in containers_at(source, modality_type)})
    if kinds:
        return f"{', '.join(kinds)} with the class of each item"
    folders = [source, *(source / name for name in SPLIT_FOLDERS)]
    if any(metadata_file(folder) for folder in folders):
        return "classes from the metadata"
    if all(record.text is None for record in records):
        return "one folder for each class"
    return "files are named after their class" if _named_after_file(records) else "column `label` is the class"


def _named_after_file(records: Sequence[Record]) -> bool:
    return all(record.label in (record.path.stem, *record.path.parts[-2:-1]) for record in records)


def _class_column(records: Sequence[Record]) -> str:
    """The column with the fewest values, among those that could be the class; "" if there is none."""
    values_by_column: dict[str, set[str]] = {}
    for name in {name for record in records for name in record.columns}:
        values_by_column[name] = {record.columns.get(name, "") for record in records}
    candidates = [
        name
        for name, values in values_by_column.items()
        if 2 <= len(values) <= min(_MAX_CLASSES, len(records) // _MIN_ITEMS_PER_CLASS) and "" not in values
    ]
    return min(candidates, key=lambda name: (len(values_by_column[name]), name), default="")
