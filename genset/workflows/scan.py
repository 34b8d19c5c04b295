"""What a folder seems to hold: modality, classes, sizes, groups. A config is begun with it."""

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

_MOST_CLASSES = 100  # that a column is taken to tell
_FEWEST_OF_CLASS = 5  # items, on average
_EQUAL_ONLY = Clean(near_duplicates=NearDuplicates(kind="off")).named()  # a run looks for the others


@dataclass(frozen=True)
class ScanResult:
    """What was seen in a folder."""

    name: str  # for the versions
    source: Path
    modality: Modality  # settled for the items
    choices: Sequence[SuggestedSetting]  # of the modality's settings
    records: Sequence[Record]  # of usable items
    told: str  # where the classes stand, in words
    group: Grouping | None
    problems: Sequence[Problem]

    @property
    def classes(self) -> Mapping[str, int]:
        """Usable items of each class, sorted; empty where there are no classes."""
        labels = Counter(record.label for record in self.records)
        return {} if set(labels) == {""} else dict(sorted(labels.items()))

    @property
    def splits(self) -> Mapping[str, int]:
        """Usable items of each part of a folder that is divided already; empty for others."""
        return Counter(record.split for record in self.records if record.split)


def scan(folder: Path, kind: str | None, job: Job) -> ScanResult:
    """Look at every file of a folder, as items of one modality: the given one, or that of most files.

    Raises GensetError where too few items are usable for a training.
    """
    source = _inner(folder, kind)
    table = MODALITIES[kind] if kind else guess_modality(source, MODALITIES)
    found, told, settings = _collected(source, table, job)
    cleaned = clean(found.records, found.modality, job, _EQUAL_ONLY)
    problems = [*found.problems, *cleaned.problems]
    check_enough(cleaned.records, problems, [str(source)])
    known = found.modality
    settled = known.resolve_settings(known.settings, cleaned.probes)
    modality = table(settled)
    choices = [*settings, *modality.suggested_settings(cleaned.probes)]
    return ScanResult(
        _name(folder), source, modality, choices, cleaned.records, told, guess_grouping(cleaned.records), problems
    )


def _inner(folder: Path, kind: str | None) -> Path:
    """The folder that holds the classes, where it stands alone in the one that was given."""
    suffixes = MODALITIES[kind].suffixes if kind else [s for table in MODALITIES.values() for s in table.suffixes]
    while folder.is_dir():
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
        inner = [entry for entry in entries if entry.is_dir() and not entry.is_symlink()]
        items = [entry for entry in entries if entry.is_file() and entry.suffix.lower() in suffixes]
        if len(inner) != 1 or items or metadata_file(folder) or inner[0].name.lower() in SPLIT_FOLDERS:
            break
        folder = inner[0]
    return folder


def _name(folder: Path) -> str:
    """The name of the folder, or of that above where it is called as a part of a split."""
    folder = folder.resolve()
    return default_name(folder.parent if folder.name.lower() in SPLIT_FOLDERS else folder)


def _collected(source: Path, table: type[Modality], job: Job) -> tuple[Collected, str, list[SuggestedSetting]]:
    """(the items, where their classes stand, what the config must say for that)."""
    found = collect(Data(source=[str(source)]), table(table.Settings()), job)
    records = found.records
    if any(record.label for record in records):
        return found, _told(records, source, table), []
    column = _class_column(records) if table.class_column else ""
    if not column:
        return found, "no classes were found", []
    settings: dict[str, Any] = {table.class_column: column}
    found = collect(Data(source=[str(source)]), table(table.Settings(**settings)), job)
    return (
        found,
        f"the column {column!r} tells the class",
        [SuggestedSetting(table.class_column, column, "it tells the class")],
    )


def _told(records: Sequence[Record], source: Path, table: type[Modality]) -> str:
    kinds = sorted({container.kind for container, _ in containers_at(source, table)})
    if kinds:
        return f"{', '.join(kinds)} with the class of each item"
    parts = [source, *(source / name for name in SPLIT_FOLDERS)]
    if any(metadata_file(part) for part in parts):
        return "the metadata tell the class"
    if all(record.text is None for record in records):
        return "a folder for each class"
    return "the files are named by their class" if _by_file(records) else "a column `label` tells the class"


def _by_file(records: Sequence[Record]) -> bool:
    return all(record.label in (record.path.stem, *record.path.parts[-2:-1]) for record in records)


def _class_column(records: Sequence[Record]) -> str:
    """The column with the fewest values, of those that could be classes; "" without any."""
    values: dict[str, set[str]] = {}
    for name in {name for record in records for name in record.columns}:
        values[name] = {record.columns.get(name, "") for record in records}
    fitting = [
        name
        for name, found in values.items()
        if 2 <= len(found) <= min(_MOST_CLASSES, len(records) // _FEWEST_OF_CLASS) and "" not in found
    ]
    return min(fitting, key=lambda name: (len(values[name]), name), default="")
