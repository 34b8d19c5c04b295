"""Report problems of items, and leave out items that cannot be used. The user's files are never changed."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from genset.config.clean_section import Clean
from genset.dataset import Record
from genset.interfaces import UNDECODABLE, DecodedInfo, Fingerprint, Modality, Problem, UndecodableError
from genset.memory import release_memory
from genset.pipeline.clean.label_errors import Conflict, ProblemsByRow, feature_problems, label_conflicts
from genset.pipeline.clean.near_duplicates import NearPair, clusters, near_pairs
from genset.pipeline.clean.rules import rule_problems
from genset.pipeline.job import Job
from genset.seeds import item_id

_NO_VALUES: Mapping[str, Any] = {}  # one object for all items


@dataclass(frozen=True)
class Cleaned:
    """The records that are kept, what the file of each decodes to, and all problems."""

    records: tuple[Record, ...]
    probes: tuple[DecodedInfo, ...]
    problems: tuple[Problem, ...]


def clean(
    records: Sequence[Record],
    modality: Modality,
    job: Job,
    section: Clean,
) -> Cleaned:
    """Decode every file once, find the problems of all items, and give every item that is kept the id of its content.

    One of several items with equal content is kept: rather a real one than a synthetic one, and rather a held-out one
    than one of train, so that no held-out item is lost. Near-duplicates are searched among real items only, because
    augmented items are similar to their parents on purpose.
    """
    checked, conflicts = _without_duplicates(records, _probe_all(records, modality, job, section), section)
    problems = []
    if section.near_duplicates.kind != "off":
        checked, near_problems, near_conflicts = _find_near_duplicates(checked, modality, job, section)
        problems, conflicts = [near_problems], conflicts + near_conflicts
    problems.append(rule_problems(checked.records, checked.probes, modality, section))
    probes = tuple(replace(probe, fingerprint=None, values=_NO_VALUES) for probe in checked.probes)
    checked = replace(checked, probes=probes)
    release_memory()  # fingerprints of many items take much memory, and the next checks do not need them
    problems.append(_conflict_problems(checked.records, conflicts, section))
    problems.append(feature_problems(checked.records, checked.probes, modality, job, section))
    return _without_quarantined(checked, problems, section)


def _without_duplicates(
    records: Sequence[Record], outcomes: Sequence[DecodedInfo | Problem], section: Clean
) -> tuple[Cleaned, list[Conflict]]:
    """The items that can be decoded, without exact duplicates if the config says so; conflicts of their labels."""
    problems = [outcome for outcome in outcomes if isinstance(outcome, Problem)]
    decoded = [(r, outcome) for r, outcome in zip(records, outcomes, strict=True) if isinstance(outcome, DecodedInfo)]
    repeated = exact_duplicates([record for record, _ in decoded], [probe.digest for _, probe in decoded])
    pairs = [(decoded[row][0], original) for row, original in repeated.items()]
    if section.exact_duplicates == "off":
        pairs = []
    problems += [duplicate_problem(*pair) for pair in pairs]
    kept: list[Record] = []
    probes: list[DecodedInfo] = []
    used_ids = {record.id for record in records if record.versioned}
    assigned_ids: set[str] = set()
    for row, (record, outcome) in enumerate(decoded):
        if row in repeated and section.exact_duplicates == "quarantine":
            continue
        keeps_id = record.versioned and record.id not in assigned_ids
        new_id = record.id if keeps_id else _unused_id(outcome.digest, used_ids)
        assigned_ids.add(new_id)
        kept.append(replace(record, id=new_id, content=item_id("c", outcome.digest, 0)))
        probes.append(outcome)
    conflicts = [conflict for pair in pairs for conflict in label_conflicts(*pair)]
    return Cleaned(tuple(kept), tuple(probes), tuple(problems)), conflicts


def _probe_all(records: Sequence[Record], modality: Modality, job: Job, section: Clean) -> list[DecodedInfo | Problem]:
    measured = any(section.check(name).kind != "off" for name in modality.rules)
    fingerprinted = section.near_duplicates.kind != "off"
    traits: dict[tuple[Any, ...], Mapping[str, Any]] = {}  # many items share them: each is held once
    outcomes: list[DecodedInfo | Problem] = []
    for outcome in job.engine.map(
        lambda record: _probe(record, modality, fingerprinted=fingerprinted, measured=measured), records
    ):
        if isinstance(outcome, DecodedInfo):
            shared = traits.setdefault((*outcome.traits.items(),), outcome.traits)
            outcome = replace(outcome, traits=shared, values=outcome.values or _NO_VALUES)
        outcomes.append(outcome)
        job.progress.tick("clean", len(outcomes), len(records), "")
    return outcomes


def _find_near_duplicates(
    checked: Cleaned, modality: Modality, job: Job, section: Clean
) -> tuple[Cleaned, ProblemsByRow, list[Conflict]]:
    """The items with their clusters of near-duplicates, a problem for each redundant one, and conflicts of labels."""
    threshold = section.near_duplicates.threshold
    fingerprinted = [(record, probe.fingerprint) for record, probe in zip(checked.records, checked.probes, strict=True)]
    if threshold is None:
        threshold = modality.near_duplicate_threshold
    pairs = _real_pairs(fingerprinted, modality, threshold, job)
    records = _with_clusters(checked.records, pairs)
    redundant = _redundant_rows(records, pairs).items()
    problems = {row: [_near_problem(records[row], records[pair.other(row)], pair)] for row, pair in redundant}
    conflicts = [c for p in pairs for c in label_conflicts(records[p.first], records[p.second], p.similarity)]
    return replace(checked, records=tuple(records)), problems, conflicts


def _without_quarantined(checked: Cleaned, all_problems: Sequence[ProblemsByRow], section: Clean) -> Cleaned:
    """The items without those that a rule quarantines, and all problems."""
    quarantined = {
        row
        for by_row in all_problems
        for row, problems in by_row.items()
        if any(_is_quarantined(problem, section) for problem in problems)
    }
    rows = [row for row in range(len(checked.records)) if row not in quarantined]
    problems = [problem for by_row in all_problems for row in sorted(by_row) for problem in by_row[row]]
    return Cleaned(
        tuple(checked.records[row] for row in rows),
        tuple(checked.probes[row] for row in rows),
        (*checked.problems, *problems),
    )


def _conflict_problems(records: Sequence[Record], conflicts: Sequence[Conflict], section: Clean) -> ProblemsByRow:
    """One problem for each record with a conflict, by row. Row -1 lists those of records that are already left out."""
    if section.wrong_labels.kind == "off":
        return {}
    rows = {_record_key(record): row for row, record in enumerate(records)}
    by_key: dict[tuple[str, Path], Problem] = {}
    for conflict in conflicts:
        for record, problem in conflict.as_problems():
            by_key.setdefault(_record_key(record), problem)
    problems: ProblemsByRow = {}
    for key in sorted(by_key):
        problems.setdefault(rows.get(key, -1), []).append(by_key[key])
    return problems


def _record_key(record: Record) -> tuple[str, Path]:
    """Unique for each record: items of two versions may have the same place, and items of one file the same path."""
    return record.place, record.path


def _is_quarantined(problem: Problem, section: Clean) -> bool:
    """Whether the config leaves out items with this problem."""
    rules = {
        UNDECODABLE: "quarantine",
        "near_duplicate": section.near_duplicates.kind,
        "wrong_label": section.wrong_labels.kind,
        "label_conflict": section.wrong_labels.kind,
        "outlier": section.outliers.kind,
    }
    return (rules.get(problem.kind) or section.check(problem.kind).kind) == "quarantine"


def _real_pairs(
    fingerprinted: Sequence[tuple[Record, Fingerprint | None]],
    modality: Modality,
    threshold: float,
    job: Job,
) -> list[NearPair]:
    """The pairs of real records that are near-duplicates, by row; of records with equal content only the first.

    The search is in the order of contents, because similarity may depend on the order of a pair. So the same items have
    the same near-duplicates under other file names, and a version has no pair that was not known when it was split.
    """
    first: dict[str, int] = {}
    for row in sorted(range(len(fingerprinted)), key=lambda row: _rank(fingerprinted[row][0])):
        first.setdefault(fingerprinted[row][0].content, row)
    entries = [(row, *fingerprinted[row]) for _, row in sorted(first.items())]
    real = [(row, fingerprint) for row, record, fingerprint in entries if record.source == "collected"]
    if len(real) < 2:
        return []
    rows, fingerprints = zip(*real, strict=True)
    pairs = near_pairs(modality.similarity(fingerprints), threshold, job)
    by_row = [(*sorted((rows[pair.first], rows[pair.second])), pair.similarity) for pair in pairs]
    return [NearPair(*pair) for pair in sorted(by_row)]


def _with_clusters(records: Sequence[Record], pairs: Sequence[NearPair]) -> list[Record]:
    """The records with the names of their clusters. A name is the least content in the cluster, not a file name."""
    clustered = list(records)
    for cluster in clusters(pairs):
        name = min(records[row].content for row in cluster)
        for row in cluster:
            clustered[row] = replace(clustered[row], cluster=name)
    return clustered


def _redundant_rows(records: Sequence[Record], pairs: Sequence[NearPair]) -> dict[int, NearPair]:
    """The rows with a near-duplicate that is kept, each with the most similar pair of these two."""
    pairs_of_row: dict[int, list[NearPair]] = {}
    for pair in pairs:
        for row in (pair.first, pair.second):
            pairs_of_row.setdefault(row, []).append(pair)
    redundant: dict[int, NearPair] = {}
    kept_rows: set[int] = set()
    for row in sorted(pairs_of_row, key=lambda row: (_rank(records[row]), row)):
        pairs_with_kept = [pair for pair in pairs_of_row[row] if pair.other(row) in kept_rows]
        if pairs_with_kept:
            redundant[row] = max(pairs_with_kept, key=lambda pair: pair.similarity)
        else:
            kept_rows.add(row)
    return dict(sorted(redundant.items()))


def _near_problem(record: Record, original: Record, pair: NearPair) -> Problem:
    detail = f"nearly the same as {original.place} (similarity {pair.similarity:.3f})"
    return Problem(record.place, "near_duplicate", detail + _differences(record, original), round(pair.similarity, 3))


def exact_duplicates(records: Sequence[Record], digests: Sequence[str]) -> dict[int, Record]:
    """The rows of records with the content of another record that is kept, each with that record."""
    first: dict[str, Record] = {}
    for record, digest in sorted(zip(records, digests, strict=True), key=lambda pair: _rank(pair[0])):
        first.setdefault(digest, record)
    pairs = enumerate(zip(records, digests, strict=True))
    return {row: first[digest] for row, (record, digest) in pairs if first[digest] is not record}


def _rank(record: Record) -> tuple[bool, bool]:
    """The order in which one of several equal items is kept: that with the least rank, and the first of these."""
    return record.source != "collected", record.split in ("", "train")


def _unused_id(digest: str, used_ids: set[str]) -> str:
    """The id of a content, with the first number that no item of equal content has. Adds it to `used_ids`."""
    new_id = next(name for number in itertools.count() if (name := item_id("c", digest, number)) not in used_ids)
    used_ids.add(new_id)
    return new_id


def _probe(record: Record, modality: Modality, *, fingerprinted: bool, measured: bool) -> DecodedInfo | Problem:
    try:
        if record.text is None and record.path.stat().st_size == 0:
            return Problem(record.place, "empty", "the file is empty")
        return modality.probe(record.raw, fingerprinted=fingerprinted, measured=measured)
    except UndecodableError as reason:
        return Problem(record.place, UNDECODABLE, str(reason))
    except OSError as error:
        return Problem(record.place, UNDECODABLE, f"cannot be read: {error.strerror}")


def duplicate_problem(record: Record, original: Record, condition: str = "") -> Problem:
    """The problem of a record with the content of another; `condition` says when they are equal."""
    detail = f"the same content as {original.place}{condition}" + _differences(record, original)
    return Problem(record.place, "exact_duplicate", detail)


def _differences(record: Record, original: Record) -> str:
    """The label and split of the original where the duplicate has others."""
    label = f", which is labelled {original.label!r}, not {record.label!r}" if record.label != original.label else ""
    return label + (f", which is in {original.split}" if record.split != original.split else "")
