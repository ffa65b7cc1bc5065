"""Finding the messages of a file from front to back, also while it grows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiorerun.codec.decoder import RrdDecoder

if TYPE_CHECKING:
    from aiorerun.codec.decoder import RawMessage
    from aiorerun.recording.source import Source

_BLOCK: Final = 64 << 10
"""Small messages are read together, so many bytes at once; larger ones alone."""


class MessageScanner:
    """Gives the complete messages of a file one by one.

    Of the file it holds one block and one message at most.

    Args:
        source: The file.
        max_message_bytes: The longest message that is accepted.
    """

    def __init__(self, source: Source, max_message_bytes: int) -> None:
        self._source = source
        self._decoder = RrdDecoder(max_message_bytes)
        self._block = b""
        self._block_start = 0

    @property
    def offset(self) -> int:
        """Where the next message begins, as far as is known."""
        return self._decoder.offset

    @property
    def has_ended(self) -> bool:
        """Whether a stream came to its end, and no other one has begun."""
        return self._decoder.has_ended

    def next(self, end: int) -> RawMessage | None:
        """The next message that is complete before the byte ``end``; ``None`` if there is none yet.

        Raises:
            RrdError: The file is no RRD stream, or damaged.
        """
        decoder = self._decoder
        while not decoder.is_deaf and decoder.needed <= end - decoder.offset:
            view = self._view(decoder.offset, decoder.needed, end)
            if len(view) < decoder.needed:
                return None
            _, message = decoder.step(view)
            if message is not None:
                return message
        return None

    def _view(self, offset: int, needed: int, end: int) -> memoryview:
        at = offset - self._block_start
        if at < 0 or at + needed > len(self._block):
            # The former block is let go first.
            self._block = b""
            self._block = self._source.read(offset, max(needed, min(_BLOCK, end - offset)))
            self._block_start = offset
            at = 0
        return memoryview(self._block)[at:]
