"""A reader: its place in what is kept and in what comes in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiorerun.server.rpc_error import Code, RpcError
from aiorerun.server.stalls import StallBudget

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiorerun.net.logmsg import Framed
    from aiorerun.server.history import Replay
    from aiorerun.server.hub import Hub
    from aiorerun.server.live import Cursor

MAX_TAKEN_BYTES: Final = 256 << 10
"""About so much is taken at once; a single message may be larger."""
MAX_TAKEN_MESSAGES: Final = 1024

_SMALL_BYTES: Final = 4 << 10
"""Less than this waits a little for more, if something was taken just before."""
_LINGER_SECS: Final = 0.002


class Reader:
    """Gives one peer what it is to be sent, in order. One task uses it.

    With the oldest first, that is what the replay buffer held at the beginning, then what came since. With
    the newest first, what comes goes before what is left of the buffer. Without a cursor it gets the former
    only.

    Attributes:
        is_for_tables: Whether it gets tables, or messages.
        budget: How long it may still hold up writers.
        awaited_since: Since when writers wait for it and it has not moved; ``None`` if none wait.
        progress: Says how many bytes were passed on, to tell a slow peer from one that stands still.
        dropped: Done when it is closed before its end, as for being too slow; what its peer is sent is not
            complete then.
    """

    def __init__(
        self,
        hub: Hub,
        replay: Replay,
        cursor: Cursor | None,
        *,
        newest_first: bool,
        is_for_tables: bool,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.is_for_tables = is_for_tables
        self.budget = StallBudget(hub.stall_secs, loop.time())
        self.awaited_since: float | None = None
        self.progress: Callable[[], int] = int
        self.dropped: asyncio.Future[RpcError] = loop.create_future()
        self._hub = hub
        self._replay = replay
        self._cursor = cursor
        self._newest_first = newest_first
        self._wake = asyncio.Event()
        self._loop = loop
        self._taken_at = 0.0
        self._progress = 0

    @property
    def backlog(self) -> int:
        """Bytes that it has not taken yet."""
        return self._replay.nbytes + (0 if self._cursor is None else self._cursor.backlog)

    def has_moved(self) -> bool:
        """Whether its peer took any bytes since this was last asked."""
        former, self._progress = self._progress, self.progress()
        return self._progress != former

    def wake(self) -> None:
        """There is something new, or an end."""
        self._wake.set()

    def drop(self, reason: str, code: Code = Code.RESOURCE_EXHAUSTED) -> None:
        """Closes it before its end; by default for being too slow."""
        if not self.dropped.done():
            self.dropped.set_result(RpcError(code, reason))
        self._wake.set()

    def close(self) -> None:
        """The peer wants no more. May be called again."""
        self._hub.detach(self)

    async def take(self) -> list[Framed]:
        """Waits for messages and takes them; nothing at all at the end.

        That is when the server closes, or when it was only to have what the buffer held.

        Cancelling it takes nothing.

        Raises:
            RpcError: It was closed before its end.
        """
        while not self._has_more():
            if self._hub.is_closed or self.dropped.done() or self._cursor is None:
                break
            self._wake.clear()
            await self._wake.wait()
        if self.dropped.done():
            raise self.dropped.result()
        if self._is_little() and not self._hub.is_closed:
            # Peers close connections on which many small pieces wait unread, so these are sent together.
            pause = self._taken_at + _LINGER_SECS - self._loop.time()
            if pause > 0:
                await asyncio.sleep(pause)
        taken = self._take()
        self._taken_at = self._loop.time()
        self._hub.took(self)
        return taken

    def _has_more(self) -> bool:
        return bool(self._replay) or bool(self._cursor)

    def _is_little(self) -> bool:
        return self._cursor is not None and not self._replay and self._cursor.backlog < _SMALL_BYTES

    def _take(self) -> list[Framed]:
        taken: list[Framed] = []
        room = MAX_TAKEN_BYTES
        while room > 0 and len(taken) < MAX_TAKEN_MESSAGES:
            is_live = bool(self._cursor) if self._newest_first else not self._replay
            source: Replay | Cursor | None = self._cursor if is_live else self._replay
            if not source:
                break
            entry = source.take()
            taken.append(entry.framed)
            room -= entry.size
        return taken
