"""genset init: the proposed config for a folder, with a reason for each setting; mere suggestions are comments."""

import os
import statistics
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from genset.config.loading import check
from genset.config.sections import DEFAULT_PER_CLASS, Config
from genset.config.yaml_reader import inline, parse
from genset.interfaces import SuggestedSetting
from genset.workflows.scan import ScanResult

_COLUMN = 30  # at which reasons start
_WIDTH = 118
_SPACE = "\N{NO-BREAK SPACE}"  # between words that stay in one line
_MIN_REASON_WIDTH = 50  # beside a long value
_MIN_PER_CLASS = 20  # generated items
_MAX_COUNT = 1000  # generated items, if there are no classes
_UNEVEN = 1.5  # ratio of the largest to the smallest class above which small classes are filled
_SECONDS = 120
_SECONDS_REASON = "short, for a first try; with 300 or more, the figures are often better"
_GATES_REASON = "without the #: if a figure fails a gate, the run ends with exit code 1"
_CLASSES_LISTED = 12
_SMALL_CLASS = 10  # items


@dataclass(frozen=True)
class SuggestedConfig:
    """A config as text, and its settings, with the full key of each."""

    text: str
    settings: Sequence[SuggestedSetting]

    def read(self) -> Config:
        """Parse and validate the text. Raises ConfigError."""
        return check(parse(self.text, "the proposed config"))


def suggest_config(scanned: ScanResult, folder: Path, *, grouped: bool = False) -> SuggestedConfig:
    """Propose a config for a scanned folder. `folder` is the folder that it will be written to; `grouped` sets the
    guessed groups instead of only suggesting them."""
    name = scanned.name
    sections = {
        "": [SuggestedSetting("name", name, f"versions go to out/datasets/{name} and out/models/{name}")],
        "modality": [SuggestedSetting("kind", scanned.modality.kind, _kind_reason(scanned)), *scanned.settings],
        "data": list(_data_settings(scanned, folder, grouped)),
        "train": [SuggestedSetting("seconds", _SECONDS, _SECONDS_REASON)],
        "generate": [_generate_setting(scanned)],
        "balance": list(_balance_settings(scanned.classes)),
        "quality": [SuggestedSetting("gates", _gates(scanned.classes), _GATES_REASON, False)],
    }
    lines = [*_head(scanned), *(line for key, settings in sections.items() for line in _section_lines(key, settings))]
    settings = [
        replace(setting, key=f"{section}.{setting.key}".lstrip("."))
        for section, in_section in sections.items()
        for setting in in_section
    ]
    return SuggestedConfig("\n".join(lines) + "\n", settings)


def _head(scanned: ScanResult) -> Iterator[str]:
    """The comment at the top of the config."""
    items = f"{len(scanned.records):,} {scanned.modality.kind} items"
    yield f"# Proposed by `genset init` for {items}, with a reason for each setting."
    yield "# Other keys have defaults that suit the data; `genset schema` lists all keys. For an editor that"
    yield "# completes and checks this file, run `genset schema > genset.schema.json` and add this first line:"
    yield "#   # yaml-language-server: $schema=genset.schema.json"


def _kind_reason(scanned: ScanResult) -> str:
    left_out = len(scanned.problems)
    return f"{len(scanned.records):,} usable items{f'; {left_out:,} problems: see genset inspect' if left_out else ''}"


def _data_settings(scanned: ScanResult, folder: Path, grouped: bool) -> Iterator[SuggestedSetting]:
    items = f"{scanned.class_source}{_classes_text(scanned.classes)}{_splits_text(scanned.splits)}"
    yield SuggestedSetting("source", _source_text(scanned.source, folder), items)
    if scanned.group:
        why = f"{scanned.group.why}" if grouped else f"{scanned.group.why}; uncomment to keep each in one split"
        yield SuggestedSetting("group", scanned.group.group, why, sure=grouped)


def _source_text(source: Path, folder: Path) -> str:
    """The source as the config contains it: relative to the folder of the config, or absolute if that is shorter."""
    absolute = str(source.resolve())
    try:
        relative = os.path.relpath(absolute, folder.resolve())
    except ValueError:  # another drive
        return absolute
    return relative if len(relative) <= len(absolute) else absolute


def _classes_text(classes: Mapping[str, int]) -> str:
    if not classes:
        return ""
    shown = ", ".join(f"{label}{_SPACE}({count:,})" for label, count in list(classes.items())[:_CLASSES_LISTED])
    small = sum(count < _SMALL_CLASS for count in classes.values())
    warning = f"; {small} of them with fewer than {_SMALL_CLASS} items" if small else ""
    return f"; {len(classes):,} classes: {shown}{', ...' if len(classes) > _CLASSES_LISTED else ''}{warning}"


def _splits_text(splits: Mapping[str, int]) -> str:
    sizes = ", ".join(f"{name} ({count:,})" for name, count in splits.items())
    return f"; already split: {sizes}" if splits else ""


def _generate_setting(scanned: ScanResult) -> SuggestedSetting:
    if not scanned.classes:
        count = min(_MAX_COUNT, len(scanned.records))
        why = "as many as there are real items" if count < _MAX_COUNT else "increase it to generate more items"
        return SuggestedSetting("count", count, why)
    median = int(statistics.median(scanned.classes.values()))
    count = max(_MIN_PER_CLASS, min(DEFAULT_PER_CLASS, median))
    why = f"generated items for each class; the median class has {median:,} real items"
    return SuggestedSetting("per_class", count, why)


def _balance_settings(classes: Mapping[str, int]) -> Iterator[SuggestedSetting]:
    if classes and max(classes.values()) > _UNEVEN * min(classes.values()):
        smallest, largest = min(classes.values()), max(classes.values())
        why = f"classes have {smallest:,} to {largest:,} items: generated items fill the small ones"
        yield SuggestedSetting("target", "max", why)


def _gates(classes: Mapping[str, int]) -> list[str]:
    return ["cas_ratio >= 0.9", "copies <= 0.05"] if classes else ["copies <= 0.05"]


def _section_lines(key: str, settings: Sequence[SuggestedSetting]) -> Iterator[str]:
    """The lines of a section; all are comments if the section has only suggestions."""
    outer = "" if any(setting.sure for setting in settings) else "# "
    if key and settings:
        yield f"{outer}{key}:"
    for setting in settings:
        inner = "" if setting.sure or outer else "# "
        start = f"{outer}{'  ' * bool(key)}{inner}{setting.key}: {inline(setting.value)}"
        yield from _with_reason(start, setting.why)


def _with_reason(start: str, why: str) -> Iterator[str]:
    """A setting with its reason as a comment, which continues in further lines if it is long."""
    column = max(_COLUMN, len(start) + 2)
    width = max(_MIN_REASON_WIDTH, _WIDTH - column)
    first, *rest = (line.replace(_SPACE, " ") for line in textwrap.wrap(why, width, break_long_words=False))
    yield f"{start:<{column}}# {first}"
    yield from (f"{'':<{column}}# {line}" for line in rest)
