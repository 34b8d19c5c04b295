"""Fixed features of texts: hashed n-grams, nothing learned, nothing fetched, the same on every machine."""

from collections.abc import Sequence

import numpy as np

from genset.interfaces import Floats

_WORDS, _CHARACTERS = 512, 512  # buckets
_CLOSE = 256


def grams(texts: Sequence[str]) -> Floats:
    """(N, d) words and pairs of words beside pieces of one to four characters, each part of length 1 at most."""
    words = _hashed(texts, _WORDS, "word", (1, 2))
    return np.hstack([words, _hashed(texts, _CHARACTERS, "char_wb", (1, 4))])


def shingles(texts: Sequence[str]) -> Floats:
    """(N, d) pieces of two and three characters, whatever their case: texts that differ in little lie close."""
    # A text of one character has no such piece, and without any it would lie as near to all texts
    return _hashed([text if len(text) > 1 else f" {text} " for text in texts], _CLOSE, "char", (2, 3))


def _hashed(texts: Sequence[str], buckets: int, analyzer: str, lengths: tuple[int, int]) -> Floats:
    """Counts of n-grams in buckets, signed so that those which share one cancel (Weinberger et al. 2009), length 1."""
    from sklearn.feature_extraction.text import HashingVectorizer

    pattern = r"(?u)\b\w+\b|[^\w\s]" if analyzer == "word" else None
    vectorizer = HashingVectorizer(
        n_features=buckets, analyzer=analyzer, ngram_range=lengths, token_pattern=pattern, dtype=np.float32
    )
    rows: Floats = vectorizer.transform(texts).toarray()
    return rows
