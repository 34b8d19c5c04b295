"""Labels of collected items: from a column, renamed by the config, or with names that look alike."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from genset.config.sections import Data
from genset.dataset import Record
from genset.errors import GensetError, did_you_mean
from genset.interfaces import Problem
from genset.metadata import check_label
from genset.pipeline.collect.folders import RecordOrProblem

_SIMILAR_SCRIPTS = {"LATIN", "CYRILLIC", "GREEK"}  # some of their letters have the same shape


def with_labels(records: Sequence[Record], data: Data) -> Iterator[RecordOrProblem]:
    """The records with their labels, and problems for classes that `data.labels` leaves out.

    Raises GensetError for a column or class that does not exist.
    """
    if data.label is not None:
        known = sorted({name for record in records for name in record.columns})
        if data.label not in known:
            raise GensetError(
                f"no item has a column {data.label!r}{did_you_mean(data.label, known)}",
                where="data.label",
                hint=f"Use one of the columns {', '.join(known)}."
                if known
                else "Remove it: the items have no columns.",
            )
        records = [replace(r, label=_checked(r.columns.get(data.label, ""), r.origin)) for r in records]
    return _relabelled(records, data.labels) if data.labels else iter(records)


def _relabelled(records: Sequence[Record], labels: Mapping[str, str | None]) -> Iterator[RecordOrProblem]:
    """The records with renamed labels; a problem for each record whose class is left out."""
    unused = set(labels)
    for record in records:
        source = record.origin.partition("/")[0]
        key = next((key for key in (f"{source}/{record.label}", record.label) if key in labels), None)
        unused.discard(key or "")
        new = labels[key] if key is not None else record.label
        if new is None:
            yield Problem(record.origin, "ignored", f"data.labels leaves out the class {record.label!r}")
        else:
            yield replace(record, label=_checked(new, "data.labels"))
    if unused:
        known = sorted({record.label for record in records})
        wrong = sorted(unused)[0]
        raise GensetError(
            f"no item has the class {wrong!r}{did_you_mean(wrong, known)}",
            where="data.labels",
            hint=f"Use one of the classes {', '.join(known[:20])}{', ...' if len(known) > 20 else ''}. With several "
            "sources, write SOURCE/CLASS for a class of one source.",
        )


def _checked(label: str, where: str) -> str:
    return check_label(label, where) if label else ""


def lookalike_messages(labels: Collection[str]) -> Iterator[str]:
    """A message for class names that look the same, and for names with letters of similar scripts."""
    by_shape: dict[str, list[str]] = defaultdict(list)
    for label in sorted(labels):
        by_shape[unicodedata.normalize("NFKC", label).casefold()].append(label)
    for lookalikes in by_shape.values():
        if len(lookalikes) > 1:
            yield f"the classes {', '.join(map(repr, lookalikes))} look alike and are kept apart"
    for label in sorted(labels):
        names = (unicodedata.name(letter, "").partition(" ")[0] for letter in label if letter.isalpha())
        scripts = sorted({*names} & _SIMILAR_SCRIPTS)
        if len(scripts) > 1:
            yield f"the class {label!r} mixes letters of {' and '.join(scripts)}, which look alike"


def labels_differing_in_case(labels: Collection[str]) -> list[str]:
    """The labels that equal another label if case is ignored."""
    counts = Counter(label.casefold() for label in labels)
    return [label for label in labels if counts[label.casefold()] > 1]
