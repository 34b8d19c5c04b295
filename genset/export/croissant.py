"""croissant.json: a description of a version by Croissant 1.1 (https://docs.mlcommons.org/croissant).

It lists files with checksums and columns, and says how many items are synthetic and what they come from.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from genset.dataset import SPLITS
from genset.interfaces import Exporter
from genset.metadata import METADATA, rows_file

_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "prov": "http://www.w3.org/ns/prov#",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_JSON_LINES = "application/jsonlines"
_SYNTHETIC = ("generated", "augmented")


def croissant(
    name: str,
    manifest: Mapping[str, Any],
    exporter: Exporter,
    sums: Mapping[str, str],
    columns: Sequence[str],
    origins: Sequence[str],
) -> bytes:
    """The description of a version.

    `sums`: SHA-256 of the files by name; `columns`: names of the columns of rows; `origins`: models and datasets that
    synthetic items come from. It contains no times and no paths, so equal versions have equal descriptions.
    """
    files = _files(exporter, sums)
    value = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": name,
        "description": _description(manifest, origins),
        "keywords": ["synthetic", "genset", manifest["modality"]],
        "prov:wasDerivedFrom": list(origins),
        "prov:wasGeneratedBy": f"genset {manifest['genset']}, {manifest['command']}",
        "rai:dataCollection": _provenance(manifest, origins),
        "distribution": [{"@type": "cr:FileObject", **file} for file in files],
        "recordSet": [_records(file, columns) for file in files if file["encodingFormat"] == _JSON_LINES],
    }
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def _files(exporter: Exporter, sums: Mapping[str, str]) -> list[dict[str, str]]:
    """The files that hold rows or many items. In a folder, each metadata.jsonl lists the files of items."""
    out = []
    for split in SPLITS:
        names = [f"{split}/{METADATA}", rows_file(split)]
        names += [
            name for name in sums if exporter.suffix and name.startswith(split) and name.endswith(exporter.suffix)
        ]
        for name in (name for name in names if name in sums):
            kind = _JSON_LINES if name.endswith(".jsonl") else exporter.media_type
            described = {"contentUrl": name, "encodingFormat": kind, "sha256": sums[name]}
            out.append({"@id": name.replace("/", "-"), "name": name.replace("/", "-"), **described})
    return out


def _records(file: Mapping[str, str], columns: Sequence[str]) -> dict[str, Any]:
    """The record set of a file of rows, whose columns are text."""
    split = next(name for name in SPLITS if file["contentUrl"].startswith(name))
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"{split}-rows/{quote(column)}",
            "name": column,
            "dataType": "sc:Text",
            "source": {"fileObject": {"@id": file["@id"]}, "extract": {"column": column}},
        }
        for column in columns
    ]
    return {"@type": "cr:RecordSet", "@id": f"{split}-rows", "name": f"{split}-rows", "field": fields}


def _description(manifest: Mapping[str, Any], origins: Sequence[str]) -> str:
    total = sum(manifest["counts"]["split"].values())
    return f"{total:,} {manifest['modality']} items. {_provenance(manifest, origins)}"


def _provenance(manifest: Mapping[str, Any], origins: Sequence[str]) -> str:
    """How many items are synthetic, and what they come from."""
    source = manifest["counts"]["source"]
    synthetic = ", ".join(f"{source[name]:,} {name}" for name in _SYNTHETIC if source.get(name))
    real = source.get("collected", 0)
    if not synthetic:
        return f"All {real:,} items are real; none is synthetic."
    origin = f"from {', '.join(origins)}" if origins else "from the real items"
    rest = f"{real:,} items are real." if real else "No items are real."
    return f"Synthetic items: {synthetic}, {origin}; see the columns `source`, `origin` and `model`. {rest}"
