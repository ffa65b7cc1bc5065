"""How messages are written to spill files. Pure.

A file begins with :data:`MAGIC`. Each record is a header and the payload of a message, as RRD files hold it.
The checksum covers the rest of the header and the payload: what was cut off or damaged is recognised.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

import xxhash

from aiorerun.codec.framing import MessageKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorerun.codec.chunk_template import Segment
    from aiorerun.codec.messages import Message

MAGIC: Final = b"AIORSPL1"
"""The first bytes of a file."""

HEADER: Final = struct.Struct("<QQIBB2x")
"""Checksum, bytes of the payload, rows, kind of message, flags."""

MAX_PAYLOAD: Final = (1 << 31) - 1
"""No message is longer."""

IS_COPY: Final = 1
"""Flag: the message is in an earlier file too, and stands here for a reader that does not have it."""

_CHECKSUM: Final = struct.Struct("<Q")


class Record(NamedTuple):
    """A message in a file.

    Attributes:
        kind: What it is.
        rows: Rows of data in it.
        is_copy: Whether an earlier file has it too.
        payload: The message.
    """

    kind: MessageKind
    rows: int
    is_copy: bool
    payload: memoryview

    @property
    def size(self) -> int:
        """Bytes that it takes in the file."""
        return HEADER.size + len(self.payload)


class DamagedRecord(ValueError):
    """Bytes that are no record, or not all of one."""


class CutOffRecord(DamagedRecord):
    """The beginning of a record, and no more: whoever wrote it was interrupted."""


def record_size(message: Message) -> int:
    """Bytes that a message takes in a file."""
    return HEADER.size + message.nbytes


def encode_record(message: Message, *, is_copy: bool = False) -> list[Segment]:
    """A record in pieces; the pieces of the message are not copied."""
    rest = HEADER.pack(0, message.nbytes, message.rows, message.kind, IS_COPY if is_copy else 0)[8:]
    return [_CHECKSUM.pack(_checksum(rest, message.segments)) + rest, *message.segments]


def payload_length(header: Segment) -> int:
    """How many bytes follow a header.

    Raises:
        DamagedRecord: It is no header.
    """
    if len(header) < HEADER.size:
        raise CutOffRecord("a record is cut off")
    nbytes: int = HEADER.unpack_from(header)[1]
    if nbytes > MAX_PAYLOAD:
        raise DamagedRecord("a record is too long")
    return nbytes


def decode_record(data: memoryview) -> Record:
    """The record that the data begins with.

    Raises:
        DamagedRecord: It is cut off or damaged.
    """
    nbytes = payload_length(data[: HEADER.size])
    end = HEADER.size + nbytes
    if len(data) < end:
        raise CutOffRecord("a record is cut off")
    checksum, _, rows, kind, flags = HEADER.unpack_from(data)
    payload = data[HEADER.size : end]
    if checksum != _checksum(data[8 : HEADER.size], (payload,)):
        raise DamagedRecord("a record is damaged")
    try:
        return Record(MessageKind(kind), rows, bool(flags & IS_COPY), payload)
    except ValueError:
        raise DamagedRecord("a record is of an unknown kind") from None


def _checksum(rest: Segment, payload: Sequence[Segment]) -> int:
    digest = xxhash.xxh3_64()
    digest.update(rest)
    for segment in payload:
        digest.update(segment)
    return digest.intdigest()
