"""Where an item came from: its transform, parents and model, down to the user's file."""

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
class FoundItem:
    """An item in a version."""

    version: Version
    record: Record
    records: Mapping[str, Record]  # of the version, by id


def by_path(path: Path) -> FoundItem | None:
    """The item of a file inside a dataset version; None where the file belongs to no version."""
    for folder in path.resolve().parents:
        version = open_version(folder)
        if version:
            records = _records(version)
            return FoundItem(version, records[path.stem], records) if path.stem in records else None
    return None


def by_id(name: str, root: Root) -> FoundItem:
    """The item of an id, in the newest version of each name that has it. Raises GensetError when none has."""
    for dataset in root.names("datasets"):
        for version in reversed(root.versions("datasets", dataset)):
            records = _records(version)
            if name in records:
                return FoundItem(version, records[name], records)
    raise GensetError(
        f"no dataset version has the item {name}",
        where=str(root.path),
        hint="Give the path of its file, or the root that its version stands in with --output.",
    )


def _records(version: Version) -> dict[str, Record]:
    if version.kind != "datasets":
        return {}
    return {record.id: record for record in read_version(version.path, reader(version)).records}


def ancestry(found: FoundItem, root: Root) -> dict[str, Any]:
    """What is known of an item, and of all that it was made from, as JSON holds it."""
    version, record = found.version, found.record
    out: dict[str, Any] = {
        "id": record.id,
        "source": record.source,
        "label": record.label,
        "split": record.split,
        "group": record.group,
        "version": version.reference,
        "path": str(record.path),
    }
    if record.source == "collected":
        return {**out, "file": record.origin, "sources": _sources(version)}
    told = json.loads(record.transform)
    out |= {"seed": record.seed, "drawn": told[0] if isinstance(told, list) else told}
    if record.model:
        out["model"] = _model(record.model, version, root)
    out["parents"] = [
        ancestry(FoundItem(version, found.records[name], found.records), root)
        if name in found.records
        else {"id": name}
        for name in record.origin.split()
    ]
    return out


def _sources(version: Version) -> list[str]:
    """The folders that real items were collected from; where one is a version, those that it was collected from."""
    out: list[str] = []
    for source in version.manifest.get("sources", []):
        earlier = open_version(Path(source))
        out += (_sources(earlier) if earlier else []) or [source]
    return out


def _model(reference: str, version: Version, root: Root) -> dict[str, Any]:
    """The model version of a reference, and what it learned from; the reference alone where it is not at hand."""
    for place in (root, *roots_of(version)):
        for name in place.names("models"):
            for model in place.versions("models", name):
                manifest = model.manifest
                if manifest["model"]["reference"] == reference:
                    about = {"reference": reference, "version": model.reference, "path": str(model.path)}
                    return {**about, "learned_from": manifest["config"]["data"]["source"], "seed": manifest["seed"]}
    return {"reference": reference}


def lines(tree: Mapping[str, Any], depth: int = 0) -> list[str]:
    """The ancestry as people read it, one generation below the other."""
    indent = "  " * depth
    if "source" not in tree:
        return [f"{indent}{tree['id']}: not in this version"]
    where = f", {tree['split']}" if depth == 0 else ""
    label = f"class {tree['label']}" if tree["label"] else "no class"
    out = [f"{indent}{tree['id']}: {tree['source']}, {label}{where}"]
    if depth == 0:
        out.append(f"{indent}  in {tree['version']}: {tree['path']}")
    if tree["source"] == "collected":
        out.append(f"{indent}  file {tree['file']} of {', '.join(tree['sources']) or 'a folder that is not noted'}")
        return out
    out += [f"{indent}  {text}" for text in _drawn(tree)]
    return out + [line for parent in tree["parents"] for line in lines(parent, depth + 1)]


def _drawn(tree: Mapping[str, Any]) -> list[str]:
    told, seed = dict(tree["drawn"]), f"seed {tree['seed']}"
    model = tree.get("model")
    out = []
    if model:
        name = model.get("version", "a model that is not at hand")
        learned = f", which learned from {', '.join(model['learned_from'])}" if "learned_from" in model else ""
        out.append(f"by {name} ({model['reference']}){learned}")
    for step in told.pop("steps", []):
        drawn = (f"{name}={value}" for name, value in step.items() if name != "kind")
        out.append(" ".join([step["kind"], *drawn]))
    out.append(", ".join([seed, *(f"{name} {value}" for name, value in told.items() if name != "recipe")]))
    return out
