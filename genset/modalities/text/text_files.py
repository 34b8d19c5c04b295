"""Text files: bytes to lines and items, with the encoding of the config.

A line ends with LF, CRLF or CR and nothing else. Other characters at which some programs break lines are control
characters, which no item may contain, or are part of a text.
"""

from collections.abc import Iterator

from genset.interfaces import SourceEntry, UndecodableError
from genset.modalities.text.codec import normalise

_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


def decode_lines(data: bytes, encoding: str) -> Iterator[tuple[int, str | None, str]]:
    """(line number, text, fault) of each line of a file; the text is None if there is a fault."""
    if encoding == "utf-8":
        yield from _utf8_lines(data)
        return
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        yield 1, None, f"byte {error.start + 1} is not {encoding}: {error.reason}; check modality.encoding"
        return
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, line in enumerate(lines[:-1] if not lines[-1] else lines, start=1):
        yield number, line, ""


def _utf8_lines(data: bytes) -> Iterator[tuple[int, str | None, str]]:
    for mark, name in _BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            data = data[len(mark) :]
            if name == "utf-16":
                yield 1, None, "it is UTF-16, not UTF-8: set modality.encoding: utf-16 to read it"
                return
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    for number, line in enumerate(lines[:-1] if not lines[-1] else lines, start=1):
        try:
            yield number, line.decode(), ""
        except UnicodeDecodeError as error:
            position = f"byte {error.start + 1} of the line (0x{line[error.start]:02X})"
            remedy = "set modality.encoding, such as latin-1, cp1251 or gb18030, to read the file"
            yield number, None, f"{position} is not UTF-8: {error.reason}; {remedy}"


def is_binary(data: bytes) -> bool:
    """Whether a file contains zero bytes and is not UTF-16."""
    return b"\0" in data and not any(data.startswith(mark) for mark in _BYTE_ORDER_MARKS)


def line_entries(data: bytes, encoding: str, max_characters: int) -> Iterator[SourceEntry]:
    """The items of a file, one for each line that is not empty."""
    if is_binary(data):
        yield SourceEntry(fault="it is not text: it contains zero bytes")
        return
    is_empty = True
    for number, line, fault in decode_lines(data, encoding):
        if line is not None and not line.strip():
            continue
        is_empty = False
        if line is None:
            yield SourceEntry(place=str(number), fault=fault)
            continue
        try:
            yield SourceEntry(check_text(line, max_characters), str(number))
        except UndecodableError as reason:
            yield SourceEntry(place=str(number), fault=str(reason))
    if is_empty:
        yield SourceEntry(fault="it contains no text")


def read_single(data: bytes, encoding: str, max_characters: int) -> str:
    """The text of a file that is one item. Raises UndecodableError."""
    if is_binary(data):
        raise UndecodableError("it is not text: it contains zero bytes")
    lines = []
    for number, line, fault in decode_lines(data, encoding):
        if line is None:
            raise UndecodableError(f"line {number}: {fault}")
        lines.append(line)
    return check_text("\n".join(lines), max_characters)


def check_text(text: str, max_characters: int) -> str:
    """The normalised text of an item. Raises UndecodableError for one that is too long, empty or has control
    characters."""
    if len(text) > max_characters:
        raise UndecodableError(f"{len(text):,} characters, more than the {max_characters:,} of modality.max_characters")
    return normalise(text.replace("\t", " "))
