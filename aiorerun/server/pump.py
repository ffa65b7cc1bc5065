"""Carries what a reader takes to its peer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from aiorerun.net.logmsg import Framed
    from aiorerun.server.reader import Reader
    from aiorerun.server.rpc_error import RpcError


async def pump(
    reader: Reader,
    write: Callable[[Sequence[Framed]], Awaitable[None]],
    refuse: Callable[[RpcError], Awaitable[None]],
) -> None:
    """Writes until the server closes, the peer is gone, or the reader is closed for being too slow.

    Cancelling it ends the reader; what is being written then is left unfinished.

    Args:
        reader: What to read from; it is closed in the end.
        write: Sends messages, and returns when the peer's windows and the transport have taken them.
        refuse: Tells the peer that it is too slow. Called while ``write`` may still wait in vain.

    Raises:
        ConnectionError: What ``write`` raises when the peer is gone.
    """
    task = asyncio.get_running_loop().create_task(_carry(reader, write), name="aiorerun-pump")
    try:
        waiting: list[asyncio.Future[Any]] = [task, reader.dropped]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if reader.dropped.done():
            await refuse(reader.dropped.result())
        else:
            task.result()
    finally:
        reader.close()
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            # Seen above, or of no interest any more.
            task.exception()


async def _carry(reader: Reader, write: Callable[[Sequence[Framed]], Awaitable[None]]) -> None:
    while not reader.dropped.done() and (taken := await reader.take()):
        await write(taken)
        # Neither taking nor writing has to wait as long as the peer keeps up; others want their turn.
        await asyncio.sleep(0)
