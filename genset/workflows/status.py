"""genset status: whether the versions of a config are up to date and, if not, what changed since the newest ones."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genset import __version__
from genset.config.sections import Config
from genset.config.split_section import Split
from genset.export.folder import FolderExporter
from genset.interfaces import Section
from genset.metadata import read_version
from genset.modalities import MODALITIES
from genset.pipeline.clean.clean import clean
from genset.pipeline.collect.collect import Collected, collect
from genset.pipeline.evaluate import verdict
from genset.pipeline.job import Job, as_json, up_to_date
from genset.pipeline.prepare import items_key
from genset.pipeline.reading import reader
from genset.pipeline.train import model_version, train
from genset.versions.version import Version
from genset.workflows import run

_ITEM_SECTIONS = ("seed", "clean", "split")  # with the modality, these decide the training items


@dataclass(frozen=True)
class StaleReason:
    """Why a version is out of date."""

    kind: str  # missing, genset, inputs, config or model
    key: str  # of the config; "" for other reasons
    detail: str


@dataclass(frozen=True)
class VersionState:
    """The up-to-date version of a config; or its newest version, with the reasons why that is out of date."""

    version: Version | None
    reasons: Sequence[StaleReason]


def status(config: Config, job: Job) -> tuple[VersionState, VersionState]:
    """(state of the model, state of the dataset). Writes nothing. Raises GensetError if the items cannot be read."""
    modality_type = MODALITIES[config.modality.kind]
    return states(config, collect(config.data, modality_type(config.modality), job), job)


def states(config: Config, collected: Collected, job: Job) -> tuple[VersionState, VersionState]:
    """(state of the model, state of the dataset) for collected items."""
    model = _model_state(config, collected, job)
    return model, _dataset_state(config, collected, model, job)


def _model_state(config: Config, collected: Collected, job: Job) -> VersionState:
    versions = job.root.versions("models", config.name)
    if not versions:
        return VersionState(None, [StaleReason("missing", "", "no model was trained yet")])
    settings = _settings(config, collected, versions, job)
    modality = MODALITIES[config.modality.kind](settings)
    items_identity = items_key(config, settings, collected.fingerprint)
    key = model_version.training_key(train.with_data_settings(config, modality), items_identity)
    current = up_to_date(job.root, "models", config.name, key)
    if current:
        return VersionState(current, [])
    newest = versions[-1]
    return VersionState(newest, list(_model_changes(config, collected, newest)))


def _settings(config: Config, collected: Collected, versions: Sequence[Version], job: Job) -> Section:
    """The settings of the modality, completed from the data. If a version has the same items and settings, its settings
    are used and no item is decoded."""
    modality_type, configured = MODALITIES[config.modality.kind], as_json(config.modality)
    for version in reversed(versions):
        manifest = version.manifest
        if configured in (manifest["asked"]["modality"], manifest["config"]["modality"]):
            settings = modality_type.Settings(**manifest["config"]["modality"])
            if items_key(config, settings, collected.fingerprint) == manifest["inputs"]["identity"]:
                return settings
    probes = clean(collected.records, collected.modality, job, config.clean).probes
    settled: Section = modality_type.resolve_settings(collected.modality.settings, probes)
    return settled


def _model_changes(config: Config, collected: Collected, version: Version) -> Iterator[StaleReason]:
    manifest = version.manifest
    yield from _genset_change(manifest)
    if manifest["config"]["modality"]["kind"] == config.modality.kind:
        earlier = _with_earlier_sections(config, manifest)
        settings = type(config.modality)(**manifest["config"]["modality"])
        if items_key(earlier, settings, collected.fingerprint) != manifest["inputs"]["identity"]:
            yield StaleReason("inputs", "data", "the items have changed since it was trained")
    for name in _ITEM_SECTIONS:
        yield from _value_changes(name, manifest["config"][name], as_json(config)[name])
    for name in model_version.REQUESTED_SECTIONS:
        yield from _value_changes(name, manifest["asked"][name], as_json(config)[name])


def _with_earlier_sections(config: Config, manifest: Mapping[str, Any]) -> Config:
    """The config with the seed, `clean` and `split` of a version, so that only changed items make a difference."""
    earlier = manifest["config"]
    cleaning, split = type(config.clean).model_validate(earlier["clean"]), Split.model_validate(earlier["split"])
    return config.model_copy(update={"seed": earlier["seed"], "clean": cleaning, "split": split})


def _dataset_state(config: Config, collected: Collected, model: VersionState, job: Job) -> VersionState:
    versions = job.root.versions("datasets", config.name)
    if not versions:
        return VersionState(None, [StaleReason("missing", "", "no dataset was written yet")])
    newest = versions[-1]
    if model.version is None or model.reasons:
        reason = StaleReason("model", "", "its model is not up to date")
        return VersionState(newest, [reason, *_dataset_changes(config, collected, newest)])
    key = run.dataset_key(config, model.version.manifest["inputs"]["identity"], model.version)
    current = up_to_date(job.root, "datasets", config.name, key)
    if current:
        return VersionState(current, [])
    return VersionState(newest, list(_dataset_changes(config, collected, newest, model.version)))


def _dataset_changes(
    config: Config, collected: Collected, version: Version, model: Version | None = None
) -> Iterator[StaleReason]:
    manifest = version.manifest
    yield from _genset_change(manifest)
    if not manifest["config"]:
        yield StaleReason("config", "", f"it was written by `genset {manifest['command']}`, not by `genset run`")
        return
    if model and model.reference not in manifest["parents"]:
        parents = ", ".join(manifest["parents"])
        yield StaleReason("model", "", f"it was generated with {parents}, not with {model.reference}")
    yield from _item_changes(collected, version)
    for name in ("seed", *run.SECTIONS):
        yield from _value_changes(name, manifest["config"][name], as_json(config)[name])
    before, now = manifest["config"]["output"]["format"], as_json(config.output)["format"]
    yield from _value_changes("output.format", before, now)


def _item_changes(collected: Collected, version: Version) -> Iterator[StaleReason]:
    """The user's items that were added or removed since, by name; none for formats that genset cannot read."""
    if version.manifest.get("format", FolderExporter().kind) != FolderExporter().kind:
        return
    records = read_version(version.path, reader(version)).where(source="collected")
    problems = json.loads((version.path / verdict.QUALITY).read_bytes())["problems"]
    before = {record.origin for record in records}
    now = {record.origin for record in collected.records}
    config = version.manifest["config"]
    # Items that split.counts or balance.shrink left out are not listed in the version, so they would look new
    left_out = config["split"].get("counts") is not None or config["balance"].get("shrink", False)
    added = set() if left_out else now - before - {problem["path"] for problem in problems}
    for names, change in ((added, "added"), (before - now, "removed")):
        if names:
            items, more = ("items were", ", ...") if len(names) > 1 else ("item was", "")
            yield StaleReason("inputs", "data", f"{len(names):,} {items} {change}: {min(names)}{more}")


def _genset_change(manifest: Mapping[str, Any]) -> Iterator[StaleReason]:
    if manifest["genset"] != __version__:
        yield StaleReason("genset", "", f"it was written by genset {manifest['genset']}, this is {__version__}")


def _value_changes(key: str, before: Any, now: Any) -> Iterator[StaleReason]:
    """The config keys at and below `key` whose values changed."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name in dict.fromkeys([*before, *now]):
            yield from _value_changes(f"{key}.{name}", before.get(name), now.get(name))
    elif before != now:
        yield StaleReason("config", key, f"was {_value_text(before)}, is now {_value_text(now)}")


def _value_text(value: Any) -> str:
    return "not set" if value is None else str(value)
