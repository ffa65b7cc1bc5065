"""Reads the messages of a gRPC stream, many at a time."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, Final

from aiorerun.net.assembling import BadMessageError, MessageAssembler
from aiorerun.net.frames import SWITCH
from aiorerun.net.inbound import can_count_for_h2
from aiorerun.net.logmsg import MAX_BODY
from aiorerun.net.streams import Watch, answer_of, inner_stream, is_client, start

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiorerun.net.assembling import Body
    from aiorerun.net.inbound import InboundFrames
    from aiorerun.net.streams import Stream

_MAX_ACK_BYTES: Final = 256 << 10
_ACK_SHARE: Final = 8
"""What came in of an unfinished message is acknowledged when it is this part of the window."""


class MessageReader:
    """Reads the bodies of the messages that come in on one gRPC stream.

    One task uses it. What was read counts as taken: only then may the peer send more, so that a reader that
    stops holds up its peer, and no more than a window's worth of messages waits here.

    Args:
        stream: A call of grpclib, of the client or the server.
        max_body: The longest message that is accepted, in bytes.
        direct: Whether frames may go past h2; by default if :func:`can_read_directly`.
    """

    def __init__(self, stream: Stream, *, max_body: int = MAX_BODY, direct: bool | None = None) -> None:
        self._stream: Any = stream
        self._max_body = max_body
        self._wants_direct = direct
        self._inbox: _Inbox | None = None
        self._has_started = False

    @property
    def is_direct(self) -> bool:
        """Whether frames go past h2. Known from the first message on."""
        return self._inbox is not None and self._inbox.is_direct

    async def read(self) -> list[Body]:
        """Waits for messages.

        Cancelling loses nothing: messages that came in before are there for the next call.

        Returns:
            The bodies of all messages that are there, at least one; an empty list if the peer has ended the
            stream. Long ones are read-only views of memory of their own.

        Raises:
            BadMessageError: The peer has sent something that is no message, or one that is too long. All
                messages before it were returned.
            StreamBrokenError: The peer has ended the call with an error or reset it, or the connection is
                gone. All messages before that were returned.
        """
        if not self._has_started:
            await self._start()
        if self._inbox is None:
            return await self._read_stock()
        return await self._inbox.read()

    def take(self) -> list[Body]:
        """The bodies of all messages that are there already; does not wait.

        It also works after the stream is over. A server's handler that is cancelled because its client is
        gone finds here what came in before that.
        """
        return [] if self._inbox is None else self._inbox.take()

    async def __aiter__(self) -> AsyncIterator[Body]:
        while bodies := await self.read():
            for body in bodies:
                yield body

    async def _start(self) -> None:
        stream = self._stream
        if is_client(stream):
            await start(stream)
            if self._inbox is None:
                self._attach()
            if not stream._recv_initial_metadata_done:
                await stream.recv_initial_metadata()
        elif self._inbox is None:
            self._attach()
        self._has_started = True

    def _attach(self) -> None:
        inner = inner_stream(self._stream)
        if _has_fresh_buffer(inner):
            direct = can_read_directly(self._stream) if self._wants_direct is None else self._wants_direct
            self._inbox = _Inbox(inner, self._max_body, inner.connection.inbound if direct else None)

    async def _read_stock(self) -> list[Body]:
        body: bytes | None = await self._stream.recv_message()
        if body is not None and len(body) > self._max_body:
            raise BadMessageError(
                "RESOURCE_EXHAUSTED", f"a message has {len(body)} bytes; the limit is {self._max_body}"
            )
        return [] if body is None else [body]


def can_read_directly(stream: Stream) -> bool:
    """Whether the data of a call can go past h2.

    That takes a connection of :class:`aiorerun.net.protocol.WireProtocol` and h2 as it is known here, and
    that it is not switched off (with the same variable as for sending).
    """
    if os.environ.get(SWITCH) == "0":
        return False
    connection = getattr(inner_stream(stream), "connection", None)
    return getattr(connection, "inbound", None) is not None and can_count_for_h2()


def _has_fresh_buffer(inner: Any) -> bool:
    """Whether grpclib's buffer of a stream is as it is known here, and nothing was read from it."""
    buffer: Any = getattr(inner, "buffer", None)
    names = ("add", "eof", "unacked_size", "_unacked", "_acked", "_eof")
    return buffer is not None and all(hasattr(buffer, name) for name in names) and not buffer._acked


