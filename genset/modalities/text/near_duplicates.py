"""Near-duplicates of texts: the share of character runs that two texts have in common, without case and accents."""

import unicodedata
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from genset.interfaces import Fingerprint, Floats, Keys, Pairs, Similarity

_RUN_LENGTH = 3  # characters
# The probability that a pair with Jaccard similarity s has a key in common is 1 - (1 - s^4)^24: 0.9999 at 0.8
_BANDS, _ROWS = 24, 4
_SEED = 21
_PRIME = np.uint64(0x9E3779B97F4A7C15)  # odd, for multiplicative hashing


def fingerprint(text: str) -> Fingerprint:
    """(L,) code points of a text without case, accents, punctuation and repeated spaces."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    kept = (" " if not c.isalnum() else c for c in plain if not unicodedata.combining(c))
    words = " ".join("".join(kept).split())
    rest = words or " ".join(text.split())  # a text of punctuation or emoji only
    return np.array([ord(character) for character in f" {rest} "], np.uint32)


class TextSimilarity(Similarity):
    """Jaccard similarity of the sets of character runs of texts; candidates by MinHash (Broder 1997) in bands."""

    def __init__(self, fingerprints: Sequence[Fingerprint]) -> None:
        self._runs = [_hashed_runs(fingerprint) for fingerprint in fingerprints]
        rng = np.random.Generator(np.random.Philox(_SEED))
        factors = rng.integers(1, 2**63, _BANDS * _ROWS, np.uint64) * np.uint64(2) + np.uint64(1)
        self.keys: Keys = np.stack([_min_hashes(runs, factors) for runs in self._runs])

    def __call__(self, pairs: Pairs) -> Floats:
        return np.array([_jaccard(self._runs[a], self._runs[b]) for a, b in pairs], np.float32)


def _hashed_runs(codes: Fingerprint) -> npt.NDArray[np.uint64]:
    """The hashes of the different character runs of a text, sorted."""
    wide = codes.astype(np.uint64)
    out = np.zeros(max(1, len(wide) - _RUN_LENGTH + 1), np.uint64)
    for place in range(min(_RUN_LENGTH, len(wide))):
        out = (out ^ wide[place : place + len(out)]) * _PRIME  # wraps around
        out ^= out >> np.uint64(29)
    return np.unique(out)


def _min_hashes(runs: npt.NDArray[np.uint64], factors: npt.NDArray[np.uint64]) -> Keys:
    """(_BANDS,) one key for the minimum hashes of each band."""
    minima = (runs[:, None] * factors).min(axis=0).reshape(_BANDS, _ROWS)
    key = np.zeros(_BANDS, np.uint64)
    for row in range(_ROWS):
        key = (key ^ minima[:, row]) * _PRIME
        key ^= key >> np.uint64(29)
    return key


def _jaccard(a: npt.NDArray[np.uint64], b: npt.NDArray[np.uint64]) -> float:
    common = len(np.intersect1d(a, b, assume_unique=True))
    return common / (len(a) + len(b) - common)
