"""TFRecord: tf.train.Example messages, written without TensorFlow, which takes seconds to import.

A file is a sequence of frames: length (8 bytes, little-endian), its masked CRC-32C, the message, its masked CRC-32C
(https://www.tensorflow.org/tutorials/load_data/tfrecord).
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Literal

from genset.dataset import ExportItem
from genset.export.shards import ShardedExporter, text_columns
from genset.interfaces import Modality

_POLYNOMIAL = 0x82F63B78  # Castagnoli's, reflected
_MASK = 0xA282EAD8


class TFRecordExporter(ShardedExporter):
    """Files for `tf.data.TFRecordDataset`: every feature is bytes, the item is the bytes of its file.

    The extra `genset[tfrecord]` computes the checksums in C, which is a hundred times as fast.
    """

    kind: Literal["tfrecord"] = "tfrecord"
    suffix: ClassVar[str] = ".tfrecord"
    media_type: ClassVar[str] = "application/octet-stream"

    def file(self, items: Sequence[ExportItem], modality: Modality) -> bytes:
        checksum = checksum_function()
        return b"".join(_frame(example(features(item, modality.feature)), checksum) for item in items)


def features(item: ExportItem, feature: str) -> dict[str, bytes]:
    """The features of an item by name, as bytes."""
    data = {feature.lower(): item.data} if item.fields is None else {}
    return {**data, **{name: text.encode() for name, text in text_columns(item, feature.lower()).items()}}


def example(values: Mapping[str, bytes]) -> bytes:
    """A tf.train.Example: Features of one map of names to Feature, each a BytesList of one value (field 1 of each)."""
    entries = [
        _field(1, _field(1, name.encode()) + _field(2, _field(1, _field(1, value)))) for name, value in values.items()
    ]
    return _field(1, b"".join(entries))


def _field(number: int, data: bytes) -> bytes:
    """A length-delimited field of a protocol buffer."""
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _frame(message: bytes, checksum: Callable[[bytes], int]) -> bytes:
    length = struct.pack("<Q", len(message))
    return length + _masked(checksum(length)) + message + _masked(checksum(message))


def _masked(crc: int) -> bytes:
    return struct.pack("<I", ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF)


def checksum_function() -> Callable[[bytes], int]:
    """CRC-32C by google-crc32c where it is installed, otherwise by `crc32c`; both give the same numbers."""
    try:
        import google_crc32c
    except ImportError:
        return crc32c
    value: Callable[[bytes], int] = google_crc32c.value
    return value


def _byte_table() -> tuple[int, ...]:
    out = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        out.append(value)
    return tuple(out)


_TABLE = _byte_table()


def crc32c(data: bytes) -> int:
    """CRC-32C of bytes (RFC 3720, appendix B.4)."""
    crc, table = 0xFFFFFFFF, _TABLE
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF
