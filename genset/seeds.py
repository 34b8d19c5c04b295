"""Random generators keyed by what they are for, so that no draw depends on the order of the work."""

import hashlib

import numpy as np


def digest(*scope: str | int, size: int = 16) -> bytes:
    """`size` bytes that depend on every part of `scope` and on where one part ends and the next begins."""
    text = "".join(f"{len(str(part))}:{part}" for part in scope)
    return hashlib.blake2b(text.encode(), digest_size=size).digest()


def generator(seed: int, *scope: str | int) -> np.random.Generator:
    """A counter-based generator (Philox, Salmon et al. 2011) for one purpose, such as (seed, "generate", label, 3)."""
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest(seed, *scope), "little")))


def item_id(prefix: str, *scope: str | int) -> str:
    """The id of an item: one letter for its source and 15 hexadecimal digits of what it was made from."""
    return prefix + digest(*scope, size=8).hex()[:15]
