"""README.md of a version: what it is, for people and for the Hugging Face hub."""

from collections.abc import Mapping
from typing import Any

from genset.dataset import METADATA, SPLITS
from genset.interfaces import Exporter, Figure, Modality


def dataset_card(
    name: str,
    manifest: Mapping[str, Any],
    figures: Mapping[str, Figure],
    verdict: Mapping[str, Any],
    exporter: Exporter,
    modality: Modality,
) -> bytes:
    """The card of a dataset version. It holds no times and no paths, so equal versions have equal cards."""
    counts = manifest["counts"]
    about = {"pretty_name": name, "tags": ["synthetic", "genset"], "task_categories": _task(manifest, modality)}
    header = _yaml({**about, **_configs(manifest, exporter, modality.rows)})
    lines = [
        header,
        f"# {name}\n",
        f"A dataset of {manifest['modality']} items made by genset {manifest['genset']} (`{manifest['command']}`). "
        "Items whose `source` is generated or augmented are synthetic, and stand in `train` alone.\n",
        _table("split", sorted(counts["split"].items(), key=lambda pair: list(SPLITS).index(pair[0]))),
        _table("source", counts["source"].items()),
        _table("class", counts["label"].items()),
    ]
    if verdict.get("figures"):
        lines.append("## Does it help?\n")
        lines.append(_figures(verdict["figures"], figures))
    files = exporter.pattern("SPLIT", rows=modality.rows)
    lines.append(_COLUMNS.format(file=files.replace("SPLIT/**", METADATA)))
    return "\n".join(lines).encode()


def model_card(name: str, manifest: Mapping[str, Any], model: Mapping[str, Any]) -> bytes:
    """The card of a model version."""
    rows = [(key, value) for key, value in model.items() if not isinstance(value, (list, dict))]
    lines = [
        f"# {name}\n",
        f"A {model['family']} for {manifest['modality']} items, trained by genset {manifest['genset']}.\n",
        _table("what", rows),
        f"{'!' * model['samples'].endswith('.png')}[samples]({model['samples']})\n\n![learning curves](curves.png)\n",
        "`genset generate` samples from it without TensorFlow; `model.keras` loads in Keras 3.\n",
    ]
    return "\n".join(lines).encode()


_COLUMNS = """## Columns of {file}

| column | meaning |
| --- | --- |
| file_name, or id and the item | path of the item, relative to its split; where items are rows, they stand here |
| label | class, as text |
| source | collected, generated or augmented |
| origin | the user's file, or the ids of the parents |
| transform | what was drawn, as JSON |
| seed, model | what a generated item was made with |
| group | items of one group stand in one split |
"""


def _configs(manifest: Mapping[str, Any], exporter: Exporter, rows: bool) -> dict[str, Any]:
    """Which files are data: without it loaders would take manifest.json and its like for items."""
    if not exporter.loader:
        return {}
    splits = [split for split in SPLITS if split in manifest["counts"]["split"]]
    files = [{"split": name, "path": exporter.pattern(name, rows=rows)} for name in splits]
    return {"configs": [{"config_name": "default", "data_files": files}]}


def _task(manifest: Mapping[str, Any], modality: Modality) -> list[str]:
    """What it can be used for, by the names of the Hugging Face hub."""
    items = modality.feature.lower() or modality.kind
    return [f"{items}-classification"] if len(manifest["counts"]["label"]) > 1 else []


def _yaml(values: Mapping[str, Any]) -> str:
    import yaml

    return f"---\n{yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True)}---\n"


def _table(head: str, rows: Any) -> str:
    body = "".join(f"| {cell(key)} | {cell(value)} |\n" for key, value in rows)
    return f"| {head} | |\n| --- | --- |\n{body}"


def _figures(values: Mapping[str, float], figures: Mapping[str, Figure]) -> str:
    rows = ((name, value, figures[name]) for name, value in values.items())
    body = "".join(f"| {name} | {value:g} | {figure.goal} | {figure.what} |\n" for name, value, figure in rows)
    return f"| figure | value | better | what it is |\n| --- | --- | --- | --- |\n{body}"


def cell(value: Any) -> str:
    """Text that cannot end a table cell or start markup."""
    text = str(value) or "(none)"
    return "".join(f"\\{c}" if c in "\\|`*_[]<>" else c for c in text)
