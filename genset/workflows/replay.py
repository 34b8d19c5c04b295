"""Make one made item of a version again, alone, from what stands beside it."""

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
from genset.pipeline.augment.mixing import LatentMixer, PartnerPool, TrainContext
from genset.pipeline.generate import generator, training_items, variations
from genset.pipeline.job import Job
from genset.pipeline.reading import reader
from genset.versions.root import roots_of
from genset.versions.version import Version

FOLDER = "replayed"  # under the output root


@dataclass(frozen=True)
class Replayed:
    """An item that was made again."""

    record: Record
    path: Path  # where it was written
    same: bool  # whether its bytes are those of the version


def replay(version: Version, name: str, model: Version | None, job: Job) -> Replayed:
    """Make an item again and write it to OUT/replayed.

    Raises GensetError for an item that is not there or was not made, and when what it was made from is not at hand.
    """
    modality = reader(version)
    records = {record.id: record for record in read_version(version.path, modality).records}
    record = records.get(name)
    if record is None:
        raise GensetError(f"no item {name!r}", where=version.reference, hint="Its metadata lists them by file_name.")
    if record.source == "collected":
        raise GensetError(f"{name} is a real item: it was not made", where=version.reference)
    if record.source == "augmented":
        item, modality = _augmented(version, record, records, model, job)
    else:
        item, modality = _generated(version, record, model, job)
    data = modality.encode(item)
    there = modality.encode(modality.decode_native(record.raw)) if modality.rows else record.path.read_bytes()
    folder = job.root.path / FOLDER
    folder.mkdir(exist_ok=True)
    path = folder / f"{record.id}{modality.suffix}"
    write_atomically(path, data)
    return Replayed(record, path, data == there)


def _augmented(
    version: Version, record: Record, records: Mapping[str, Record], model: Version | None, job: Job
) -> tuple[ItemArray, Modality]:
    told = json.loads(record.transform)
    noted = version.manifest.get("recipes", {}).get(told.get("recipe"))
    parent, *partners = record.origin.split()
    lost = [name for name in (parent, *partners) if name not in records]
    if noted is None or lost:
        what = f"its parent {lost[0]}" if lost else "the steps that made it"
        raise GensetError(f"{what} is not in this version", where=f"{version.reference}, {record.id}")
    latent = LatentMixer.from_version(_model(version, noted["model"], model, job)) if noted["model"] else None
    return copied(record, records, noted, MODALITIES[version.manifest["modality"]], latent)


def copied(
    record: Record,
    records: Mapping[str, Record],
    noted: Mapping[str, Any],
    table: type[Modality],
    latent: LatentMixer | None = None,
) -> tuple[ItemArray, Modality]:
    """(an augmented item, made again; its modality) from its record, those of its parents, and the recipe as
    `Recipe.as_dict` has it."""
    told = json.loads(record.transform)
    parent = records[record.origin.split()[0]]
    modality = table(table.Settings(**noted["modality"]))
    adapter = pydantic.TypeAdapter(list[Annotated[Step, Kinds(step_kinds(table))]])
    steps = tuple(step.for_modality(modality) for step in adapter.validate_python(noted["steps"]))

    def decode(one: Record) -> ItemArray:
        return modality.decode_native(one.raw) if noted["native"] else modality.decode(one.raw)

    rows = iter([row for row in told["steps"] if "partner" in row])
    company = _AsRecorded(parent, PartnerPool([]), decode, latent, rows, records)
    copy, recipe = copies.Copy(parent, told["copy"]), copies.Recipe(steps, int(record.seed))
    return copies.apply_steps(decode(parent), copy, recipe, company, told["attempt"]).item, modality


@dataclass(frozen=True)
class _AsRecorded(TrainContext):
    """The partners that were drawn when the item was made, whatever stands in the train part now."""

    rows: Iterator[Drawn]
    records: Mapping[str, Record]

    def partner(self, rng: np.random.Generator, among: Literal["same_class", "any_class"]) -> MixPartner | None:
        rng.random()
        row = next(self.rows, None)
        if row is None:
            return None
        record = self.records[row["partner"]]
        return MixPartner(record, self.decode(record))


def _model(version: Version, reference: str, given: Version | None, job: Job) -> Version:
    """The model of a reference: the one that was given, or one under the output root. Raises GensetError."""
    roots = [job.root, *roots_of(version)]
    every = [found for root in roots for name in root.names("models") for found in root.versions("models", name)]
    for found in [given] if given else every:
        if found.manifest["model"]["reference"] == reference:
            return found
    raise GensetError(
        f"the model {reference} that made it is not {'the one given' if given else f'under {job.root.path}'}",
        where=version.reference,
        hint="Give it with --model MODEL.",
    )


def _generated(version: Version, record: Record, given: Version | None, job: Job) -> tuple[ItemArray, Modality]:
    (told,) = json.loads(record.transform)
    model = _model(version, record.model, given, job)
    opened = generator.SampleModel.open(model)
    table = type(opened.modality)
    opened = replace(opened, sampling=table.Sampling(**told.get("sampling", {})))
    draws = _draws(opened, model, told, job)
    items = draws.items_at([(record.label, told["number"])], int(record.seed), told["attempt"])
    item: ItemArray = items[0]
    return item, opened.modality


def _draws(opened: generator.SampleModel, model: Version, told: Mapping[str, Any], job: Job) -> generator.SampleSource:
    """Where an item came from: the model alone, or the model and one or two items that it was made like."""
    names = [told["like"]] if "like" in told else told.get("between", [])
    if not names:
        return opened
    learned = training_items.load_training_items(
        model, job, "Restore the training items: the item is a variation of one."
    )
    rows = {record.id: row for row, record in enumerate(learned.dataset)}
    lost = [name for name in names if name not in rows]
    if lost:
        raise GensetError(
            f"it was made like {lost[0]}, which is not among what the model learned from",
            where=model.reference,
            hint="Make it again with `genset generate --like FILE`, with the same file, number and seed.",
        )
    encode = variations.open_encoder(model)
    codes = [encode(opened.modality.to_tensor(learned.items[rows[name]][None]))[0][0] for name in names]
    if len(names) == 1:
        return variations.Variations(opened, codes[0], names[0], told["vary"])
    return variations.Between(opened, codes[0], codes[1], " ".join(names), told["of"])
