"""genset augment --replay: create one synthetic item of a version again, from its metadata."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pydantic

from genset.atomic import write_atomically
from genset.dataset import Record
from genset.errors import GensetError
from genset.interfaces import Drawn, ItemArray, Kinds, MixPartner, Modality, Step
from genset.metadata import read_version
from genset.modalities import MODALITIES
from genset.modalities.composition import step_kinds
from genset.pipeline.augment import copies
from genset.pipeline.augment.latent import LatentMixer
from genset.pipeline.augment.mixing import PartnerPool, TrainContext
from genset.pipeline.generate import generator, training_items, variations
from genset.pipeline.job import Job
from genset.pipeline.reading import reader
from genset.versions.root import roots_of
from genset.versions.version import Version

FOLDER = "replayed"  # under the output root


@dataclass(frozen=True)
class ReplayResult:
    """An item that was created again."""

    record: Record
    path: Path  # where it was written
    same: bool  # whether its bytes equal those in the version

    def as_dict(self) -> dict[str, Any]:
        """The result as JSON holds it."""
        return {"item": self.record.id, "path": str(self.path), "same": self.same}


def replay(version: Version, name: str, model: Version | None, job: Job) -> ReplayResult:
    """Create an item again and write it to OUT/replayed.

    Raises GensetError if there is no such item, if it is a real item, or if its parents, steps or model are missing.
    """
    modality = reader(version)
    records = {record.id: record for record in read_version(version.path, modality).records}
    record = records.get(name)
    if record is None:
        raise GensetError(
            f"no item {name!r}", where=version.reference, hint="Give the id of an item, as in the metadata."
        )
    if record.source == "collected":
        raise GensetError(
            f"{name} is a real item, so it cannot be created again",
            where=version.reference,
            hint="Give the id of a generated or augmented item.",
        )
    if record.source == "augmented":
        item, modality = _augmented(version, record, records, model, job)
    else:
        item, modality = _generated(version, record, model, job)
    data = modality.encode(item)
    stored = modality.encode(modality.decode_native(record.raw)) if modality.rows else record.path.read_bytes()
    folder = job.root.path / FOLDER
    folder.mkdir(exist_ok=True)
    path = folder / f"{record.id}{modality.suffix}"
    write_atomically(path, data)
    return ReplayResult(record, path, data == stored)


def _augmented(
    version: Version, record: Record, records: Mapping[str, Record], model: Version | None, job: Job
) -> tuple[ItemArray, Modality]:
    key = json.loads(record.transform).get("recipe")
    recipe = version.manifest.get("recipes", {}).get(key)
    missing = [name for name in record.origin.split() if name not in records]
    if recipe is None or missing:
        what = f"its parent {missing[0]}" if missing else "the recipe of its steps"
        raise GensetError(f"{what} is missing in this version", where=f"{version.reference}, {record.id}")
    latent = LatentMixer.from_version(_find_model(version, recipe["model"], model, job)) if recipe["model"] else None
    return replay_copy(record, records, recipe, MODALITIES[version.manifest["modality"]], latent)


def replay_copy(
    record: Record,
    records: Mapping[str, Record],
    recipe: Mapping[str, Any],
    modality_type: type[Modality],
    latent: LatentMixer | None = None,
) -> tuple[ItemArray, Modality]:
    """(an augmented item, created again; its modality).

    `records` hold the item's parents by id; `recipe` is what `Recipe.as_dict` wrote to the manifest.
    """
    details = json.loads(record.transform)
    parent = records[record.origin.split()[0]]
    modality = modality_type(modality_type.Settings(**recipe["modality"]))
    adapter = pydantic.TypeAdapter(list[Annotated[Step, Kinds(step_kinds(modality_type))]])
    steps = tuple(step.for_modality(modality) for step in adapter.validate_python(recipe["steps"]))

    def decode(one: Record) -> ItemArray:
        return modality.decode_native(one.raw) if recipe["native"] else modality.decode(one.raw)

    rows = iter([row for row in details["steps"] if "partner" in row])
    context = _RecordedPartners(parent, PartnerPool([]), decode, latent, rows, records)
    copy, copy_recipe = copies.Copy(parent, details["copy"]), copies.Recipe(steps, int(record.seed))
    return copies.apply_steps(decode(parent), copy, copy_recipe, context, details["attempt"]).item, modality


@dataclass(frozen=True)
class _RecordedPartners(TrainContext):
    """Partners from the item's metadata, so that the current training set does not matter."""

    rows: Iterator[Drawn]
    records: Mapping[str, Record]

    def partner(self, rng: np.random.Generator, among: Literal["same_class", "any_class"]) -> MixPartner | None:
        rng.random()
        row = next(self.rows, None)
        if row is None:
            return None
        record = self.records[row["partner"]]
        return MixPartner(record, self.decode(record))


def _find_model(version: Version, reference: str, model: Version | None, job: Job) -> Version:
    """The model with a reference: that of --model, else one under the output root. Raises GensetError."""
    roots = [job.root, *roots_of(version)]
    all_models = [each for root in roots for name in root.names("models") for each in root.versions("models", name)]
    for candidate in [model] if model else all_models:
        if candidate.manifest["model"]["reference"] == reference:
            return candidate
    raise GensetError(
        f"the item needs the model {reference}, which is not {model.reference if model else f'under {job.root.path}'}",
        where=version.reference,
        hint="Give it with --model MODEL.",
    )


def _generated(version: Version, record: Record, model: Version | None, job: Job) -> tuple[ItemArray, Modality]:
    (details,) = json.loads(record.transform)
    model_version = _find_model(version, record.model, model, job)
    sample_model = generator.SampleModel.open(model_version)
    modality_type = type(sample_model.modality)
    sample_model = replace(sample_model, sampling=modality_type.Sampling(**details.get("sampling", {})))
    source = _sample_source(sample_model, model_version, details, job)
    items = source.items_at([(record.label, details["number"])], int(record.seed), details["attempt"])
    item: ItemArray = items[0]
    return item, sample_model.modality


def _sample_source(
    sample_model: generator.SampleModel, model: Version, details: Mapping[str, Any], job: Job
) -> generator.SampleSource:
    """What generated an item: the model, or variations of one item, or points between two items."""
    names = [details["like"]] if "like" in details else details.get("between", [])
    if not names:
        return sample_model
    prepared = training_items.load_training_items(
        model, job, "Restore the training items: the item is a variation of one."
    )
    rows = {record.id: row for row, record in enumerate(prepared.dataset)}
    missing = [name for name in names if name not in rows]
    if missing:
        raise GensetError(
            f"the item is a variation of {missing[0]}, which is not in the model's dataset",
            where=model.reference,
            hint="Run `genset generate --like FILE` again with the same file, count and seed.",
        )
    encode = variations.open_encoder(model)
    codes = [encode(sample_model.modality.to_tensor(prepared.items[rows[name]][None]))[0][0] for name in names]
    if len(names) == 1:
        return variations.Variations(sample_model, codes[0], names[0], details["vary"])
    return variations.Interpolations(sample_model, codes[0], codes[1], " ".join(names), details["of"])
