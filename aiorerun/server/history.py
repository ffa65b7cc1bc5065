"""The replay buffer: what readers that come later are sent first, within a limit of memory."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from aiorerun.server.blocks import BlockQueue
from aiorerun.server.entries import Queue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiorerun.server.blocks import Snapshot
    from aiorerun.server.entries import Entry


EVICTED_AT_ONCE: Final = 4096
"""So many messages at most give way at once: a huge message may take the place of millions of small ones."""


class ReplayBuffer:
    """Three queues, replayed one after the other: persistent messages, static data, all the rest.

    Before a message is added, the oldest disposable messages go until everything together is below the
    limit; so the buffer may be over it by one message. Persistent messages and static data stay, even if they
    alone are over the limit; only static data that newer static data has replaced may be taken out, see
    :meth:`replace_static`.

    Args:
        limit: Bytes that it may hold; 0 keeps nothing at all, ``None`` everything.
        newest_first: Replay static data and the rest with the newest first.
    """

    def __init__(self, limit: int | None, *, newest_first: bool = False) -> None:
        self.limit = limit
        self.newest_first = newest_first
        self._persistent = BlockQueue()
        self._static = BlockQueue()
        self._disposable = BlockQueue()
        self._tables = BlockQueue()
        self._queues = {
            Queue.PERSISTENT: self._persistent,
            Queue.STATIC: self._static,
            Queue.DISPOSABLE: self._disposable,
            Queue.TABLE: self._tables,
        }
        self._number = 0
        self.is_behind = False
        """Whether more has to go than went at once: :meth:`trim` goes on."""

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    @property
    def nbytes(self) -> int:
        """What it holds, with a little for each message."""
        return self._persistent.nbytes + self._static.nbytes + self._disposable.nbytes + self._tables.nbytes

    @property
    def static_bytes(self) -> int:
        """What the static data in it takes."""
        return self._static.nbytes

    @property
    def has_too_much_static(self) -> bool:
        """Whether static data alone is over the limit."""
        return self.limit is not None and self._static.nbytes > self.limit

    def add(self, entry: Entry) -> None:
        """Keeps a message, and gives up old ones for it."""
        if self.limit == 0:
            return
        self.trim()
        self._number += 1
        entry.number = self._number
        self._queues[entry.queue].append(entry)

    def trim(self) -> None:
        """Gives up the oldest messages until all is below the limit, or it is time to pause."""
        if self.limit is None:
            return
        excess = self.nbytes - self.limit
        left = EVICTED_AT_ONCE
        while excess >= 0 and left and (queue := self._oldest()) is not None:
            excess -= queue.pop_first().size
            left -= 1
        self.is_behind = not left

    def _oldest(self) -> BlockQueue | None:
        """The queue with the oldest message that may go."""
        if not self._tables:
            return self._disposable or None
        if not self._disposable:
            return self._tables
        is_table = self._tables.first().number < self._disposable.first().number
        return self._tables if is_table else self._disposable

    def replay(self) -> Replay:
        """What a new reader of messages is sent before live ones."""
        return Replay(
            (
                self._persistent.snapshot(),
                self._static.snapshot(newest_first=self.newest_first),
                self._disposable.snapshot(newest_first=self.newest_first),
            )
        )

    def replay_tables(self) -> Replay:
        """What a new reader of tables is sent before live ones."""
        return Replay((self._tables.snapshot(newest_first=self.newest_first),))

    def static_snapshot(self) -> Snapshot:
        """The static data that it holds, oldest first."""
        return self._static.snapshot()

    def replace_static(self, kept: BlockQueue, seen: int) -> None:
        """Keeps only some of the static data.

        Args:
            kept: What stays of that which came first.
            seen: The number of the last message that was looked at; what came later stays too.
        """
        newer = self._static.snapshot(newest_first=True)
        later: list[Entry] = []
        while newer and (entry := newer.take()).number > seen:
            later.append(entry)
        for entry in reversed(later):
            kept.append(entry)
        self._static = self._queues[Queue.STATIC] = kept


class Replay:
    """The messages that one reader is sent before live ones. It shares them, and holds only what is left."""

    __slots__ = ("_snapshots",)

    def __init__(self, snapshots: Iterable[Snapshot]) -> None:
        self._snapshots = deque(snapshot for snapshot in snapshots if snapshot)

    def __bool__(self) -> bool:
        return bool(self._snapshots)

    @property
    def nbytes(self) -> int:
        """The sizes of the messages that are left."""
        return sum(snapshot.nbytes for snapshot in self._snapshots)

    def take(self) -> Entry:
        """Takes the next message; there must be one."""
        snapshot = self._snapshots[0]
        entry = snapshot.take()
        if not snapshot:
            self._snapshots.popleft()
        return entry
