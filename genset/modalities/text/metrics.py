"""What only texts have: their own figures, and what makes a made text of no use."""

import itertools
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from genset.interfaces import Figure, SkipError
from genset.modalities.text.codec import FIELD, SEPARATORS

FAULTS: Mapping[str, str] = {
    "empty": "empty",
    "garbled": "garbled: it held half a character or a control character",
    "repetitive": "repetitive: the same few words again and again",
    "incomplete": "incomplete: a part of it was missing",
}
FIGURES = (
    Figure("exact_copies", "lower", "share of made texts that stand in train word for word", high=1),
    Figure("exact_copies_real", "neutral", "the same of real held-out texts", high=1),
    Figure("near_copies", "lower", "share of made texts that stand in train but for one word at most", high=1),
    Figure("near_copies_real", "neutral", "the same of real held-out texts", high=1),
    Figure("overlap_train", "neutral", "share of the runs of four words in made texts that stand in train", high=1),
    Figure("overlap_test", "higher", "the same with as many real held-out texts", high=1),
    Figure("overlap_real", "neutral", "the same of real train texts with held-out ones: the best to hope for", high=1),
    Figure("self_overlap", "lower", "share of the runs of four words in made texts that another made one has", high=1),
    Figure("self_overlap_real", "neutral", "the same among real train texts", high=1),
    Figure("distinct_1", "higher", "different words per word of made texts", high=1),
    Figure("distinct_2", "higher", "different pairs of words per pair of made texts", high=1),
    Figure("distinct_2_real", "neutral", "the same of real train texts", high=1),
    Figure("length_distance", "lower", "how far lengths of made texts are from real ones: 0 alike, 1 apart", high=1),
    Figure("character_distance", "lower", "the same of how often each character occurs", high=1),
    Figure("perplexity", "lower", "of made texts, per character, to an n-gram model of real train texts", low=1),
    Figure("perplexity_real", "neutral", "the same of real held-out texts: what both are to be compared with", low=1),
    Figure("perplexity_back", "lower", "of real held-out texts to an n-gram model of made texts", low=1),
)
_RUN = 4  # words
_MOST = 2000  # texts of each part: figures depend on how many there are, so all parts have equally many
_FEW_WORDS = 4  # a text of fewer is taken by its characters: names of one word all differ in one word
_GAP = "\1"
_ORDER = 4  # characters before the one that is predicted
_LONGEST_RUN = 3  # times that words may stand one after the other
_LONGEST_PERIOD = 8  # words


def words(text: str) -> list[str]:
    """Words and marks; where a script has no spaces, characters."""
    out: list[str] = []
    for group in text.lower().split():
        for kind, run in itertools.groupby(group, key=_kind):
            characters = list(run)
            out += ["".join(characters)] if kind == "letters" else characters
    return out


def _kind(character: str) -> str:
    """letters that make words together, or something that stands alone."""
    if not character.isalnum():
        return "mark"
    return "letters" if ord(character) < 0x2E80 else "character"


def script(text: str) -> str:
    """The script of most letters, by the first word of their Unicode name; "none" without letters."""
    names = Counter(unicodedata.name(c, "unknown").split()[0].lower() for c in text if c.isalpha())
    return names.most_common(1)[0][0] if names else "none"


def faults(texts: Sequence[str], fields: int) -> npt.NDArray[np.str_]:
    """(N,) one of FAULTS for each text of no use, "" for the others."""
    return np.array([_fault(text, fields) for text in texts], dtype="U16")


def _fault(text: str, fields: int) -> str:
    if not any(character.isalnum() or ord(character) > 0x2000 for character in text):
        return "empty"
    strange = (c for c in text if c not in SEPARATORS + "\n\t" and unicodedata.category(c) in ("Cc", "Cs", "Cn"))
    if "\ufffd" in text or next(strange, ""):
        return "garbled"
    parts = text.split(FIELD)
    if len(parts) != fields or not all(part.strip(SEPARATORS + " ") for part in parts):
        return "incomplete"
    return "repetitive" if _repeats(words(text)) else ""


