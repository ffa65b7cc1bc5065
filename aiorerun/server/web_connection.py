"""One HTTP/1.1 connection: reads requests one after the other and sends answers, with time limits."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiorerun.server.http1 import BadRequest, Http1

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from aiorerun.codec.chunk_template import Segment
    from aiorerun.server.cors import Headers
    from aiorerun.server.grpc_web import GrpcWeb

logger = logging.getLogger("aiorerun")

_READ_BYTES: Final = 64 << 10
_SLICE_BYTES: Final = 256 << 10
"""So much is handed to the transport before the peer has to take some of it."""
_SKIPPED_BYTES: Final = 64 << 10
"""So much of a body that nobody wanted is read before the connection is closed."""


_CLOSE_SECS: Final = 2.0
"""So long a closed connection has to send what it still holds."""


class WebTimeouts(NamedTuple):
    """How long peers may take.

    Attributes:
        head_secs: To send the head of a request, once the connection is there.
        idle_secs: Between two requests.
        progress_secs: To send a piece of a body, or to take a piece of an answer.
    """

    head_secs: float = 10.0
    idle_secs: float = 60.0
    progress_secs: float = 30.0


class WebConnection:
    """Serves one connection.

    Args:
        reader: What comes in.
        writer: What goes out.
        service: Answers requests.
        timeouts: How long the peer may take.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        service: GrpcWeb,
        timeouts: WebTimeouts,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._service = service
        self._timeouts = timeouts
        self._http1 = Http1()
        self.is_idle = True
        """Whether it waits for a request."""
        self.is_closing = False
        """Whether the next answer is the last one."""

    async def serve(self) -> None:
        """Answers requests until the peer closes the connection, is too slow, or sends something else.

        Cancelling it cuts the connection.
        """
        try:
            await self._serve()
            await self._hang_up()
        except (BadRequest, EOFError) as error:
            logger.debug("an HTTP/1.1 connection is closed: %r", error)
            await self._hang_up()
        except (TimeoutError, ConnectionError) as error:
            logger.debug("an HTTP/1.1 connection is cut: %r", error)
            self._writer.transport.abort()
        except BaseException:
            self._writer.transport.abort()
            raise

    async def _hang_up(self) -> None:
        """Closes the connection, as soon as the peer has taken what was sent to it."""
        self._writer.close()
        try:
            async with asyncio.timeout(_CLOSE_SECS):
                await self._writer.wait_closed()
        except BaseException as error:
            self._writer.transport.abort()
            # Otherwise it was too late, or the peer was quicker.
            if not isinstance(error, OSError):
                raise

    async def _serve(self) -> None:
        keep_alive(self._writer.get_extra_info("socket"))
        wait = self._timeouts.head_secs
        while True:
            try:
                request = await self._next_request(wait)
            except BadRequest as error:
                await self._exchange().send(error.status, [])
                raise
            self.is_idle = False
            exchange = self._exchange()
            try:
                await self._service.answer(request, exchange)
            except BadRequest as error:
                if not exchange.is_started:
                    await exchange.send(error.status, [])
                raise
            if self.is_closing or not await exchange.skip_body() or not self._http1.next_cycle():
                return
            self.is_idle = True
            wait = self._timeouts.idle_secs

    def _exchange(self) -> Exchange:
        return Exchange(self._reader, self._writer, self._http1, self._timeouts, will_close=self.is_closing)

    async def _next_request(self, wait: float) -> Any:
        async with asyncio.timeout(wait) as limit:
            has_begun = False
            while (request := self._http1.next_request()) is None:
                data = await self._reader.read(_READ_BYTES)
                self._http1.receive(data)
                if not has_begun:
                    has_begun = True
                    limit.reschedule(asyncio.get_running_loop().time() + self._timeouts.head_secs)
        return request


class Exchange:
    """One request and its answer.

    Attributes:
        is_started: Whether the head of the answer was sent.
        is_writing: Whether something waits for the peer to take it.
        bytes_written: Bytes of the answer that the transport has taken.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        http1: Http1,
        timeouts: WebTimeouts,
        *,
        will_close: bool,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._http1 = http1
        self._progress_secs = timeouts.progress_secs
        self._will_close = will_close
        self.is_started = False
        self.is_writing = False
        self.bytes_written = 0

    async def body(self) -> AsyncIterator[bytes]:
        """The pieces of the body.

        Raises:
            BadRequest: The body is damaged.
            EOFError: The connection ended before its end.
            TimeoutError: Nothing came for too long.
        """
        if self._http1.wants_continue:
            self._writer.write(self._http1.go_on())
        while True:
            data = self._http1.next_data()
            if data is None:
                async with asyncio.timeout(self._progress_secs):
                    self._http1.receive(await self._reader.read(_READ_BYTES))
            elif data:
                yield data
                # Reading does not suspend as long as there is something, and neither does publishing.
                await asyncio.sleep(0)
            else:
                return

    async def skip_body(self) -> bool:
        """Reads what nobody wanted; ``False`` if that is too much."""
        skipped = 0
        if self._http1.is_body_read:
            return True
        async for data in self.body():
            skipped += len(data)
            if skipped > _SKIPPED_BYTES:
                return False
        return True

    async def send(self, status: int, headers: Headers) -> None:
        """Sends an answer without content."""
        if self._http1.can_answer:
            self.is_started = True
            self._put(
                self._http1.head(status, [*headers, ("content-length", "0")], will_close=self._will_close)
            )
            self._put(self._http1.end())
            await self._drain()

    async def start(self, status: int, headers: Headers) -> None:
        """Sends the head of an answer."""
        self.is_started = True
        self._put(self._http1.head(status, headers, will_close=self._will_close))
        await self._drain()

    async def write(self, segments: Sequence[Segment], nbytes: int) -> None:
        """Sends a piece of the answer, and waits until the peer has taken most of it.

        Cancelling it leaves the rest of the piece unsent: the connection is of no use any more.

        Raises:
            TimeoutError: The peer has taken nothing for too long.
            ConnectionError: The peer is gone.
        """
        self.is_writing = True
        small: list[Segment] = []
        size = 0
        for segment in self._http1.chunk(segments, nbytes):
            view = memoryview(segment).cast("B")
            for start in range(0, len(view), _SLICE_BYTES):
                piece = view[start : start + _SLICE_BYTES]
                small.append(piece)
                size += len(piece)
                if size >= _SLICE_BYTES:
                    self._put(b"".join(small))
                    small, size = [], 0
                    await self._drain()
        self._put(b"".join(small))
        await self._drain()
        self.is_writing = False

    async def end(self) -> None:
        """Ends the answer."""
        self._put(self._http1.end())
        await self._drain()

    def abort(self) -> None:
        """Cuts the connection."""
        self._writer.transport.abort()

    async def disconnected(self) -> None:
        """Returns when the peer closes its side. What it sends before the answer is complete is kept."""
        kept = 0
        while kept <= _SKIPPED_BYTES:
            try:
                data = await self._reader.read(_READ_BYTES)
            except ConnectionError:
                return
            if not data:
                return
            kept += len(data)
            self._http1.receive(data)

    def _put(self, data: bytes) -> None:
        if self._writer.is_closing():
            raise ConnectionAbortedError("the connection is closed")
        self._writer.write(data)
        self.bytes_written += len(data)

    async def _drain(self) -> None:
        async with asyncio.timeout(self._progress_secs):
            await self._writer.drain()


def keep_alive(sock: socket.socket | None) -> None:
    """Lets the kernel find out when a peer is gone that is sent nothing; HTTP/1.1 has nothing for it."""
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for name, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 4)):
        option = getattr(socket, name, None)
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
