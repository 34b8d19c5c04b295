"""Prepare the user's files for training: collect, clean, split, and decode them into one array on disk."""

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
from genset.pipeline.clean.clean import clean, duplicate_problem, exact_duplicates
from genset.pipeline.collect.collect import Collected, collect
from genset.pipeline.job import Job, cache_key
from genset.pipeline.reading import reader
from genset.pipeline.split.assign import assign, deviations, shares_of
from genset.seeds import item_id
from genset.versions.version import open_version

_DECODED = "decoded.npy"
_NO_COLUMNS: Mapping[str, str] = {}
FEWEST_ITEMS = 10  # fewer items are too few to learn a distribution from


@dataclass(frozen=True)
class Prepared:
    """Real items with their splits, and the same items decoded, in the same order."""

    dataset: Dataset
    items: Items  # (N, ...) memory-mapped
    modality: Modality
    problems: tuple[Problem, ...]
    items_key: str  # a hash of the items, their form and their splits: all that training takes from the data

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
    """Do everything that comes before training, or open the result of an earlier run if nothing has changed."""
    prepared = _open(_prepared_folder(config, job))
    release_memory()  # training follows, and TensorFlow needs a gigabyte
    return prepared


def _prepared_folder(config: Config, job: Job) -> Path:
    """The folder with the prepared items, written if there is none yet."""
    modality_type = MODALITIES[config.modality.kind]
    job.progress.say("looking for items")
    collected = collect(config.data, modality_type(config.modality), job)
    inputs = _key_parts(config, collected.fingerprint)
    work = job.root.work(config.name)
    folder = work / f"prepared-{cache_key('prepared', config.modality.model_dump(), *inputs)}"
    if folder.is_dir():
        return folder
    cleaned = usable_items(collected, config, job)
    modality, problems = cleaned.modality, cleaned.problems
    with _new_folder(folder) as partial:
        digests = _decode(cleaned.records, modality, partial / _DECODED, job)
        repeated = exact_duplicates(cleaned.records, digests)  # different files may be equal after conversion
        if config.clean.exact_duplicates != "off":
            problems += tuple(
                duplicate_problem(cleaned.records[row], original, " after conversion")
                for row, original in repeated.items()
            )
        left_out = repeated if config.clean.exact_duplicates == "quarantine" else {}
        rows = {record.id: row for row, record in enumerate(cleaned.records) if row not in left_out}
        usable = [replace(cleaned.records[row], content=item_id("c", digests[row], 0)) for row in rows.values()]
        check_enough(usable, problems, config.data.source)
        assigned = split_records(usable, config, job)
        # Figures and weights depend on the order of items. This order, that of a version, does not depend on the names
        # of files, and each split is one slice of the array.
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
        # ASCII: a path may contain bytes that are not UTF-8, which JSON escapes keep unchanged
        (partial / "index.json").write_text(json.dumps(index), encoding="ascii")
    return folder


def split_records(records: Sequence[Record], config: Config, job: Job) -> list[Record]:
    """The records with their splits, without those that `split.counts` leaves out. Reports splits of other sizes."""
    section = config.split
    previous = splits_by_id(Path(section.previous)) if section.previous else {}
    shares = shares_of(section, records)
    assigned = [r for r in assign(records, shares, config.seed, section.stratify, previous) if r.split]
    check_training_items(assigned, ", ".join(config.data.source))
    for text in deviations(records, assigned, shares):
        job.progress.say(text)
    return assigned


def check_training_items(records: Sequence[Record], where: str) -> None:
    """Raise GensetError if no training items are left."""
    if not any(record.split == "train" for record in records):
        raise GensetError(
            "no training items left: all of them also appear in validation or test",
            where=where,
            hint="Remove the copies from validation and test, or run `genset split FOLDER --reassign`.",
        )


def splits_by_id(path: Path) -> dict[str, str]:
    """The split of each real item of a dataset version, by id. Raises GensetError if the path is no dataset version."""
    version = open_version(path) if path.is_dir() else None
    if version is None or version.kind != "datasets":
        raise GensetError(
            "not a dataset version", where=str(path), hint="Give a folder such as out/datasets/NAME/v0001."
        )
    return {record.id: record.split for record in read_version(version.path, reader(version)).where(source="collected")}


@dataclass(frozen=True)
class UsableItems:
    """The items that training may use, before they are converted to one form."""

    records: tuple[Record, ...]
    modality: Modality  # with the settings that depend on these items
    problems: tuple[Problem, ...]


