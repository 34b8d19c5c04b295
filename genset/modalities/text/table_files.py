"""Tables of texts: the rows of .jsonl, .csv and .tsv files as items, and items as rows again."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genset.errors import GensetError
from genset.interfaces import SourceEntry, UndecodableError
from genset.modalities.text.codec import FIELD, ROLE, TURN
from genset.modalities.text.text_files import check_text, decode_lines, is_binary
from genset.safe_json import as_text, json_fault, lone_surrogate, parse_json

TABLES = (".jsonl", ".csv", ".tsv")
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
# Columns that are the item if the config names none: the first group of which all are in the table.
_COMMON_FIELDS = (
    ("text",),
    ("prompt", "response"),
    ("question", "answer"),
    ("instruction", "output"),
    ("turns",),
    ("messages",),
)
_MAX_SHOWN = 60  # characters of a value in a message
_Row = tuple[str, dict[str, Any], str]  # (line number, values by column, fault)


@dataclass(frozen=True)
class RowLayout:
    """Which columns of a table are the item and the class."""

    fields: tuple[str, ...]  # columns that together are the item
    label: str = "label"  # column of the class
    turn_keys: tuple[str, ...] = ()  # keys of a turn that is an object: the role and its text


def detect_layout(
    files: Sequence[Path], encoding: str, fields: Sequence[str] | None, label: str | None
) -> RowLayout | None:
    """The layout of the first table with a valid row, from the config or from that row; None without a valid row.

    Raises GensetError if the columns of the item are missing or unknown.
    """
    for path in files:
        if path.suffix.lower() in TABLES:
            first = next((row for _, row, fault in _rows(path, encoding) if not fault), None)
            if first is not None:
                return _layout_of(first, path, fields, label)
    return None


def _layout_of(row: dict[str, Any], path: Path, fields: Sequence[str] | None, label: str | None) -> RowLayout:
    columns = ", ".join(row)
    if label is not None and label not in row:
        hint = "Set modality.label to the column of the class."
        raise GensetError(f"no column {label!r}: the columns are {columns}", where=str(path), hint=hint)
    common = (names for names in _COMMON_FIELDS if all(name in row for name in names))
    names = tuple(fields) if fields else next(common, ())
    missing = [name for name in names if name not in row]
    if not names or missing:
        what = f"no column {missing[0]!r}" if missing else "no column with a common name for texts"
        hint = "Set modality.fields to the columns of the item: modality.fields=[NAME, ...]."
        raise GensetError(f"{what}: the columns are {columns}", where=str(path), hint=hint)
    turns = row[names[0]]
    has_keys = isinstance(turns, list) and turns and isinstance(turns[0], dict)
    return RowLayout(names, label or "label", tuple(turns[0])[:2] if has_keys else ())


def table_entries(path: Path, encoding: str, layout: RowLayout, max_characters: int) -> Iterator[SourceEntry]:
    """The items of a table, one for each row."""
    for line, row, fault in _rows(path, encoding):
        if fault:
            yield SourceEntry(place=line, fault=fault)
            continue
        try:
            text, columns = join_fields(row, layout)
            text = _check_parts(text, max_characters)
            if any(lone_surrogate(value) for value in (json.dumps(columns, ensure_ascii=False), *columns)):
                raise UndecodableError("a column contains half a character (a lone surrogate)")
        except UndecodableError as reason:
            yield SourceEntry(place=line, fault=str(reason))
            continue
        label = columns.pop(layout.label, None)
        label = label if label is None or isinstance(label, str) else json.dumps(label)
        yield SourceEntry(text, line, label, {name: as_text(value) for name, value in columns.items()})


def _check_parts(text: str, max_characters: int) -> str:
    for separator in (FIELD, TURN, ROLE):
        if separator in text:
            return separator.join(_check_parts(part, max_characters) for part in text.split(separator))
    return check_text(text, max_characters)


def parse_argument(text: str, layout: RowLayout, max_characters: int) -> str:
    """An item from the command line: plain text, or a JSON object if an item has several parts.

    Raises UndecodableError.
    """
    if len(layout.fields) == 1 and not layout.turn_keys:
        return check_text(text, max_characters)
    try:
        row = parse_json(text)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        fields = " and ".join(layout.fields)
        raise UndecodableError(f"an item consists of {fields}: write it as a JSON object with these keys")
    return _check_parts(join_fields(row, layout)[0], max_characters)


def join_fields(row: Mapping[str, Any], layout: RowLayout) -> tuple[str, dict[str, Any]]:
    """(the item as one text, the other columns) of a row. Raises UndecodableError for a column that is not text."""
    columns = dict(row)
    parts = []
    for name in layout.fields:
        if name not in columns:
            raise UndecodableError(f"the column {name!r} is missing: the columns are {', '.join(row)}")
        parts.append(_field_text(name, columns.pop(name), layout.turn_keys))
    return FIELD.join(parts), columns


def _field_text(name: str, value: Any, turn_keys: Sequence[str]) -> str:
    if isinstance(value, str):
        return _without_separators(value)
    if not isinstance(value, list) or not value:
        raise UndecodableError(f"the column {name!r} must be text or a list of turns, got {_shown(value)}")
    turns = []
    for turn in value:
        parts = [turn.get(key) for key in turn_keys] if isinstance(turn, dict) else [turn]
        if not parts or not all(isinstance(part, str) for part in parts):
            raise UndecodableError(f"a turn in {name!r} must be text or have {list(turn_keys)}, got {_shown(turn)}")
        turns.append(ROLE.join(_without_separators(part) for part in parts if isinstance(part, str)))
    return TURN.join(turns)


def _without_separators(text: str) -> str:
    """The unchanged text. Raises UndecodableError if it contains a separator of the parts of an item."""
    for separator in (FIELD, TURN, ROLE):
        if separator in text:
            raise UndecodableError(f"it contains the control character U+{ord(separator):04X}")
    return text


def split_fields(text: str, layout: RowLayout) -> dict[str, Any]:
    """The columns of an item: the reverse of `join_fields`. Parts that a model did not write are empty."""
    parts = text.split(FIELD)[: len(layout.fields)]
    parts += [""] * (len(layout.fields) - len(parts))
    return {name: _field_value(part, layout) for name, part in zip(layout.fields, parts, strict=True)}


def _field_value(part: str, layout: RowLayout) -> Any:
    if layout.turn_keys:
        turns = [turn.split(ROLE) for turn in part.split(TURN)]
        return [dict(zip(layout.turn_keys, [*turn, "", ""], strict=False)) for turn in turns]
    return part.split(TURN) if TURN in part or layout.fields in (("turns",), ("messages",)) else part


def _rows(path: Path, encoding: str) -> Iterator[_Row]:
    data = path.read_bytes()
    if is_binary(data):
        yield "", {}, "it is not text: it contains zero bytes"
    elif path.suffix.lower() == ".jsonl":
        yield from _json_rows(data, encoding)
    else:
        yield from _csv_rows(data, encoding, _DELIMITERS[path.suffix.lower()])


def _json_rows(data: bytes, encoding: str) -> Iterator[_Row]:
    for number, line, fault in decode_lines(data, encoding):
        if line is None:
            yield str(number), {}, fault
        elif line.strip():
            try:
                row = json.loads(line, object_pairs_hook=_unique_keys, parse_constant=_reject_constant)
            except (ValueError, RecursionError) as error:
                yield str(number), {}, json_fault(error)
                continue
            if isinstance(row, dict):
                yield str(number), row, ""
            else:
                yield str(number), {}, f"must be a JSON object, got {_shown(row)}"


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"duplicate key {next(name for name in names if names.count(name) > 1)!r}")
    return row


def _reject_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")


def _csv_rows(data: bytes, encoding: str, delimiter: str) -> Iterator[_Row]:
    lines = []
    for number, line, fault in decode_lines(data, encoding):
        if line is None:
            yield str(number), {}, fault
            return  # a row can span several lines, so the rows after it are not certain
        lines.append(line)
    reader = csv.reader(io.StringIO("\n".join(lines), newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    try:
        for row in reader:
            if not header:
                header = [name.strip() for name in row]
                duplicates = sorted({name for name in header if header.count(name) > 1})
                if duplicates:
                    yield str(reader.line_num), {}, f"duplicate column {duplicates[0]!r}"
                    return
            elif len(row) == len(header):
                yield str(reader.line_num), dict(zip(header, row, strict=True)), ""
            elif row:
                yield str(reader.line_num), {}, f"{len(row)} columns, but the header has {len(header)}"
    except csv.Error as error:
        yield str(reader.line_num), {}, f"invalid table: {error}"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"
