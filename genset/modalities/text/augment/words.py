"""Transforms of words: exchanged, deleted, inserted, doubled, replaced by synonyms."""

import itertools
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pydantic

from genset.modalities.text.augment.base import TextSpan, WordStep
from genset.modalities.text.codec import SEPARATORS


def _is_word(span: TextSpan) -> bool:
    return span.is_word


class Swap(WordStep):
    """Exchange neighbouring words."""

    kind: Literal["swap"] = "swap"

    def changed(self, spans: list[TextSpan], rng: np.random.Generator, **drawn: Any) -> list[TextSpan]:
        out = list(spans)
        words = [place for place, span in enumerate(spans) if span.is_word]
        pairs = [(a, b) for a, b in itertools.pairwise(words) if not _are_apart(spans[a + 1 : b])]
        count = min(len(pairs), max(1, round(self.share * len(pairs))))
        for n in rng.permutation(len(pairs))[:count]:
            a, b = pairs[n]
            out[a], out[b] = out[b], out[a]
        return out


def _are_apart(between: list[TextSpan]) -> bool:
    """Whether two words with these spans between them must not be exchanged: they are in different parts or phrases."""
    return any(not span.text.isspace() or span.text in SEPARATORS for span in between)


class Delete(WordStep):
    """Delete words; one word of each part stays."""

    kind: Literal["delete"] = "delete"

    def changed(self, spans: list[TextSpan], rng: np.random.Generator, **drawn: Any) -> list[TextSpan]:
        chosen = self.chosen(spans, rng, _is_word)
        out, part = list[TextSpan](), list[TextSpan]()
        for place, span in enumerate([*spans, TextSpan("", False)]):
            if place == len(spans) or span.text in SEPARATORS:
                out += [*part, span]
                part = []
            elif place not in chosen or not _another_stays(spans, place, chosen):
                part.append(span)
            elif part and part[-1].text.isspace():
                part.pop()  # the space before it is deleted, too
        return out


def _another_stays(spans: list[TextSpan], place: int, chosen: set[int]) -> bool:
    """Whether the part of a word has another word that is not among the chosen ones."""
    first = next((n + 1 for n in range(place - 1, -1, -1) if spans[n].text in SEPARATORS), 0)
    last = next((n for n in range(place, len(spans)) if spans[n].text in SEPARATORS), len(spans))
    return any(spans[n].is_word and n not in chosen for n in range(first, last))


class Insert(WordStep):
    """Repeat a word of the text at another place."""

    kind: Literal["insert"] = "insert"

    def changed(self, spans: list[TextSpan], rng: np.random.Generator, **drawn: Any) -> list[TextSpan]:
        words = [span.text for span in spans if span.is_word]
        chosen = self.chosen(spans, rng, _is_word)
        out: list[TextSpan] = []
        for place, span in enumerate(spans):
            if place in chosen:
                out += _with_space(TextSpan(words[int(rng.integers(len(words)))], True), spans)
            out.append(span)
        return out


class Duplicate(WordStep):
    """Write words twice."""

    kind: Literal["duplicate"] = "duplicate"

    def changed(self, spans: list[TextSpan], rng: np.random.Generator, **drawn: Any) -> list[TextSpan]:
        chosen = self.chosen(spans, rng, _is_word)
        out: list[TextSpan] = []
        for place, span in enumerate(spans):
            out += [*_with_space(span, spans), span] if place in chosen else [span]
        return out


def _with_space(word: TextSpan, spans: list[TextSpan]) -> list[TextSpan]:
    """A word and, in a text with spaces, the space after it."""
    is_cjk = all(ord(character) >= 0x2E80 for character in word.text)
    has_spaces = any(" " in span.text for span in spans) or not is_cjk
    return [word, TextSpan(" ", False)] if has_spaces else [word]


class Synonyms(WordStep):
    """Replace words by synonyms from a table in the config."""

    kind: Literal["synonyms"] = "synonyms"
    table: Mapping[str, list[str]] = pydantic.Field(min_length=1)
    """The synonyms of each word, such as {big: [large, huge]}."""

    @pydantic.field_validator("table")
    @classmethod
    def _are_words(cls, value: Mapping[str, list[str]]) -> Mapping[str, list[str]]:
        for word in (synonym for synonyms in value.values() for synonym in synonyms):
            if not word.strip() or not word.isprintable():
                raise ValueError(f"must contain printable words, got {word!r}")
        return value

    def changed(self, spans: list[TextSpan], rng: np.random.Generator, **drawn: Any) -> list[TextSpan]:
        table = {word.lower(): synonyms for word, synonyms in self.table.items() if synonyms}

        def new(word: str) -> str:
            synonyms = table[word.lower()]
            synonym = synonyms[int(rng.integers(len(synonyms)))]
            return synonym[:1].upper() + synonym[1:] if word[:1].isupper() else synonym

        return self.replaced(spans, rng, lambda span: span.text.lower() in table, new)
