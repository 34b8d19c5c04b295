"""Texts as arrays: bytes of UTF-8, padded with zeros at the end. Texts contain no zero bytes, as control characters are
rejected.

An item of several fields or turns (a dialogue) is one text, too. Its parts are divided by separators that no text of
the user can contain: FIELD between fields, TURN between the turns of a list, ROLE between the role of a turn and its
text.
"""

import unicodedata
from collections.abc import Sequence

import numpy as np

from genset.interfaces import ItemArray, Items, UndecodableError

FIELD, TURN, ROLE = "\x1f", "\x1e", "\x1d"
SEPARATORS = FIELD + TURN + ROLE


def encode(text: str, length: int = 0) -> ItemArray:
    """(L,) the bytes of a text, padded to at least `length`."""
    data = text.encode()
    out = np.zeros(max(length, len(data)), np.uint8)
    out[: len(data)] = np.frombuffer(data, np.uint8)
    return out


def encode_all(texts: Sequence[str], length: int) -> Items:
    """(N, length) items; a text that is too long loses complete characters at its end."""
    out = np.zeros((len(texts), length), np.uint8)
    for row, text in enumerate(texts):
        data = text.encode()
        if len(data) > length:
            data = data[:length].decode("utf-8", "ignore").encode()
        out[row, : len(data)] = np.frombuffer(data, np.uint8)
    return out


def decode(item: ItemArray) -> str:
    """The text of an item. Bytes that are not UTF-8, which only a model can produce, become U+FFFD."""
    return item.tobytes().rstrip(b"\0").decode("utf-8", "replace")


def decode_all(items: Items) -> list[str]:
    """The texts of (N, L) items."""
    return [decode(item) for item in items]


def readable(text: str) -> str:
    """A text for people, its parts divided by " / " and ": "."""
    for separator in SEPARATORS:
        text = text.replace(separator, ": " if separator == ROLE else " / ")
    return text


def normalise(text: str) -> str:
    """A text of the user in NFC, without spaces at both ends. Raises UndecodableError for control characters other than
    tabs and line feeds, and for an empty text."""
    text = unicodedata.normalize("NFC", text).strip()
    if not text:
        raise UndecodableError("it is empty")
    for place, character in enumerate(text):
        if character not in "\t\n" and unicodedata.category(character) in ("Cc", "Cs"):
            raise UndecodableError(f"it contains the control character U+{ord(character):04X} at character {place + 1}")
    return text
