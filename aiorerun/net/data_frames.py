"""Cuts messages into DATA frames of HTTP/2."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from aiorerun.codec.chunk_template import Segment
    from aiorerun.net.logmsg import Framed

MIN_FRAME: Final = 256
"""Peers count shorter frames against the connection, and close it when there are too many."""

WRITE_SIZE: Final = 512 << 10
"""About so many bytes are handed to the transport at once.

Each write may wake a peer on another core, which costs more than copying 64 KiB does.
"""

_JOINED: Final = 8 << 10
"""Pieces up to this size are joined before they are cut."""

_FRAME: Final = 16 << 10
"""Pieces that are not joined, and not longer than frames are as a rule, make good frames as they are."""

FRAME_HEADER: Final = 9
"""Bytes in front of the data of each frame."""

_PLAIN_DATA: Final = b"\0\0"
"""The type of a DATA frame, and no flags."""


def blocks(messages: Iterable[Framed]) -> Iterator[Segment]:
    """The bytes of messages in pieces worth cutting: small ones joined, big ones as they are, not copied."""
    small: list[Segment] = []
    size = 0
    for message in messages:
        if message.nbytes <= _JOINED:
            small.extend(message.segments)
            size += message.nbytes
        else:
            for segment in message.segments:
                if len(segment) <= _JOINED:
                    small.append(segment)
                    size += len(segment)
                    continue
                if small:
                    yield b"".join(small)
                    small, size = [], 0
                yield segment
        if size >= WRITE_SIZE:
            yield b"".join(small)
            small, size = [], 0
    if small:
        yield b"".join(small)


class FrameCutter:
    """The bytes of one burst of messages, to be taken as DATA frames from the front.

    Args:
        messages: What to send.
        stream_id: The HTTP/2 stream of the frames.
    """

    __slots__ = (
        "_at", "_blocks", "_has_frames", "_header", "_header_size", "_left", "_pending", "_stream", "taken",
    )  # fmt: skip

    def __init__(self, messages: Iterable[Framed], stream_id: int) -> None:
        self._blocks = blocks(messages)
        self._pending: deque[Segment] = deque()
        # Where in the first pending block the next frame begins.
        self._at = 0
        self._left = 0
        # Whether there was a block that is a good frame.
        self._has_frames = False
        self._stream = _PLAIN_DATA + stream_id.to_bytes(4, "big")
        # Nearly all frames are as long as the one before.
        self._header, self._header_size = b"", -1
        self.taken = 0

    def ready(self, wanted: int) -> int:
        """How many bytes are left, looking at no more of the messages than it takes to have ``wanted``."""
        while self._left < wanted:
            block = next(self._blocks, None)
            if block is None:
                break
            size = len(block)
            self._pending.append(block)
            self._left += size
            if _JOINED < size <= _FRAME:
                self._has_frames = True
        return self._left

    def take(self, limit: int, max_frame: int) -> tuple[list[Segment], int, int]:
        """Takes frames for at most ``limit`` bytes of messages, and not much more than :data:`WRITE_SIZE`.

        No frame is shorter than ``MIN_FRAME`` as long as more follows and the limit allows it. Within a limit
        of ``max_frame`` there is one frame.

        Args:
            limit: Bytes that the windows allow.
            max_frame: The longest frame that the peer takes.

        Returns:
            The frames with their headers, in pieces; how many bytes of the messages they hold; and how many
            bytes they have with their headers.
        """
        pieces: list[Segment] = []
        taken = frames = 0
        # A window that allows not much more is used up: the rest would need a write of its own.
        wanted = limit if limit < WRITE_SIZE + WRITE_SIZE // 4 else WRITE_SIZE
        left = self.ready(wanted + max_frame + MIN_FRAME)
        whole = self._has_frames and max_frame < limit
        while taken < wanted and left:
            if whole and (size := self._whole_block(left, limit - taken, max_frame, pieces)):
                frames += 1
                taken += size
                left -= size
                continue
            size = _frame_size(left, limit - taken, max_frame)
            if taken and size < MIN_FRAME and size < left:
                # What is left of the limit is not worth a frame: it comes with the next ones.
                break
            self._set_header(size)
            count = 1
            if size == max_frame:
                # Long messages are a run of the longest frames, which takes much less when cut at once.
                run = min(wanted - taken, left - MIN_FRAME)
                if whole:
                    run = min(run, len(self._pending[0]) - self._at)
                count = max(1, run // size)
            self._cut(count, size, pieces)
            frames += count
            taken += count * size
            left -= count * size
        self._left = left
        self.taken += taken
        return pieces, taken, taken + frames * FRAME_HEADER

    def _set_header(self, size: int) -> None:
        if size != self._header_size:
            self._header, self._header_size = size.to_bytes(3, "big") + self._stream, size

    def _whole_block(self, left: int, room: int, max_frame: int, pieces: list[Segment]) -> int:
        """Moves the first block, or the rest of it, if it makes a good frame uncut; gives its size or 0."""
        block, at = self._pending[0], self._at
        size = len(block) - at
        if not max_frame // 2 < size <= max_frame or size > room or 0 < left - size < MIN_FRAME:
            return 0
        self._set_header(size)
        pieces += (self._header, memoryview(block)[at:] if at else block)
        self._pending.popleft()
        self._at = 0
        return size

    def _cut(self, count: int, size: int, pieces: list[Segment]) -> None:
        """Moves so many frames of one size from the front of what is pending, which holds as much."""
        pending, at, header = self._pending, self._at, self._header
        first = memoryview(pending[0])
        left = len(first) - at
        while count:
            if whole := min(count, (left - 1) // size):
                stop = at + whole * size
                run: list[Segment] = [header] * (2 * whole)
                run[1::2] = [first[start : start + size] for start in range(at, stop, size)]
                pieces += run
                count -= whole
                at, left = stop, left - whole * size
                continue
            pieces.append(header)
            need = size
            while need >= left:
                pieces.append(first[at:] if at else first)
                pending.popleft()
                need -= left
                at = 0
                if not pending:
                    # It was the last frame.
                    break
                first = memoryview(pending[0])
                left = len(first)
            else:
                if need:
                    pieces.append(first[at : at + need])
                    at, left = at + need, left - need
            count -= 1
        self._at = at


def _frame_size(left: int, limit: int, max_frame: int) -> int:
    """The length of the next frame when so many bytes are left."""
    size = min(max_frame, limit)
    if left <= size:
        return left
    # A short rest is filled up from this frame.
    return left - MIN_FRAME if left < size + MIN_FRAME and size >= 2 * MIN_FRAME else size
