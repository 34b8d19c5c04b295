"""From the user's files to what training reads: collected, cleaned, split, and decoded into one array on disk."""

import contextlib
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from genset.atomic import flush_tree, writing
from genset.config.sections import Config
from genset.dataset import SPLITS, Dataset, Record
from genset.errors import GensetError
from genset.interfaces import ItemArray, Items, Labels, Modality, Problem, Section, UndecodableError
from genset.memory import release_memory
from genset.metadata import read_version
from genset.modalities import MODALITIES
from genset.pipeline.clean.clean import clean, duplicate, twins
from genset.pipeline.collect.collect import Collected, collect
from genset.pipeline.job import Job, cache_key
from genset.pipeline.reading import reader
from genset.pipeline.split.assign import assign, deviations, shares_of
from genset.seeds import item_id
from genset.versions.version import open_version

_DECODED = "decoded.npy"
_NO_COLUMNS: Mapping[str, str] = {}
FEWEST_ITEMS = 10  # below this there is nothing to learn a distribution from


@dataclass(frozen=True)
class Prepared:
    """Real items with their splits, and the same items decoded, in the same order."""

    dataset: Dataset
    items: Items  # (N, ...) memory-mapped
    modality: Modality
    problems: tuple[Problem, ...]
    items_key: str  # of the items, their form and their splits: what learning from them depends on

    @property
    def classes(self) -> tuple[str, ...]:
        """All labels of the real items, sorted."""
        return self.dataset.classes

    def split_items(self, split: str) -> tuple[Items, Labels]:
        """Items and class indices of one split."""
        index = {label: i for i, label in enumerate(self.classes)}
        rows = [i for i, record in enumerate(self.dataset) if record.split == split]
        labels = np.array([index[self.dataset.records[i].label] for i in rows], np.int64)
        return self.items[rows[0] : rows[-1] + 1] if rows else self.items[:0], labels


def prepare(config: Config, job: Job) -> Prepared:
    """Do all that comes before learning, or take it from the last time when nothing has changed."""
    prepared = _open(_laid_out(config, job))
    release_memory()  # what follows is learning, with TensorFlow's gigabyte
    return prepared


def _laid_out(config: Config, job: Job) -> Path:
    """The folder of the prepared items."""
    table = MODALITIES[config.modality.kind]
    job.progress.say("looking for items")
    collected = collect(config.data, table(config.modality), job)
    parts = _parts(config, collected.fingerprint)
    work = job.root.work(config.name)
    folder = work / f"prepared-{cache_key('prepared', config.modality.model_dump(), *parts)}"
    if folder.is_dir():
        return folder
    cleaned = usable_items(collected, config, job)
    modality, problems = cleaned.modality, cleaned.problems
    with _new_folder(folder) as partial:
        digests = _decode(cleaned.records, modality, partial / _DECODED, job)
        again = twins(cleaned.records, digests)  # files that differ may be equal in the configured form
        if config.clean.exact_duplicates != "off":
            problems += tuple(duplicate(cleaned.records[row], twin, ", once converted") for row, twin in again.items())
        left_out = again if config.clean.exact_duplicates == "quarantine" else {}
        rows = {record.id: row for row, record in enumerate(cleaned.records) if row not in left_out}
        usable = [replace(cleaned.records[row], content=item_id("c", digests[row], 0)) for row in rows.values()]
        check_enough(usable, problems, config.data.source)
        assigned = split_records(usable, config, job)
        # In the order of a version, whatever the files are called: figures and weights depend on the order of items.
        # Splits stand one after the other, so that each is one stretch of the file.
        records = sorted(assigned, key=lambda r: (SPLITS.index(r.split), r.label, r.id))
        decoded = np.load(partial / _DECODED, mmap_mode="r", allow_pickle=False)
        _write_items(partial / "items.npy", (decoded[rows[record.id]] for record in records), len(records), modality)
        (partial / _DECODED).unlink()
        index = {
            "identity": items_key(config, modality.settings, collected.fingerprint),
            "modality": modality.settings.model_dump(),
            "records": [{**asdict(record), "path": str(record.path)} for record in records],
            "problems": [problem.as_dict() for problem in problems],
        }
        # ASCII: a path may hold bytes that are no UTF-8, which JSON's escapes bring back as they were
        (partial / "index.json").write_text(json.dumps(index), encoding="ascii")
    return folder


def split_records(records: Sequence[Record], config: Config, job: Job) -> list[Record]:
    """The records in the parts that the config asks for, without those that counts leave out."""
    section = config.split
    before = splits_by_id(Path(section.previous)) if section.previous else {}
    shares = shares_of(section, records)
    assigned = [r for r in assign(records, shares, config.seed, section.stratify, before) if r.split]
    check_training_items(assigned, ", ".join(config.data.source))
    for text in deviations(records, assigned, shares):
        job.progress.say(text)
    return assigned


def check_training_items(records: Sequence[Record], where: str) -> None:
    """Raises GensetError where no record is left to learn from."""
    if not any(record.split == "train" for record in records):
        raise GensetError(
            "nothing is left for the train part: what the folder has there stands in its other parts as well",
            where=where,
            hint="Take the copies out of the held-out parts, or divide anew with `genset split FOLDER --reassign`.",
        )


