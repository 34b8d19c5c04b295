"""Leave out what cannot be learned from: undecodable, empty, repeated. The user's files are never touched."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from genset.dataset import Record
from genset.engine import Engine
from genset.interfaces import Modality, Probe, Progress, Quarantined, UndecodableError
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
    duplicates: Literal["off", "report", "quarantine"],
) -> Cleaned:
    """Decode every file once; give every item that is kept the id of its content.

    Of items with equal content one stays: a real one before a made one, a held-out one before one of train, so that
    nothing that was held out is lost to what was made, or learned from.
    """
    outcomes = []
    for outcome in engine.map(lambda record: _probe(record, modality), records):
        outcomes.append(outcome)
        progress.tick("clean", len(outcomes), len(records), "")
    problems = [outcome for outcome in outcomes if isinstance(outcome, Quarantined)]
    whole = [(r, outcome) for r, outcome in zip(records, outcomes, strict=True) if isinstance(outcome, Probe)]
    repeated = twins([record for record, _ in whole], [probe.digest for _, probe in whole])
    if duplicates != "off":
        problems += [duplicate(whole[row][0], twin) for row, twin in repeated.items()]
    kept: list[Record] = []
    probes: list[Probe] = []
    used = {record.id for record in records if record.versioned}
    taken: set[str] = set()
    for row, (record, outcome) in enumerate(whole):
        if row in repeated and duplicates == "quarantine":
            continue
        own = record.versioned and record.id not in taken
        name = record.id if own else _free_id(outcome.digest, used)
        taken.add(name)
        kept.append(replace(record, id=name, content=item_id("c", outcome.digest, 0)))
        probes.append(outcome)
    return Cleaned(tuple(kept), tuple(probes), tuple(problems))


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


def _probe(record: Record, modality: Modality) -> Probe | Quarantined:
    try:
        if record.text is None and record.path.stat().st_size == 0:
            return Quarantined(record.place, "empty", "the file has no bytes")
        return modality.probe(record.raw)
    except UndecodableError as reason:
        return Quarantined(record.place, "undecodable", str(reason))
    except OSError as error:
        return Quarantined(record.place, "undecodable", f"cannot be read: {error.strerror}")


def duplicate(record: Record, twin: Record, when: str = "") -> Quarantined:
    """An item whose content another has; `when` is added to the reason."""
    kind, detail = "exact_duplicate", f"the same content as {twin.place}{when}"
    if record.label != twin.label:
        detail += f", which is labelled {twin.label!r} and not {record.label!r}"
    if record.split != twin.split:
        detail += f", which stands in {twin.split}"
    return Quarantined(record.place, kind, detail)
