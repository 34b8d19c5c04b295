"""Find the user's items: class folders, folders with metadata, folders split already, and genset's own versions."""

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
from genset.metadata import (
    Faults,
)
from genset.pipeline.collect.containers import unpacked
from genset.pipeline.collect.folders import SYNTHETIC, RecordOrProblem, find, item_files
from genset.pipeline.collect.groups import with_groups
from genset.pipeline.collect.labels import alike, labelled, lookalikes
from genset.pipeline.job import Job


@dataclass(frozen=True)
class Collected:
    """Records as they were found, before anything was decoded."""

    records: tuple[Record, ...]
    problems: tuple[Problem, ...]
    fingerprint: str  # of names, labels and bytes: equal inputs have equal fingerprints
    modality: Modality  # with what the files told of themselves


def collect(data: Data, modality: Modality, job: Job, faults: Faults = None) -> Collected:
    """Find all items of the sources; what comes in containers is laid out as folders first. Raises GensetError for a
    source that is missing or holds none.

    Faults of metadata are raised, or noted in `faults`.
    """
    records: list[Record] = []
    problems: list[Problem] = []
    paths = [Path(source) for source in data.source]
    for path, prefix in zip(paths, _prefixes(paths), strict=True):
        own, lost, modality = _from_source(path, prefix, modality, job, faults)
        records += own
        problems += lost
    records, more = _separate(labelled(records, data))
    problems += more
    labels = {record.label for record in records}
    if "" in labels and len(labels) > 1:
        problems += [
            Problem(r.origin, "unlabelled", "it stands outside the class folders") for r in records if not r.label
        ]
        records = [record for record in records if record.label]
    _say_how_it_was_read(records, job.progress)
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


def _from_source(
    source: Path, prefix: str, modality: Modality, job: Job, faults: Faults
) -> tuple[list[Record], list[Problem], Modality]:
    """The records and problems of one source, and the modality with what its files told. Raises GensetError for one
    without items."""
    laid_out = unpacked(source, modality, job)
    path = laid_out.folder if laid_out else source
    if laid_out:
        prefix = prefix or f"{source.name}/"
    problems = [replace(problem, path=f"{prefix}{problem.path}") for problem in (laid_out.problems if laid_out else ())]
    job.engine.require_paths([path])
    modality = modality.for_files(item_files(path, modality))
    records, more = _separate(find(path, modality, faults))
    problems += more
    if not records:
        raise _without_items(source, modality, problems)
    return [replace(r, origin=prefix + (r.origin or r.id)) for r in records], problems, modality


def _without_items(source: Path, modality: Modality, problems: Sequence[Problem]) -> GensetError:
    """Why a source has no items."""
    lost = [problem for problem in problems if problem.kind == UNDECODABLE]
    if lost:
        return GensetError(
            f"no usable item here: {len(lost)} left out; the first is {lost[0].path}: {lost[0].detail}",
            where=str(source),
        )
    if any(problem.kind == SYNTHETIC for problem in problems):
        return GensetError(
            "all items here were made by genset: none is real",
            where=str(source),
            hint="Learn from the items that they were made from.",
        )
    return GensetError(
        f"no {modality.kind} files here (looked for {', '.join(modality.suffixes)})",
        where=str(source),
        hint="Point data.source at a folder that holds one folder of files for each class.",
    )


def _prefixes(paths: Sequence[Path]) -> list[str]:
    """What tells the items of several sources apart: the last part of their paths, or as many as that takes."""
    if len(paths) == 1:
        return [""]
    for depth in itertools.count(1):
        prefixes = ["/".join(path.parts[-depth:]) + "/" for path in paths]
        if len(set(prefixes)) >= len(set(paths)):
            break
    return prefixes


def _say_how_it_was_read(records: Sequence[Record], progress: Progress) -> None:
    """What a user may have meant otherwise."""
    twins = sorted(alike({record.label for record in records}))
    if twins:
        progress.say(
            f"the classes {', '.join(map(repr, twins))} differ in case alone: they are kept apart, but are one folder "
            "where a file system does not tell case"
        )
    for text in lookalikes({record.label for record in records} - set(twins)):
        progress.say(text)
    splits = sorted({record.split for record in records} - {""}, key=SPLITS.index)
    if splits:
        progress.say(f"the items are divided already, and stay so: {', '.join(splits)}")
    deeper = [r for r in records if not r.versioned and r.text is None and r.origin.count("/") > 1 + bool(r.split)]
    if deeper:
        progress.say(
            f"items in inner folders have the label of the outermost: {deeper[0].origin} is {deeper[0].label!r}"
        )


def _fingerprint(records: Sequence[Record], engine: Engine) -> str:
    total = hashlib.sha256()
    contents = {record.text if record.text is not None else record.path: record for record in records}
    digests = dict(zip(contents, engine.map(_bytes_digest, contents.values()), strict=True))  # of each file once
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
    except OSError as error:  # it is quarantined with this reason when it is decoded
        return f"unreadable: {error.errno}"
