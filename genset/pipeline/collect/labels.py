"""Labels of collected items: by column, renamed, and names that look alike."""

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

_CONFUSED = {"LATIN", "CYRILLIC", "GREEK"}  # scripts with letters of one shape


def labelled(records: Sequence[Record], data: Data) -> Iterator[RecordOrProblem]:
    """The records with the labels that the config gives them. Raises GensetError for a column or class that is not
    there."""
    if data.label is not None:
        known = sorted({name for record in records for name in record.columns})
        if data.label not in known:
            raise GensetError(
                f"no item has a column {data.label!r}{did_you_mean(data.label, known)}",
                where="data.label",
                hint=f"The columns are {', '.join(known)}." if known else "The items have no columns.",
            )
        records = [replace(r, label=_checked(r.columns.get(data.label, ""), r.origin)) for r in records]
    return _relabelled(records, data.labels) if data.labels else iter(records)


def _relabelled(records: Sequence[Record], labels: Mapping[str, str | None]) -> Iterator[RecordOrProblem]:
    """The records with new names for their classes; those of classes that are to be left out as problems."""
    unused = set(labels)
    for record in records:
        source = record.origin.partition("/")[0]
        key = next((key for key in (f"{source}/{record.label}", record.label) if key in labels), None)
        unused.discard(key or "")
        new = labels[key] if key is not None else record.label
        if new is None:
            yield Problem(record.origin, "ignored", f"data.labels leaves the class {record.label!r} out")
        else:
            yield replace(record, label=_checked(new, "data.labels"))
    if unused:
        known = sorted({record.label for record in records})
        wrong = sorted(unused)[0]
        raise GensetError(
            f"no item has the class {wrong!r}{did_you_mean(wrong, known)}",
            where="data.labels",
            hint=f"The classes are {', '.join(known[:20])}{', ...' if len(known) > 20 else ''}. With several sources, "
            "SOURCE/CLASS names that of one.",
        )


def _checked(label: str, where: str) -> str:
    return check_label(label, where) if label else ""


def lookalikes(labels: Collection[str]) -> Iterator[str]:
    """What is to be told of names that a person cannot tell apart, or of which one letter is not what it seems."""
    ways: dict[str, list[str]] = defaultdict(list)
    for label in sorted(labels):
        ways[unicodedata.normalize("NFKC", label).casefold()].append(label)
    for same in ways.values():
        if len(same) > 1:
            yield f"the classes {', '.join(map(repr, same))} look alike and are kept apart"
    for label in sorted(labels):
        names = (unicodedata.name(letter, "").partition(" ")[0] for letter in label if letter.isalpha())
        scripts = sorted({*names} & _CONFUSED)
        if len(scripts) > 1:
            yield f"the class {label!r} mixes letters of {' and '.join(scripts)}, which look alike"


def alike(labels: Collection[str]) -> list[str]:
    """The labels that are another one in other case."""
    counts = Counter(label.casefold() for label in labels)
    return [label for label in labels if counts[label.casefold()] > 1]
