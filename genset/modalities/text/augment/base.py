"""What transforms of texts have in common: the division of a text into words and the spans between them."""

import re
import unicodedata
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pydantic

from genset.interfaces import Augmentation, ItemArray
from genset.modalities.text.codec import ROLE, SEPARATORS, decode, encode

# A word of letters, a Chinese, Japanese or Korean character, a number, or a punctuation mark.
_WORD = re.compile(r"[^\W\d_⺀-鿿぀-ヿ가-힣]+(?:['’-][^\W\d_]+)*|[⺀-鿿぀-ヿ가-힣]|\d+|[^\w\s]|_", re.UNICODE)


@dataclass(frozen=True)
class TextSpan:
    """A part of a text."""

    text: str
    changeable: bool  # words, numbers and marks are; spaces, separators and protected spans are not

    @property
    def is_word(self) -> bool:
        """Whether it begins with a letter or a digit."""
        return self.changeable and self.text[:1].isalnum()


class TextStep(Augmentation):
    """A transform of the spans of a text."""

    protect: str | None = None
    """A regular expression: its matches are never changed."""

    @pydantic.field_validator("protect")
    @classmethod
    def _is_pattern(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"invalid regular expression: {error}") from None
        return value

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        return {}

    def apply(self, item: ItemArray, rng: np.random.Generator, **drawn: Any) -> ItemArray:
        text = decode(item)
        result = "".join(span.text for span in self.changed(self._spans(text), rng, **drawn))
        parts = [part if part in SEPARATORS else part.strip() for part in re.split(f"([{SEPARATORS}])", result)]
        result = "".join(parts)
        complete = all(part for part in re.split(f"[{SEPARATORS}]", result))
        return encode(unicodedata.normalize("NFC", result), len(item)) if complete and result != text else item

    def _spans(self, text: str) -> list[TextSpan]:
        """The text as spans, one for each word."""
        spans, place = list[TextSpan](), 0
        for start, end in self._protected(text):
            spans += [*_words_and_spaces(text[place:start]), TextSpan(text[start:end], False)]
            place = end
        return [*spans, *_words_and_spaces(text[place:])]

    def _protected(self, text: str) -> list[tuple[int, int]]:
        """(start, end) of the spans that are never changed: separators, roles, and matches of `protect`."""
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
    def changed(self, spans: list[TextSpan], rng: np.random.Generator, **drawn: Any) -> list[TextSpan]:
        """The spans of the transformed text."""


def _words_and_spaces(text: str) -> list[TextSpan]:
    spans, place = list[TextSpan](), 0
    for match in _WORD.finditer(text):
        if match.start() > place:
            spans.append(TextSpan(text[place : match.start()], False))
        spans.append(TextSpan(match[0], True))
        place = match.end()
    return [*spans, TextSpan(text[place:], False)] if place < len(text) else spans


class WordStep(TextStep):
    """A transform of some of the words of a text."""

    share: float = pydantic.Field(0.1, gt=0, le=1)
    """Share of the words that are changed; at least one word."""

    def chosen(self, spans: list[TextSpan], rng: np.random.Generator, fits: Callable[[TextSpan], bool]) -> set[int]:
        """Row numbers of the spans to change, among the changeable ones that fit."""
        places = [place for place, span in enumerate(spans) if span.changeable and fits(span)]
        count = min(len(places), max(1, round(self.share * len(places))))
        return {places[n] for n in rng.permutation(len(places))[:count]}

    def replaced(
        self,
        spans: list[TextSpan],
        rng: np.random.Generator,
        fits: Callable[[TextSpan], bool],
        new: Callable[[str], str],
    ) -> list[TextSpan]:
        """The spans, the chosen ones replaced, in order."""
        chosen = self.chosen(spans, rng, fits)
        return [TextSpan(new(span.text), True) if place in chosen else span for place, span in enumerate(spans)]
