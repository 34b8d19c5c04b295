"""Text as arrays: UTF-8 bytes, padded with zeros at the end. No text holds a zero byte: control characters are refused.

An item of several fields or turns (a dialogue) is one text too, its parts divided by separators that no user's text
can hold: FIELD between fields, TURN between the turns of a list, ROLE between a turn's role and what was said.
"""

import unicodedata
from collections.abc import Sequence

import numpy as np

from genset.interfaces import Item, Items, UndecodableError

FIELD, TURN, ROLE = "\x1f", "\x1e", "\x1d"
SEPARATORS = FIELD + TURN + ROLE
_ALLOWED = "\t"  # among control characters; it becomes a space where lines are items


def item_of(text: str, length: int = 0) -> Item:
    """(L,) the bytes of a text, padded to `length` at least."""
    data = text.encode()
    out = np.zeros(max(length, len(data)), np.uint8)
    out[: len(data)] = np.frombuffer(data, np.uint8)
    return out


def text_of(item: Item) -> str:
    """The text of an item; bytes that are no UTF-8, which only a model could have made, become U+FFFD."""
    return item.tobytes().rstrip(b"\0").decode("utf-8", "replace")


def texts_of(items: Items) -> list[str]:
    """The texts of (N, L) items."""
    return [text_of(item) for item in items]


def items_of(texts: Sequence[str], length: int) -> Items:
    """(N, length) items; a text that is too long loses whole characters at its end."""
    out = np.zeros((len(texts), length), np.uint8)
    for row, text in enumerate(texts):
        data = text.encode()
        if len(data) > length:
            data = data[:length].decode("utf-8", "ignore").encode()
        out[row, : len(data)] = np.frombuffer(data, np.uint8)
    return out


def plain(text: str) -> str:
    """A text as people read it, its parts divided by " / "."""
    for separator in SEPARATORS:
        text = text.replace(separator, ": " if separator == ROLE else " / ")
    return text


def clean(text: str) -> str:
    """A user's text in NFC without outer space. Raises UndecodableError for control characters and an empty text."""
    text = unicodedata.normalize("NFC", text).strip()
    if not text:
        raise UndecodableError("it is empty")
    for place, character in enumerate(text):
        if character not in _ALLOWED + "\n" and unicodedata.category(character) in ("Cc", "Cs"):
            raise UndecodableError(f"it holds the control character U+{ord(character):04X} at character {place + 1}")
    return text
