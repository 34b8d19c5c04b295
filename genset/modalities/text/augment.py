"""Label-preserving transforms of one text. To add one: a class here and its line in the table.

A text is cut into words and what stands between them; what a protected span touches, and what divides the parts of a
dialogue, is never changed.
"""

import itertools
import re
import unicodedata
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pydantic

from genset.interfaces import Augmentation, Item, Step
from genset.modalities.text.codec import ROLE, SEPARATORS, item_of, text_of

_WORD = re.compile(r"[^\W\d_⺀-鿿぀-ヿ가-힣]+(?:['’-][^\W\d_]+)*|[⺀-鿿぀-ヿ가-힣]|\d+|[^\w\s]|_", re.UNICODE)
_NEIGHBOURS = {
    key: near
    for row in ("qwertyuiop", "asdfghjkl", "zxcvbnm")
    for place, key in enumerate(row)
    if (near := row[max(0, place - 1) : place] + row[place + 1 : place + 2])
}
_LOOKS = {
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
_CONFUSABLE = dict(zip("aceopxyABCEHKMOPTXi", "асеорхуАВСЕНКМОРТХі", strict=True))  # Latin and Cyrillic
_MARKS = ".,;:!?"


@dataclass(frozen=True)
class Piece:
    """A stretch of a text."""

    text: str
    word: bool  # whether it may be changed as a word; the others are spaces, separators and protected spans


class TextStep(Augmentation):
    """A transform that works on the pieces of a text."""

    protect: str | None = None
    """A regular expression: what it matches is never changed."""

    @pydantic.field_validator("protect")
    @classmethod
    def _is_pattern(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return value

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        return {}

    def apply(self, item: Item, rng: np.random.Generator, **drawn: Any) -> Item:
        text = text_of(item)
        made = "".join(piece.text for piece in self.changed(self._pieces(text), rng, **drawn))
        made = "".join(part if part in SEPARATORS else part.strip() for part in re.split(f"([{SEPARATORS}])", made))
        whole = all(part for part in re.split(f"[{SEPARATORS}]", made))
        return item_of(unicodedata.normalize("NFC", made), len(item)) if whole and made != text else item

    def _pieces(self, text: str) -> list[Piece]:
        """The text in pieces, words apart."""
        pieces, place = [], 0
        for start, end in self._kept(text):
            pieces += [*_cut(text[place:start]), Piece(text[start:end], False)]
            place = end
        return [*pieces, *_cut(text[place:])]

    def _kept(self, text: str) -> list[tuple[int, int]]:
        """Spans that stay as they are: separators, roles, what is protected."""
        spans = [match.span() for match in re.finditer(f"[{SEPARATORS}]", text)]
        spans += [match.span() for match in re.finditer(f"[^{SEPARATORS}]+(?={ROLE})", text)]
        if self.protect:
            spans += [match.span() for match in re.finditer(self.protect, text) if match.end() > match.start()]
        merged: list[tuple[int, int]] = []
        for start, end in sorted(spans):
            if merged and start < merged[-1][1]:
                merged[-1] = merged[-1][0], max(end, merged[-1][1])
            else:
                merged.append((start, end))
        return merged

    @abstractmethod
    def changed(self, pieces: list[Piece], rng: np.random.Generator, **drawn: Any) -> list[Piece]:
        """The pieces, some of them changed."""


def _cut(text: str) -> list[Piece]:
    pieces, place = [], 0
    for match in _WORD.finditer(text):
        if match.start() > place:
            pieces.append(Piece(text[place : match.start()], False))
        pieces.append(Piece(match[0], True))
        place = match.end()
    return [*pieces, Piece(text[place:], False)] if place < len(text) else pieces


class _Share(TextStep):
    share: float = pydantic.Field(0.1, gt=0, le=1)
    """Share of the words that are changed; one at least."""

    def chosen(self, pieces: list[Piece], rng: np.random.Generator, fits: Callable[[Piece], bool]) -> set[int]:
        """Places of pieces to change, among those that fit."""
        places = [place for place, piece in enumerate(pieces) if piece.word and fits(piece)]
        count = min(len(places), max(1, round(self.share * len(places))))
        return {places[n] for n in rng.permutation(len(places))[:count]}

    def replaced(
        self, pieces: list[Piece], rng: np.random.Generator, fits: Callable[[Piece], bool], new: Callable[[str], str]
    ) -> list[Piece]:
        """The pieces, the chosen ones among them made new, in order."""
        chosen = self.chosen(pieces, rng, fits)
        return [Piece(new(p.text), True) if place in chosen else p for place, p in enumerate(pieces)]


def _is_word(piece: Piece) -> bool:
    return piece.text[:1].isalnum()


class Swap(_Share):
    """Neighbouring words change places."""

    kind: Literal["swap"] = "swap"

    def changed(self, pieces: list[Piece], rng: np.random.Generator, **drawn: Any) -> list[Piece]:
        out = list(pieces)
        words = [place for place, piece in enumerate(pieces) if piece.word and _is_word(piece)]
        pairs = [(a, b) for a, b in itertools.pairwise(words) if not _divided(pieces[a + 1 : b])]
        count = min(len(pairs), max(1, round(self.share * len(pairs))))
        for n in rng.permutation(len(pairs))[:count]:
            a, b = pairs[n]
            out[a], out[b] = out[b], out[a]
        return out


def _divided(between: list[Piece]) -> bool:
    """Whether words with these pieces between them belong to two parts."""
    return any(not piece.text.isspace() or piece.text in SEPARATORS for piece in between)


class Delete(_Share):
    """Words are left out; one of each part stays."""

    kind: Literal["delete"] = "delete"

    def changed(self, pieces: list[Piece], rng: np.random.Generator, **drawn: Any) -> list[Piece]:
        chosen = self.chosen(pieces, rng, _is_word)
        out, part = list[Piece](), list[Piece]()
        for place, piece in enumerate([*pieces, Piece("", False)]):
            if place == len(pieces) or piece.text in SEPARATORS:
                out += [*part, piece]
                part = []
            elif place not in chosen or not self._rest(pieces, place, chosen):
                part.append(piece)
            elif part and part[-1].text.isspace():
                part.pop()  # its space goes with it
        return out

    @staticmethod
    def _rest(pieces: list[Piece], place: int, chosen: set[int]) -> bool:
        """Whether its part has another word that stays."""
        first = next((n + 1 for n in range(place - 1, -1, -1) if pieces[n].text in SEPARATORS), 0)
        last = next((n for n in range(place, len(pieces)) if pieces[n].text in SEPARATORS), len(pieces))
        return any(pieces[n].word and _is_word(pieces[n]) and n not in chosen for n in range(first, last))


class Insert(_Share):
    """A word of the same text stands at another place as well."""

    kind: Literal["insert"] = "insert"

    def changed(self, pieces: list[Piece], rng: np.random.Generator, **drawn: Any) -> list[Piece]:
        words = [piece.text for piece in pieces if piece.word and _is_word(piece)]
        chosen = self.chosen(pieces, rng, _is_word)
        out: list[Piece] = []
        for place, piece in enumerate(pieces):
            if place in chosen:
                out += _beside(Piece(words[int(rng.integers(len(words)))], True), pieces)
            out.append(piece)
        return out


class Duplicate(_Share):
    """Words stand twice."""

    kind: Literal["duplicate"] = "duplicate"

    def changed(self, pieces: list[Piece], rng: np.random.Generator, **drawn: Any) -> list[Piece]:
        chosen = self.chosen(pieces, rng, _is_word)
        return [each for n, p in enumerate(pieces) for each in ([*_beside(p, pieces), p] if n in chosen else [p])]


def _beside(piece: Piece, pieces: list[Piece]) -> list[Piece]:
    """A word and the space after it, where the text has spaces."""
    spaced = any(" " in other.text for other in pieces) or not _is_cjk(piece.text)
    return [piece, Piece(" ", False)] if spaced else [piece]


def _is_cjk(text: str) -> bool:
    return all(ord(character) >= 0x2E80 for character in text)


class Keyboard(_Share):
    """A letter becomes its neighbour on the keyboard (QWERTY)."""

    kind: Literal["keyboard"] = "keyboard"

    def changed(self, pieces: list[Piece], rng: np.random.Generator, **drawn: Any) -> list[Piece]:
        def new(word: str) -> str:
            places = [place for place, letter in enumerate(word) if letter.lower() in _NEIGHBOURS]
            place = places[int(rng.integers(len(places)))]
            near = _NEIGHBOURS[word[place].lower()]
            letter = near[int(rng.integers(len(near)))]
            return word[:place] + (letter.upper() if word[place].isupper() else letter) + word[place + 1 :]

        return self.replaced(pieces, rng, lambda p: any(letter.lower() in _NEIGHBOURS for letter in p.text), new)


class Ocr(_Share):
    """Letters and digits are read as others of the same look."""

    kind: Literal["ocr"] = "ocr"

    def changed(self, pieces: list[Piece], rng: np.random.Generator, **drawn: Any) -> list[Piece]:
        def new(word: str) -> str:
            looks = [look for look in _LOOKS if look in word]
            look = looks[int(rng.integers(len(looks)))]
            return word.replace(look, _LOOKS[look], 1)

        return self.replaced(pieces, rng, lambda p: any(look in p.text for look in _LOOKS), new)


class Casing(TextStep):
    """All letters lower, upper, or as in a title."""

    kind: Literal["casing"] = "casing"

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        return {"case": ("lower", "upper", "title")[int(rng.integers(3))]}

    def changed(self, pieces: list[Piece], rng: np.random.Generator, **drawn: Any) -> list[Piece]:
        to: Callable[[str], str] = {"lower": str.lower, "upper": str.upper, "title": str.capitalize}[drawn["case"]]
        return [Piece(to(piece.text), True) if piece.word else piece for piece in pieces]


class Punctuation(TextStep):
    """A mark is left out, or added after a word."""

    kind: Literal["punctuation"] = "punctuation"

    def changed(self, pieces: list[Piece], rng: np.random.Generator, **drawn: Any) -> list[Piece]:
        marks = [place for place, piece in enumerate(pieces) if piece.word and piece.text in _MARKS]
        words = [place for place, piece in enumerate(pieces) if piece.word and _is_word(piece)]
        if marks and (not words or rng.random() < 0.5):
            left_out = marks[int(rng.integers(len(marks)))]
            return [piece for place, piece in enumerate(pieces) if place != left_out]
        if not words:
            return pieces
        after, mark = words[int(rng.integers(len(words)))], _MARKS[int(rng.integers(len(_MARKS)))]
        return [*pieces[: after + 1], Piece(mark, True), *pieces[after + 1 :]]


class Spacing(TextStep):
    """A space is left out, or doubled."""

    kind: Literal["spacing"] = "spacing"

    def changed(self, pieces: list[Piece], rng: np.random.Generator, **drawn: Any) -> list[Piece]:
        spaces = [place for place, piece in enumerate(pieces) if piece.text == " "]
        if not spaces:
            return pieces
        place = spaces[int(rng.integers(len(spaces)))]
        return [*pieces[:place], Piece("  " if rng.random() < 0.5 else "", False), *pieces[place + 1 :]]


class Numbers(_Share):
    """Numbers and dates become others of as many digits; months and days stay possible."""

    kind: Literal["numbers"] = "numbers"
    share: float = pydantic.Field(0.5, gt=0, le=1)
    """Share of the numbers that are changed; one at least."""

    def changed(self, pieces: list[Piece], rng: np.random.Generator, **drawn: Any) -> list[Piece]:
        dated = [self._in_date(pieces, place) for place in range(len(pieces))]
        chosen = self.chosen(pieces, rng, lambda piece: piece.text.isdecimal() and piece.text.isascii())

        def new(place: int, digits: str) -> str:
            if dated[place] and len(digits) <= 2:  # a day or a month: 1 to 12 is both
                return str(int(rng.integers(1, 10 if len(digits) == 1 else 13))).zfill(len(digits))
            last = digits[-18:]  # as many as an integer of 64 bits holds; what stands before them stays
            low = 10 ** (len(last) - 1) if last[0] != "0" and len(last) > 1 else 0
            return digits[:-18] + str(int(rng.integers(low, 10 ** len(last)))).zfill(len(last))

        return [Piece(new(n, p.text), True) if n in chosen else p for n, p in enumerate(pieces)]

    @staticmethod
    def _in_date(pieces: list[Piece], place: int) -> bool:
        """Whether a number is one of three with equal marks between them."""
        text = "".join(p.text if p.text.isdecimal() else p.text[:1] for p in pieces[max(0, place - 4) : place + 5])
        found = re.search(r"\d+([-/.])\d+\1\d+", text)
        return bool(found and pieces[place].text in re.split(r"[-/.]", found[0]))


class Confusables(_Share):
    """Latin letters become Cyrillic ones of the same look."""

    kind: Literal["confusables"] = "confusables"

    def changed(self, pieces: list[Piece], rng: np.random.Generator, **drawn: Any) -> list[Piece]:
        def new(word: str) -> str:
            places = [place for place, letter in enumerate(word) if letter in _CONFUSABLE]
            place = places[int(rng.integers(len(places)))]
            return word[:place] + _CONFUSABLE[word[place]] + word[place + 1 :]

        return self.replaced(pieces, rng, lambda p: any(letter in _CONFUSABLE for letter in p.text), new)


class Synonyms(_Share):
    """Words become others of the same meaning, from a table of the user's."""

    kind: Literal["synonyms"] = "synonyms"
    table: Mapping[str, list[str]] = pydantic.Field(min_length=1)
    """For each word the words that may stand for it, such as {big: [large, huge]}."""

    @pydantic.field_validator("table")
    @classmethod
    def _are_words(cls, value: Mapping[str, list[str]]) -> Mapping[str, list[str]]:
        for word in (other for others in value.values() for other in others):
            if not word.strip() or not word.isprintable():
                raise ValueError(f"must hold words to write, got {word!r}")
        return value

    def changed(self, pieces: list[Piece], rng: np.random.Generator, **drawn: Any) -> list[Piece]:
        table = {word.lower(): others for word, others in self.table.items() if others}

        def new(word: str) -> str:
            others = table[word.lower()]
            other = others[int(rng.integers(len(others)))]
            return other[:1].upper() + other[1:] if word[:1].isupper() else other

        return self.replaced(pieces, rng, lambda piece: piece.text.lower() in table, new)


AUGMENTATIONS: dict[str, type[Step]] = {
    "swap": Swap,
    "delete": Delete,
    "insert": Insert,
    "duplicate": Duplicate,
    "keyboard": Keyboard,
    "ocr": Ocr,
    "casing": Casing,
    "punctuation": Punctuation,
    "spacing": Spacing,
    "numbers": Numbers,
    "confusables": Confusables,
    "synonyms": Synonyms,
}
# Mild: little noise, and no word that is new to the text.
DEFAULT_STEPS: tuple[Step, ...] = (
    Swap(p=0.3, share=0.05),
    Delete(p=0.3, share=0.05),
    Keyboard(p=0.3, share=0.05),
    Casing(p=0.1),
    Punctuation(p=0.3),
)
