"""Leave out what cannot be learned from: undecodable, empty, repeated. The user's files are never touched."""

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
    modality: type[Modality],
    engine: Engine,
    progress: Progress,
    duplicates: Literal["off", "report", "quarantine"],
) -> Cleaned:
    """Decode every file once; give every item that is kept the id of its content."""
    kept: list[Record] = []
    probes: list[Probe] = []
    problems: list[Quarantined] = []
    first: dict[str, Record] = {}
    seen: dict[str, int] = {}
    outcomes = engine.map(lambda record: _probe(record, modality), records)
    for done, (record, outcome) in enumerate(zip(records, outcomes, strict=True), start=1):
        progress.tick("clean", done, len(records), "")
        if isinstance(outcome, Quarantined):
            problems.append(outcome)
            continue
        twin = first.setdefault(outcome.digest, record)
        if twin is not record and duplicates != "off":
            problems.append(_duplicate(record, twin))
            if duplicates == "quarantine":
                continue
        number = seen[outcome.digest] = seen.get(outcome.digest, -1) + 1
        name = item_id("c", outcome.digest, number) if record.source == "collected" else record.id
        kept.append(replace(record, id=name))
        probes.append(outcome)
    return Cleaned(tuple(kept), tuple(probes), tuple(problems))


def _probe(record: Record, modality: type[Modality]) -> Probe | Quarantined:
    try:
        if record.path.stat().st_size == 0:
            return Quarantined(record.origin, "empty", "the file has no bytes")
        return modality.probe(record.path)
    except UndecodableError as reason:
        return Quarantined(record.origin, "undecodable", str(reason))
    except OSError as error:
        return Quarantined(record.origin, "undecodable", f"cannot be read: {error.strerror}")


def _duplicate(record: Record, twin: Record) -> Quarantined:
    kind, detail = "exact_duplicate", f"the same content as {twin.origin}"
    if record.label != twin.label:
        detail += f", which is labelled {twin.label!r} and not {record.label!r}"
    if record.split != twin.split:
        detail += f", which stands in {twin.split}"
    return Quarantined(record.origin, kind, detail)
