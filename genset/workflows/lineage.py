"""genset inspect ITEM: where an item comes from: its transforms, parent items and model, back to the user's files."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genset.dataset import Record
from genset.errors import GensetError
from genset.metadata import read_version
from genset.pipeline.reading import reader
from genset.versions.root import Root, roots_of
from genset.versions.version import Version, open_version

ITEM_ID = re.compile(r"[cag][0-9a-f]{15}")


@dataclass(frozen=True)
class VersionItem:
    """An item, with the version that contains it."""

    version: Version
    record: Record
    records: Mapping[str, Record]  # all of the version, by id


def item_at(path: Path) -> VersionItem | None:
    """The item of a file in a dataset version; None if the file belongs to no version."""
    for folder in path.resolve().parents:
        version = open_version(folder)
        if version:
            records = _records(version)
            return VersionItem(version, records[path.stem], records) if path.stem in records else None
    return None


def item_with_id(item_id: str, root: Root) -> VersionItem:
    """The item with an id, in the newest version of a name that contains it. Raises GensetError if no version does."""
    for dataset in root.names("datasets"):
        for version in reversed(root.versions("datasets", dataset)):
            records = _records(version)
            if item_id in records:
                return VersionItem(version, records[item_id], records)
    raise GensetError(
        f"no dataset version contains the item {item_id}",
        where=str(root.path),
        hint="Give the path of its file, or the output root of its version with --output.",
    )


def _records(version: Version) -> dict[str, Record]:
    if version.kind != "datasets":
        return {}
    return {record.id: record for record in read_version(version.path, reader(version)).records}


def ancestry(item: VersionItem, root: Root) -> dict[str, Any]:
    """The JSON object of an item: how it was created, with the same for each of its parent items."""
    version, record = item.version, item.record
    tree: dict[str, Any] = {
        "id": record.id,
        "source": record.source,
        "label": record.label,
        "split": record.split,
        "group": record.group,
        "version": version.reference,
        "path": str(record.path),
    }
    if record.source == "collected":
        return {**tree, "file": record.origin, "sources": _sources(version)}
    transform = json.loads(record.transform)
    tree |= {"seed": record.seed, "drawn": transform[0] if isinstance(transform, list) else transform}
    if record.model:
        tree["model"] = _model_facts(record.model, version, root)
    tree["parents"] = [
        ancestry(VersionItem(version, item.records[name], item.records), root) if name in item.records else {"id": name}
        for name in record.origin.split()
    ]
    return tree


def _sources(version: Version) -> list[str]:
    """The folders that the real items of a version were collected from; if one is a version, its folders."""
    folders: list[str] = []
    for source in version.manifest.get("sources", []):
        parent = open_version(Path(source))
        folders += (_sources(parent) if parent else []) or [source]
    return folders


def _model_facts(reference: str, version: Version, root: Root) -> dict[str, Any]:
    """The model version of a reference, and what it was trained on; only the reference if it was not found."""
    for each in (root, *roots_of(version)):
        for name in each.names("models"):
            for model in each.versions("models", name):
                manifest = model.manifest
                if manifest["model"]["reference"] == reference:
                    facts = {"reference": reference, "version": model.reference, "path": str(model.path)}
                    return {**facts, "learned_from": manifest["config"]["data"]["source"], "seed": manifest["seed"]}
    return {"reference": reference}


def ancestry_lines(tree: Mapping[str, Any], depth: int = 0) -> list[str]:
    """The ancestry of an item as text; parents are indented below their children."""
    indent = "  " * depth
    if "source" not in tree:
        return [f"{indent}{tree['id']}: not in this version"]
    split = f", {tree['split']}" if depth == 0 else ""
    label = f"class {tree['label']}" if tree["label"] else "no class"
    lines = [f"{indent}{tree['id']}: {tree['source']}, {label}{split}"]
    if depth == 0:
        lines.append(f"{indent}  in {tree['version']}: {tree['path']}")
    if tree["source"] == "collected":
        lines.append(f"{indent}  file {tree['file']} of {', '.join(tree['sources']) or 'an unknown folder'}")
        return lines
    lines += [f"{indent}  {text}" for text in _transform_lines(tree)]
    return lines + [line for parent in tree["parents"] for line in ancestry_lines(parent, depth + 1)]


def _transform_lines(tree: Mapping[str, Any]) -> list[str]:
    """The model, the steps with their drawn parameters, and the seed."""
    values, model = dict(tree["drawn"]), tree.get("model")
    lines = []
    if model:
        name = model.get("version", "a model that was not found")
        trained = f", trained on {', '.join(model['learned_from'])}" if "learned_from" in model else ""
        lines.append(f"by {name} ({model['reference']}){trained}")
    for step in values.pop("steps", []):
        parameters = (f"{name}={value}" for name, value in step.items() if name != "kind")
        lines.append(" ".join([step["kind"], *parameters]))
    others = (f"{name} {value}" for name, value in values.items() if name != "recipe")
    lines.append(", ".join([f"seed {tree['seed']}", *others]))
    return lines
