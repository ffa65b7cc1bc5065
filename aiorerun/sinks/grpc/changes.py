"""Telling those who wait that something has changed."""

from __future__ import annotations

import asyncio


class Changes:
    """Wakes whoever waits for the next change, on whatever event loop. Tell it on one thread only."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def tell(self) -> None:
        """Something has changed."""
        waiting, self._waiting = self._waiting, set()
        here = asyncio._get_running_loop()
        for future in waiting:
            loop = future.get_loop()
            if loop is here:
                _wake(future)
                continue
            try:
                loop.call_soon_threadsafe(_wake, future)
            except RuntimeError:
                # Its loop is closed; nobody waits there any more.
                continue

    async def wait(self, timeout: float | None = None) -> None:
        """Returns at the next change, or when time is over. May be cancelled."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiting.add(future)
        timer = None if timeout is None else loop.call_later(max(0.0, timeout), _wake, future)
        try:
            await future
        finally:
            self._waiting.discard(future)
            if timer is not None:
                timer.cancel()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
