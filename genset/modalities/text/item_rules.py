"""What may be wrong with single texts: damaged characters, markup, gibberish, script, length."""

import re
import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from genset.interfaces import Rule, Sketch
from genset.modalities.text import metrics

GIBBERISH = "gibberish"
RULES: Mapping[str, Rule] = {
    "garbled": Rule(
        "Texts with characters that a wrong encoding leaves. The score is their share of all characters.",
        "{value:.1%} of its characters are what a wrong encoding leaves",
        threshold=0.002,
        measure="value",
    ),
    "markup": Rule(
        "Texts with tags and entities of HTML, among others without. The score is in usual deviations.",
        "{value:.0%} of its characters are tags or entities of HTML",
        threshold=2.0,
        least=0.01,
        bound=0.02,
    ),
    GIBBERISH: Rule(
        "Texts of letters that do not follow each other in others of the set. The score is in usual deviations.",
        "its letters follow each other as in no other item: {value:.1f} nats a letter, usual are {usual:.1f}",
        threshold=6.0,
        least=0.1,
    ),
    "odd_script": Rule(
        "Texts in a script that few others of the set have. The score is the share of those that have another.",
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
OF_ONE = tuple(name for name in RULES if name != GIBBERISH)  # that one text alone tells
_MARKUP = re.compile(r"</?[a-zA-Z][^<>]{0,200}>|&(?:[a-zA-Z]{2,8}|#\d{2,6}|#[xX][0-9a-fA-F]{2,6});")
_LOST = {"\ufffd"}  # the replacement character
_LOST_KINDS = ("Co", "Cn")  # private and unassigned characters
_WRONG_CODECS = {"cp1252": 1, "latin-1": 1, "cp1251": 2}  # UTF-8 is misread as; characters in a row that prove it
_CHARACTER = r"(?:[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})"  # of UTF-8, as bytes
_SELDOM = range(0x180, 0x370)  # code points that a misread one would stand for less often than it stands for itself
_WEIGHTS = (0.6, 0.3, 0.09, 0.01)  # of three, two and one letters, and of any (Jelinek and Mercer 1980)
_FEWEST = 5  # texts of a script that tell what is usual in it
_SHRINK = 5  # letters of the usual likelihood that a text is given: few letters tell little


def values(text: str) -> dict[str, float | str]:
    """The values that the rules look at, but for those that only all texts tell."""
    return {
        "garbled": 0.0 if text.isascii() else _damaged(text) / len(text),
        "markup": sum(len(found[0]) for found in _MARKUP.finditer(text)) / len(text),
        "odd_script": metrics.script(text),
        "too_long": len(text),
    }


def _damaged(text: str) -> int:
    lost = sum(c in _LOST or unicodedata.category(c) in _LOST_KINDS for c in text if not c.isascii())
    return lost + max(_misread(text, codec, row) for codec, row in _WRONG_CODECS.items())


def _misread(text: str, codec: str, row: int) -> int:
    """The characters that are bytes of UTF-8 which was read in another encoding, at least `row` of them in a row."""
    as_bytes = text.translate(_TABLES[codec])
    found = re.finditer(f"{_CHARACTER}{{{row},}}", as_bytes)
    return sum(len(each[0]) for each in found if _is_likely(each[0]))


def _is_likely(as_bytes: str) -> bool:
    try:
        meant = as_bytes.encode("latin-1").decode()
    except UnicodeDecodeError:
        return False
    return all(c.isprintable() or c == "\xa0" for c in meant) and not any(ord(c) in _SELDOM for c in meant)


class _Table(dict[int, str]):
    """For str.translate: a character to the one of the number of its byte, and 0 for what an encoding lacks."""

    def __init__(self, codec: str) -> None:
        for byte in range(256):
            character = bytes([byte]).decode(codec, "ignore")
            if character:
                self[ord(character)] = chr(byte)

    def __missing__(self, key: int) -> str:
        return "\0"


_TABLES = {codec: _Table(codec) for codec in _WRONG_CODECS}


def unlikelihood(sketches: Sequence[Sketch], scripts: Sequence[str]) -> npt.NDArray[np.float64]:
    """(N,) nats a letter of each text by a model of three letters, learned from all the other texts.

    Texts of a script that spread more, or around another median, than the set does are brought to the set's: a script
    of which there are few texts, or which has many letters, is no gibberish.
    """
    nats = _nats(sketches)
    usual, spread = _middle(nats)
    for script in sorted(set(scripts)):
        own = np.array(scripts) == script
        if own.sum() >= _FEWEST:
            middle, apart = _middle(nats[own])
            nats[own] = usual + (nats[own] - middle) * min(1.0, spread / max(apart, 1e-9))
    return nats


def _middle(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """The median, and the median distance from it."""
    if not len(values):
        return 0.0, 0.0
    middle = float(np.median(values))
    return middle, float(np.median(np.abs(values - middle)))


def _nats(sketches: Sequence[Sketch]) -> npt.NDArray[np.float64]:
    letters = np.unique(np.concatenate([np.zeros(1, np.uint32), *sketches]), return_inverse=True)[1][1:]
    lengths = np.array([len(sketch) for sketch in sketches])
    item = np.repeat(np.arange(len(sketches)), lengths)
    size = int(letters.max(initial=0)) + 1
    ends = np.cumsum(lengths)
    follows = np.ones(len(letters), bool)  # whether two letters of the same text stand before
    follows[np.concatenate([ends - lengths, ends - lengths + 1])] = False
    place, of = np.flatnonzero(follows), item[follows]
    one, two = letters[place], letters[place - 1] * size + letters[place]
    before, three = letters[place - 2] * size + letters[place - 1], letters[place - 2] * size * size + two
    alone = np.full(len(place), len(place)) - np.bincount(of, minlength=len(sketches))[of]
    of_three = _others(three, of) / np.maximum(1, _others(before, of))
    of_two = _others(two, of) / np.maximum(1, _others(letters[place - 1], of))
    likely = np.stack([of_three, of_two, _others(one, of) / np.maximum(1, alone), np.full(len(place), 1 / size)])
    nats = np.bincount(of, -np.log(np.array(_WEIGHTS) @ likely), len(sketches))
    counts = np.bincount(of, minlength=len(sketches))
    usual = _middle(nats / np.maximum(1, counts))[0]
    out: npt.NDArray[np.float64] = (nats + _SHRINK * usual) / (counts + _SHRINK)
    return out


def _others(codes: npt.NDArray[np.int64], item: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(P,) how often each code stands in other items than its own."""
    number = np.unique(codes, return_inverse=True)[1]
    own = np.unique(number * (item.max(initial=0) + 1) + item, return_inverse=True, return_counts=True)
    out: npt.NDArray[np.int64] = np.bincount(number)[number] - own[2][own[1]]
    return out
