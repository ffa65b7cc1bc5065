"""Long queues in blocks, so that a snapshot of millions of messages costs next to nothing.

Blocks only ever grow. A snapshot holds the blocks as they were, shares the messages in them, and lets go of
each block once it is read.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from aiorerun.server.entries import Entry

BLOCK_ENTRIES: Final = 512
"""A block of so many messages is full."""
BLOCK_BYTES: Final = 1 << 20
"""So is one of so many bytes: what is removed from its front stays in memory until all of it is gone."""


class Block:
    """Consecutive messages.

    Attributes:
        entries: The messages; only appended to.
        nbytes: Their sizes together.
        next: The block after it, in a :class:`aiorerun.server.live.LiveLog`.
    """

    __slots__ = ("entries", "nbytes", "next")

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.nbytes = 0
        self.next: Block | None = None

    @property
    def is_full(self) -> bool:
        """Whether the next message begins a new block."""
        return len(self.entries) >= BLOCK_ENTRIES or self.nbytes >= BLOCK_BYTES

    def append(self, entry: Entry) -> None:
        """Adds a message."""
        self.entries.append(entry)
        self.nbytes += entry.size


class BlockQueue:
    """First in, first out, with snapshots.

    Attributes:
        nbytes: The sizes of all messages in it together.
    """

    __slots__ = ("_blocks", "_first", "_length", "nbytes")

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._blocks: deque[Block] = deque()
        # Messages of the first block that were removed already.
        self._first = 0
        self._length = 0
        self.nbytes = 0
        for entry in entries:
            self.append(entry)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Entry]:
        start = self._first
        for block in self._blocks:
            yield from islice(block.entries, start, None)
            start = 0

    def append(self, entry: Entry) -> None:
        """Adds a message at the end."""
        if not self._blocks or self._blocks[-1].is_full:
            self._blocks.append(Block())
        self._blocks[-1].append(entry)
        self._length += 1
        self.nbytes += entry.size

    def first(self) -> Entry:
        """The oldest message."""
        return self._blocks[0].entries[self._first]

    def pop_first(self) -> Entry:
        """Removes the oldest message."""
        block = self._blocks[0]
        entry = block.entries[self._first]
        self._first += 1
        self._length -= 1
        self.nbytes -= entry.size
        if self._first == len(block.entries):
            self._blocks.popleft()
            self._first = 0
        return entry

    def snapshot(self, *, newest_first: bool = False) -> Snapshot:
        """The messages that are in it now."""
        return Snapshot(self._blocks, self._first, self.nbytes, newest_first=newest_first)


class Snapshot:
    """Messages of a queue as they were at one moment, to be taken one after the other.

    Attributes:
        nbytes: The sizes of those that were not taken yet.
    """

    __slots__ = ("_blocks", "_end", "_is_reversed", "_position", "_start", "nbytes")

    def __init__(self, blocks: Iterable[Block], start: int, nbytes: int, *, newest_first: bool) -> None:
        self._blocks = deque(blocks)
        self._is_reversed = newest_first
        self._start = start
        self._end = len(self._blocks[-1].entries) if self._blocks else 0
        self._position = self._end if newest_first else start
        self.nbytes = nbytes

    def __bool__(self) -> bool:
        return bool(self._blocks)

    def take(self) -> Entry:
        """Takes the next message; there must be one."""
        entry = self._take_last() if self._is_reversed else self._take_first()
        self.nbytes -= entry.size
        return entry

    def _take_first(self) -> Entry:
        entries = self._blocks[0].entries
        entry = entries[self._position]
        self._position += 1
        # The last block may have grown since; what came then is not part of the snapshot.
        if self._position == (self._end if len(self._blocks) == 1 else len(entries)):
            self._blocks.popleft()
            self._position = 0
        return entry

    def _take_last(self) -> Entry:
        self._position -= 1
        entry = self._blocks[-1].entries[self._position]
        if self._position == (self._start if len(self._blocks) == 1 else 0):
            self._blocks.pop()
            if self._blocks:
                self._position = len(self._blocks[-1].entries)
        return entry
