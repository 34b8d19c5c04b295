"""How well characters of texts can be predicted by an n-gram model."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

_ORDER = 4  # characters before the one that is predicted


class CharacterModel:
    """Characters predicted from up to four characters before them, with the smoothing of Witten and Bell (1991)."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._next: dict[str, Counter[str]] = {}
        for text in texts:
            padded = _padded(text)
            for place in range(_ORDER, len(padded)):
                for order in range(_ORDER + 1):
                    self._next.setdefault(padded[place - order : place], Counter())[padded[place]] += 1
        self._sums = {before: (after.total(), len(after)) for before, after in self._next.items()}
        self._characters = len(self._next.get("", ())) + 1

    def perplexity(self, texts: Sequence[str]) -> float:
        """exp of the mean negative log-likelihood of a character; at least 1."""
        total, count = 0.0, 0
        for text in texts:
            padded = _padded(text)
            for place in range(_ORDER, len(padded)):
                total -= float(np.log(self._probability(padded[place - _ORDER : place], padded[place])))
                count += 1
        return float(np.exp(total / max(1, count)))

    def _probability(self, before: str, character: str) -> float:
        p = 1 / self._characters
        for order in range(_ORDER + 1):
            known = self._sums.get(before[_ORDER - order :])
            if known is None:
                break
            total, kinds = known
            p = (self._next[before[_ORDER - order :]][character] + kinds * p) / (total + kinds)
        return p


def _padded(text: str) -> str:
    return "\2" * _ORDER + text + "\3"
