"""A recording as an RRD stream over HTTP: what is kept, then what comes, for as long as the peer stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiorerun.codec.framing import MESSAGE_HEADER, STREAM_HEADER, stream_header
from aiorerun.net.logmsg import unframe
from aiorerun.server.exchange import work_until
from aiorerun.server.pump import pump
from aiorerun.server.rpc_error import Code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorerun.codec.chunk_template import Segment
    from aiorerun.net.logmsg import Framed
    from aiorerun.server.cors import Headers
    from aiorerun.server.exchange import Exchange
    from aiorerun.server.reader import Reader
    from aiorerun.server.rpc_error import RpcError


async def answer_rrd(reader: Reader, exchange: Exchange, headers: Headers) -> None:
    """Sends what a reader gets. The stream has no footer: readers go from front to back.

    It ends as an answer does when the reader has come to its end, or the server closes; a peer that is too
    slow is cut off, so that it can tell.

    Args:
        reader: What to send; it is closed in the end.
        exchange: Where to.
        headers: Of the answer.

    Raises:
        ConnectionError: The peer is gone.
        TimeoutError: The peer has taken nothing for too long.
    """
    answer = _RrdAnswer(exchange)
    try:
        reader.progress = lambda: exchange.bytes_written
        await exchange.start(200, headers)
        await exchange.write((stream_header(),), STREAM_HEADER.size)
        await work_until(pump(reader, answer.write, answer.refuse), exchange.disconnected())
    finally:
        reader.close()
    if not reader.dropped.done():
        await exchange.end()


class _RrdAnswer:
    """Writes messages as records."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def write(self, messages: Sequence[Framed]) -> None:
        segments: list[Segment] = []
        nbytes = 0
        for message in messages:
            kind, payload = unframe(message)
            size = sum(map(len, payload))
            segments.append(MESSAGE_HEADER.pack(kind, size))
            segments.extend(payload)
            nbytes += MESSAGE_HEADER.size + size
        await self._exchange.write(segments, nbytes)

    async def refuse(self, error: RpcError) -> None:
        if self._exchange.is_writing or error.code is not Code.UNAVAILABLE:
            self._exchange.abort()
        else:
            await self._exchange.end()