def _repeats(found: list[str]) -> bool:
    """Whether some words stand more than three times one after the other."""
    for period in range(1, min(_LONGEST_PERIOD, len(found) // (_LONGEST_RUN + 1)) + 1):
        same = [a == b for a, b in zip(found, found[period:], strict=False)]
        longest = max((len(list(run)) for equal, run in itertools.groupby(same) if equal), default=0)
        if longest >= period * _LONGEST_RUN and any(word.isalnum() for word in found):
            return True
    return False


def measure(train: Sequence[str], test: Sequence[str], made: Sequence[str]) -> dict[str, float]:
    """The values of FIGURES. Raises SkipError."""
    count = min(_MOST, len(train), len(test), len(made))
    if count < 2:
        raise SkipError("needs at least two real train, real held-out and made texts")
    parts = [_some(texts, count) for texts in (train, test, made)]
    known = set(train)
    return {
        "exact_copies": _share(text in known for text in made),
        "exact_copies_real": _share(text in known for text in test),
        **_near_copies(train, parts[1], parts[2]),
        **_overlaps(*parts),
        **_distances(parts[1], parts[2]),
        **_perplexities(*parts),
    }


def _some(texts: Sequence[str], count: int) -> list[str]:
    """So many of the texts, evenly."""
    return [texts[place] for place in np.linspace(0, len(texts) - 1, count).round().astype(int)]


def _share(truths: Iterator[bool]) -> float:
    values = list(truths)
    return sum(values) / max(1, len(values))


def _near_copies(train: Sequence[str], test: list[str], made: list[str]) -> dict[str, float]:
    near = one_apart([*made, *test], train)
    return {"near_copies": float(near[: len(made)].mean()), "near_copies_real": float(near[len(made) :].mean())}


def one_apart(texts: Sequence[str], known: Sequence[str]) -> npt.NDArray[np.bool_]:
    """(N,) whether some known text is the same but for one word that is another, more or missing; of texts of few words
    but for one character. Case does not count."""
    rows: dict[int, list[int]] = {}
    for row, text in enumerate(texts):
        for gapped in _gapped(text):
            rows.setdefault(gapped, []).append(row)
    near = np.zeros(len(texts), np.bool_)
    for text in set(known):
        for gapped in _gapped(text):
            near[rows.get(gapped, [])] = True
    return near


def _gapped(text: str) -> Iterator[int]:
    """Hashes of the text with a gap in place of each word, and between words: two texts share one of them just when
    they are at most one word apart."""
    units = words(text)
    if len(units) < _FEW_WORDS:
        units = list(text.lower())
    for place in range(len(units) + 1):
        before = [*units[:place], _GAP]
        yield hash(tuple(before + units[place:]))
        if place < len(units):
            yield hash(tuple(before + units[place + 1 :]))


def _overlaps(train: list[str], test: list[str], made: list[str]) -> dict[str, float]:
    train_runs, test_runs, made_runs = ([_runs(words(text), _RUN) for text in part] for part in (train, test, made))
    pairs = {name: [_runs(words(text), 2) for text in part] for name, part in (("train", train), ("made", made))}
    return {
        "overlap_train": _inside(made_runs, _all(train_runs)),
        "overlap_test": _inside(made_runs, _all(test_runs)),
        "overlap_real": _inside(train_runs, _all(test_runs)),
        "self_overlap": _among(made_runs),
        "self_overlap_real": _among(train_runs),
        "distinct_1": _distinct([_runs(words(text), 1) for text in made]),
        "distinct_2": _distinct(pairs["made"]),
        "distinct_2_real": _distinct(pairs["train"]),
    }


def _runs(found: list[str], length: int) -> list[tuple[str, ...]]:
    return [tuple(found[place : place + length]) for place in range(len(found) - length + 1)]


def _all(runs: list[list[tuple[str, ...]]]) -> set[tuple[str, ...]]:
    return {run for part in runs for run in part}


def _inside(runs: list[list[tuple[str, ...]]], known: set[tuple[str, ...]]) -> float:
    return _share(run in known for part in runs for run in part)


def _among(runs: list[list[tuple[str, ...]]]) -> float:
    """Share of runs that another text has as well."""
    texts = Counter(run for part in runs for run in set(part))
    return _share(texts[run] > 1 for part in runs for run in part)


def _distinct(runs: list[list[tuple[str, ...]]]) -> float:
    total = sum(map(len, runs))
    return len(_all(runs)) / max(1, total)


def _distances(test: list[str], made: list[str]) -> dict[str, float]:
    lengths = [np.sort([len(text) for text in part]) for part in (test, made)]
    grid = np.unique(np.concatenate(lengths))
    shares = [np.searchsorted(part, grid, side="right") / len(part) for part in lengths]
    counts = [Counter("".join(part)) for part in (test, made)]
    totals = [max(1, count.total()) for count in counts]
    characters = set(counts[0]) | set(counts[1])
    apart = sum(abs(counts[0][c] / totals[0] - counts[1][c] / totals[1]) for c in characters)
    return {"length_distance": float(np.abs(shares[0] - shares[1]).max()), "character_distance": apart / 2}


def _perplexities(train: list[str], test: list[str], made: list[str]) -> dict[str, float]:
    real, own = _Ngrams(train), _Ngrams(made)
    return {
        "perplexity": real.perplexity(made),
        "perplexity_real": real.perplexity(test),
        "perplexity_back": own.perplexity(test),
    }


class _Ngrams:
    """Characters predicted from up to four before them, with the smoothing of Witten and Bell (1991)."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._next: dict[str, Counter[str]] = {}
        for text in texts:
            padded = "\2" * _ORDER + text + "\3"
            for place in range(_ORDER, len(padded)):
                for order in range(_ORDER + 1):
                    self._next.setdefault(padded[place - order : place], Counter())[padded[place]] += 1
        self._sums = {before: (after.total(), len(after)) for before, after in self._next.items()}
        self._characters = len(self._next.get("", ())) + 1

    def perplexity(self, texts: Sequence[str]) -> float:
        """exp of the mean negative log-likelihood of a character."""
        total, count = 0.0, 0
        for text in texts:
            padded = "\2" * _ORDER + text + "\3"
            for place in range(_ORDER, len(padded)):
                total -= float(np.log(self._p(padded[place - _ORDER : place], padded[place])))
                count += 1
        return float(np.exp(total / max(1, count)))

    def _p(self, before: str, character: str) -> float:
        p = 1 / self._characters
        for order in range(_ORDER + 1):
            known = self._sums.get(before[_ORDER - order :])
            if known is None:
                break
            total, kinds = known
            p = (self._next[before[_ORDER - order :]][character] + kinds * p) / (total + kinds)
        return p
