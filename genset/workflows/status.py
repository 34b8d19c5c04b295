"""Whether what a config leads to is there already, and if not, what has changed since the newest version."""

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

_LEARNED = ("seed", "clean", "split")  # what the items that are learned from depend on, beside the modality


@dataclass(frozen=True)
class StaleReason:
    """Why a version is not what the config leads to now."""

    kind: str  # missing, genset, inputs, config or model
    key: str  # of the config, where it is one
    detail: str

    def as_dict(self) -> dict[str, str]:
        """As JSON holds it."""
        return {"kind": self.kind, "key": self.key, "detail": self.detail}


@dataclass(frozen=True)
class VersionState:
    """A version that a config leads to, or the newest there is with what has changed."""

    version: Version | None
    reasons: Sequence[StaleReason]

    def as_dict(self) -> dict[str, Any]:
        """The state as JSON holds it."""
        version = self.version.as_dict() if self.version else None
        return {"version": version, "reasons": [reason.as_dict() for reason in self.reasons]}


def status(config: Config, job: Job) -> tuple[VersionState, VersionState]:
    """(the state of the model, that of the dataset). Nothing is written. Raises GensetError for what cannot be read."""
    table = MODALITIES[config.modality.kind]
    return states(config, collect(config.data, table(config.modality), job), job)


def states(config: Config, found: Collected, job: Job) -> tuple[VersionState, VersionState]:
    """The same of items that were collected already."""
    model = _model(config, found, job)
    return model, _dataset(config, found, model, job)


def _model(config: Config, found: Collected, job: Job) -> VersionState:
    versions = job.root.versions("models", config.name)
    if not versions:
        return VersionState(None, [StaleReason("missing", "", "no model was trained yet")])
    settings = _settings(config, found, versions, job)
    modality = MODALITIES[config.modality.kind](settings)
    of_items = items_key(config, settings, found.fingerprint)
    key = model_version.training_key(train.with_data_settings(config, modality), of_items)
    current = up_to_date(job.root, "models", config.name, key)
    if current:
        return VersionState(current, [])
    newest = versions[-1]
    return VersionState(newest, list(_since_training(config, found, newest)))


def _settings(config: Config, found: Collected, versions: Sequence[Version], job: Job) -> Section:
    """The settings that the data settle; without decoding where a version of the same items has asked for the same."""
    table, asked = MODALITIES[config.modality.kind], as_json(config.modality)
    for version in reversed(versions):
        manifest = version.manifest
        if asked in (manifest["asked"]["modality"], manifest["config"]["modality"]):
            settings = table.Settings(**manifest["config"]["modality"])
            if items_key(config, settings, found.fingerprint) == manifest["inputs"]["identity"]:
                return settings
    probes = clean(found.records, found.modality, job, config.clean).probes
    settled: Section = table.resolve_settings(found.modality.settings, probes)
    return settled


def _since_training(config: Config, found: Collected, version: Version) -> Iterator[StaleReason]:
    manifest = version.manifest
    yield from _genset(manifest)
    if manifest["config"]["modality"]["kind"] == config.modality.kind:
        then = _as_then(config, manifest)
        settings = type(config.modality)(**manifest["config"]["modality"])
        if items_key(then, settings, found.fingerprint) != manifest["inputs"]["identity"]:
            yield StaleReason("inputs", "data", "the items are not those that it was made from")
    for name in _LEARNED:
        yield from _changed(name, manifest["config"][name], _plain(config, name))
    for name in model_version.REQUESTED_SECTIONS:
        yield from _changed(name, manifest["asked"][name], _plain(config, name))


def _as_then(config: Config, manifest: Mapping[str, Any]) -> Config:
    """The config with the sections that a version's items depend on as they were."""
    then = manifest["config"]
    clean_then, split_then = type(config.clean).model_validate(then["clean"]), Split.model_validate(then["split"])
    return config.model_copy(update={"seed": then["seed"], "clean": clean_then, "split": split_then})


def _dataset(config: Config, found: Collected, model: VersionState, job: Job) -> VersionState:
    versions = job.root.versions("datasets", config.name)
    if not versions:
        return VersionState(None, [StaleReason("missing", "", "no dataset was made yet")])
    newest = versions[-1]
    if model.version is None or model.reasons:
        stale = StaleReason("model", "", "its model is not up to date")
        return VersionState(newest, [stale, *_since_making(config, found, newest)])
    key = run.dataset_key(config, model.version.manifest["inputs"]["identity"], model.version)
    current = up_to_date(job.root, "datasets", config.name, key)
    if current:
        return VersionState(current, [])
    return VersionState(newest, list(_since_making(config, found, newest, model.version)))


def _since_making(
    config: Config, found: Collected, version: Version, model: Version | None = None
) -> Iterator[StaleReason]:
    manifest = version.manifest
    yield from _genset(manifest)
    if not manifest["config"]:
        yield StaleReason("config", "", f"it was made by `genset {manifest['command']}`, not from a config")
        return
    if model and model.reference not in manifest["parents"]:
        yield StaleReason("model", "", f"it was made with {', '.join(manifest['parents'])}, not with {model.reference}")
    yield from _items(found, version)
    for name in ("seed", *run.SECTIONS):
        yield from _changed(name, manifest["config"][name], _plain(config, name))
    then, now = manifest["config"]["output"]["format"], as_json(config.output)["format"]
    yield from _changed("output.format", then, now)


def _items(found: Collected, version: Version) -> Iterator[StaleReason]:
    """The user's items that came and went since, by their names; of a form that is not read back nothing is known."""
    if version.manifest.get("format", FolderExporter().kind) != FolderExporter().kind:
        return
    records = read_version(version.path, reader(version)).where(source="collected")
    problems = json.loads((version.path / verdict.QUALITY).read_bytes())["problems"]
    known = {record.origin for record in records}
    now = {record.origin for record in found.records}
    then = version.manifest["config"]
    # What counts or shrinking left out stands nowhere in the version: it cannot be told from what is new
    chosen = then["split"].get("counts") is not None or then["balance"].get("shrink", False)
    new = set() if chosen else now - known - {problem["path"] for problem in problems}
    for names, what in ((new, "new"), (known - now, "gone")):
        if names:
            are, more = ("items are", ", ...") if len(names) > 1 else ("item is", "")
            yield StaleReason("inputs", "data", f"{len(names):,} {are} {what}: {min(names)}{more}")


def _genset(manifest: Mapping[str, Any]) -> Iterator[StaleReason]:
    if manifest["genset"] != __version__:
        yield StaleReason("genset", "", f"it was made by genset {manifest['genset']}, this is {__version__}")


def _plain(config: Config, name: str) -> Any:
    return as_json(config)[name]


def _changed(key: str, then: Any, now: Any) -> Iterator[StaleReason]:
    """The keys below a key whose values differ."""
    if isinstance(then, dict) and isinstance(now, dict):
        for name in dict.fromkeys([*then, *now]):
            yield from _changed(f"{key}.{name}", then.get(name), now.get(name))
    elif then != now:
        yield StaleReason("config", key, f"{_shown(then)} then, {_shown(now)} now")


def _shown(value: Any) -> str:
    return "not given" if value is None else str(value)
