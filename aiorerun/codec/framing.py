"""The framing of an RRD stream: its header, the header of a message, its footer."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import xxhash

if TYPE_CHECKING:
    from aiorerun.codec.chunk_template import Segment

RERUN_VERSION: Final = (0, 41, 0)
"""The release whose format is written."""

MAGIC: Final = b"RRF2"
OLD_MAGICS: Final = (b"RRF0", b"RRF1")
FOOTER_MAGIC: Final = MAGIC + b"FOOT"
OLDEST_READABLE: Final = (0, 23)

COMPRESSION_LZ4: Final = 1
SERIALIZER_PROTOBUF: Final = 2

STREAM_HEADER: Final = struct.Struct("<4s4BBBH")
"""Magic, version (major, minor, patch, kind of release), compression, serializer, reserved."""
MESSAGE_HEADER: Final = struct.Struct("<QQ")
"""Kind and length of the payload that follows."""
STREAM_FOOTER: Final = struct.Struct("<QQI8sI")
"""Where the footer payload starts, its length and checksum, magic, number of such entries."""

_CRC_SEED: Final = 7850921
"""The word RERUN as a number in base 26."""


class MessageKind(IntEnum):
    """What the payload of a message is."""

    END = 0
    SET_STORE_INFO = 1
    ARROW_MSG = 2
    BLUEPRINT_ACTIVATION_COMMAND = 3


def version_bits(version: tuple[int, int, int] = RERUN_VERSION) -> int:
    """A released version as the number that messages carry."""
    major, minor, patch = version
    return major | minor << 8 | patch << 16


def stream_header() -> bytes:
    """The first bytes of a stream."""
    return STREAM_HEADER.pack(MAGIC, *RERUN_VERSION, 0, COMPRESSION_LZ4, SERIALIZER_PROTOBUF, 0)


def stream_footer(start: int, *payload: Segment) -> bytes:
    """The last bytes of a stream whose footer payload, in pieces, starts at this byte."""
    return STREAM_FOOTER.pack(start, sum(map(len, payload)), checksum(*payload), FOOTER_MAGIC, 1)


def checksum(*data: Segment) -> int:
    """The checksum of a footer payload, in pieces."""
    digest = xxhash.xxh32(seed=_CRC_SEED)
    for piece in data:
        digest.update(piece)
    return digest.intdigest()
