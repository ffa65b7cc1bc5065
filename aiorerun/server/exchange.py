"""What an answer needs of the connection that it goes to, whatever serves that."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Sequence

    from aiorerun.codec.chunk_template import Segment
    from aiorerun.server.cors import Headers


class Exchange(Protocol):
    """One request and its answer."""

    @property
    def is_started(self) -> bool:
        """Whether the head of the answer was sent."""
        ...

    @property
    def is_writing(self) -> bool:
        """Whether something waits for the peer to take it."""
        ...

    @property
    def bytes_written(self) -> int:
        """Bytes of the answer that the transport has taken."""
        ...

    def body(self) -> AsyncIterator[bytes]:
        """The pieces of the request's body."""
        ...

    async def send(self, status: int, headers: Headers) -> None:
        """Sends an answer without content."""
        ...

    async def start(self, status: int, headers: Headers) -> None:
        """Sends the head of an answer."""
        ...

    async def write(self, segments: Sequence[Segment], nbytes: int) -> None:
        """Sends a piece of the answer, and waits until the peer has taken most of it.

        Cancelling it leaves the rest of the piece unsent: the answer is of no use any more.

        Raises:
            TimeoutError: The peer has taken nothing for too long.
            ConnectionError: The peer is gone.
        """
        ...

    async def end(self) -> None:
        """Ends the answer."""
        ...

    async def disconnected(self) -> None:
        """Returns when the peer is gone; only called once the body has been read."""
        ...

    def abort(self) -> None:
        """Cuts the answer off, so that the peer can tell that it is not complete."""
        ...


async def work_until(work: Coroutine[Any, Any, None], gone: Coroutine[Any, Any, None]) -> None:
    """Does something until it is done, or the peer is gone. Cancelling it cancels both.

    Args:
        work: What to do.
        gone: Returns when the peer is gone.

    Raises:
        ConnectionError: The peer was gone first.
    """
    loop = asyncio.get_running_loop()
    doing = loop.create_task(work, name="aiorerun-web-answer")
    watching = loop.create_task(gone, name="aiorerun-web-watch")
    try:
        await asyncio.wait({doing, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise ConnectionAbortedError("the peer has closed the connection")
        doing.result()
    finally:
        for task in (doing, watching):
            task.cancel()
        await asyncio.wait({doing, watching})
        for task in (doing, watching):
            if not task.cancelled():
                task.exception()
