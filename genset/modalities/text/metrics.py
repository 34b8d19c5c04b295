"""The figures of texts, and the faults that make a synthetic text unusable."""

import itertools
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from genset.interfaces import MetricInfo, MetricSkippedError
from genset.modalities.text.character_model import CharacterModel
from genset.modalities.text.codec import FIELD, SEPARATORS

FAULTS: Mapping[str, str] = {
    "empty": "empty",
    "garbled": "garbled: it contained half a character or a control character",
    "repetitive": "repetitive: it repeated the same few words",
    "incomplete": "incomplete: a part was missing",
}
FIGURES = (
    MetricInfo("exact_copies", "lower", "share of synthetic texts that exactly equal a training text", high=1),
    MetricInfo(
        "exact_copies_real", "neutral", "share of real held-out texts that exactly equal a training text", high=1
    ),
    MetricInfo(
        "near_copies", "lower", "share of synthetic texts that differ from a training text by at most one word", high=1
    ),
    MetricInfo(
        "near_copies_real",
        "neutral",
        "share of real held-out texts that differ from a training text by at most one word",
        high=1,
    ),
    MetricInfo(
        "overlap_train", "neutral", "share of the 4-grams of synthetic texts that training texts contain", high=1
    ),
    MetricInfo(
        "overlap_test", "higher", "share of the 4-grams of synthetic texts that real held-out texts contain", high=1
    ),
    MetricInfo(
        "overlap_real",
        "neutral",
        "share of the 4-grams of training texts that held-out texts contain: compare overlap_test with it",
        high=1,
    ),
    MetricInfo(
        "self_overlap", "lower", "share of the 4-grams of synthetic texts that another synthetic text contains", high=1
    ),
    MetricInfo(
        "self_overlap_real",
        "neutral",
        "share of the 4-grams of training texts that another training text contains",
        high=1,
    ),
    MetricInfo(
        "distinct_1",
        "higher",
        "number of different words in synthetic texts, divided by the number of all words",
        high=1,
    ),
    MetricInfo(
        "distinct_2",
        "higher",
        "number of different word pairs in synthetic texts, divided by the number of all word pairs",
        high=1,
    ),
    MetricInfo("distinct_2_real", "neutral", "distinct_2 of training texts", high=1),
    MetricInfo(
        "length_distance",
        "lower",
        "difference between the lengths of synthetic and real held-out texts, from 0 (equal) to 1",
        high=1,
    ),
    MetricInfo(
        "character_distance",
        "lower",
        "difference between the character frequencies of synthetic and real held-out texts, from 0 (equal) to 1",
        high=1,
    ),
    MetricInfo(
        "perplexity",
        "lower",
        "perplexity per character of synthetic texts, by an n-gram model of training texts",
        low=1,
    ),
    MetricInfo(
        "perplexity_real",
        "neutral",
        "perplexity per character of real held-out texts, by the same model: compare the other two with it",
        low=1,
    ),
    MetricInfo(
        "perplexity_back",
        "lower",
        "perplexity per character of real held-out texts, by an n-gram model of synthetic texts",
        low=1,
    ),
)
_NGRAM = 4  # words
_MAX_TEXTS = 2000  # of each set: figures depend on the number of texts, so all sets have the same
_FEW_WORDS = 4  # shorter texts are compared by characters: names of one word all differ by one word
_GAP = "\1"
_MAX_REPEATS = 3  # how often words may follow themselves
_MAX_PERIOD = 8  # words that are repeated together
_FIRST_CJK = 0x2E80  # from this code point on, scripts have no spaces
_Ngrams = list[list[tuple[str, ...]]]  # of each text


def words(text: str) -> list[str]:
    """Words and punctuation marks in lower case; single characters for scripts without spaces."""
    out: list[str] = []
    for group in text.lower().split():
        for joins, run in itertools.groupby(group, key=lambda c: c.isalnum() and ord(c) < _FIRST_CJK):
            characters = list(run)
            out += ["".join(characters)] if joins else characters
    return out


def faults(texts: Sequence[str], fields: int) -> npt.NDArray[np.str_]:
    """(N,) one of FAULTS for each unusable text, "" for the others; `fields` is the number of fields of an item."""
    return np.array([_fault(text, fields) for text in texts], dtype="U16")


def _fault(text: str, fields: int) -> str:
    if not any(character.isalnum() or ord(character) > 0x2000 for character in text):
        return "empty"
    allowed = SEPARATORS + "\n\t"
    if "\ufffd" in text or any(c not in allowed and unicodedata.category(c) in ("Cc", "Cs", "Cn") for c in text):
        return "garbled"
    parts = text.split(FIELD)
    if len(parts) != fields or not all(part.strip(SEPARATORS + " ") for part in parts):
        return "incomplete"
    return "repetitive" if is_repetitive(words(text)) else ""


