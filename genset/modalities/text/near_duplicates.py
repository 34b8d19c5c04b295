"""Near-duplicates of texts: the share of short pieces that two have in common, whatever their case and accents."""

import unicodedata
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from genset.interfaces import Floats, Keys, Likeness, Pairs, Sketch

_PIECE = 3  # characters
_BANDS, _ROWS = 24, 4  # 1 - (1 - s^4)^24 of the pairs that share s of their pieces are found: 0.9999 at 0.8
_SEED = 21
_PRIME = np.uint64(0x9E3779B97F4A7C15)  # odd, for multiplicative hashing


def of(text: str) -> Sketch:
    """(L,) code points of what is left without case, accents, marks and outer or doubled space."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    kept = (" " if not c.isalnum() else c for c in plain if not unicodedata.combining(c))
    words = " ".join("".join(kept).split())
    left = words or " ".join(text.split())  # nothing but marks or pictures
    return np.array([ord(character) for character in f" {left} "], np.uint32)


class Shingles(Likeness):
    """Likeness of texts: Jaccard similarity of their sets of pieces; candidates by MinHash (Broder 1997) in bands."""

    def __init__(self, sketches: Sequence[Sketch]) -> None:
        self._pieces = [_pieces(sketch) for sketch in sketches]
        rng = np.random.Generator(np.random.Philox(_SEED))
        factors = rng.integers(1, 2**63, _BANDS * _ROWS, np.uint64) * np.uint64(2) + np.uint64(1)
        self.keys: Keys = np.stack([_min_hashes(pieces, factors) for pieces in self._pieces])

    def __call__(self, pairs: Pairs) -> Floats:
        return np.array([_shared(self._pieces[a], self._pieces[b]) for a, b in pairs], np.float32)


def _pieces(codes: Sketch) -> npt.NDArray[np.uint64]:
    """The hashes of the different pieces of a text."""
    wide = codes.astype(np.uint64)
    out = np.zeros(max(1, len(wide) - _PIECE + 1), np.uint64)
    for place in range(min(_PIECE, len(wide))):
        out = (out ^ wide[place : place + len(out)]) * _PRIME  # wraps around
        out ^= out >> np.uint64(29)
    return np.unique(out)


def _min_hashes(pieces: npt.NDArray[np.uint64], factors: npt.NDArray[np.uint64]) -> Keys:
    """(BANDS,) one key for the least hashes of each band."""
    least = (pieces[:, None] * factors).min(axis=0).reshape(_BANDS, _ROWS)
    key = np.zeros(_BANDS, np.uint64)
    for row in range(_ROWS):
        key = (key ^ least[:, row]) * _PRIME
        key ^= key >> np.uint64(29)
    return key


def _shared(a: npt.NDArray[np.uint64], b: npt.NDArray[np.uint64]) -> float:
    common = len(np.intersect1d(a, b, assume_unique=True))
    return common / (len(a) + len(b) - common)
