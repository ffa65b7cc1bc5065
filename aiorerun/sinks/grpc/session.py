"""One connection to a server: the streams on it, one after the other."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from aiorerun.net.frames import MessageWriter
from aiorerun.net.methods import WRITE_MESSAGES, auth_metadata
from aiorerun.net.streams import StreamBrokenError, Watch, answer_of, inner_stream, start
from aiorerun.sinks.grpc.errors import ServerStatusError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aiorerun.net.channel import WireChannel
    from aiorerun.net.logmsg import Framed
    from aiorerun.sinks.grpc.supply import Batch, Supply

SEND_BYTES: Final = 4 << 20
"""About so many bytes are taken from the supply at once."""

AT_ONCE: Final = 512
"""So many messages are framed, or let go of, before other tasks have their turn."""

LOOK_SECS: Final = 1.0
"""So often a connection without a stream is looked at; with one, its end is noticed at once."""


class NoAnswerError(ConnectionError):
    """The server has not confirmed what it was sent within the time given."""


class Session:
    """Sends what the supply has over one connection, and asks for confirmation.

    One task uses it. It raises ``ConnectionError`` as soon as the connection is of no more use, a
    :class:`ServerStatusError` if the server has said why.

    Args:
        channel: The connection. The session closes it.
        supply: What there is to send.
        token: What the server wants to see.
        wake: Called when the stream or the connection has ended.
        on_sent: Called with each batch that was handed over.
    """

    def __init__(
        self,
        channel: WireChannel,
        supply: Supply,
        token: str | None,
        wake: Callable[[], None],
        on_sent: Callable[[Batch], None],
    ) -> None:
        self._channel = channel
        self._supply = supply
        self._token = token
        self._wake = wake
        self._on_sent = on_sent
        self._stream: Any = None
        self._writer: MessageWriter | None = None
        self._watch: Watch | None = None

    @property
    def has_stream(self) -> bool:
        """Whether anything was sent that is not confirmed."""
        return self._stream is not None

    def check(self) -> None:
        """Raises if the server has ended the stream, or the connection is gone."""
        if self._stream is None:
            if not self._channel.is_connected:
                raise ConnectionResetError("the connection is closed")
            return
        assert self._watch is not None
        inner = inner_stream(self._stream)
        status, text = answer_of(inner)
        if status is not None:
            raise _error_of(status, text)
        if self._watch.error is not None or inner.connection.is_closing():
            raise self._watch.broken()

    async def send_waiting(self, first: Iterable[Framed] = ()) -> None:
        """Sends what waits, and before it these messages. Other tasks have their turns meanwhile."""
        greeting = iter(first)
        while len(frames := list(islice(greeting, AT_ONCE))) == AT_ONCE:
            await self._send(frames)
            await asyncio.sleep(0)
        supply = self._supply
        while supply.has_waiting:
            batch = await supply.next(SEND_BYTES)
            frames += batch.frames
            await self._send(frames)
            frames = []
            supply.sent(batch)
            self._on_sent(batch)
            if supply.has_waiting:
                await asyncio.sleep(0)
        await self._send(frames)

    async def acknowledge(self, timeout: float | None) -> None:
        """Ends the stream and waits until the server has confirmed everything.

        Args:
            timeout: Seconds.

        Raises:
            NoAnswerError: Time is over.
        """
        if self._stream is None:
            return
        stream, watch = self._stream, self._watch
        assert watch is not None
        inner = inner_stream(stream)
        ended = asyncio.Event()
        watch.add(ended.set)
        self.check()
        try:
            await stream.end()
            async with asyncio.timeout(timeout):
                await ended.wait()
        except TimeoutError:
            raise NoAnswerError(f"the server has not answered within {timeout:g} s") from None
        status, text = answer_of(inner)
        if status is None:
            raise watch.broken()
        if status:
            raise _error_of(status, text)
        # Everything has come in: this only lets go of the stream.
        with contextlib.suppress(Exception):
            await stream.__aexit__(None, None, None)
        self._stream = self._watch = self._writer = None
        await self._supply.acknowledged()
        # Nobody is waited for: others have their turns.
        while self._supply.let_go(AT_ONCE):  # noqa: ASYNC110
            await asyncio.sleep(0)

    def hang_up(self) -> None:
        """Cuts the connection. What was not confirmed may or may not arrive."""
        protocol = getattr(self._channel, "_protocol", None)
        self._channel.close()
        transport = getattr(protocol, "_transport", None)
        if transport is not None:
            transport.abort()
        self._stream = self._watch = self._writer = None

    def abandon(self) -> None:
        """Lets go of a connection whose event loop, or process, is another one, without touching the loop."""
        channel: Any = self._channel
        protocol: Any
        protocol, channel._protocol = getattr(channel, "_protocol", None), None
        transport: Any = getattr(protocol, "_transport", None)
        # Tasks that were left behind are collected as garbage, and then would want to use it once more.
        for holder in (protocol, getattr(protocol, "connection", None), inner_stream(self._stream)):
            if holder is not None and hasattr(holder, "_transport"):
                holder._transport = _Gone()
        sock = getattr(transport, "_sock", None)
        if sock is not None:
            sock.close()
            transport._sock = None
        self._stream = self._watch = self._writer = None

    async def _send(self, frames: list[Framed]) -> None:
        if not frames:
            return
        if self._writer is None:
            await self._open()
        assert self._writer is not None
        try:
            await self._writer.write(frames)
        except StreamBrokenError as error:
            if error.status is not None:
                raise _error_of(error.status, error.message) from None
            raise

    async def _open(self) -> None:
        import grpclib.const

        if self._token is not None:
            _hide_headers()
        stream: Any = self._channel.request(
            WRITE_MESSAGES,
            grpclib.const.Cardinality.STREAM_UNARY,
            bytes,
            bytes,
            metadata=auth_metadata(self._token),
        )
        await stream.__aenter__()
        await start(stream)
        self._stream = stream
        self._watch = Watch.of(inner_stream(stream))
        self._watch.add(self._wake)
        self._writer = MessageWriter(stream)


class _Gone:
    """Stands in for a transport that must not be touched."""

    def is_closing(self) -> bool:
        return True

    def write(self, data: object) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


def _hide_headers() -> None:
    """Headers with tokens in them do not belong into logs, where hpack puts all of them at level DEBUG."""
    hpack_logger = logging.getLogger("hpack.hpack")
    if _is_worth_it not in hpack_logger.filters:
        hpack_logger.addFilter(_is_worth_it)


def _is_worth_it(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG


def _error_of(status: int, text: str | None) -> ConnectionError:
    if status == 0:
        return ConnectionAbortedError("the server has ended the stream")
    return ServerStatusError(status, text)
