"""README.md of a version, for people and for the Hugging Face hub."""

from collections.abc import Mapping
from typing import Any

from genset.dataset import SPLITS
from genset.interfaces import Exporter, MetricInfo, Modality
from genset.metadata import METADATA


def dataset_card(
    name: str,
    manifest: Mapping[str, Any],
    figures: Mapping[str, MetricInfo],
    verdict: Mapping[str, Any],
    exporter: Exporter,
    modality: Modality,
) -> bytes:
    """The card of a dataset version. It contains no times and no paths, so equal versions have equal cards."""
    counts = manifest["counts"]
    about = {"pretty_name": name, "tags": ["synthetic", "genset"], "task_categories": _task(manifest, modality)}
    header = _yaml({**about, **_configs(manifest, exporter, modality.rows)})
    lines = [
        header,
        f"# {name}\n",
        f"A dataset of {manifest['modality']} items, written by genset {manifest['genset']} (`{manifest['command']}`). "
        "Items whose `source` is generated or augmented are synthetic; they are only in `train`.\n",
        _table("split", sorted(counts["split"].items(), key=lambda pair: list(SPLITS).index(pair[0]))),
        _table("source", counts["source"].items()),
        _table("class", counts["label"].items()),
    ]
    if verdict.get("figures"):
        lines.append("## Do the synthetic items help?\n")
        lines.append(_figures(verdict["figures"], figures))
    files = exporter.pattern("SPLIT", rows=modality.rows)
    lines.append(_COLUMNS.format(file=files.replace("SPLIT/**", METADATA)))
    return "\n".join(lines).encode()


def model_card(name: str, manifest: Mapping[str, Any], model: Mapping[str, Any]) -> bytes:
    """The card of a model version."""
    rows = [(key, value) for key, value in model.items() if not isinstance(value, (list, dict))]
    lines = [
        f"# {name}\n",
        f"Model of {manifest['modality']} items ({model['family'].upper()}), trained by genset {manifest['genset']}.\n",
        _table("property", rows),
        f"{'!' * model['samples'].endswith('.png')}[samples]({model['samples']})\n\n![learning curves](curves.png)\n",
        "`genset generate` samples from it without TensorFlow. Keras 3 loads `model.keras`.\n",
    ]
    return "\n".join(lines).encode()


_COLUMNS = """## Columns of {file}

| column | meaning |
| --- | --- |
| file_name | path of the item, relative to its split; items that are rows have `id` and their own columns instead |
| label | class, as text |
| source | collected (real), generated or augmented |
| origin | the original file of a real item, the ids of the parents of others |
| transform | applied transforms with their parameters, as JSON |
| seed, model | seed and model of a generated item |
| group | items of a group are in the same split |
"""


def _configs(manifest: Mapping[str, Any], exporter: Exporter, rows: bool) -> dict[str, Any]:
    """Which files are data: without this, loaders would read manifest.json and similar files as items."""
    if not exporter.loader:
        return {}
    splits = [split for split in SPLITS if split in manifest["counts"]["split"]]
    files = [{"split": name, "path": exporter.pattern(name, rows=rows)} for name in splits]
    return {"configs": [{"config_name": "default", "data_files": files}]}


def _task(manifest: Mapping[str, Any], modality: Modality) -> list[str]:
    """Task categories of the Hugging Face hub."""
    items = modality.feature.lower() or modality.kind
    return [f"{items}-classification"] if len(manifest["counts"]["label"]) > 1 else []


def _yaml(values: Mapping[str, Any]) -> str:
    import yaml

    return f"---\n{yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)}---\n"


def _table(head: str, rows: Any) -> str:
    body = "".join(f"| {cell(key)} | {cell(value)} |\n" for key, value in rows)
    return f"| {head} | |\n| --- | --- |\n{body}"


def _figures(values: Mapping[str, float], figures: Mapping[str, MetricInfo]) -> str:
    rows = ((name, value, figures[name]) for name, value in values.items())
    body = "".join(f"| {name} | {value:g} | {figure.goal} | {figure.what} |\n" for name, value, figure in rows)
    return f"| figure | value | better | meaning |\n| --- | --- | --- | --- |\n{body}"


def cell(value: Any) -> str:
    """Text that neither ends a table cell nor starts markup."""
    text = str(value) or "(none)"
    return "".join(f"\\{c}" if c in "\\|`*_[]<>" else c for c in text)
