"""Fixed features of texts: hashed n-grams. Nothing is learned or downloaded, so they are the same on every machine."""

from collections.abc import Sequence

import numpy as np

from genset.interfaces import Floats

_WORD_BUCKETS, _CHARACTER_BUCKETS = 512, 512
_CLOSENESS_BUCKETS = 256


def ngrams(texts: Sequence[str]) -> Floats:
    """(N, 1024) words and pairs of words, then runs of one to four characters within words; each half has length 1 or,
    if empty, 0."""
    words = _hashed(texts, _WORD_BUCKETS, "word", (1, 2))
    return np.hstack([words, _hashed(texts, _CHARACTER_BUCKETS, "char_wb", (1, 4))])


def character_ngrams(texts: Sequence[str]) -> Floats:
    """(N, 256) runs of two and three characters in lower case: nearly equal texts are close to each other."""
    # A text of one character has no such run, and without any it would be equally near to all texts
    texts = [text if len(text) > 1 else f" {text} " for text in texts]
    return _hashed(texts, _CLOSENESS_BUCKETS, "char", (2, 3))


def _hashed(texts: Sequence[str], buckets: int, analyzer: str, lengths: tuple[int, int]) -> Floats:
    """(N, buckets) counts of n-grams, scaled to length 1. Their signs let n-grams in one bucket cancel each other
    (Weinberger et al. 2009, arXiv:0902.2206)."""
    from sklearn.feature_extraction.text import HashingVectorizer

    pattern = r"(?u)\b\w+\b|[^\w\s]" if analyzer == "word" else None
    vectorizer = HashingVectorizer(
        n_features=buckets, analyzer=analyzer, ngram_range=lengths, token_pattern=pattern, dtype=np.float32
    )
    rows: Floats = vectorizer.transform(texts).toarray()
    return rows
