"""Answers from one event loop to a connection on another: a recording need not be on that of the service."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Sequence
    from typing import Any

    from aiorerun.codec.chunk_template import Segment
    from aiorerun.server.cors import Headers
    from aiorerun.server.exchange import Exchange

T = TypeVar("T")


async def run_there(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine on a loop, and waits for it on this one. Cancelling it cancels the coroutine.

    Raises:
        ConnectionError: The loop is closed.
    """
    if loop is asyncio.get_running_loop():
        return await work
    try:
        future = asyncio.run_coroutine_threadsafe(work, loop)
    except RuntimeError as error:
        work.close()
        raise ConnectionAbortedError("the event loop is closed") from error
    return await asyncio.wrap_future(future)


class Crossing:
    """An exchange that is used from another loop than its own.

    See :class:`aiorerun.server.exchange.Exchange` for what it can do.

    Args:
        exchange: The exchange.
        loop: Its loop.
    """

    def __init__(self, exchange: Exchange, loop: asyncio.AbstractEventLoop) -> None:
        self._exchange = exchange
        self._loop = loop

    @property
    def is_started(self) -> bool:
        """Whether the head of the answer was sent."""
        return self._exchange.is_started

    @property
    def is_writing(self) -> bool:
        """Whether something waits for the peer to take it."""
        return self._exchange.is_writing

    @property
    def bytes_written(self) -> int:
        """Bytes of the answer that the transport has taken."""
        return self._exchange.bytes_written

    async def body(self) -> AsyncIterator[bytes]:
        """The pieces of the request's body."""
        pieces = self._exchange.body()
        while (piece := await run_there(self._loop, _next(pieces))) is not None:
            yield piece

    async def send(self, status: int, headers: Headers) -> None:
        """Sends an answer without content."""
        await run_there(self._loop, self._exchange.send(status, headers))

    async def start(self, status: int, headers: Headers) -> None:
        """Sends the head of an answer."""
        await run_there(self._loop, self._exchange.start(status, headers))

    async def write(self, segments: Sequence[Segment], nbytes: int) -> None:
        """Sends a piece of the answer."""
        await run_there(self._loop, self._exchange.write(segments, nbytes))

    async def end(self) -> None:
        """Ends the answer."""
        await run_there(self._loop, self._exchange.end())

    async def disconnected(self) -> None:
        """Returns when the peer is gone."""
        await run_there(self._loop, self._exchange.disconnected())

    def abort(self) -> None:
        """Cuts the answer off."""
        self._loop.call_soon_threadsafe(self._exchange.abort)


async def _next(pieces: AsyncIterator[bytes]) -> bytes | None:
    return await anext(pieces, None)
