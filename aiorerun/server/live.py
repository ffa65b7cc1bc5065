"""What comes in while readers are there: one log for all of them, in which each has its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiorerun.server.blocks import Block

if TYPE_CHECKING:
    from aiorerun.server.entries import Entry


class LiveLog:
    """Messages in the order of their arrival.

    It only knows its end. Blocks know the one that follows, so the reader that is furthest behind keeps all
    that it still needs, and nobody keeps anything else.

    Attributes:
        end: The sizes of all messages that were ever added.
    """

    __slots__ = ("end", "tail")

    def __init__(self) -> None:
        self.end = 0
        self.tail = Block()

    def append(self, entry: Entry) -> None:
        """Adds a message."""
        tail = self.tail
        tail.append(entry)
        self.end += entry.size
        if tail.is_full:
            # At once, so that the log keeps no large message that all readers have taken.
            self.tail = tail.next = Block()

    def cursor(self) -> Cursor:
        """A place at the end: what comes from now on."""
        return Cursor(self)


class Cursor:
    """The place of one reader in the log."""

    __slots__ = ("_block", "_index", "_log", "_position")

    def __init__(self, log: LiveLog) -> None:
        self._log = log
        self._block = log.tail
        self._index = len(self._block.entries)
        self._position = log.end

    def __bool__(self) -> bool:
        block = self._block
        # The block after a full one is there at once, and empty at first.
        return self._index < len(block.entries) or (block.next is not None and bool(block.next.entries))

    @property
    def backlog(self) -> int:
        """Bytes that wait for the reader."""
        return self._log.end - self._position

    def take(self) -> Entry:
        """Takes the next message; there must be one."""
        if self._index == len(self._block.entries):
            assert self._block.next is not None
            self._block = self._block.next
            self._index = 0
        entry = self._block.entries[self._index]
        self._index += 1
        self._position += entry.size
        return entry
