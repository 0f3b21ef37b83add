"""Encodes records as TensorFlow does, byte for byte, without the seconds and the 1 GB that importing TensorFlow takes.

Sources: tensorflow/core/example/{example,feature}.proto, tensorflow/core/lib/io/record_writer.h, and the encoding of messages in
protobuf.dev/programming-guides/encoding.
"""

import struct
from collections.abc import Mapping, Sequence

import google_crc32c

BYTES_LIST, INT64_LIST = 1, 3  # the fields of tf.train.Feature
MASK_DELTA = 0xA282EAD8  # added to a rotated checksum, since one of bytes that hold checksums says little


def framed(content: bytes) -> bytes:
    """One record of a TFRecord file: length, its masked CRC-32C, content, its masked CRC-32C."""
    length = struct.pack("<Q", len(content))
    return length + masked_crc32c(length) + content + masked_crc32c(content)


def masked_crc32c(content: bytes) -> bytes:
    """The checksum of bytes as TFRecord files hold it: 4 bytes, little-endian."""
    checksum = google_crc32c.value(content)
    return struct.pack("<I", ((checksum >> 15 | checksum << 17) + MASK_DELTA) & 0xFFFFFFFF)


def encode_example(features: Mapping[str, Sequence[bytes] | int]) -> bytes:
    """A serialized tf.train.Example: each feature byte strings or one int64, in the order given."""
    entries = (field(1, field(1, name.encode()) + field(2, encode_feature(value))) for name, value in features.items())
    return field(1, b"".join(entries))


def encode_feature(value: Sequence[bytes] | int) -> bytes:
    """A serialized tf.train.Feature."""
    if isinstance(value, int):
        return field(INT64_LIST, field(1, varint(value & 0xFFFFFFFFFFFFFFFF)))
    return field(BYTES_LIST, b"".join(field(1, each) for each in value))


def field(number: int, content: bytes) -> bytes:
    """A field of a message whose value has a length: bytes, text, a message, packed numbers."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(number: int) -> bytes:
    """An unsigned number, seven bits in each byte, the lowest first; the highest bit says that more follow."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])