def usable_items(collected: Collected, config: Config, job: Job) -> UsableItems:
    """The collected items without those that cannot be used. Raises GensetError if too few are left."""
    cleaned = clean(collected.records, collected.modality, job, config.clean)
    problems = (*collected.problems, *cleaned.problems)
    check_enough(cleaned.records, problems, config.data.source)
    modality_type = type(collected.modality)
    modality = modality_type(modality_type.resolve_settings(collected.modality.settings, cleaned.probes))
    conversions = modality.conversions(cleaned.probes)
    if conversions:
        problems += (Problem(", ".join(config.data.source), "converted", conversions),)
    return UsableItems(cleaned.records, modality, problems)


def items_key(config: Config, settled: Section, fingerprint: str) -> str:
    """The key of the prepared items of a config: equal keys mean equal items and splits.

    `settled` are the settings of the modality after the data decided the open ones, `fingerprint` is that of the
    collected items.
    """
    return cache_key("items", settled.model_dump(), *_key_parts(config, fingerprint))


def _key_parts(config: Config, fingerprint: str) -> tuple[Any, ...]:
    path = config.split.previous
    # The splits themselves, because a path such as NAME/latest stays the same when its items change.
    previous = sorted(splits_by_id(Path(path)).items()) if path else []
    return fingerprint, config.seed, config.clean.model_dump(), config.split.model_dump(), previous


def find_prepared(work: Path, key: str) -> Prepared | None:
    """The prepared items with this `items_key` in a work folder; None if there are none."""
    for folder in work.glob("prepared-*"):
        with contextlib.suppress(FileNotFoundError):  # another process may remove it meanwhile
            prepared = _open(folder)
            if prepared.items_key == key:
                return prepared
    return None


def _open(folder: Path) -> Prepared:
    index = json.loads((folder / "index.json").read_bytes())
    modality_type = MODALITIES[index["modality"]["kind"]]
    records = tuple(
        Record(**{**fields, **_interned(fields), "path": Path(fields["path"]), "piece": _pair(fields["piece"])})
        for fields in index["records"]
    )
    return Prepared(
        Dataset(modality_type.kind, records),
        np.load(folder / "items.npy", mmap_mode="r", allow_pickle=False),
        modality_type(modality_type.Settings(**index["modality"])),
        tuple(Problem(**problem) for problem in index["problems"]),
        index["identity"],
    )


def _interned(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields with the same values in many records, each value as one object, which saves memory."""
    texts = {name: sys.intern(fields[name]) for name in ("label", "source", "split")}
    return {**texts, "columns": fields["columns"] or _NO_COLUMNS}


def _pair(values: list[float] | None) -> tuple[float, float] | None:
    return None if values is None else (values[0], values[1])


@contextlib.contextmanager
def _new_folder(path: Path) -> Iterator[Path]:
    """A folder that gets its name when it is complete; prepared items of other inputs are then removed."""
    partial = path.with_name(f".{path.name}.partial")
    with writing(path):
        try:
            partial.mkdir()
            yield partial
            for old in path.parent.glob("prepared-*"):
                shutil.rmtree(old)
            flush_tree(partial)  # a power failure must not leave an incomplete folder under this name
            os.rename(partial, path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _decode(records: Sequence[Record], modality: Modality, path: Path, job: Job) -> list[str]:
    """Write the items in the configured form; return the SHA-256 of each."""
    digests: list[str] = []

    def decoded() -> Iterator[ItemArray]:
        for item in job.engine.map(lambda record: _decode_one(record, modality), records):
            digests.append(hashlib.sha256(item.tobytes()).hexdigest())
            job.progress.tick("decode", len(digests), len(records), "")
            yield item

    _write_items(path, decoded(), len(records), modality)
    return digests


def _write_items(path: Path, items: Iterable[ItemArray], count: int, modality: Modality) -> None:
    """Write one .npy file. A memory map is not used, because on a full disk it kills the process without a message."""
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
            f"the file changed while genset read it: {error}",
            where=str(record.path),
            hint="Run again when no other program writes to the file.",
        ) from None


def check_enough(records: Sequence[Record], problems: Sequence[Problem], sources: Sequence[str]) -> None:
    """Raise GensetError if there are too few usable items to train on."""
    if len(records) >= FEWEST_ITEMS:
        return
    usable = {record.place for record in records}
    left_out: dict[str, Problem] = {}
    for problem in problems:
        if problem.kind not in ("ignored", "empty_folder", "converted") and problem.path not in usable:
            left_out.setdefault(problem.path, problem)
    first = next(iter(left_out.values()), None)
    reason = f" ({len(left_out)} left out; the first is {first.path}: {first.detail})" if first else ""
    raise GensetError(
        f"{len(records)} usable item{'s' * (len(records) != 1)}{reason}, at least {FEWEST_ITEMS} are needed",
        where=", ".join(sources),
        hint="Add items, or point data.source at a folder with more of them.",
    )


def with_settings(config: Config, modality: Modality) -> Config:
    """The config with the settings of a modality whose open settings the data decided."""
    return config.model_copy(update={"modality": modality.settings})
