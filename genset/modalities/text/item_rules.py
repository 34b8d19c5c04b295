"""Rules for single texts: damaged characters, markup, gibberish, script, length."""

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping

from genset.interfaces import Rule

GIBBERISH = "gibberish"
RULES: Mapping[str, Rule] = {
    "garbled": Rule(
        "Texts with characters that result from a wrong encoding. The score is their share of all characters.",
        "{value:.1%} of its characters result from a wrong encoding",
        threshold=0.002,
        measure="value",
    ),
    "markup": Rule(
        "Texts with HTML tags and entities, in a set without. The score is in usual deviations.",
        "{value:.0%} of its characters are HTML tags or entities",
        threshold=2.0,
        least=0.01,
        bound=0.02,
    ),
    GIBBERISH: Rule(
        "Texts with sequences of letters that are improbable in this set. The score is in usual deviations.",
        "its sequences of letters are improbable: {value:.1f} nats a letter, usual are {usual:.1f}",
        threshold=6.0,
        least=0.1,
    ),
    "odd_script": Rule(
        "Texts in a script that is rare in the set. The score is the share of texts in other scripts.",
        "its script is {value}, usual is {usual}",
        threshold=0.95,
        measure="rarity",
    ),
    "too_long": Rule(
        "Texts much longer than others of the set. The score is in usual deviations.",
        "{value:,.0f} characters, usual are {usual:,.0f}",
        threshold=5.0,
        least=0.25,
        log=True,
    ),
}
SINGLE_ITEM_RULES = tuple(name for name in RULES if name != GIBBERISH)  # those that need no other text
_MARKUP = re.compile(r"</?[a-zA-Z][^<>]{0,200}>|&(?:[a-zA-Z]{2,8}|#\d{2,6}|#[xX][0-9a-fA-F]{2,6});")
_REPLACEMENT = "\ufffd"
_INVALID = ("Co", "Cn")  # categories of private and unassigned characters
_MIN_LOST = 2  # characters fewer after decoding: one pair of Cyrillic letters can be text


def values(text: str) -> dict[str, float | str]:
    """The value of each rule in SINGLE_ITEM_RULES for a text that is not empty."""
    return {
        "garbled": 0.0 if text.isascii() else garbled_characters(text) / len(text),
        "markup": sum(len(match[0]) for match in _MARKUP.finditer(text)) / len(text),
        "odd_script": script_of(text),
        "too_long": len(text),
    }


def garbled_characters(text: str) -> int:
    """Number of characters that result from decoding text in a wrong encoding: replacement characters, characters that
    are not assigned, and characters that ftfy (Speer 2019, doi:10.5281/zenodo.2591652) would repair."""
    import ftfy

    invalid = sum(c == _REPLACEMENT or unicodedata.category(c) in _INVALID for c in text if not c.isascii())
    repaired = ftfy.fix_encoding(text, replace_lossy_sequences=False)  # U+FFFD is counted above
    if repaired == text:
        repaired = _decoded_from_cp1251(text)
    return invalid + sum((Counter(text) - Counter(repaired)).values())


def _decoded_from_cp1251(text: str) -> str:
    """A text of UTF-8 that was read as cp1251, decoded again. ftfy finds few of them, as most look like Cyrillic text;
    but the bytes of real Cyrillic text are hardly ever UTF-8."""
    try:
        decoded = text.encode("sloppy-windows-1251").decode()  # ftfy registers this codec
    except UnicodeError:
        return text
    return decoded if len(text) - len(decoded) >= _MIN_LOST else text


def script_of(text: str) -> str:
    """The Unicode script of most letters, in lower case, such as latin or han; "none" without letters."""
    letters = Counter(character for character in text if character.isalpha())
    scripts: Counter[str] = Counter()
    for letter, count in letters.items():
        scripts[_script_name(letter)] += count
    del scripts["common"], scripts["inherited"]
    return scripts.most_common(1)[0][0] if scripts else "none"


@functools.cache
def _script_name(letter: str) -> str:
    if letter.isascii():
        return "latin"
    from fontTools import unicodedata as scripts

    return str(scripts.script_name(scripts.script(letter))).lower()
