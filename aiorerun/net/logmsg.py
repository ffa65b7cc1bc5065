"""Messages on the wire: what goes before an encoded message, and what comes out of one without decoding it.

One gRPC message is a flag that is always 0, the length in four bytes, and a ``WriteMessagesRequest`` or
``ReadMessagesResponse``; both hold a ``LogMsg`` as field 1, which holds the payload of an RRD record as the
field that is numbered like its kind.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from aiorerun.codec.decode_messages import (
    decode_store_id,
    message_fields,
    number_field,
    view_field,
)
from aiorerun.codec.errors import RrdError
from aiorerun.codec.framing import MessageKind
from aiorerun.codec.protobuf import BYTES, varint
from aiorerun.types.store import StoreKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorerun.codec.chunk_template import Segment
    from aiorerun.codec.messages import Message
    from aiorerun.types.store import StoreId

PREFIX: Final = struct.Struct(">BI")
"""What comes before each gRPC message: whether it is compressed, and its length."""

MAX_BODY: Final = (1 << 31) - 1
"""The longest gRPC message that all peers take."""

_LOG_MSG: Final = 1 << 3 | BYTES

# How a chunk begins (lengths of the two messages around it, and of the name of its store), goes on after that
# (numbers, and the length of what it holds), and ends (its id, and whether it is static).
_HEAD: Final = re.compile(rb"\x0a([\x80-\xff]{0,4}[\0-\x7f])\x12([\x80-\xff]{0,4}[\0-\x7f])\x0a([\0-\x7f])")
_NUMBERS: Final = re.compile(
    rb"(?:\x10[\0-\x7f])?(?:\x18[\x80-\xff]{0,4}[\0-\x7f])?(?:\x20[\0-\x7f])?\x2a([\x80-\xff]{0,4}[\0-\x7f])"
)
_TAIL: Final = re.compile(rb"\x32\x12(\x09.{8}\x11.{8})\x38([\0\1])", re.DOTALL)
_TAIL_SIZE: Final = 22

_MAX_ID_BYTES: Final = 64


class MessageTooLargeError(ValueError):
    """A message is too long for gRPC."""


class MalformedMessage(ValueError):
    """What came in is no message.

    Attributes:
        code: The gRPC status that its sender is answered with.
    """

    def __init__(self, code: Literal["INVALID_ARGUMENT", "INTERNAL"], reason: str) -> None:
        super().__init__(reason)
        self.code: Final = code


@dataclass(slots=True)
class Framed:
    """A gRPC message in pieces, ready to be sent.

    Attributes:
        segments: Its bytes; all but the first piece are those of the message that was framed, not copies.
        nbytes: How many bytes that is altogether.
    """

    segments: tuple[Segment, ...]
    nbytes: int


def _head(kind: MessageKind, nbytes: int) -> bytes:
    """All that comes before a payload of so many bytes."""
    if kind is MessageKind.END:
        raise ValueError("the footer of a file is no message for the network")
    inner = bytes((kind << 3 | BYTES,)) + varint(nbytes)
    outer = bytes((_LOG_MSG,)) + varint(len(inner) + nbytes)
    body = len(outer) + len(inner) + nbytes
    if body > MAX_BODY:
        raise MessageTooLargeError(
            f"a message of {nbytes} bytes is too long for gRPC, which takes {MAX_BODY}"
        )
    return PREFIX.pack(0, body) + outer + inner


def frame(message: Message) -> Framed:
    """Frames an encoded message, as ``WriteMessagesRequest`` or ``ReadMessagesResponse``.

    Raises:
        MessageTooLargeError: It has more than 2 GiB.
    """
    head = _head(message.kind, message.nbytes)
    return Framed((head, *message.segments), len(head) + message.nbytes)


def frame_bytes(kind: MessageKind, payload: Segment) -> Framed:
    """Frames the payload of an RRD record.

    Raises:
        MessageTooLargeError: It has more than 2 GiB.
    """
    head = _head(kind, len(payload))
    return Framed((head, payload) if len(payload) else (head,), len(head) + len(payload))


def frame_body(body: Segment) -> Framed:
    """Frames what :func:`parse_log_msg` was given, to be passed on as it came.

    Raises:
        MessageTooLargeError: It has more than 2 GiB.
    """
    if len(body) > MAX_BODY:
        raise MessageTooLargeError(
            f"a message of {len(body)} bytes is too long for gRPC, which takes {MAX_BODY}"
        )
    head = PREFIX.pack(0, len(body))
    return Framed((head, body) if len(body) else (head,), len(head) + len(body))


def unframe(framed: Framed) -> tuple[MessageKind, Sequence[Segment]]:
    """What the record of an RRD stream is, and holds, for a message that was framed; nothing is copied.

    Raises:
        MalformedMessage: It was framed as it came, and holds no message.
    """
    head, *payload = framed.segments
    if len(head) > PREFIX.size:
        # After the prefix come the tag and length of the message, then the tag that says its kind.
        position = PREFIX.size + 1
        while head[position] & 0x80:
            position += 1
        return MessageKind(head[position + 1] >> 3), payload
    parsed = parse_log_msg(payload[0] if payload else b"")
    return parsed.kind, (parsed.payload,)


@dataclass(slots=True)
class ParsedLogMsg:
    """What a server has to know about a message that it passes on. Not to be changed.

    Attributes:
        kind: What it is.
        store: The recording or blueprint it belongs to; ``None`` if it does not say so.
        is_static: Whether it is a chunk of static data; ``None`` if it does not say so.
        chunk_id: A chunk's id as it is encoded; ``None`` if it has none.
        payload: The inner message: what a record of an RRD file would hold. A view of the body.
        body: All of it, as it came.
    """

    kind: MessageKind
    store: StoreId | None
    is_static: bool | None
    chunk_id: bytes | None
    payload: memoryview
    body: Segment

    @property
    def nbytes(self) -> int:
        """Bytes of the body."""
        return len(self.body)

    @property
    def store_kind(self) -> StoreKind | None:
        """Whether it belongs to a recording or a blueprint; ``None`` if it does not say so."""
        return None if self.store is None else self.store.kind

    @property
    def is_persistent(self) -> bool:
        """Whether later readers cannot do without it: store info, activations, blueprints."""
        return self.kind is not MessageKind.ARROW_MSG or self.store_kind is StoreKind.BLUEPRINT


def parse_log_msg(body: Segment) -> ParsedLogMsg:
    """Looks at the body of one gRPC message of ``WriteMessages`` or ``ReadMessages``.

    The cost does not depend on its size: what chunks hold is not looked at. Names are not required, since
    the official server requires none either.

    Raises:
        MalformedMessage: It holds no message of a known kind, or is no Protocol Segments message.
    """
    try:
        return _parse(body)
    except RrdError as error:
        raise MalformedMessage("INTERNAL", f"failed to decode a message: {error}") from None


def _parse(body: Segment) -> ParsedLogMsg:
    parsed = _parse_usual_chunk(body)
    return _parse_any(body) if parsed is None else parsed


def _parse_usual_chunk(body: Segment) -> ParsedLogMsg | None:
    """A chunk with all its fields in order and nothing else, as encoders write it; ``None`` for the rest."""
    end = len(body)
    head = _HEAD.match(body)
    if head is None:
        return None
    start = head.end(2)
    # Both messages go on to the very end.
    if head[1] != varint(end - head.end(1)) or head[2] != varint(end - start):
        return None
    name_start = head.end()
    name_end = name_start + head[3][0]
    numbers = _NUMBERS.match(body, name_end)
    tail_start = end - _TAIL_SIZE
    if numbers is None or numbers[1] != varint(tail_start - numbers.end()):
        return None
    tail = _TAIL.match(body, tail_start)
    if tail is None:
        return None
    store = decode_store_id(memoryview(body)[name_start:name_end])
    payload = memoryview(body)[start:end]
    return ParsedLogMsg(MessageKind.ARROW_MSG, store, tail[2] == b"\1", tail[1], payload, body)


def _parse_any(body: Segment) -> ParsedLogMsg:
    outer = message_fields(memoryview(body))
    if 1 not in outer:
        raise MalformedMessage("INVALID_ARGUMENT", "the request has no log_msg")
    inner = message_fields(view_field(outer, 1))
    # Where a oneof is there several times, the last one counts.
    kinds = [number for number in inner if 1 <= number <= 3]
    if not kinds:
        raise MalformedMessage("INVALID_ARGUMENT", "log_msg holds no message of a known kind")
    kind = MessageKind(kinds[-1])
    payload = view_field(inner, kind)
    read = message_fields(payload)
    store: StoreId | None = None
    is_static: bool | None = None
    chunk_id: bytes | None = None
    if kind is MessageKind.ARROW_MSG:
        store = _store(read, 1)
        for number in (2, 3, 4):
            number_field(read, number)
        view_field(read, 5)
        if 6 in read:
            chunk_id = bytes(view_field(read, 6)[:_MAX_ID_BYTES])
        if 7 in read:
            is_static = bool(number_field(read, 7))
    elif kind is MessageKind.SET_STORE_INFO:
        view_field(read, 1)
        store = _store(message_fields(view_field(read, 2)), 2)
    else:
        store = _store(read, 1)
        number_field(read, 2)
        number_field(read, 3)
    return ParsedLogMsg(kind, store, is_static, chunk_id, payload, body)


def _store(read: dict[int, tuple[int, int | memoryview]], number: int) -> StoreId | None:
    return decode_store_id(view_field(read, number)) if number in read else None
