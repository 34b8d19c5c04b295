"""Where texts stand in files: a line each, a file each, or a row of a table each.

A line ends with LF, CRLF or CR and nothing else: other characters that some programs break lines at are control
characters, which no item may hold, or stand inside texts.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genset.dataset import as_text, lone_surrogate
from genset.errors import GensetError
from genset.interfaces import Entry, UndecodableError
from genset.jsons import parsed
from genset.modalities.text.codec import FIELD, ROLE, TURN, clean

TABLES = (".jsonl", ".csv", ".tsv")
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
# Columns that are taken for the item when the config names none, the first that are all there.
_USUAL = (
    ("text",),
    ("prompt", "response"),
    ("question", "answer"),
    ("instruction", "output"),
    ("turns",),
    ("messages",),
)
_BOMS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
_SHOWN = 60


@dataclass(frozen=True)
class Form:
    """How the rows of a table hold items."""

    fields: tuple[str, ...]  # columns that are the item, together
    label: str = "label"  # column of the class
    turn_keys: tuple[str, ...] = ()  # keys of a turn that is an object: who, and what was said


def decoded(data: bytes, encoding: str) -> Iterator[tuple[int, str | None, str]]:
    """(number, text, fault) of each line of a file; text is None where there is a fault."""
    for bom, name in _BOMS.items():
        if data.startswith(bom) and encoding == "utf-8":
            data = data[len(bom) :]
            if name != "utf-8-sig":
                yield 1, None, "it is UTF-16, not UTF-8: set modality.encoding: utf-16 to read it"
                return
    if encoding != "utf-8":
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as error:
            yield 1, None, f"byte {error.start + 1} is not {encoding}: {error.reason}; check modality.encoding"
            return
        for number, line in enumerate(_lines(text.removeprefix("\ufeff")), start=1):
            yield number, line, ""
        return
    for number, raw in enumerate(_byte_lines(data), start=1):
        try:
            yield number, raw.decode(), ""
        except UnicodeDecodeError as error:
            yield number, None, _not_utf8(raw, error)


def _not_utf8(raw: bytes, error: UnicodeDecodeError) -> str:
    cure = "set modality.encoding, such as latin-1, cp1251 or gb18030, to read the file"
    return f"byte {error.start + 1} of the line (0x{raw[error.start]:02X}) is not UTF-8: {error.reason}; {cure}"


def _byte_lines(data: bytes) -> list[bytes]:
    return _without_last(data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"))


def _lines(text: str) -> list[str]:
    return _without_last(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))


def _without_last(lines: list[Any]) -> list[Any]:
    """The lines of a file, which ends with a line's end or without one."""
    return lines[:-1] if lines and not lines[-1] else lines


def line_entries(data: bytes, encoding: str, longest: int) -> Iterator[Entry]:
    """An item a line; empty lines divide and are no items."""
    if _is_binary(data):
        yield Entry(fault="it is not text: it holds zero bytes")
        return
    found = False
    for number, line, fault in decoded(data, encoding):
        if line is not None and not line.strip():
            continue
        found = True
        yield _entry(line, fault, str(number), longest)
    if not found:
        yield Entry(fault="it holds no text")


def _entry(text: str | None, fault: str, place: str, longest: int) -> Entry:
    if text is not None:
        try:
            return Entry(checked(text, longest), place)
        except UndecodableError as reason:
            fault = str(reason)
    return Entry(place=place, fault=fault)


def checked(text: str, longest: int) -> str:
    """A text as an item holds it. Raises UndecodableError."""
    if len(text) > longest:
        raise UndecodableError(f"{len(text):,} characters, more than the {longest:,} of modality.longest_text")
    return clean(text.replace("\t", " "))


def whole(data: bytes, encoding: str, longest: int) -> str:
    """The text of a file that is one item. Raises UndecodableError."""
    if _is_binary(data):
        raise UndecodableError("it is not text: it holds zero bytes")
    lines = []
    for number, line, fault in decoded(data, encoding):
        if line is None:
            raise UndecodableError(f"line {number}: {fault}")
        lines.append(line)
    return checked("\n".join(lines), longest)


def _is_binary(data: bytes) -> bool:
    return b"\0" in data and not any(data.startswith(bom) for bom in _BOMS)


def found_form(path: Path, encoding: str, fields: Sequence[str] | None, label: str | None) -> Form | None:
    """How a table holds items, by the config or by its first row; None where it has no usable row.

    Raises GensetError when no column is known to hold items.
    """
    first = next((row for _, row, fault in _rows(path, encoding) if not fault), None)
    if first is None:
        return None
    if label is not None and label not in first:
        raise GensetError(
            f"no column {label!r}: it has {', '.join(first)}", where=str(path), hint="See modality.label."
        )
    names = tuple(fields) if fields else next((usual for usual in _USUAL if all(name in first for name in usual)), ())
    missing = [name for name in names if name not in first]
    if not names or missing:
        what = f"no column {missing[0]!r}" if missing else "no column that is known to hold texts"
        raise GensetError(
            f"{what}: it has {', '.join(first)}",
            where=str(path),
            hint="Name the columns that hold the item: modality.fields=[NAME, ...].",
        )
    return Form(names, label or "label", _turn_keys(first[names[0]]))


def _turn_keys(value: Any) -> tuple[str, ...]:
    turns = value if isinstance(value, list) else []
    return tuple(turns[0])[:2] if turns and isinstance(turns[0], dict) else ()


