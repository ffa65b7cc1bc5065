"""The decoder of RRD streams: bytes in, in pieces of any size; messages out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from aiorerun.codec.compression import MAX_BYTES
from aiorerun.codec.decode_messages import ArrowMsg, StoreInfo, StoreNames, decode_message
from aiorerun.codec.errors import RrdError
from aiorerun.codec.framing import (
    FOOTER_MAGIC,
    MAGIC,
    MESSAGE_HEADER,
    OLD_MAGICS,
    OLDEST_READABLE,
    SERIALIZER_PROTOBUF,
    STREAM_FOOTER,
    STREAM_HEADER,
    MessageKind,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from aiorerun.types.store import StoreId

MAX_MESSAGE_BYTES: Final = MAX_BYTES
"""Longer messages are taken for damage."""

_KINDS: Final = {kind.value: kind for kind in MessageKind}

Bytes: TypeAlias = "bytes | bytearray | memoryview"
"""What is decoded."""


class RawMessage(NamedTuple):
    """A message of a stream, its payload not decoded.

    Attributes:
        kind: What the payload is.
        payload: A view into the bytes that were fed.
        offset: Where the payload begins, counted from the first byte that was fed.
    """

    kind: MessageKind
    payload: memoryview
    offset: int


class RrdDecoder:
    """Finds the messages in an RRD stream that comes in pieces.

    It follows the stream as readers should: a stream may end anywhere, streams may follow each other,
    messages of unknown kinds are passed over, what follows the last footer is ignored.

    Args:
        max_message_bytes: The longest message that is waited for.

    Attributes:
        version: The release that wrote the stream, as its header says; ``None`` before that has come.
    """

    __slots__ = ("_max", "_needed", "_offset", "_parts", "_state", "_waiting", "version")

    def __init__(self, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._max = max_message_bytes
        self._parts: list[Bytes] = []
        self._waiting = 0
        self._needed = STREAM_HEADER.size
        self._offset = 0
        self._state: Callable[[memoryview], tuple[int, RawMessage | None]] = self._header
        self.version: tuple[int, int, int] | None = None

    @property
    def waiting(self) -> int:
        """Bytes of a message that is not complete yet."""
        return self._waiting

    def feed(self, data: Bytes) -> list[RawMessage]:
        """Takes the next bytes, which must not change afterwards.

        Returns:
            The messages that are complete now.

        Raises:
            RrdError: This is no RRD stream, or one of an unreadable version, or it is damaged.
        """
        self._parts.append(data)
        self._waiting += len(data)
        # Only join when that leads on: a long message costs one copy, however many pieces it has.
        if self._waiting < self._needed:
            return []
        whole = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        messages = list(self.messages(memoryview(whole)))
        rest = memoryview(whole)[len(whole) - self._waiting :]
        self._parts = [bytes(rest)] if rest else []
        return messages

    def messages(self, view: memoryview) -> Iterator[RawMessage]:
        """The messages in a view of all bytes that are left, one after the other.

        For streams that are in memory as a whole; :meth:`feed` does it for pieces.
        """
        position = 0
        self._waiting = len(view)
        while self._waiting >= self._needed:
            consumed, message = self.step(view[position:])
            position += consumed
            self._waiting -= consumed
            if message is not None:
                yield message

    @property
    def offset(self) -> int:
        """Where the bytes begin that :meth:`step` wants next, counted from the first byte of all."""
        return self._offset

    @property
    def needed(self) -> int:
        """How many bytes :meth:`step` must be given."""
        return self._needed

    @property
    def has_ended(self) -> bool:
        """Whether a stream came to its end, and no other one has begun."""
        return self._state in (self._after_end, self._next_stream, self._ignore)

    @property
    def is_deaf(self) -> bool:
        """Whether what comes is ignored, because it follows the last footer and is no stream."""
        return self._state == self._ignore

    def step(self, view: memoryview) -> tuple[int, RawMessage | None]:
        """One step for a reader that has all bytes at hand, and gives those from :attr:`offset` on.

        Returns:
            How many of the bytes are done with, maybe none because more are needed, and the message that
            was complete, if any.

        Raises:
            RrdError: As for :meth:`feed`.
        """
        consumed, message = self._state(view)
        self._offset += consumed
        return consumed, message

    def _expect(self, state: Callable[[memoryview], tuple[int, RawMessage | None]], needed: int) -> None:
        self._state = state
        self._needed = needed

    def _header(self, view: memoryview) -> tuple[int, RawMessage | None]:
        magic, major, minor, patch, _, compression, serializer, reserved = STREAM_HEADER.unpack_from(view)
        if magic in OLD_MAGICS:
            raise RrdError("this RRD stream is of a release before 0.23, which cannot be read any more")
        if magic != MAGIC:
            raise RrdError(f"this is not an RRD stream: it begins with {magic!r}")
        if (major, minor) < OLDEST_READABLE:
            raise RrdError(
                f"RRD streams of release {major}.{minor}.{patch} cannot be read, only of 0.23 and later"
            )
        if serializer != SERIALIZER_PROTOBUF or compression > 1 or reserved:
            raise RrdError("the header of this RRD stream asks for an unknown encoding")
        self.version = (major, minor, patch)
        self._expect(self._message, MESSAGE_HEADER.size)
        return STREAM_HEADER.size, None

    def _message(self, view: memoryview) -> tuple[int, RawMessage | None]:
        if bytes(view[:4]) == MAGIC:
            self._expect(self._header, STREAM_HEADER.size)
            return 0, None
        number, length = MESSAGE_HEADER.unpack_from(view)
        if length > self._max:
            raise RrdError(f"a message is {length} bytes long, more than the {self._max} that are accepted")
        end = MESSAGE_HEADER.size + length
        if len(view) < end:
            self._expect(self._message, end)
            return 0, None
        kind = _KINDS.get(number)
        if kind is MessageKind.END:
            self._expect(self._after_end, STREAM_FOOTER.size)
        else:
            self._expect(self._message, MESSAGE_HEADER.size)
        if kind is None:
            return end, None
        return end, RawMessage(kind, view[MESSAGE_HEADER.size : end], self._offset + MESSAGE_HEADER.size)

    def _after_end(self, view: memoryview) -> tuple[int, RawMessage | None]:
        magic = STREAM_FOOTER.unpack_from(view)[3]
        self._expect(self._next_stream, STREAM_HEADER.size)
        return (STREAM_FOOTER.size if magic == FOOTER_MAGIC else 0), None

    def _next_stream(self, view: memoryview) -> tuple[int, RawMessage | None]:
        self._expect(self._header if bytes(view[:4]) == MAGIC else self._ignore, STREAM_HEADER.size)
        return 0, None

    def _ignore(self, view: memoryview) -> tuple[int, RawMessage | None]:
        self._needed = 1
        return len(view), None


def iter_messages(data: Bytes, max_message_bytes: int = MAX_MESSAGE_BYTES) -> Iterator[RawMessage]:
    """The complete messages of a stream that is in memory, e.g. as a file mapped into it.

    Raises:
        RrdError: This is no RRD stream, or one of an unreadable version, or it is damaged.
    """
    return RrdDecoder(max_message_bytes).messages(memoryview(data))


class DecodedChunk(NamedTuple):
    """A chunk that was read: the store it belongs to, and its record batch."""

    store: StoreId
    batch: pa.RecordBatch


def iter_chunks(
    data: Bytes,
    on_error: Callable[[RrdError], None] | None = None,
    *,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
) -> Iterator[DecodedChunk]:
    """The chunks of all stores of a stream that is in memory, in the order of the stream.

    Args:
        data: The stream.
        on_error: Gets what is wrong with a message, which is then passed over; by default it is raised.
        max_message_bytes: The longest message accepted, compressed and uncompressed.

    Raises:
        RrdError: This is no RRD stream, or one of an unreadable version, or it is damaged.
    """
    stores = StoreNames()
    for raw in iter_messages(data, max_message_bytes):
        try:
            message = decode_message(raw.kind, raw.payload)
            if isinstance(message, StoreInfo):
                stores.add(message)
            elif isinstance(message, ArrowMsg):
                yield DecodedChunk(stores.name(message.store), message.batch(max_message_bytes))
        except RrdError as error:
            if on_error is None:
                raise
            on_error(error)


def read_chunks(data: Bytes) -> list[DecodedChunk]:
    """All chunks of a stream; see :func:`iter_chunks`."""
    return list(iter_chunks(data))
