"""Find the user's items in class folders, folders with metadata, split folders, containers and genset's versions."""

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from genset.config.sections import Data
from genset.dataset import SPLITS, Record
from genset.engine import Engine
from genset.errors import GensetError
from genset.interfaces import UNDECODABLE, Modality, Problem, Progress
from genset.metadata import Faults
from genset.pipeline.collect.containers import unpack
from genset.pipeline.collect.folders import SYNTHETIC, RecordOrProblem, find_records, item_files
from genset.pipeline.collect.groups import with_groups
from genset.pipeline.collect.labels import labels_differing_in_case, lookalike_messages, with_labels
from genset.pipeline.job import Job


@dataclass(frozen=True)
class Collected:
    """The records of all sources, before anything is decoded."""

    records: tuple[Record, ...]
    problems: tuple[Problem, ...]
    fingerprint: str  # a hash of names, labels and bytes: equal inputs have equal fingerprints
    modality: Modality  # with the settings that the files themselves decide


def collect(data: Data, modality: Modality, job: Job, faults: Faults = None) -> Collected:
    """Find all items of the sources. Containers are unpacked into folders first.

    Faults of metadata are collected in `faults`, or raised if it is None. Raises GensetError for a source that is
    missing or has no items.
    """
    records: list[Record] = []
    problems: list[Problem] = []
    paths = [Path(source) for source in data.source]
    for path, prefix in zip(paths, _prefixes(paths), strict=True):
        source_records, source_problems, modality = _read_source(path, prefix, modality, job, faults)
        records += source_records
        problems += source_problems
    records, more = _separate(with_labels(records, data))
    problems += more
    labels = {record.label for record in records}
    if "" in labels and len(labels) > 1:
        problems += [Problem(r.origin, "unlabelled", "it is outside the class folders") for r in records if not r.label]
        records = [record for record in records if record.label]
    _report_interpretation(records, job.progress)
    in_groups = with_groups(records, data.group)
    return Collected(in_groups, tuple(problems), _fingerprint(in_groups, job.engine), modality)


def _separate(outcomes: Iterable[RecordOrProblem]) -> tuple[list[Record], list[Problem]]:
    """The records and the problems, each in their order."""
    records: list[Record] = []
    problems: list[Problem] = []
    for outcome in outcomes:
        if isinstance(outcome, Record):
            records.append(outcome)
        else:
            problems.append(outcome)
    return records, problems


def _read_source(
    source: Path, prefix: str, modality: Modality, job: Job, faults: Faults
) -> tuple[list[Record], list[Problem], Modality]:
    """The records and problems of one source, and the modality with the settings that its files decide.

    Raises GensetError for a source without items.
    """
    unpacked = unpack(source, modality, job)
    path = unpacked.folder if unpacked else source
    if unpacked:
        prefix = prefix or f"{source.name}/"
    problems = [replace(problem, path=f"{prefix}{problem.path}") for problem in (unpacked.problems if unpacked else ())]
    job.engine.require_paths([path])
    modality = modality.for_files(item_files(path, modality))
    records, more = _separate(find_records(path, modality, faults))
    problems += more
    if not records:
        raise _no_items_error(source, modality, problems)
    return [replace(r, origin=prefix + (r.origin or r.id)) for r in records], problems, modality


def _no_items_error(source: Path, modality: Modality, problems: Sequence[Problem]) -> GensetError:
    """The error for a source without items, with the reason."""
    undecodable = [problem for problem in problems if problem.kind == UNDECODABLE]
    if undecodable:
        first = undecodable[0]
        return GensetError(
            f"no usable items found: {len(undecodable)} left out; the first is {first.path}: {first.detail}",
            where=str(source),
            hint=f"Check that these are valid {modality.kind} files, and that the settings of the modality fit them.",
        )
    if any(problem.kind == SYNTHETIC for problem in problems):
        return GensetError(
            "all items here are synthetic, none is real",
            where=str(source),
            hint="Point data.source at the real items that they were made from.",
        )
    return GensetError(
        f"no {modality.kind} files found (looked for {', '.join(modality.suffixes)})",
        where=str(source),
        hint="Point data.source at a folder that contains one folder of files for each class.",
    )


def _prefixes(paths: Sequence[Path]) -> list[str]:
    """A prefix for the paths of each source: the last parts of its path, as many as make all prefixes different."""
    if len(paths) == 1:
        return [""]
    for depth in itertools.count(1):
        prefixes = ["/".join(path.parts[-depth:]) + "/" for path in paths]
        if len(set(prefixes)) >= len(set(paths)):
            break
    return prefixes


def _report_interpretation(records: Sequence[Record], progress: Progress) -> None:
    """Report how the records were interpreted where the user may have meant something else."""
    same_but_case = sorted(labels_differing_in_case({record.label for record in records}))
    if same_but_case:
        progress.say(
            f"the classes {', '.join(map(repr, same_but_case))} differ only in case: they are kept apart, but a file "
            "system that ignores case would merge their folders"
        )
    for text in lookalike_messages({record.label for record in records} - set(same_but_case)):
        progress.say(text)
    splits = sorted({record.split for record in records} - {""}, key=SPLITS.index)
    if splits:
        progress.say(f"the items are already split and keep their splits: {', '.join(splits)}")
    nested = [r for r in records if not r.versioned and r.text is None and r.origin.count("/") > 1 + bool(r.split)]
    if nested:
        first = nested[0]
        progress.say(
            f"items in nested folders get the label of the outermost folder: {first.origin} is {first.label!r}"
        )


def _fingerprint(records: Sequence[Record], engine: Engine) -> str:
    total = hashlib.sha256()
    contents = {record.text if record.text is not None else record.path: record for record in records}
    digests = dict(zip(contents, engine.map(_bytes_digest, contents.values()), strict=True))  # each file once
    for record in records:
        digest = digests[record.text if record.text is not None else record.path]
        parts = (record.origin, record.label, record.group, record.split, sorted(record.columns.items()), digest)
        total.update(repr(parts).encode())
    return total.hexdigest()


def _bytes_digest(record: Record) -> str:
    if record.text is not None:
        return hashlib.sha256(record.text.encode()).hexdigest()
    try:
        return hashlib.sha256(record.path.read_bytes()).hexdigest()
    except OSError as error:  # decoding fails for the same reason later, and quarantines the item
        return f"unreadable: {error.errno}"
