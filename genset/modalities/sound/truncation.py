"""Whether a sound file is truncated, by its own header and before it is decoded.

libsndfile reads truncated files of most formats without an error, and its MPEG decoder complains on stderr.
"""

import os
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

MPEG_FRAME = 1152  # samples of the longest frame; encoders disagree on whether the first and the last one count
_UNKNOWN = (0, 0xFFFFFFFF)  # sizes in the header of a streamed file
_HEAD, _TAIL = 4096, 65_536  # bytes; an Ogg page has at most 65,307
_MPEG_SHARE = 0.99  # of the bytes in an MPEG header: the decoder complains below; `MPEG_FRAME` detects smaller losses
_ID3 = 10  # bytes of an ID3v2 header, of a footer too


def missing(path: Path) -> str:
    """The fault of a truncated file, such as "truncated: 9,000 of 16,044 bytes"; "" for complete files.

    FLAC and CAF are left to libsndfile, which rejects truncated ones. Raises OSError.
    """
    size = os.path.getsize(path)
    with path.open("rb") as file:
        head = file.read(_HEAD)
        if head.startswith(b"ID3") and len(head) > _ID3:
            start = _ID3 + _syncsafe(head[6:_ID3]) + (_ID3 if head[5] & 0x10 else 0)
            file.seek(start)
            return _short(size - start, _mpeg_size(file.read(_HEAD)), _MPEG_SHARE)
        if head.startswith(b"OggS"):
            file.seek(max(0, size - _TAIL))
            return "" if _ogg_ends(file.read()) else "truncated: its last page is not marked as the last"
    for magic, expected in _SIZES:
        if head.startswith(magic):
            return _short(size, expected(head))
    return _short(size, _mpeg_size(head), _MPEG_SHARE)


def _short(size: int, expected: int, enough: float = 1.0) -> str:
    """The fault of a file with fewer bytes than `enough` of the expected ones."""
    return f"truncated: {size:,} of {expected:,} bytes" if size < enough * expected else ""


def _riff(head: bytes) -> int:
    (size,) = struct.unpack_from("<I", head.ljust(8, b"\0"), 4)
    return size + 8 if size not in _UNKNOWN else 0


def _aiff(head: bytes) -> int:
    (size,) = struct.unpack_from(">I", head.ljust(8, b"\0"), 4)
    return size + 8 if size not in _UNKNOWN else 0


def _au(head: bytes) -> int:
    offset, size = struct.unpack_from(">II", head.ljust(12, b"\0"), 4)
    return offset + size if size not in _UNKNOWN else 0


def _wave64(head: bytes) -> int:
    (size,) = struct.unpack_from("<Q", head.ljust(24, b"\0"), 16)
    return int(size)


_SIZES: Sequence[tuple[bytes, Callable[[bytes], int]]] = (
    (b"RIFF", _riff),
    (b"FORM", _aiff),
    (b".snd", _au),
    (b"riff\x2e\x91\xcf\x11", _wave64),
)
"""The first bytes of a format, and the size of the file by its header; 0 if unknown."""


def _mpeg_size(head: bytes) -> int:
    """The size by the first frame of an MPEG stream (the tag of Xing and LAME); 0 without a tag."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return 0
    version_1, mono = head[1] & 0x18 == 0x18, head[3] & 0xC0 == 0xC0
    side = {(True, True): 17, (True, False): 32, (False, True): 9, (False, False): 17}[version_1, mono]
    tag = head[4 + side : 4 + side + 16]
    if tag[:4] not in (b"Xing", b"Info") or len(tag) < 16:
        return 0
    flags, first, second = struct.unpack(">III", tag[4:])
    has_frames, has_bytes = flags & 1, flags & 2
    return (second if has_frames else first) if has_bytes else 0


def _ogg_ends(tail: bytes) -> bool:
    """Whether the last page of an Ogg stream is complete and marked as its end (RFC 3533, section 6)."""
    page = tail.rfind(b"OggS")
    if page < 0 or len(tail) < page + 27:
        return False
    segments = tail[page + 27 : page + 27 + tail[page + 26]]
    complete = len(segments) == tail[page + 26] and len(tail) >= page + 27 + len(segments) + sum(segments)
    return complete and bool(tail[page + 5] & 4)


def _syncsafe(data: bytes) -> int:
    """The number in four bytes of seven bits each, as in the sizes of ID3v2."""
    return sum(byte << shift for byte, shift in zip(data, (21, 14, 7, 0), strict=True))
