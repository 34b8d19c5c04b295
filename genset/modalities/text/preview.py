"""Samples of texts as text: a title, then its lines."""

from collections.abc import Sequence

from genset.modalities.text.codec import plain


def sheet(texts: Sequence[str], titles: Sequence[str]) -> bytes:
    """UTF-8 text: under each title as many of the texts, in order, a line each."""
    per_title = len(texts) // max(1, len(titles))
    parts = []
    for number, title in enumerate(titles):
        own = texts[number * per_title : (number + 1) * per_title]
        parts.append("\n".join([f"# {title}" if title else "#", *(plain(text).replace("\n", " / ") for text in own)]))
    return ("\n\n".join(parts) + "\n").encode()