def is_repetitive(sequence: list[str]) -> bool:
    """Whether one to eight words occur more than three times in a row."""
    for period in range(1, min(_MAX_PERIOD, len(sequence) // (_MAX_REPEATS + 1)) + 1):
        same = [a == b for a, b in zip(sequence, sequence[period:], strict=False)]
        longest = max((len(list(run)) for equal, run in itertools.groupby(same) if equal), default=0)
        if longest >= period * _MAX_REPEATS and any(word.isalnum() for word in sequence):
            return True
    return False


def measure(train: Sequence[str], test: Sequence[str], synthetic: Sequence[str]) -> dict[str, float]:
    """The values of FIGURES. Raises MetricSkippedError."""
    count = min(_MAX_TEXTS, len(train), len(test), len(synthetic))
    if count < 2:
        raise MetricSkippedError("needs at least two training, held-out and synthetic texts")
    parts = [_sample(texts, count) for texts in (train, test, synthetic)]
    known = set(train)
    return {
        "exact_copies": _share(text in known for text in synthetic),
        "exact_copies_real": _share(text in known for text in test),
        **_near_copies(train, parts[1], parts[2]),
        **_overlaps(*parts),
        **_distances(parts[1], parts[2]),
        **_perplexities(*parts),
    }


def _sample(texts: Sequence[str], count: int) -> list[str]:
    """`count` of the texts, evenly spaced."""
    return [texts[place] for place in np.linspace(0, len(texts) - 1, count).round().astype(int)]


def _share(truths: Iterator[bool]) -> float:
    values = list(truths)
    return sum(values) / max(1, len(values))


def _near_copies(train: Sequence[str], test: list[str], synthetic: list[str]) -> dict[str, float]:
    near, count = within_one_word([*synthetic, *test], train), len(synthetic)
    return {"near_copies": float(near[:count].mean()), "near_copies_real": float(near[count:].mean())}


def within_one_word(texts: Sequence[str], known: Sequence[str]) -> npt.NDArray[np.bool_]:
    """(N,) whether a known text differs by at most one changed, additional or missing word (in texts of few words: one
    character). Case is ignored."""
    rows: dict[int, list[int]] = {}
    for row, text in enumerate(texts):
        for gapped in _with_gaps(text):
            rows.setdefault(gapped, []).append(row)
    near = np.zeros(len(texts), np.bool_)
    for text in set(known):
        for gapped in _with_gaps(text):
            near[rows.get(gapped, [])] = True
    return near


def _with_gaps(text: str) -> Iterator[int]:
    """Hashes of the text with a gap in place of each word, and between words: two texts have one in common exactly if
    they differ by at most one word."""
    units = words(text)
    if len(units) < _FEW_WORDS:
        units = list(text.lower())
    for place in range(len(units) + 1):
        before = [*units[:place], _GAP]
        yield hash(tuple(before + units[place:]))
        if place < len(units):
            yield hash(tuple(before + units[place + 1 :]))


def _overlaps(train: list[str], test: list[str], synthetic: list[str]) -> dict[str, float]:
    train_words, test_words, synthetic_words = ([words(text) for text in part] for part in (train, test, synthetic))
    train_ngrams, test_ngrams, synthetic_ngrams = (
        _ngrams(part, _NGRAM) for part in (train_words, test_words, synthetic_words)
    )
    return {
        "overlap_train": _share_in(synthetic_ngrams, _different(train_ngrams)),
        "overlap_test": _share_in(synthetic_ngrams, _different(test_ngrams)),
        "overlap_real": _share_in(train_ngrams, _different(test_ngrams)),
        "self_overlap": _share_repeated(synthetic_ngrams),
        "self_overlap_real": _share_repeated(train_ngrams),
        "distinct_1": _share_different(_ngrams(synthetic_words, 1)),
        "distinct_2": _share_different(_ngrams(synthetic_words, 2)),
        "distinct_2_real": _share_different(_ngrams(train_words, 2)),
    }


def _ngrams(texts: list[list[str]], length: int) -> _Ngrams:
    """The n-grams of each text."""
    return [[tuple(text[place : place + length]) for place in range(len(text) - length + 1)] for text in texts]


def _different(ngrams: _Ngrams) -> set[tuple[str, ...]]:
    return {ngram for text in ngrams for ngram in text}


def _share_in(ngrams: _Ngrams, known: set[tuple[str, ...]]) -> float:
    return _share(ngram in known for text in ngrams for ngram in text)


def _share_repeated(ngrams: _Ngrams) -> float:
    """Share of n-grams that another text has, too."""
    texts = Counter(ngram for text in ngrams for ngram in set(text))
    return _share(texts[ngram] > 1 for text in ngrams for ngram in text)


def _share_different(ngrams: _Ngrams) -> float:
    return len(_different(ngrams)) / max(1, sum(map(len, ngrams)))


def _distances(test: list[str], synthetic: list[str]) -> dict[str, float]:
    lengths = [np.sort([len(text) for text in part]) for part in (test, synthetic)]
    grid = np.unique(np.concatenate(lengths))
    shares = [np.searchsorted(part, grid, side="right") / len(part) for part in lengths]
    counts = [Counter("".join(part)) for part in (test, synthetic)]
    totals = [max(1, count.total()) for count in counts]
    characters = set(counts[0]) | set(counts[1])
    difference = sum(abs(counts[0][c] / totals[0] - counts[1][c] / totals[1]) for c in characters)
    return {"length_distance": float(np.abs(shares[0] - shares[1]).max()), "character_distance": difference / 2}


def _perplexities(train: list[str], test: list[str], synthetic: list[str]) -> dict[str, float]:
    real = CharacterModel(train)
    return {
        "perplexity": real.perplexity(synthetic),
        "perplexity_real": real.perplexity(test),
        "perplexity_back": CharacterModel(synthetic).perplexity(test),
    }
