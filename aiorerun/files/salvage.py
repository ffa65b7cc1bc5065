"""Finding the messages of a file that may be damaged anywhere: after damage it goes on with what follows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

from aiorerun.codec.compression import MAX_BYTES
from aiorerun.codec.decoder import RawMessage
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
from aiorerun.files.progress import ignore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aiorerun.files.progress import OnProgress
    from aiorerun.recording.source import Source

T = TypeVar("T")

_BLOCK: Final = 256 << 10
_SEARCHED: Final = 1 << 20
"""Bytes that are searched at once for where a message may begin."""
_CANDIDATE: Final = re.compile(rb"(?=[\x01-\x03]\x00{7}|RRF2)")
_FIRST_TAG: Final = 0x0A
"""The first byte of every message: its first field is a message of its own."""
_FREE_TRIES: Final = 64 << 20
"""So many bytes may be read to look closer at what turns out to be no message, besides twice the file."""


class Taken(NamedTuple, Generic[T]):
    """A complete message: where its header begins, and what was made of it."""

    offset: int
    kind: MessageKind
    made: T


class Damage(NamedTuple):
    """A stretch of the file that holds no complete message, and why."""

    start: int
    end: int
    reason: str

    @property
    def nbytes(self) -> int:
        """How long it is."""
        return self.end - self.start


class StreamEnd(NamedTuple):
    """The end of a stream: its message, and what the stream footer says, if there is one.

    Attributes:
        raw: The message with the footer payload.
        stream_start: Where the stream begins in the file.
        footer: Start, length and checksum; ``None`` if the stream footer is missing.
    """

    raw: RawMessage
    stream_start: int
    footer: tuple[int, int, int] | None


class Salvage(Generic[T]):
    """Goes through a file from front to back.

    Args:
        source: The file.
        take: Makes something of a message; an ``RrdError`` says that it is damaged.
        on_progress: Is told how far it is.

    Attributes:
        num_streams: How many headers of streams there were so far.
        has_ended: Whether the last thing in the file was the end of a stream with its footer.
    """

    def __init__(
        self, source: Source, take: Callable[[RawMessage], T], on_progress: OnProgress = ignore
    ) -> None:
        self._source = source
        self._take = take
        self._tell = on_progress
        self._size = source.size()
        self._tries_left = 2 * self._size + _FREE_TRIES
        self._block = b""
        self._block_start = 0
        self._stream_start = 0
        self.num_streams = 0
        self.has_ended = False

    def __iter__(self) -> Iterator[Taken[T] | Damage | StreamEnd]:
        """The messages and what is between them, in order.

        Raises:
            RrdError: It is no RRD file, or one of an unreadable version.
        """
        if self._size < STREAM_HEADER.size or not self._is_header(0):
            refuse_foreign(self._read(0, STREAM_HEADER.size))
        damage: Damage | None = None
        for found in self._everything():
            if damage is not None:
                if isinstance(found, Damage) and damage[1:] == (found.start, found.reason):
                    # The same thing over and over is told once.
                    damage = damage._replace(end=found.end)
                    continue
                yield damage
            damage = found if isinstance(found, Damage) else None
            if damage is None:
                yield found
        if damage is not None:
            yield damage

    def _everything(self) -> Iterator[Taken[T] | Damage | StreamEnd]:
        position = 0
        while position < self._size:
            self.has_ended = False
            try:
                found, position = self._step(position)
            except RrdError as error:
                damage = self._damage(position, str(error))
                position = damage.end
                yield damage
            else:
                if found is not None:
                    yield found
            self._tell(position, self._size)

    def _step(self, position: int) -> tuple[Taken[T] | StreamEnd | None, int]:
        """What begins at a position, and where the next thing begins."""
        if self._read(position, 4) == MAGIC:
            if not self._is_header(position):
                raise RrdError("the header of a stream is damaged")
            self._stream_start = position
            self.num_streams += 1
            return None, position + STREAM_HEADER.size
        raw, end = self._framed(position)
        if raw.kind is not MessageKind.END:
            return Taken(position, raw.kind, self._take(raw)), end
        return self._stream_end(raw, end)

    def _stream_end(self, raw: RawMessage, end: int) -> tuple[StreamEnd, int]:
        if not self._may_follow_end(end, len(raw.payload)):
            raise RrdError("what says to be the end of a stream is not followed by a footer")
        # It says that what comes next belongs to another stream, so it has to be one.
        self._take(raw)
        if not self._is_footer(end):
            return StreamEnd(raw, self._stream_start, None), end
        start, length, crc, _, _ = STREAM_FOOTER.unpack(self._read(end, STREAM_FOOTER.size))
        self.has_ended = True
        return StreamEnd(raw, self._stream_start, (start, length, crc)), end + STREAM_FOOTER.size

    def _may_follow_end(self, position: int, length: int) -> bool:
        """Whether the end of a stream, of some length, may end at a position: zeros look like one as well."""
        rest = self._size - position
        # Old files have ends without contents, and no footer after them that could be cut off.
        if rest <= 0 or (length and rest < STREAM_FOOTER.size):
            return rest >= 0
        return self._is_footer(position) or self._is_header(position)

    def _framed(self, position: int) -> tuple[RawMessage, int]:
        header = self._read(position, MESSAGE_HEADER.size)
        if len(header) < MESSAGE_HEADER.size:
            raise RrdError("the header of a message is cut off")
        number, length = MESSAGE_HEADER.unpack(header)
        if number > MessageKind.BLUEPRINT_ACTIVATION_COMMAND:
            raise RrdError(f"there is no message of kind {number}")
        start = position + MESSAGE_HEADER.size
        if length > self._size - start:
            raise RrdError(f"a message of {length} bytes is cut off after {self._size - start}")
        if length > MAX_BYTES:
            raise RrdError(f"a message is {length} bytes long, more than the {MAX_BYTES} that are accepted")
        payload = self._view(start, length)
        if len(payload) < length:
            raise RrdError("the file has become shorter while it was read")
        return RawMessage(MessageKind(number), payload, start), start + length

    # --- after damage --------------------------------------------------------------------------

    def _damage(self, position: int, reason: str) -> Damage:
        """The stretch from a position to where something complete begins."""
        header = self._read(position, MESSAGE_HEADER.size)
        if len(header) == MESSAGE_HEADER.size:
            number, length = MESSAGE_HEADER.unpack(header)
            end = position + MESSAGE_HEADER.size + length
            # Zeros frame nothing: what is left of a power cut is one stretch, however long.
            is_frame = any(header) and number <= MessageKind.BLUEPRINT_ACTIVATION_COMMAND
            if is_frame and self._is_likely(end):
                return Damage(position, end, reason)
        return Damage(position, self._search(position + 1), reason)

    def _is_likely(self, position: int) -> bool:
        """Whether a message or stream seems to begin at a position, or the file ends there."""
        if position >= self._size:
            return position == self._size
        if self._is_header(position):
            return True
        header = self._read(position, MESSAGE_HEADER.size)
        if len(header) < MESSAGE_HEADER.size:
            return False
        number, length = MESSAGE_HEADER.unpack(header)
        start = position + MESSAGE_HEADER.size
        if number > MessageKind.BLUEPRINT_ACTIVATION_COMMAND or length > self._size - start:
            return False
        if number == MessageKind.END:
            return self._may_follow_end(start + length, length)
        return self._read(start, 1) == bytes((_FIRST_TAG,))

    def _search(self, position: int) -> int:
        """Where the next complete message or stream begins; the end of the file if there is none."""
        while position < self._size:
            # Patterns may begin in one piece and end in the next one.
            piece = self._source.read(position, _SEARCHED + MESSAGE_HEADER.size)
            for match in _CANDIDATE.finditer(piece):
                if match.start() >= _SEARCHED:
                    break
                if self._is_good(position + match.start()):
                    return position + match.start()
            position += _SEARCHED
            self._tell(min(position, self._size), self._size)
        return self._size

    def _is_good(self, position: int) -> bool:
        if self._is_header(position):
            return True
        if not self._is_likely(position):
            return False
        length = MESSAGE_HEADER.unpack(self._read(position, MESSAGE_HEADER.size))[1]
        if length > self._tries_left:
            return False
        self._tries_left -= length
        try:
            self._take(self._framed(position)[0])
        except RrdError:
            return False
        return True

    # --- reading -------------------------------------------------------------------------------

    def _is_header(self, position: int) -> bool:
        header = self._read(position, STREAM_HEADER.size)
        if len(header) < STREAM_HEADER.size:
            return False
        magic, major, minor, _, _, compression, serializer, reserved = STREAM_HEADER.unpack(header)
        return (
            magic == MAGIC
            and (major, minor) >= OLDEST_READABLE
            and (compression <= 1 and serializer == SERIALIZER_PROTOBUF and not reserved)
        )

    def _is_footer(self, position: int) -> bool:
        footer = self._read(position, STREAM_FOOTER.size)
        return len(footer) == STREAM_FOOTER.size and STREAM_FOOTER.unpack(footer)[3] == FOOTER_MAGIC

    def _read(self, position: int, size: int) -> bytes:
        """A few bytes, or fewer at the end of the file."""
        return bytes(self._view(position, min(size, max(self._size - position, 0))))

    def _view(self, position: int, size: int) -> memoryview:
        at = position - self._block_start
        if at < 0 or at + size > len(self._block):
            # The former block is let go first.
            self._block = b""
            length = max(size, min(_BLOCK, self._size - position))
            self._block = self._source.read(position, length)
            self._block_start = position
            at = 0
        return memoryview(self._block)[at : at + size]


def refuse_foreign(header: bytes) -> None:
    """Says what is wrong with the first bytes of a file, if it is clear that it is no RRD file of today.

    Raises:
        RrdError: It is of another kind, or too old.
    """
    if header[:4] in OLD_MAGICS:
        raise RrdError("this RRD file is of a release before 0.23, which cannot be read any more")
    if len(header) == STREAM_HEADER.size and header[:4] == MAGIC:
        release = ".".join(map(str, header[4:7]))
        if (header[4], header[5]) < OLDEST_READABLE:
            raise RrdError(f"RRD files of release {release} cannot be read, only of 0.23 and later")