class _Inbox:
    """Takes the place of grpclib's buffer of a stream.

    Args:
        inner: The HTTP/2 stream.
        max_body: The longest message that is accepted.
        inbound: Where frames come from that do not go through h2.
    """

    def __init__(self, inner: Any, max_body: int, inbound: InboundFrames | None) -> None:
        self._inner = inner
        self._inbound = inbound
        self._assembler = MessageAssembler(max_body)
        self._unacked = 0
        window = inner._h2_connection.local_settings.initial_window_size
        self._ack_bytes = min(window // _ACK_SHARE, _MAX_ACK_BYTES)
        self._is_eof = False
        self._is_released = False
        self._error: BadMessageError | None = None
        self._waiter: asyncio.Future[None] | None = None
        before, inner.buffer = inner.buffer, self
        while not before._unacked.empty():
            data, _, ack_size = before._unacked.get_nowait()
            self.add(data, ack_size)
        if before._eof:
            self.eof()
        self._watch = Watch.of(inner)
        self._watch.add(self._wake)
        if inbound is not None:
            inbound.sinks[inner.id] = self._feed

    @property
    def is_direct(self) -> bool:
        return self._inbound is not None

    def _feed(self, data: bytes, start: int, end: int) -> None:
        self._unacked += end - start
        self._assemble(data, start, end)

    def add(self, data: bytes, ack_size: int) -> None:
        """What grpclib calls for data that came through h2."""
        self._unacked += ack_size
        self._assemble(bytes(data), 0, len(data))

    def _assemble(self, data: bytes, start: int, end: int) -> None:
        if self._is_released or self._error is not None:
            # Nobody wants it, but other streams need the room.
            self._acknowledge()
            return
        assembler = self._assembler
        try:
            assembler.feed(data, start, end)
        except BadMessageError as error:
            self._error = error
        if assembler.bodies or self._error is not None:
            self._wake()
        elif self._waiter is not None and self._unacked >= self._ack_bytes:
            self._acknowledge()

    def eof(self) -> None:
        """What grpclib calls when the peer has ended the stream."""
        self._is_eof = True
        self._wake()

    def unacked_size(self) -> int:
        """What grpclib calls when the stream is over: bytes that were not acknowledged."""
        self._is_released = True
        if self._inbound is not None:
            self._inbound.sinks.pop(self._inner.id, None)
        size, self._unacked = self._unacked, 0
        return size

    def _acknowledge(self) -> None:
        size, self._unacked = self._unacked, 0
        connection = self._inner.connection
        if size and not connection.is_closing():
            connection.ack(self._inner.id, size)

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def take(self) -> list[Body]:
        bodies, self._assembler.bodies = self._assembler.bodies, []
        return bodies

    async def read(self) -> list[Body]:
        while True:
            bodies = self.take()
            # What is in a message that is not complete counts as taken when nothing else is there.
            if bodies or not self._is_over():
                self._acknowledge()
            if bodies:
                return bodies
            if self._error is not None:
                raise self._error
            if self._is_eof:
                self._check_end()
                return []
            if self._watch.error is not None or self._inner.connection.is_closing():
                raise self._watch.broken()
            await self._wait()

    def _is_over(self) -> bool:
        return self._is_eof or self._error is not None or self._watch.error is not None

    async def _wait(self) -> None:
        waiter = self._waiter = asyncio.get_running_loop().create_future()
        try:
            await waiter
        finally:
            if self._waiter is waiter:
                self._waiter = None

    def _check_end(self) -> None:
        status, _ = answer_of(self._inner)
        if status:
            raise self._watch.broken()
        if not self._assembler.is_between:
            raise BadMessageError("INTERNAL", "the stream ends in the middle of a message")
