"""How improbable the letters of each text are, by a model of the other texts."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from genset.interfaces import Fingerprint

_WEIGHTS = (0.6, 0.3, 0.09, 0.01)  # of three, two and one letters, and of any (Jelinek and Mercer 1980)
_MIN_TEXTS = 5  # of a script, so that its own median is known
_PRIOR_LETTERS = 5  # letters of the usual likelihood added to each text: few letters say little


def unlikelihood(fingerprints: Sequence[Fingerprint], scripts: Sequence[str]) -> npt.NDArray[np.float64]:
    """(N,) nats a letter of each text by a trigram model of all other texts.

    The values of a script with a larger spread or another median than the set are scaled to the set: a text in a rare
    script, or in a script of many letters, is not gibberish.
    """
    nats = _nats(fingerprints)
    usual, spread = _median_and_deviation(nats)
    for script in sorted(set(scripts)):
        rows = np.array(scripts) == script
        if rows.sum() >= _MIN_TEXTS:
            median, deviation = _median_and_deviation(nats[rows])
            nats[rows] = usual + (nats[rows] - median) * min(1.0, spread / max(deviation, 1e-9))
    return nats


def _median_and_deviation(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """The median, and the median distance from it."""
    if not len(values):
        return 0.0, 0.0
    median = float(np.median(values))
    return median, float(np.median(np.abs(values - median)))


def _nats(fingerprints: Sequence[Fingerprint]) -> npt.NDArray[np.float64]:
    letters = np.unique(np.concatenate([np.zeros(1, np.uint32), *fingerprints]), return_inverse=True)[1][1:]
    lengths = np.array([len(fingerprint) for fingerprint in fingerprints])
    item = np.repeat(np.arange(len(fingerprints)), lengths)
    size = int(letters.max(initial=0)) + 1
    ends = np.cumsum(lengths)
    is_third = np.ones(len(letters), bool)  # whether the same text has two letters before this one
    is_third[np.concatenate([ends - lengths, ends - lengths + 1])] = False
    place, text = np.flatnonzero(is_third), item[is_third]
    one, two = letters[place], letters[place - 1] * size + letters[place]
    before, three = letters[place - 2] * size + letters[place - 1], letters[place - 2] * size * size + two
    rest = np.full(len(place), len(place)) - np.bincount(text, minlength=len(fingerprints))[text]
    by_three = _count_in_others(three, text) / np.maximum(1, _count_in_others(before, text))
    by_two = _count_in_others(two, text) / np.maximum(1, _count_in_others(letters[place - 1], text))
    by_one = _count_in_others(one, text) / np.maximum(1, rest)
    probability = np.array(_WEIGHTS) @ np.stack([by_three, by_two, by_one, np.full(len(place), 1 / size)])
    nats = np.bincount(text, -np.log(probability), len(fingerprints))
    counts = np.bincount(text, minlength=len(fingerprints))
    usual = _median_and_deviation(nats / np.maximum(1, counts))[0]
    out: npt.NDArray[np.float64] = (nats + _PRIOR_LETTERS * usual) / (counts + _PRIOR_LETTERS)
    return out


def _count_in_others(codes: npt.NDArray[np.int64], item: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(P,) how often each code occurs in other items than its own."""
    number = np.unique(codes, return_inverse=True)[1]
    own = np.unique(number * (item.max(initial=0) + 1) + item, return_inverse=True, return_counts=True)
    out: npt.NDArray[np.int64] = np.bincount(number)[number] - own[2][own[1]]
    return out
