"""Leave out what cannot be learned from: undecodable, empty, repeated, nearly repeated. Files are never touched."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from genset.config import Clean
from genset.dataset import Record
from genset.engine import Engine
from genset.interfaces import Modality, Probe, Progress, Quarantined, Sketch, UndecodableError
from genset.pipeline.near import Near, clusters, near_pairs
from genset.seeds import item_id


@dataclass(frozen=True)
class Cleaned:
    """The records that are kept, each with what its file decodes to, and the problems that were found."""

    records: tuple[Record, ...]
    probes: tuple[Probe, ...]
    problems: tuple[Quarantined, ...]


def clean(
    records: Sequence[Record],
    modality: Modality,
    engine: Engine,
    progress: Progress,
    section: Clean,
) -> Cleaned:
    """Decode every file once; give every item that is kept the id of its content.

    Of items with equal content one stays: a real one before a made one, a held-out one before one of train, so that
    nothing that was held out is lost to what was made, or learned from. Near-duplicates are looked for among real items
    alone: what was made from an item is near to it by intention.
    """
    duplicates, near = section.exact_duplicates, section.near_duplicates
    outcomes = []
    for outcome in engine.map(lambda record: _probe(record, modality, sketched=near.kind != "off"), records):
        outcomes.append(outcome)
        progress.tick("clean", len(outcomes), len(records), "")
    problems = [outcome for outcome in outcomes if isinstance(outcome, Quarantined)]
    whole = [(r, outcome) for r, outcome in zip(records, outcomes, strict=True) if isinstance(outcome, Probe)]
    repeated = twins([record for record, _ in whole], [probe.digest for _, probe in whole])
    if duplicates != "off":
        problems += [duplicate(whole[row][0], twin) for row, twin in repeated.items()]
    kept: list[Record] = []
    probes: list[Probe] = []
    sketches: list[Sketch | None] = []
    used = {record.id for record in records if record.versioned}
    taken: set[str] = set()
    for row, (record, outcome) in enumerate(whole):
        if row in repeated and duplicates == "quarantine":
            continue
        own = record.versioned and record.id not in taken
        name = record.id if own else _free_id(outcome.digest, used)
        taken.add(name)
        sketches.append(outcome.sketch)
        kept.append(replace(record, id=name, content=item_id("c", outcome.digest, 0)))
        probes.append(replace(outcome, sketch=None))
    cleaned = Cleaned(tuple(kept), tuple(probes), tuple(problems))
    if near.kind == "off":
        return cleaned
    threshold = modality.near if near.threshold is None else near.threshold
    found = _near([*zip(kept, sketches, strict=True)], modality, threshold, engine, progress)
    return _clustered(cleaned, found, leave_out=near.kind == "quarantine")


def _clustered(cleaned: Cleaned, found: Sequence[Near], *, leave_out: bool) -> Cleaned:
    """With what hangs together by pairs of near-duplicates, and what is told of them, left out or not."""
    records = _together(cleaned.records, found)
    worse = _worse(records, found)
    told = [_near_duplicate(records[row], records[pair.other(row)], pair) for row, pair in worse.items()]
    rows = [row for row in range(len(records)) if row not in worse or not leave_out]
    problems = (*cleaned.problems, *told)
    return Cleaned(tuple(records[row] for row in rows), tuple(cleaned.probes[row] for row in rows), problems)


def _near(
    pairs: Sequence[tuple[Record, Sketch | None]],
    modality: Modality,
    threshold: float,
    engine: Engine,
    progress: Progress,
) -> list[Near]:
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
    rows, sketches = zip(*real, strict=True)
    found = near_pairs(modality.likeness(sketches), threshold, engine, progress)
    placed = [(*sorted((rows[each.first], rows[each.second])), each.likeness) for each in found]
    return [Near(*pair) for pair in sorted(placed)]


def _together(records: Sequence[Record], found: Sequence[Near]) -> list[Record]:
    """The records with the names of their clusters: the least content among them, whatever the files are called."""
    out = list(records)
    for cluster in clusters(found):
        name = min(records[row].content for row in cluster)
        for row in cluster:
            out[row] = replace(out[row], cluster=name)
    return out


def _worse(records: Sequence[Record], found: Sequence[Near]) -> dict[int, Near]:
    """Which records need not stay, each with the pair that it makes with one that does."""
    pairs: dict[int, list[Near]] = {}
    for pair in found:
        for row in (pair.first, pair.second):
            pairs.setdefault(row, []).append(pair)
    out: dict[int, Near] = {}
    stays: set[int] = set()
    for row in sorted(pairs, key=lambda row: (_rank(records[row]), row)):
        kept = [pair for pair in pairs[row] if pair.other(row) in stays]
        if kept:
            out[row] = max(kept, key=lambda pair: pair.likeness)
        else:
            stays.add(row)
    return dict(sorted(out.items()))


def _near_duplicate(record: Record, twin: Record, pair: Near) -> Quarantined:
    detail = f"nearly the same as {twin.place} (likeness {pair.likeness:.3f})"
    return Quarantined(record.place, "near_duplicate", detail + _differs(record, twin))


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


def _probe(record: Record, modality: Modality, *, sketched: bool) -> Probe | Quarantined:
    try:
        if record.text is None and record.path.stat().st_size == 0:
            return Quarantined(record.place, "empty", "the file has no bytes")
        return modality.probe(record.raw, sketched=sketched)
    except UndecodableError as reason:
        return Quarantined(record.place, "undecodable", str(reason))
    except OSError as error:
        return Quarantined(record.place, "undecodable", f"cannot be read: {error.strerror}")


def duplicate(record: Record, twin: Record, when: str = "") -> Quarantined:
    """An item whose content another has; `when` is added to the reason."""
    detail = f"the same content as {twin.place}{when}" + _differs(record, twin)
    return Quarantined(record.place, "exact_duplicate", detail)


def _differs(record: Record, twin: Record) -> str:
    """What is told of the other of two duplicates besides."""
    label = f", which is labelled {twin.label!r} and not {record.label!r}" if record.label != twin.label else ""
    return label + (f", which stands in {twin.split}" if record.split != twin.split else "")
