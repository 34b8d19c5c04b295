"""Previews of texts: a title, then one text on each line."""

from collections.abc import Sequence

from genset.modalities.text.codec import readable


def sheet(texts: Sequence[str], titles: Sequence[str]) -> bytes:
    """UTF-8 text: under each title an equal number of the texts, in order, each on one line."""
    per_title = len(texts) // max(1, len(titles))
    sections = []
    for number, title in enumerate(titles):
        shown = texts[number * per_title : (number + 1) * per_title]
        lines = [readable(text).replace("\n", " / ") for text in shown]
        sections.append("\n".join([f"# {title}" if title else "#", *lines]))
    return ("\n\n".join(sections) + "\n").encode()
