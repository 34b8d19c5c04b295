"""What pages of datasets and of models share: cards of items, problems, where a version comes from."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import yaml

from genset.dataset import SPLITS, Record
from genset.interfaces import Preview
from genset.report.page import Block, Card, CodeBlock, Facts, PageSection, SideBySide, Table

SOURCES = {"collected": "real", "generated": "generated", "augmented": "augmented"}  # as a page says it
_MOST_PROBLEMS = 200
_LONGEST_FACT = 600


def card(record: Record, shown: Sequence[Preview]) -> Card:
    """A card with what is known of an item."""
    source = SOURCES[record.source]
    told = {
        "class": record.label,
        "source": source,
        "split": record.split,
        "id": record.id,
        "file": record.place if record.place != record.id else "",
        "made from": record.origin if record.source != "collected" else "",
        "group": record.group,
        "model": record.model,
        "seed": record.seed,
        "drawn": record.transform,
        **record.columns,
    }
    facts = {name: _cut(value) for name, value in told.items() if value}
    name = f"{source} item {record.id}" + (f" of class {record.label}" if record.label else "")
    return Card(name, f"{source} {record.id}", shown, facts, record.label, source)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_FACT else f"{text[:_LONGEST_FACT]}…"


def problem_section(problems: Sequence[Mapping[str, str]]) -> list[PageSection]:
    """What was found wrong; none where nothing was."""
    if not problems:
        return []
    rows = [[_where(problem["path"]), problem["kind"], problem["detail"]] for problem in problems[:_MOST_PROBLEMS]]
    note = f"The first {len(rows)} of {len(problems):,}." if len(rows) < len(problems) else ""
    kinds = counted(problem["kind"] for problem in problems)
    lead = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
    table = Table("Problems", ("where", "kind", "what"), rows, note, prose=(0, 1, 2))
    return [PageSection("Problems", "What is wrong with it?", [table], lead)]


def _where(path: str) -> str:
    """A path, or several with commas between, without the folders of a machine."""
    return ", ".join(without_places(path.split(", "))) or "–"


def counted(values: Iterable[str]) -> dict[str, int]:
    """How many of each value there are, splits in their order and the rest sorted."""
    out: dict[str, int] = {}
    for value in values:
        out[value] = out.get(value, 0) + 1
    order = {name: place for place, name in enumerate(SPLITS)}
    return dict(sorted(out.items(), key=lambda pair: (order.get(pair[0], -1), pair[0])))


def origin(manifest: Mapping[str, Any]) -> list[PageSection]:
    """Lineage, config and versions of a version, without paths of a machine: equal runs say the same."""
    if not manifest:
        return []
    lineage = {
        "version": f"{manifest['name']}@{manifest['id']}",
        "status": manifest["status"],
        "made by": f"genset {manifest['command']}",
        "parents": ", ".join(manifest.get("parents", ())),
        "sources": ", ".join(PurePath(source).name for source in manifest.get("sources", ())),
        "model": manifest.get("model", {}).get("reference", ""),
        "seed": str(manifest.get("seed", "")),
        "identity of the inputs": (manifest.get("inputs") or {}).get("identity", ""),
        "drawn again": ", ".join(f"{count:,} {reason}" for reason, count in manifest.get("redrawn", {}).items()),
    }
    libraries = {"genset": manifest["genset"], **manifest["libraries"]}
    facts = SideBySide([Facts("Lineage", {k: v for k, v in lineage.items() if v}), Facts("Versions", libraries)])
    blocks: list[Block] = [facts]
    if manifest.get("config"):
        blocks.append(
            CodeBlock("Config", yaml.safe_dump(without_places(manifest["config"]), sort_keys=False, allow_unicode=True))
        )
    if manifest.get("recipes"):
        blocks.append(CodeBlock("Transforms of copies", json.dumps(without_places(manifest["recipes"]), indent=2)))
    return [PageSection("Origin", "Where does it come from?", blocks)]


def without_places(value: Any) -> Any:
    """Plain values in which a path of this machine is but its last part."""
    if isinstance(value, Mapping):
        return {key: without_places(own) for key, own in value.items()}
    if isinstance(value, list | tuple):
        return [without_places(own) for own in value]
    return PurePath(value).name if isinstance(value, str) and PurePath(value).is_absolute() else value


def footer(manifest: Mapping[str, Any]) -> str:
    """The last line."""
    written = f"Written by genset {manifest['genset']}. " if manifest else ""
    return f"{written}This page is self-contained and makes no network requests."