def splits_by_id(path: Path) -> dict[str, str]:
    """The part of each real item of a dataset version, by id. Raises GensetError where there is none."""
    version = open_version(path) if path.is_dir() else None
    if version is None or version.kind != "datasets":
        raise GensetError(
            "this is no dataset version", where=str(path), hint="Give a folder such as out/datasets/NAME/v0001."
        )
    return {record.id: record.split for record in read_version(version.path, reader(version)).where(source="collected")}


@dataclass(frozen=True)
class UsableItems:
    """Items that were looked at and not yet brought to one form."""

    records: tuple[Record, ...]
    modality: Modality  # settled by them
    problems: tuple[Problem, ...]


def usable_items(collected: Collected, config: Config, job: Job) -> UsableItems:
    """What was collected without what cannot be learned from. Raises GensetError where too little is left."""
    cleaned = clean(collected.records, collected.modality, job, config.clean)
    problems = (*collected.problems, *cleaned.problems)
    check_enough(cleaned.records, problems, config.data.source)
    table = type(collected.modality)
    modality = table(table.resolve_settings(collected.modality.settings, cleaned.probes))
    told = modality.conversions(cleaned.probes)
    if told:
        problems += (Problem(", ".join(config.data.source), "converted", told),)
    return UsableItems(cleaned.records, modality, problems)


def items_key(config: Config, settled: Section, fingerprint: str) -> str:
    """Of the items that a config leads to, by the settings that the data settled and the fingerprint of what was
    collected."""
    return cache_key("items", settled.model_dump(), *_parts(config, fingerprint))


def _parts(config: Config, fingerprint: str) -> tuple[Any, ...]:
    previous = config.split.previous
    before = (
        sorted(splits_by_id(Path(previous)).items()) if previous else []
    )  # a path such as NAME/latest tells nothing of them
    return fingerprint, config.seed, config.clean.model_dump(), config.split.model_dump(), before


def find_prepared(work: Path, identity: str) -> Prepared | None:
    """The items of an identity, if they are still there from the last time."""
    for folder in work.glob("prepared-*"):
        with contextlib.suppress(FileNotFoundError):  # another run, in another root, may take it away meanwhile
            prepared = _open(folder)
            if prepared.items_key == identity:
                return prepared
    return None


def _open(folder: Path) -> Prepared:
    index = json.loads((folder / "index.json").read_bytes())
    modality = MODALITIES[index["modality"]["kind"]]
    records = tuple(
        Record(**{**fields, **_shared(fields), "path": Path(fields["path"]), "piece": _pair(fields["piece"])})
        for fields in index["records"]
    )
    return Prepared(
        Dataset(modality.kind, records),
        np.load(folder / "items.npy", mmap_mode="r", allow_pickle=False),
        modality(modality.Settings(**index["modality"])),
        tuple(Problem(**problem) for problem in index["problems"]),
        index["identity"],
    )


def _shared(fields: dict[str, Any]) -> dict[str, Any]:
    """What many records have in common, as one object for all of them."""
    same = {name: sys.intern(fields[name]) for name in ("label", "source", "split")}
    return {**same, "columns": fields["columns"] or _NO_COLUMNS}


def _pair(values: list[float] | None) -> tuple[float, float] | None:
    return None if values is None else (values[0], values[1])


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
            flush_tree(partial)  # a power failure must not leave half of it under its name
            os.rename(partial, path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _decode(records: Sequence[Record], modality: Modality, path: Path, job: Job) -> list[str]:
    """Write the items in the configured form; the digest of each."""
    digests: list[str] = []

    def noted() -> Iterator[ItemArray]:
        for item in job.engine.map(lambda record: _decode_one(record, modality), records):
            digests.append(hashlib.sha256(item.tobytes()).hexdigest())
            job.progress.tick("decode", len(digests), len(records), "")
            yield item

    _write_items(path, noted(), len(records), modality)
    return digests


def _write_items(path: Path, items: Iterable[ItemArray], count: int, modality: Modality) -> None:
    """One .npy file, not through a memory map, which on a full disk would end the process without a word."""
    header = {
        "descr": np.dtype(modality.item_dtype).str,
        "fortran_order": False,
        "shape": (count, *modality.item_shape),
    }
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for item in items:
            file.write(item.tobytes())


def _decode_one(record: Record, modality: Modality) -> ItemArray:
    try:
        return modality.decode(record.raw)
    except (UndecodableError, OSError) as error:
        raise GensetError(
            f"the file changed while it was read: {error}", where=str(record.path), hint="Run again when it is at rest."
        ) from None


def check_enough(records: Sequence[Record], problems: Sequence[Problem], sources: Sequence[str]) -> None:
    """Raises GensetError where too few items are usable for a training."""
    if len(records) >= FEWEST_ITEMS:
        return
    kept = {record.place for record in records}
    lost: dict[str, Problem] = {}
    for problem in problems:
        if problem.kind not in ("ignored", "empty_folder", "converted") and problem.path not in kept:
            lost.setdefault(problem.path, problem)
    first = next(iter(lost.values()), None)
    why = f" ({len(lost)} left out; the first is {first.path}: {first.detail})" if first else ""
    raise GensetError(
        f"{len(records)} usable item{'s' * (len(records) != 1)}{why}, at least {FEWEST_ITEMS} are needed",
        where=", ".join(sources),
        hint="Add items, or point data.source at a folder with more of them.",
    )


def with_settings(config: Config, modality: Modality) -> Config:
    """The config with the modality settled by the data."""
    return config.model_copy(update={"modality": modality.settings})
