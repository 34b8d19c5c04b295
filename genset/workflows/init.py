"""The config that is begun for a folder: each choice with its reason; what is only suggested stands as a comment."""

import os
import statistics
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genset.config.loading import check
from genset.config.sections import DEFAULT_PER_CLASS, Config
from genset.config.yaml_reader import inline, parse
from genset.interfaces import SuggestedSetting
from genset.workflows.scan import ScanResult

_COLUMN = 30  # where reasons start
_WIDTH = 118
_TOGETHER = "\N{NO-BREAK SPACE}"  # between words that no line's end parts
_LEAST_ROOM = 50  # for a reason beside a long value
_FEWEST_PER_CLASS = 20
_MOST_COUNT = 1000  # generated items where there are no classes
_UNEVEN = 1.5  # the largest class to the smallest, from which on small ones are filled
_SECONDS = 120
_SHOWN = 12  # classes
_FEW = 10  # items of a class


@dataclass(frozen=True)
class SuggestedConfig:
    """A config as text, and the choices in it by their keys."""

    text: str
    choices: Mapping[str, SuggestedSetting]

    def as_dicts(self) -> list[dict[str, Any]]:
        """The choices as JSON holds them."""
        return [
            {"key": key, "value": choice.value, "why": choice.why, "sure": choice.sure}
            for key, choice in self.choices.items()
        ]

    def read(self) -> Config:
        """The config that the text is. Raises ConfigError."""
        return check(parse(self.text, "the config that was begun"))


def suggest_config(seen: ScanResult, folder: Path, *, grouped: bool = False) -> SuggestedConfig:
    """The config for what was seen, to stand in a folder; `grouped` where the guessed groups are the user's own."""
    sections = {
        "": [
            SuggestedSetting("name", seen.name, f"versions go to out/datasets/{seen.name} and out/models/{seen.name}")
        ],
        "modality": [SuggestedSetting("kind", seen.modality.kind, _kind(seen)), *seen.choices],
        "data": list(_data(seen, folder, grouped)),
        "train": [SuggestedSetting("seconds", _SECONDS, "for a first look; figures often grow with 300 and more")],
        "generate": [_generated(seen)],
        "balance": list(_balance(seen.classes)),
        "quality": [SuggestedSetting("gates", _gates(seen.classes), "a run that misses one exits with 1", sure=False)],
    }
    lines = [*_head(seen), *(line for key, choices in sections.items() for line in _section(key, choices))]
    told = {f"{key}.{choice.key}".lstrip("."): choice for key, choices in sections.items() for choice in choices}
    return SuggestedConfig("\n".join(lines) + "\n", told)


def _head(seen: ScanResult) -> Iterator[str]:
    """What was found, before what was chosen."""
    yield f"# Begun by `genset init` for {len(seen.records):,} {seen.modality.kind} items. Each line says why."
    yield "# Keys that are not here have defaults that suit the data; `genset schema` lists them all. Editors complete"
    yield "# and check this file after `genset schema > genset.schema.json` and with a first line of"
    yield "#   # yaml-language-server: $schema=genset.schema.json"


def _kind(seen: ScanResult) -> str:
    left_out = len(seen.problems)
    return f"{len(seen.records):,} usable items{f'; {left_out:,} problems: see genset inspect' if left_out else ''}"


def _data(seen: ScanResult, folder: Path, grouped: bool) -> Iterator[SuggestedSetting]:
    yield SuggestedSetting(
        "source", _path(seen.source, folder), f"{seen.told}{_listed(seen.classes)}{_divided(seen.splits)}"
    )
    if seen.group:
        why = f"{seen.group.why}" if grouped else f"{seen.group.why}; if one must not stand in two splits"
        yield SuggestedSetting("group", seen.group.group, why, sure=grouped)


def _path(source: Path, folder: Path) -> str:
    """The source as it is written in a config of a folder: relative, but where that is the longer way."""
    absolute = str(source.resolve())
    try:
        relative = os.path.relpath(absolute, folder.resolve())
    except ValueError:  # another drive
        return absolute
    return relative if len(relative) <= len(absolute) else absolute


def _listed(classes: Mapping[str, int]) -> str:
    if not classes:
        return ""
    shown = ", ".join(f"{label}{_TOGETHER}({count:,})" for label, count in list(classes.items())[:_SHOWN])
    few = sum(count < _FEW for count in classes.values())
    warned = f"; {few} with less than {_FEW} items" if few else ""
    return f": {len(classes):,}, which are {shown}{', ...' if len(classes) > _SHOWN else ''}{warned}"


def _divided(splits: Mapping[str, int]) -> str:
    parts = ", ".join(f"{name} ({count:,})" for name, count in splits.items())
    return f"; divided already: {parts}" if splits else ""


def _generated(seen: ScanResult) -> SuggestedSetting:
    if not seen.classes:
        count = min(_MOST_COUNT, len(seen.records))
        return SuggestedSetting(
            "count", count, "as many again as there are" if count < _MOST_COUNT else "more with a larger number"
        )
    usual = int(statistics.median(seen.classes.values()))
    count = max(_FEWEST_PER_CLASS, min(DEFAULT_PER_CLASS, usual))
    return SuggestedSetting("per_class", count, f"half of the classes have {usual:,} real items or less")


def _balance(classes: Mapping[str, int]) -> Iterator[SuggestedSetting]:
    if classes and max(classes.values()) > _UNEVEN * min(classes.values()):
        least, most = min(classes.values()), max(classes.values())
        yield SuggestedSetting(
            "target", "max", f"classes have {least:,} to {most:,} items: small ones are filled with generated items"
        )


def _gates(classes: Mapping[str, int]) -> list[str]:
    return ["cas_ratio >= 0.9", "copies <= 0.05"] if classes else ["copies <= 0.05"]


def _section(key: str, choices: Sequence[SuggestedSetting]) -> Iterator[str]:
    """A section, which is a comment as a whole where nothing in it is sure."""
    outer = "" if any(choice.sure for choice in choices) else "# "
    if key and choices:
        yield f"{outer}{key}:"
    for choice in choices:
        inner = "" if choice.sure or outer else "# "
        yield from _explained(f"{outer}{'  ' * bool(key)}{inner}{choice.key}: {inline(choice.value)}", choice.why)


def _explained(start: str, why: str) -> Iterator[str]:
    """A line with its reason, which goes on in further lines where it is long."""
    column = max(_COLUMN, len(start) + 2)
    room = max(_LEAST_ROOM, _WIDTH - column)
    first, *rest = (line.replace(_TOGETHER, " ") for line in textwrap.wrap(why, room, break_long_words=False))
    yield f"{start:<{column}}# {first}"
    yield from (f"{'':<{column}}# {line}" for line in rest)
