"""Tell of what is wrong with items, and leave out what cannot be learned from. Files are never touched."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from genset.config.clean_section import Clean
from genset.dataset import Record
from genset.interfaces import UNDECODABLE, DecodedInfo, Fingerprint, Modality, Problem, UndecodableError
from genset.memory import release_memory
from genset.pipeline.clean.label_errors import Conflict, ProblemsByRow, conflicting, doubted
from genset.pipeline.clean.near_duplicates import NearPair, clusters, near_pairs
from genset.pipeline.clean.rules import broken
from genset.pipeline.job import Job
from genset.seeds import item_id

_NONE: Mapping[str, Any] = {}  # one for all items


@dataclass(frozen=True)
class Cleaned:
    """The records that are kept, each with what its file decodes to, and the problems that were found."""

    records: tuple[Record, ...]
    probes: tuple[DecodedInfo, ...]
    problems: tuple[Problem, ...]


def clean(
    records: Sequence[Record],
    modality: Modality,
    job: Job,
    section: Clean,
) -> Cleaned:
    """Decode every file once; give every item that is kept the id of its content.

    Of items with equal content one stays: a real one before a made one, a held-out one before one of train, so that
    nothing that was held out is lost to what was made, or learned from. Near-duplicates are looked for among real items
    alone: what was made from an item is near to it by intention.
    """
    looked, conflicts = _distinct(records, _probed(records, modality, job, section), section)
    told = []
    if section.near_duplicates.kind != "off":
        looked, near, more = _compared(looked, modality, job, section)
        told, conflicts = [near], conflicts + more
    told.append(broken(looked.records, looked.probes, modality, section))
    looked = replace(looked, probes=tuple(replace(probe, fingerprint=None, values=_NONE) for probe in looked.probes))
    release_memory()  # fingerprints of very many items are much, and labels are judged without them
    told.append(_conflicts(looked.records, conflicts, section))
    told.append(doubted(looked.records, looked.probes, modality, job, section))
    return _without(looked, told, section)


def _distinct(
    records: Sequence[Record], outcomes: Sequence[DecodedInfo | Problem], section: Clean
) -> tuple[Cleaned, list[Conflict]]:
    """What can be decoded, each content once unless told otherwise, and the labels of equal items that differ."""
    problems = [outcome for outcome in outcomes if isinstance(outcome, Problem)]
    whole = [(r, outcome) for r, outcome in zip(records, outcomes, strict=True) if isinstance(outcome, DecodedInfo)]
    repeated = twins([record for record, _ in whole], [probe.digest for _, probe in whole])
    pairs = [(whole[row][0], twin) for row, twin in repeated.items()] if section.exact_duplicates != "off" else []
    problems += [duplicate(*pair) for pair in pairs]
    kept: list[Record] = []
    probes: list[DecodedInfo] = []
    used = {record.id for record in records if record.versioned}
    taken: set[str] = set()
    for row, (record, outcome) in enumerate(whole):
        if row in repeated and section.exact_duplicates == "quarantine":
            continue
        own = record.versioned and record.id not in taken
        name = record.id if own else _free_id(outcome.digest, used)
        taken.add(name)
        kept.append(replace(record, id=name, content=item_id("c", outcome.digest, 0)))
        probes.append(outcome)
    conflicts = [conflict for pair in pairs for conflict in conflicting(*pair)]
    return Cleaned(tuple(kept), tuple(probes), tuple(problems)), conflicts


def _probed(records: Sequence[Record], modality: Modality, job: Job, section: Clean) -> list[DecodedInfo | Problem]:
    measured = any(section.check(name).kind != "off" for name in modality.rules)
    fingerprinted = section.near_duplicates.kind != "off"
    traits: dict[tuple[Any, ...], Mapping[str, Any]] = {}  # most items have those of others: each is held once
    out: list[DecodedInfo | Problem] = []
    for outcome in job.engine.map(
        lambda record: _probe(record, modality, fingerprinted=fingerprinted, measured=measured), records
    ):
        if isinstance(outcome, DecodedInfo):
            shared = traits.setdefault((*outcome.traits.items(),), outcome.traits)
            outcome = replace(outcome, traits=shared, values=outcome.values or _NONE)
        out.append(outcome)
        job.progress.tick("clean", len(out), len(records), "")
    return out


def _compared(
    looked: Cleaned, modality: Modality, job: Job, section: Clean
) -> tuple[Cleaned, ProblemsByRow, list[Conflict]]:
    """With the clusters of near-duplicates; which need not stay; and those that carry two labels."""
    asked = section.near_duplicates.threshold
    fingerprinted = [(record, probe.fingerprint) for record, probe in zip(looked.records, looked.probes, strict=True)]
    found = _near(fingerprinted, modality, modality.near_duplicate_threshold if asked is None else asked, job)
    records = _together(looked.records, found)
    worse = _worse(records, found).items()
    told = {row: [_near_duplicate(records[row], records[pair.other(row)], pair)] for row, pair in worse}
    conflicts = [c for n in found for c in conflicting(records[n.first], records[n.second], n.likeness)]
    return replace(looked, records=tuple(records)), told, conflicts


def _without(looked: Cleaned, told: Sequence[ProblemsByRow], section: Clean) -> Cleaned:
    """What is left of them where the rules leave out what they told of, with all that was told."""
    out = {row for each in told for row, problems in each.items() for problem in problems if _leaves(problem, section)}
    rows = [row for row in range(len(looked.records)) if row not in out]
    problems = [problem for each in told for row in sorted(each) for problem in each[row]]
    return Cleaned(
        tuple(looked.records[row] for row in rows),
        tuple(looked.probes[row] for row in rows),
        (*looked.problems, *problems),
    )


def _conflicts(records: Sequence[Record], conflicts: Sequence[Conflict], section: Clean) -> ProblemsByRow:
    """What is to be told of two labels for one content, once for each record, by row; under -1 of what is left out."""
    if section.wrong_labels.kind == "off":
        return {}
    rows = {_whereabouts(record): row for row, record in enumerate(records)}
    first: dict[tuple[str, Path], Problem] = {}
    for conflict in conflicts:
        for record, problem in conflict.as_problems():
            first.setdefault(_whereabouts(record), problem)
    told: ProblemsByRow = {}
    for key in sorted(first):
        told.setdefault(rows.get(key, -1), []).append(first[key])
    return told


def _whereabouts(record: Record) -> tuple[str, Path]:
    """What no other record has: items of two versions may have one place, those of a file have one path."""
    return record.place, record.path


def _leaves(problem: Problem, section: Clean) -> bool:
    """Whether a problem is a reason to leave an item out."""
    rules = {
        UNDECODABLE: "quarantine",
        "near_duplicate": section.near_duplicates.kind,
        "wrong_label": section.wrong_labels.kind,
        "label_conflict": section.wrong_labels.kind,
        "outlier": section.outliers.kind,
    }
    return (rules.get(problem.kind) or section.check(problem.kind).kind) == "quarantine"


def _near(
    pairs: Sequence[tuple[Record, Fingerprint | None]],
    modality: Modality,
    threshold: float,
    job: Job,
) -> list[NearPair]:
    """The pairs of real records that are near-duplicates, by their places among all; of equal ones only the first.

    Looked for in the order of contents, as a likeness may depend on which one is first: the same items have the same
    near-duplicates under other names, so that a version holds no pair that was not seen when it was split.
    """
    first: dict[str, int] = {}
    for row in sorted(range(len(pairs)), key=lambda row: _rank(pairs[row][0])):
        first.setdefault(pairs[row][0].content, row)
    real = [(row, pairs[row][1]) for _, row in sorted(first.items()) if pairs[row][0].source == "collected"]
    if len(real) < 2:
        return []
    rows, fingerprints = zip(*real, strict=True)
    found = near_pairs(modality.similarity(fingerprints), threshold, job)
    placed = [(*sorted((rows[each.first], rows[each.second])), each.likeness) for each in found]
    return [NearPair(*pair) for pair in sorted(placed)]


def _together(records: Sequence[Record], found: Sequence[NearPair]) -> list[Record]:
    """The records with the names of their clusters: the least content among them, whatever the files are called."""
    out = list(records)
    for cluster in clusters(found):
        name = min(records[row].content for row in cluster)
        for row in cluster:
            out[row] = replace(out[row], cluster=name)
    return out


def _worse(records: Sequence[Record], found: Sequence[NearPair]) -> dict[int, NearPair]:
    """Which records need not stay, each with the pair that it makes with one that does."""
    pairs: dict[int, list[NearPair]] = {}
    for pair in found:
        for row in (pair.first, pair.second):
            pairs.setdefault(row, []).append(pair)
    out: dict[int, NearPair] = {}
    stays: set[int] = set()
    for row in sorted(pairs, key=lambda row: (_rank(records[row]), row)):
        kept = [pair for pair in pairs[row] if pair.other(row) in stays]
        if kept:
            out[row] = max(kept, key=lambda pair: pair.likeness)
        else:
            stays.add(row)
    return dict(sorted(out.items()))


def _near_duplicate(record: Record, twin: Record, pair: NearPair) -> Problem:
    detail = f"nearly the same as {twin.place} (likeness {pair.likeness:.3f})"
    return Problem(record.place, "near_duplicate", detail + _differs(record, twin), round(pair.likeness, 3))


def twins(records: Sequence[Record], digests: Sequence[str]) -> dict[int, Record]:
    """The records, by their place, whose content another has that stays, with that other."""
    first: dict[str, Record] = {}
    for record, digest in sorted(zip(records, digests, strict=True), key=lambda pair: _rank(pair[0])):
        first.setdefault(digest, record)
    pairs = enumerate(zip(records, digests, strict=True))
    return {row: first[digest] for row, (record, digest) in pairs if first[digest] is not record}


def _rank(record: Record) -> tuple[bool, bool]:
    """Which of equal items stays: the least, and the first of those."""
    return record.source != "collected", record.split in ("", "train")


def _free_id(digest: str, used: set[str]) -> str:
    """The id of some content; items of equal content are counted."""
    name = next(name for number in itertools.count() if (name := item_id("c", digest, number)) not in used)
    used.add(name)
    return name


def _probe(record: Record, modality: Modality, *, fingerprinted: bool, measured: bool) -> DecodedInfo | Problem:
    try:
        if record.text is None and record.path.stat().st_size == 0:
            return Problem(record.place, "empty", "the file has no bytes")
        return modality.probe(record.raw, fingerprinted=fingerprinted, measured=measured)
    except UndecodableError as reason:
        return Problem(record.place, UNDECODABLE, str(reason))
    except OSError as error:
        return Problem(record.place, UNDECODABLE, f"cannot be read: {error.strerror}")


def duplicate(record: Record, twin: Record, when: str = "") -> Problem:
    """An item whose content another has; `when` is added to the reason."""
    detail = f"the same content as {twin.place}{when}" + _differs(record, twin)
    return Problem(record.place, "exact_duplicate", detail)


def _differs(record: Record, twin: Record) -> str:
    """What is told of the other of two duplicates besides."""
    label = f", which is labelled {twin.label!r} and not {record.label!r}" if record.label != twin.label else ""
    return label + (f", which stands in {twin.split}" if record.split != twin.split else "")
