"""From the user's files to what training reads: collected, cleaned, split, and decoded into one array on disk."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from genset.config import Config
from genset.dataset import Dataset, Record
from genset.errors import GensetError
from genset.interfaces import Item, Items, Labels, Modality, Quarantined, UndecodableError
from genset.modalities import MODALITIES
from genset.pipeline.clean import clean
from genset.pipeline.collect import collect
from genset.pipeline.job import Job, key_of
from genset.pipeline.split import assign
from genset.versions import json_bytes, writing

FEWEST_ITEMS = 10  # below this there is nothing to learn a distribution from


@dataclass(frozen=True)
class Prepared:
    """Real items with their splits, and the same items decoded, in the same order."""

    dataset: Dataset
    items: Items  # (N, ...) memory-mapped
    modality: Modality
    problems: tuple[Quarantined, ...]
    identity: str  # of the items, their form and their splits: what learning from them depends on

    @property
    def classes(self) -> tuple[str, ...]:
        """All labels of the real items, sorted."""
        return self.dataset.classes

    def part(self, split: str) -> tuple[Items, Labels]:
        """Items and class indices of one split."""
        index = {label: i for i, label in enumerate(self.classes)}
        rows = [i for i, record in enumerate(self.dataset) if record.split == split]
        labels = np.array([index[self.dataset.records[i].label] for i in rows], np.int64)
        return self.items[np.array(rows, np.int64)], labels


def prepare(config: Config, job: Job) -> Prepared:
    """Do all that comes before learning, or take it from the last time when nothing has changed."""
    table = MODALITIES[config.modality.kind]
    job.progress.say("looking for items")
    collected = collect(config.data, table, job.engine)
    parts = (collected.fingerprint, config.seed, config.clean.model_dump(), config.split.model_dump())
    work = job.root.work(config.name)
    folder = work / f"prepared-{key_of('prepared', config.modality.model_dump(), *parts)}"
    if folder.is_dir():
        return _open(folder)
    cleaned = clean(collected.records, table, job.engine, job.progress, config.clean.exact_duplicates)
    problems = (*collected.problems, *cleaned.problems)
    _check_enough(cleaned.records, problems, config)
    modality = table(table.settle(config.modality, cleaned.probes))
    # In the order of a version, whatever the files are called: figures and weights depend on the order of items.
    records = sorted(assign(cleaned.records, config.split.ratios, config.seed), key=lambda r: (r.label, r.id))
    with _new_folder(folder) as partial:
        _decode(records, modality, partial / "items.npy", job)
        (partial / "index.json").write_bytes(
            json_bytes(
                {
                    "identity": key_of("items", modality.settings.model_dump(), *parts),
                    "modality": modality.settings.model_dump(),
                    "records": [{**asdict(record), "path": str(record.path)} for record in records],
                    "problems": [problem.as_dict() for problem in problems],
                }
            )
        )
    return _open(folder)


def kept(work: Path, identity: str) -> Prepared | None:
    """The items of an identity, if they are still there from the last time."""
    found = (_open(folder) for folder in work.glob("prepared-*"))
    return next((prepared for prepared in found if prepared.identity == identity), None)


def _open(folder: Path) -> Prepared:
    index = json.loads((folder / "index.json").read_bytes())
    modality = MODALITIES[index["modality"]["kind"]]
    records = tuple(Record(**{**fields, "path": Path(fields["path"])}) for fields in index["records"])
    return Prepared(
        Dataset(modality.kind, records),
        np.load(folder / "items.npy", mmap_mode="r", allow_pickle=False),
        modality(modality.Settings(**index["modality"])),
        tuple(Quarantined(**problem) for problem in index["problems"]),
        index["identity"],
    )


@contextlib.contextmanager
def _new_folder(path: Path) -> Iterator[Path]:
    """A folder that takes its name when it is whole; the prepared items of other inputs make room."""
    partial = path.with_name(f".{path.name}.partial")
    with writing(path):
        try:
            partial.mkdir()
            yield partial
            for old in path.parent.glob("prepared-*"):
                shutil.rmtree(old)
            os.rename(partial, path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _decode(records: list[Record], modality: Modality, path: Path, job: Job) -> None:
    items = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(len(records), *modality.item_shape))
    decoded = job.engine.map(lambda record: _decode_one(record, modality), records)
    for done, item in enumerate(decoded, start=1):
        items[done - 1] = item
        job.progress.tick("decode", done, len(records), "")
    items.flush()


def _decode_one(record: Record, modality: Modality) -> Item:
    try:
        return modality.decode(record.path)
    except (UndecodableError, OSError) as error:
        raise GensetError(
            f"the file changed while it was read: {error}", where=str(record.path), hint="Run again when it is at rest."
        ) from None


def _check_enough(records: tuple[Record, ...], problems: tuple[Quarantined, ...], config: Config) -> None:
    if len(records) >= FEWEST_ITEMS:
        return
    lost = f" ({len(problems)} were left out: {problems[0].path}: {problems[0].detail})" if problems else ""
    raise GensetError(
        f"{len(records)} usable item{'s' * (len(records) != 1)}{lost}, at least {FEWEST_ITEMS} are needed",
        where=", ".join(config.data.source),
        hint="Add items, or point data.source at a folder with more of them.",
    )


def with_settings(config: Config, prepared: Prepared) -> Config:
    """The config with the modality settled by the data."""
    return config.model_copy(update={"modality": prepared.modality.settings})