def table_entries(path: Path, encoding: str, form: Form, longest: int) -> Iterator[Entry]:
    """An item a row."""
    for place, row, fault in _rows(path, encoding):
        if fault:
            yield Entry(place=place, fault=fault)
            continue
        try:
            text, rest = join(row, form)
            checked_text = _checked_parts(text, longest)
            if any(lone_surrogate(value) for value in (json.dumps(rest, ensure_ascii=False), *rest)):
                raise UndecodableError("a column holds half a character (a lone surrogate)")
        except UndecodableError as reason:
            yield Entry(place=place, fault=str(reason))
            continue
        label = rest.pop(form.label, None)
        told = None if label is None else label if isinstance(label, str) else json.dumps(label)
        columns = {name: as_text(value) for name, value in rest.items()}
        yield Entry(checked_text, place, told, columns)


def _checked_parts(text: str, longest: int) -> str:
    for separator in (FIELD, TURN, ROLE):
        if separator in text:
            return separator.join(_checked_parts(part, longest) for part in text.split(separator))
    return checked(text, longest)


def given(text: str, form: Form, longest: int) -> str:
    """An item as a user writes it on the command line: plain, or as JSON where it has several parts.

    Raises UndecodableError.
    """
    if len(form.fields) == 1 and not form.turn_keys:
        return checked(text, longest)
    try:
        row = parsed(text)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        raise UndecodableError(f"an item has {' and '.join(form.fields)}: write it as a JSON object with these keys")
    return _checked_parts(join(row, form)[0], longest)


def join(row: Mapping[str, Any], form: Form) -> tuple[str, dict[str, Any]]:
    """(the item as one text, the other columns) of a row. Raises UndecodableError for a column that is no text."""
    rest = dict(row)
    parts = []
    for name in form.fields:
        if name not in rest:
            raise UndecodableError(f"the column {name!r} is missing: it has {', '.join(row)}")
        parts.append(_part(name, rest.pop(name), form.turn_keys))
    return FIELD.join(parts), rest


def _part(name: str, value: Any, turn_keys: Sequence[str]) -> str:
    if isinstance(value, str):
        return _free(value)
    if not isinstance(value, list) or not value:
        raise UndecodableError(f"the column {name!r} must be text or a list of turns, got {_shown(value)}")
    turns = []
    for turn in value:
        parts = (
            [turn] if isinstance(turn, str) else [turn.get(key) for key in turn_keys] if isinstance(turn, dict) else []
        )
        if not parts or not all(isinstance(part, str) for part in parts):
            raise UndecodableError(f"a turn in {name!r} must be text or have {list(turn_keys)}, got {_shown(turn)}")
        turns.append(ROLE.join(_free(part) for part in parts if isinstance(part, str)))
    return TURN.join(turns)


def _free(text: str) -> str:
    """A user's text, which must not hold what divides the parts of an item."""
    for separator in (FIELD, TURN, ROLE):
        if separator in text:
            raise UndecodableError(f"it holds the control character U+{ord(separator):04X}")
    return text


def divide(text: str, form: Form) -> dict[str, Any]:
    """The columns of an item, as they came: what `join` put together. Parts that a model left out are empty."""
    parts = text.split(FIELD)[: len(form.fields)]
    parts += [""] * (len(form.fields) - len(parts))
    return {name: _divided(part, form) for name, part in zip(form.fields, parts, strict=True)}


def _divided(part: str, form: Form) -> Any:
    if form.turn_keys:
        turns = [turn.split(ROLE) for turn in part.split(TURN)]
        return [dict(zip(form.turn_keys, [*turn, "", ""], strict=False)) for turn in turns]
    return part.split(TURN) if TURN in part or form.fields in (("turns",), ("messages",)) else part


def _rows(path: Path, encoding: str) -> Iterator[tuple[str, dict[str, Any], str]]:
    """(line, row, fault) of a table."""
    data = path.read_bytes()
    if _is_binary(data):
        yield "", {}, "it is not text: it holds zero bytes"
    elif path.suffix.lower() == ".jsonl":
        yield from _json_rows(data, encoding)
    else:
        yield from _csv_rows(data, encoding, _DELIMITERS[path.suffix.lower()])


def _json_rows(data: bytes, encoding: str) -> Iterator[tuple[str, dict[str, Any], str]]:
    for number, line, fault in decoded(data, encoding):
        if line is None:
            yield str(number), {}, fault
        elif line.strip():
            try:
                row = json.loads(line, object_pairs_hook=_no_twins, parse_constant=_no_constant)
            except (ValueError, RecursionError) as error:
                yield str(number), {}, f"not JSON: {error}"
                continue
            if isinstance(row, dict):
                yield str(number), row, ""
            else:
                yield str(number), {}, f"must be an object, got {_shown(row)}"


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        twin = next(name for name, _ in pairs if [other for other, _ in pairs].count(name) > 1)
        raise ValueError(f"the key {twin!r} stands twice")
    return row


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


def _csv_rows(data: bytes, encoding: str, delimiter: str) -> Iterator[tuple[str, dict[str, Any], str]]:
    lines = []
    for number, line, fault in decoded(data, encoding):
        if line is None:
            yield str(number), {}, fault
            return  # a row may span lines, so nothing after it is certain
        lines.append(line)
    reader = csv.reader(io.StringIO("\n".join(lines), newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    try:
        for row in reader:
            if not header:
                header = [name.strip() for name in row]
                twins = sorted({name for name in header if header.count(name) > 1})
                if twins:
                    yield str(reader.line_num), {}, f"the column {twins[0]!r} stands twice"
                    return
            elif len(row) == len(header):
                yield str(reader.line_num), dict(zip(header, row, strict=True)), ""
            elif row:
                yield str(reader.line_num), {}, f"{len(row)} columns, the first line has {len(header)}"
    except csv.Error as error:
        yield str(reader.line_num), {}, f"not a table: {error}"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
