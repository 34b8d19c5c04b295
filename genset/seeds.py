"""Random generators keyed by their purpose, so that no draw depends on the order of the work."""

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.random.bit_generator import ISeedSequence


def hash_of(*scope: str | int, size: int = 16) -> bytes:
    """`size` bytes that depend on every part of `scope` and on where one part ends and the next begins."""
    text = "".join([f"{len(part)}:{part}" for part in map(str, scope)])
    return hashlib.blake2b(text.encode(), digest_size=size).digest()


def rng_for(seed: int, *scope: str | int) -> np.random.Generator:
    """A counter-based generator (Philox, Salmon et al. 2011) for one purpose, such as (seed, "generate", label, 3)."""
    key: Any = _Key(hash_of(seed, *scope))  # NumPy's stubs do not know that Philox takes an ISeedSequence
    return np.random.Generator(np.random.Philox(key))


class _Key(ISeedSequence):
    """Passes a key to Philox. With the argument `key=`, NumPy would first read unused entropy from the operating
    system, which takes as long as a small transform."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> npt.NDArray[Any]:
        return np.frombuffer(self._key, dtype)[:n_words]


def item_id(prefix: str, *scope: str | int) -> str:
    """The id of an item: one letter for its source and 15 hexadecimal digits of the hash of its origin."""
    return prefix + hash_of(*scope, size=8).hex()[:15]
