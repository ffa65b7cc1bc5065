"""Where all messages meet: writers publish them here, readers take them from here."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from aiorerun.server.defaults import READER_BYTES, STALL_SECS
from aiorerun.server.entries import Queue
from aiorerun.server.live import LiveLog
from aiorerun.server.reader import Reader
from aiorerun.server.rpc_error import Code, RpcError
from aiorerun.server.superseded import Superseded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorerun.server.entries import Entry
    from aiorerun.server.history import ReplayBuffer

logger = logging.getLogger("aiorerun")

_TRIM_SECS: Final = 0.001
"""Between two times of giving up messages, so that other tasks get their turn."""

_CLOSED: Final = "the server is closing"


class Hub:
    """Passes messages on to all readers, and keeps them for those who come later.

    Readers share the messages and the log they are in. One may be behind by what the replay buffer holds,
    which costs nothing, and by ``reader_bytes`` more. When it is further behind, writers wait. A reader that
    takes nothing at all for ``stall_secs`` meanwhile is closed, and so is one that makes writers wait for
    more than that while other readers keep up, and for more than a tenth of the time in the long run. It is
    told so with RESOURCE_EXHAUSTED: no reader ever misses a message without knowing. If no reader keeps up,
    writers go at the pace of the readers.

    It belongs to one event loop.

    Args:
        history: The replay buffer.
        reader_bytes: How far a reader may be behind.
        stall_secs: How long writers wait for a reader.
    """

    def __init__(
        self, history: ReplayBuffer, *, reader_bytes: int = READER_BYTES, stall_secs: float = STALL_SECS
    ) -> None:
        self.history = history
        self.reader_bytes = reader_bytes
        self.stall_secs = stall_secs
        self.is_closed = False
        self._logs = {False: LiveLog(), True: LiveLog()}
        self._readers: set[Reader] = set()
        # Writers that wait do so one after the other, so that only one of them judges the readers.
        self._gate = asyncio.Lock()
        self._room = asyncio.Event()
        self._superseded = Superseded()
        self._compaction: asyncio.Task[None] | None = None
        self._compact_at = 0
        self._told_of_static = False
        self._trimming: asyncio.TimerHandle | None = None

    @property
    def num_readers(self) -> int:
        """How many readers there are."""
        return len(self._readers)

    def attach(self, *, tables: bool = False, live: bool = True) -> Reader:
        """A new reader, of messages or of tables. It gets what is kept first, in the order of the buffer.

        Args:
            tables: Whether it gets tables.
            live: Whether it gets what comes after that, or ends.

        Raises:
            RpcError: The hub is closed.
        """
        if self.is_closed:
            raise RpcError(Code.UNAVAILABLE, _CLOSED)
        replay = self.history.replay_tables() if tables else self.history.replay()
        cursor = self._logs[tables].cursor() if live else None
        reader = Reader(self, replay, cursor, newest_first=self.history.newest_first, is_for_tables=tables)
        self._readers.add(reader)
        return reader

    def detach(self, reader: Reader) -> None:
        """Forgets a reader; what only it still needed is gone."""
        self._readers.discard(reader)
        self._room.set()
        if not any(other.is_for_tables == reader.is_for_tables for other in self._readers):
            self._logs[reader.is_for_tables] = LiveLog()

    async def publish(self, entries: Sequence[Entry]) -> None:
        """Passes messages on, in order, once no reader is too far behind.

        Cancelling it while it waits publishes none of them.

        Raises:
            RpcError: The hub is closed; none of them was taken.
        """
        if self._must_wait():
            async with self._gate:
                await self._wait_for_room()
        if self.is_closed:
            raise RpcError(Code.UNAVAILABLE, _CLOSED)
        with_readers = {reader.is_for_tables for reader in self._readers}
        for entry in entries:
            self.history.add(entry)
            is_table = entry.queue is Queue.TABLE
            if is_table in with_readers:
                self._logs[is_table].append(entry)
        for reader in self._readers:
            reader.wake()
        if self.history.is_behind:
            self._trim_soon()
        if self.history.has_too_much_static:
            self._compact()

    def _trim_soon(self) -> None:
        if self._trimming is None:
            self._trimming = asyncio.get_running_loop().call_later(_TRIM_SECS, self._trim)

    def _trim(self) -> None:
        self._trimming = None
        self.history.trim()
        if self.history.is_behind and not self.is_closed:
            self._trim_soon()

    def took(self, reader: Reader) -> None:
        """A reader has taken something."""
        if reader.awaited_since is None:
            return
        if self._is_late(reader):
            reader.awaited_since = asyncio.get_running_loop().time()
        else:
            reader.awaited_since = None
            self._room.set()

    def end_readers(self, reason: str) -> None:
        """Closes all readers before their end, and tells them so with UNAVAILABLE. Others may come."""
        for reader in self._readers:
            reader.drop(reason, Code.UNAVAILABLE)

    def close(self) -> None:
        """Takes nothing any more. Readers end when they have taken what is there."""
        self.is_closed = True
        self._room.set()
        for reader in self._readers:
            reader.wake()
        if self._trimming is not None:
            self._trimming.cancel()
        if self._compaction is not None:
            self._compaction.cancel()

    async def wait_closed(self) -> None:
        """Waits for what the hub still does after :meth:`close`."""
        if self._compaction is not None:
            await asyncio.wait({self._compaction})

    def _is_late(self, reader: Reader) -> bool:
        return reader.backlog > self.reader_bytes + self.history.nbytes

    def _late_readers(self) -> list[Reader]:
        return [reader for reader in self._readers if self._is_late(reader)]

    def _must_wait(self) -> bool:
        if self._gate.locked() or self._is_compacting_too_much:
            return not self.is_closed
        return any(self._is_late(reader) for reader in self._readers) and not self.is_closed

    @property
    def _is_compacting_too_much(self) -> bool:
        """Whether static data comes in faster than it can be told what of it has been replaced."""
        limit = self.history.limit
        return (
            self._compaction is not None
            and limit is not None
            and self.history.static_bytes > max(self._compact_at, limit) + self.reader_bytes
        )

    async def _wait_for_room(self) -> None:
        """Waits until no reader is too far behind, and closes those that take too long."""
        loop = asyncio.get_running_loop()
        if self._is_compacting_too_much and self._compaction is not None:
            await asyncio.wait({self._compaction})
        while not self.is_closed and (late := self._late_readers()):
            start = loop.time()
            others_keep_up = len(late) < len(self._readers)
            patience = {reader: self._patience(reader, start, others_keep_up) for reader in late}
            shortest = min(patience.values())
            if shortest > 0:
                self._room.clear()
                try:
                    async with asyncio.timeout(shortest):
                        await self._room.wait()
                except TimeoutError:
                    pass
                finally:
                    self._room.set()
                    now = loop.time()
                    if others_keep_up:
                        for reader in late:
                            reader.budget.spend(start, now)
            else:
                for reader, secs in patience.items():
                    if secs <= 0:
                        self._drop(reader)

    def _patience(self, reader: Reader, now: float, others_keep_up: bool) -> float:
        """For how many seconds a late reader is waited for."""
        has_moved = reader.has_moved()
        if reader.awaited_since is None or has_moved:
            reader.awaited_since = now
        secs = reader.awaited_since + self.stall_secs - now
        return min(secs, reader.budget.left(now)) if others_keep_up else secs

    def _drop(self, reader: Reader) -> None:
        logger.warning(
            "a reader is too far behind (%d bytes) and held up the others for too long: it is closed",
            reader.backlog,
        )
        reader.drop("the reader is too far behind")
        self.detach(reader)

    def _compact(self) -> None:
        if self._compaction is None and self.history.static_bytes >= self._compact_at:
            task = asyncio.get_running_loop().create_task(self._discard_replaced(), name="aiorerun-static")
            self._compaction = task

    async def _discard_replaced(self) -> None:
        """Takes static data out that newer static data has replaced; tells if that is not enough."""
        try:
            snapshot = self.history.static_snapshot()
            compacted = await asyncio.to_thread(self._superseded.compact, snapshot)
            self.history.replace_static(*compacted)
            limit = self.history.limit or 0
            if self.history.has_too_much_static and not self._told_of_static:
                self._told_of_static = True
                logger.warning(
                    "static data alone takes %d bytes, more than server_memory_limit allows (%d): it is kept "
                    "all the same, other data is not; raise the limit or log less static data",
                    self.history.static_bytes,
                    limit,
                )
        except Exception:
            logger.exception("static data could not be looked into: all of it is kept")
        finally:
            # Not again before there is a good deal more, so that the cost stays linear; after a failure, too.
            self._compact_at = self.history.static_bytes + (self.history.limit or 0) // 2
            self._compaction = None
