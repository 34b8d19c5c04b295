"""Where an item comes from, and what is known of it once it is decoded."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy.typing as npt

from genset.interfaces.arrays import Floats, Keys, Pairs


@dataclass(frozen=True, slots=True)
class AudioSegment:
    """A part of a recording that is an item by itself."""

    path: Path
    start: float  # seconds
    stop: float


Fingerprint = npt.NDArray[Any]  # small arrays that near-duplicates are found by; each modality has its own shape
# What an item is read from: a file, a text of a file of many, a part of a recording.
ItemSource = Path | str | AudioSegment


@dataclass(frozen=True, slots=True)
class SuggestedSetting:
    """A config key with a value that suits the user's items, and the reason."""

    key: str
    value: Any
    why: str
    sure: bool = True  # False: only a suggestion, written to the config as a comment


@dataclass(frozen=True, slots=True)
class DecodedInfo:
    """What one file decodes to, before it is converted to the configured form."""

    digest: str  # of the decoded content: the same pixels in a PNG and a BMP have one digest
    traits: Mapping[str, Any]  # what the modality's `resolve_settings` and `inspect` need, such as width and mode
    loadable: str = ""  # suffix with which every common loader reads the file's own bytes; "": encode it again
    fingerprint: Fingerprint | None = None  # by which near-duplicates are found; None if it was not requested
    values: Mapping[str, float | str] = field(default_factory=dict)  # that rules check; empty if not requested


class Similarity(ABC):
    """How similar items are, by their fingerprints. Candidate pairs are found by keys."""

    keys: Keys  # (N, K): near-duplicates share at least one key, other items seldom

    @abstractmethod
    def __call__(self, pairs: Pairs) -> Floats:
        """(P,) similarity of pairs of row numbers, from 0 to 1 for equal items; the order in a pair may matter."""


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """One item in a user's file, before it is decoded."""

    content: str | None = None  # the item itself, if the file holds several; None if the file is the item
    place: str = ""  # position in the file, such as a line number
    label: str | None = None  # given beside the item; None if only the path of the file can say
    columns: Mapping[str, str] = field(default_factory=dict)  # the other columns
    fault: str = ""  # why there is no item at this position
    piece: tuple[float, float] | None = None
    """(start, stop) in seconds, if the item is a part of a recording: parts of one file are one group."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a browser can show or play of one item, without HTML: the page decides where to put it."""

    media_type: str  # such as image/png
    data: bytes
