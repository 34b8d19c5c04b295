"""TFRecord: tf.train.Example messages, written without TensorFlow.

A file is a row of frames: length (8 bytes, little-endian), its masked CRC-32C, the message, its masked CRC-32C
(https://www.tensorflow.org/tutorials/load_data/tfrecord).
"""

import struct
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from genset.dataset import Item
from genset.export.shards import Sharded, texts
from genset.interfaces import Modality

_POLYNOMIAL = 0x82F63B78  # Castagnoli's, reflected
_MASK = 0xA282EAD8


class TFRecord(Sharded):
    """Files for `tf.data.TFRecordDataset`: every feature is bytes, the item those of its file."""

    kind: Literal["tfrecord"] = "tfrecord"
    suffix: ClassVar[str] = ".tfrecord"
    media_type: ClassVar[str] = "application/octet-stream"

    def file(self, items: Sequence[Item], modality: Modality) -> bytes:
        return b"".join(_frame(example(features(item, modality.feature))) for item in items)


def features(item: Item, feature: str) -> dict[str, bytes]:
    """What an example holds of an item."""
    whole = {feature.lower(): item.data} if item.fields is None else {}
    return {**whole, **{name: text.encode() for name, text in texts(item, feature.lower()).items()}}


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


def _frame(message: bytes) -> bytes:
    length = struct.pack("<Q", len(message))
    return length + _masked(length) + message + _masked(message)


def _masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF)


def _byte_table() -> tuple[int, ...]:
    out = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        out.append(value)
    return tuple(out)


_TABLE = _byte_table()


def crc32c(data: bytes) -> int:
    """CRC-32C of some bytes (RFC 3720, appendix B.4)."""
    crc, table = 0xFFFFFFFF, _TABLE
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF
