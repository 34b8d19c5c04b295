"""Transforms of characters: typing and reading errors, case, punctuation, spaces, digits, lookalikes."""

import re
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pydantic

from genset.modalities.text.augment.base import TextSpan, TextStep, WordStep

_NEIGHBOURS = {
    key: near
    for row in ("qwertyuiop", "asdfghjkl", "zxcvbnm")
    for place, key in enumerate(row)
    if (near := row[max(0, place - 1) : place] + row[place + 1 : place + 2])
}
_OCR_ERRORS = {
    "0": "O",
    "O": "0",
    "1": "l",
    "l": "1",
    "5": "S",
    "S": "5",
    "8": "B",
    "B": "8",
    "rn": "m",
    "m": "rn",
    "cl": "d",
}
_CONFUSABLE = dict(zip("aceopxyABCEHKMOPTXi", "асеорхуАВСЕНКМОРТХі", strict=True))  # Latin to Cyrillic
_MARKS = ".,;:!?"
_MAX_DIGITS = 18  # that every integer of 64 bits holds


class Keyboard(WordStep):
    """Replace a letter of a word by a neighbour on the keyboard (QWERTY)."""

    kind: Literal["keyboard"] = "keyboard"

    def changed(self, spans: list[TextSpan], rng: np.random.Generator, **drawn: Any) -> list[TextSpan]:
        def new(word: str) -> str:
            places = [place for place, letter in enumerate(word) if letter.lower() in _NEIGHBOURS]
            place = places[int(rng.integers(len(places)))]
            near = _NEIGHBOURS[word[place].lower()]
            letter = near[int(rng.integers(len(near)))]
            return word[:place] + (letter.upper() if word[place].isupper() else letter) + word[place + 1 :]

        return self.replaced(spans, rng, lambda span: any(c.lower() in _NEIGHBOURS for c in span.text), new)


class Ocr(WordStep):
    """Replace letters and digits by similar ones, as text recognition misreads them."""

    kind: Literal["ocr"] = "ocr"

    def changed(self, spans: list[TextSpan], rng: np.random.Generator, **drawn: Any) -> list[TextSpan]:
        def new(word: str) -> str:
            candidates = [shape for shape in _OCR_ERRORS if shape in word]
            shape = candidates[int(rng.integers(len(candidates)))]
            return word.replace(shape, _OCR_ERRORS[shape], 1)

        return self.replaced(spans, rng, lambda span: any(shape in span.text for shape in _OCR_ERRORS), new)


class Casing(TextStep):
    """Write all letters in lower case, in upper case, or each word with a capital."""

    kind: Literal["casing"] = "casing"

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        return {"case": ("lower", "upper", "title")[int(rng.integers(3))]}

    def changed(self, spans: list[TextSpan], rng: np.random.Generator, **drawn: Any) -> list[TextSpan]:
        convert: Callable[[str], str] = {"lower": str.lower, "upper": str.upper, "title": str.capitalize}[drawn["case"]]
        return [TextSpan(convert(span.text), True) if span.changeable else span for span in spans]


class Punctuation(TextStep):
    """Remove a punctuation mark, or add one after a word."""

    kind: Literal["punctuation"] = "punctuation"

    def changed(self, spans: list[TextSpan], rng: np.random.Generator, **drawn: Any) -> list[TextSpan]:
        marks = [place for place, span in enumerate(spans) if span.changeable and span.text in _MARKS]
        words = [place for place, span in enumerate(spans) if span.is_word]
        if marks and (not words or rng.random() < 0.5):
            removed = marks[int(rng.integers(len(marks)))]
            return [span for place, span in enumerate(spans) if place != removed]
        if not words:
            return spans
        after, mark = words[int(rng.integers(len(words)))], _MARKS[int(rng.integers(len(_MARKS)))]
        return [*spans[: after + 1], TextSpan(mark, True), *spans[after + 1 :]]


class Spacing(TextStep):
    """Remove a space, or double it."""

    kind: Literal["spacing"] = "spacing"

    def changed(self, spans: list[TextSpan], rng: np.random.Generator, **drawn: Any) -> list[TextSpan]:
        spaces = [place for place, span in enumerate(spans) if span.text == " "]
        if not spaces:
            return spans
        place = spaces[int(rng.integers(len(spaces)))]
        return [*spans[:place], TextSpan("  " if rng.random() < 0.5 else "", False), *spans[place + 1 :]]


class Numbers(WordStep):
    """Replace numbers and dates by others with the same number of digits; days and months stay possible."""

    kind: Literal["numbers"] = "numbers"
    share: float = pydantic.Field(0.5, gt=0, le=1)
    """Share of the numbers that are changed; at least one number."""

    def changed(self, spans: list[TextSpan], rng: np.random.Generator, **drawn: Any) -> list[TextSpan]:
        in_date = [_is_in_date(spans, place) for place in range(len(spans))]
        chosen = self.chosen(spans, rng, lambda span: span.text.isdecimal() and span.text.isascii())

        def new(place: int, digits: str) -> str:
            if in_date[place] and len(digits) <= 2:  # a day or a month: 1 to 12 is both
                return str(int(rng.integers(1, 10 if len(digits) == 1 else 13))).zfill(len(digits))
            last = digits[-_MAX_DIGITS:]  # the digits before these stay
            low = 10 ** (len(last) - 1) if last[0] != "0" and len(last) > 1 else 0
            return digits[:-_MAX_DIGITS] + str(int(rng.integers(low, 10 ** len(last)))).zfill(len(last))

        return [TextSpan(new(n, span.text), True) if n in chosen else span for n, span in enumerate(spans)]


def _is_in_date(spans: list[TextSpan], place: int) -> bool:
    """Whether a number is one of three with equal marks between them."""
    near = spans[max(0, place - 4) : place + 5]
    text = "".join(span.text if span.text.isdecimal() else span.text[:1] for span in near)
    date = re.search(r"\d+([-/.])\d+\1\d+", text)
    return bool(date and spans[place].text in re.split(r"[-/.]", date[0]))


class Confusables(WordStep):
    """Replace Latin letters by Cyrillic ones of the same shape."""

    kind: Literal["confusables"] = "confusables"

    def changed(self, spans: list[TextSpan], rng: np.random.Generator, **drawn: Any) -> list[TextSpan]:
        def new(word: str) -> str:
            places = [place for place, letter in enumerate(word) if letter in _CONFUSABLE]
            place = places[int(rng.integers(len(places)))]
            return word[:place] + _CONFUSABLE[word[place]] + word[place + 1 :]

        return self.replaced(spans, rng, lambda span: any(letter in _CONFUSABLE for letter in span.text), new)
