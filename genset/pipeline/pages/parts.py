"""Parts that the pages of datasets and models share: cards of items, problems, and the origin of a version."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import yaml

from genset.dataset import SPLITS, Record
from genset.interfaces import Preview
from genset.report.page import Block, Card, CodeBlock, Facts, PageSection, SideBySide, Table

SOURCES = {"collected": "real", "generated": "generated", "augmented": "augmented"}  # words for people
_MAX_PROBLEMS = 200
_MAX_FACT_LENGTH = 600


def item_card(record: Record, previews: Sequence[Preview]) -> Card:
    """The card of an item, with its metadata."""
    source = SOURCES[record.source]
    values = {
        "class": record.label,
        "source": source,
        "split": record.split,
        "id": record.id,
        "file": record.place if record.place != record.id else "",
        "parents": record.origin if record.source != "collected" else "",
        "group": record.group,
        "model": record.model,
        "seed": record.seed,
        "transform": record.transform,
        **record.columns,
    }
    facts = {name: _cut(value) for name, value in values.items() if value}
    name = f"{source} item {record.id}" + (f" of class {record.label}" if record.label else "")
    return Card(name, f"{source} {record.id}", previews, facts, record.label, source)


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_FACT_LENGTH else f"{text[:_MAX_FACT_LENGTH]}…"


def problem_section(problems: Sequence[Mapping[str, str]]) -> list[PageSection]:
    """A section with a table of the problems; none if there are no problems."""
    if not problems:
        return []
    rows = [[_where(problem["path"]), problem["kind"], problem["detail"]] for problem in problems[:_MAX_PROBLEMS]]
    note = f"The first {len(rows)} of {len(problems):,} problems." if len(rows) < len(problems) else ""
    kinds = count_values(problem["kind"] for problem in problems)
    lead = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
    table = Table("Problems", ("file or item", "kind", "detail"), rows, note, prose=(0, 1, 2))
    return [PageSection("Problems", "What problems were found?", [table], lead)]


def _where(path: str) -> str:
    """A path, or several separated by commas, without folders."""
    return ", ".join(without_folders(path.split(", "))) or "–"


def count_values(values: Iterable[str]) -> dict[str, int]:
    """The number of times that each value occurs: splits in their usual order, other values sorted before them."""
    counts: dict[str, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    order = {name: place for place, name in enumerate(SPLITS)}
    return dict(sorted(counts.items(), key=lambda pair: (order.get(pair[0], -1), pair[0])))


def origin_section(manifest: Mapping[str, Any]) -> list[PageSection]:
    """Lineage, config and library versions of a version, without folders: equal runs give equal pages."""
    if not manifest:
        return []
    lineage = {
        "version": f"{manifest['name']}@{manifest['id']}",
        "status": manifest["status"],
        "command": f"genset {manifest['command']}",
        "parents": ", ".join(manifest.get("parents", ())),
        "sources": ", ".join(PurePath(source).name for source in manifest.get("sources", ())),
        "model": manifest.get("model", {}).get("reference", ""),
        "seed": str(manifest.get("seed", "")),
        "hash of the inputs": (manifest.get("inputs") or {}).get("identity", ""),
        "rejected, drawn again": ", ".join(
            f"{count:,} {reason}" for reason, count in manifest.get("redrawn", {}).items()
        ),
    }
    libraries = {"genset": manifest["genset"], **manifest["libraries"]}
    facts = SideBySide(
        [Facts("Lineage", {k: v for k, v in lineage.items() if v}), Facts("Library versions", libraries)]
    )
    blocks: list[Block] = [facts]
    if manifest.get("config"):
        blocks.append(
            CodeBlock(
                "Config", yaml.safe_dump(without_folders(manifest["config"]), sort_keys=False, allow_unicode=True)
            )
        )
    if manifest.get("recipes"):
        blocks.append(
            CodeBlock("Transforms of the augmented copies", json.dumps(without_folders(manifest["recipes"]), indent=2))
        )
    return [PageSection("Origin", "Where does this version come from?", blocks)]


def without_folders(value: Any) -> Any:
    """The value with all absolute paths in it, at any depth, replaced with their last part."""
    if isinstance(value, Mapping):
        return {key: without_folders(own) for key, own in value.items()}
    if isinstance(value, list | tuple):
        return [without_folders(own) for own in value]
    return PurePath(value).name if isinstance(value, str) and PurePath(value).is_absolute() else value


def footer(manifest: Mapping[str, Any]) -> str:
    """The last line of a page."""
    written = f"Written by genset {manifest['genset']}. " if manifest else ""
    return f"{written}This page is self-contained and makes no network requests."
