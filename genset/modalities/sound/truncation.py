"""Whether a sound file is all there: by what its own header says, before a library is asked to decode what is left.

libsndfile takes most formats as far as they go, and its MPEG decoder complains on stderr.
"""

import os
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

MPEG_FRAME = 1152  # samples of the longest; encoders do not agree on whether the first and the last one count
_UNKNOWN = (0, 0xFFFFFFFF)  # sizes in the header of a file that was streamed
_HEAD, _TAIL = 4096, 65_536  # bytes; an Ogg page is not longer than 65,307
_MPEG_SHARE = 0.99  # of the bytes that an MPEG header tells: its decoder complains below; `MPEG_FRAME` finds the rest
_ID3 = 10  # bytes of an ID3v2 header, of a footer too


def missing(path: Path) -> str:
    """What is wrong with a file that ends too early, such as "truncated: 9,000 of 16,044 bytes"; "" for the others.

    FLAC and CAF are left to libsndfile, which refuses them. Raises OSError.
    """
    there = os.path.getsize(path)
    with path.open("rb") as file:
        head = file.read(_HEAD)
        if head.startswith(b"ID3") and len(head) > _ID3:
            start = _ID3 + _syncsafe(head[6:_ID3]) + (_ID3 if head[5] & 0x10 else 0)
            file.seek(start)
            return _short(there - start, _mpeg_size(file.read(_HEAD)), _MPEG_SHARE)
        if head.startswith(b"OggS"):
            file.seek(max(0, there - _TAIL))
            return "" if _ogg_ends(file.read()) else "truncated: its last page does not say that it is the last"
    for magic, size in _SIZES:
        if head.startswith(magic):
            return _short(there, size(head))
    return _short(there, _mpeg_size(head), _MPEG_SHARE)


def _short(there: int, told: int, enough: float = 1.0) -> str:
    return f"truncated: {there:,} of {told:,} bytes" if there < enough * told else ""


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
"""What a file begins with, and the bytes that its header says there are; 0 where it does not know."""


def _mpeg_size(head: bytes) -> int:
    """The bytes that the first frame of an MPEG stream says there are (the tag of Xing and LAME); 0 without one."""
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
    """Whether the last page of an Ogg stream is marked as its end (RFC 3533, section 6) and is all there."""
    page = tail.rfind(b"OggS")
    if page < 0 or len(tail) < page + 27:
        return False
    segments = tail[page + 27 : page + 27 + tail[page + 26]]
    whole = len(segments) == tail[page + 26] and len(tail) >= page + 27 + len(segments) + sum(segments)
    return whole and bool(tail[page + 5] & 4)


def _syncsafe(data: bytes) -> int:
    """Four bytes of seven bits each, as ID3v2 writes sizes."""
    return sum(byte << shift for byte, shift in zip(data, (21, 14, 7, 0), strict=True))
