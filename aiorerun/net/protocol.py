"""HTTP/2 connections: grpclib's, with a keepalive that gives up, and a faster way in for data."""

from __future__ import annotations

import asyncio
import os
import struct
from typing import TYPE_CHECKING, Any, Final

from grpclib.protocol import H2Protocol

from aiorerun.net.frames import SWITCH
from aiorerun.net.inbound import InboundFrames, can_count_for_h2
from aiorerun.net.pacing import stop_pacing

if TYPE_CHECKING:
    from grpclib.config import Configuration
    from grpclib.protocol import AbstractHandler
    from h2.config import H2Configuration

KEEPALIVE_SECS: Final = 10.0
"""After so long without a word from the peer it is asked whether it is there."""

KEEPALIVE_TIMEOUT: Final = 15.0
"""So long the peer may take to answer that."""

_PING: Final = struct.Struct(">Q")
_FRAME_HEADER: Final = 9
_SETTINGS: Final = 4
"""The type of the first frame that a server sends."""

_CLOSE_SECS: Final = 2.0
"""So long a closed connection has to send what it still holds."""


class WireProtocol(H2Protocol):
    """One HTTP/2 connection.

    A peer from which nothing comes for ``keepalive_secs`` is sent a PING; when nothing comes within
    ``keepalive_timeout`` of that, the connection is cut, whatever is still in its buffers. Idle connections
    are watched, too.

    Args:
        handler: grpclib's handler of the connection's streams.
        config: grpclib's configuration. Its own keepalive is better left off.
        h2_config: h2's configuration.
        keepalive_secs: See above; ``None`` for no keepalive.
        keepalive_timeout: See above.

    Attributes:
        greeted: Is done when the peer's first frames came in; has an error if the connection ended before.
        lost: Is done when the connection is gone.
        pings: How often the peer was asked.
    """

    def __init__(
        self,
        handler: AbstractHandler,
        config: Configuration,
        h2_config: H2Configuration,
        *,
        keepalive_secs: float | None = KEEPALIVE_SECS,
        keepalive_timeout: float = KEEPALIVE_TIMEOUT,
    ) -> None:
        super().__init__(handler, config, h2_config)
        self._loop = asyncio.get_running_loop()
        self._keepalive_secs = keepalive_secs
        self._keepalive_timeout = keepalive_timeout
        self._timer: asyncio.TimerHandle | None = None
        self._heard = 0.0
        self._asked = -1.0
        self._first = b""
        self.pings = 0
        self._transport: Any = None
        self.greeted: asyncio.Future[None] = self._loop.create_future()
        self.lost: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection exists."""
        self._transport = transport
        stop_pacing(transport)
        super().connection_made(transport)
        self._inbound = InboundFrames(
            self.connection._connection,
            self._feed_h2,
            self.connection.is_closing,
            self._widen if os.environ.get(SWITCH) != "0" and can_count_for_h2() else None,
        )
        # Where readers find it.
        vars(self.connection)["inbound"] = self._inbound
        self._heard = self._loop.time()
        if self._keepalive_secs is not None:
            self._timer = self._loop.call_later(self._keepalive_secs, self._watch)

    def data_received(self, data: bytes) -> None:
        """Bytes have come in."""
        self._heard = self._loop.time()
        self._inbound.feed(data)
        if not self.greeted.done():
            self._greet(data)

    def _feed_h2(self, data: bytes) -> None:
        super().data_received(data)

    def _widen(self, stream_id: int) -> None:
        """There is room for more: wakes who waits for it, as grpclib does for the event of h2."""
        streams = self.processor.streams
        for stream in streams.values() if stream_id == 0 else filter(None, [streams.get(stream_id)]):
            stream.window_updated.set()

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection is gone."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)
        if not self.lost.done():
            self.lost.set_result(None)
        if not self.greeted.done():
            self.greeted.set_exception(
                ConnectionError("the peer closed the connection without a word of HTTP/2")
            )
            # Nobody may be waiting for it.
            self.greeted.exception()

    def close(self) -> None:
        """Closes the connection. What it still holds is sent if the peer takes it within two seconds."""
        self.processor.close()
        if self._timer is not None:
            self._timer.cancel()
        if not self.lost.done():
            self._timer = self._loop.call_later(_CLOSE_SECS, self._transport.abort)

    def _watch(self) -> None:
        """Asks the peer whether it is there when it has been silent for too long, or gives up."""
        keepalive = self._keepalive_secs
        assert keepalive is not None
        if self._transport.is_closing():
            return
        now = self._loop.time()
        if self._asked <= self._heard:
            due = self._heard + keepalive
            if now >= due:
                self._ask(now)
                due = now + min(keepalive, self._keepalive_timeout)
        else:
            due = self._asked + self._keepalive_timeout
            if now >= due:
                self._transport.abort()
                return
        self._timer = self._loop.call_at(due, self._watch)

    def _ask(self, now: float) -> None:
        self._asked = now
        self.pings += 1
        self.connection._connection.ping(_PING.pack(self.pings))
        self.connection.flush()

    def _greet(self, data: bytes) -> None:
        """Looks at the first bytes of the peer. What clients begin with is h2's to check."""
        self._first = (self._first + data)[:_FRAME_HEADER]
        if len(self._first) < _FRAME_HEADER or self.connection.is_closing():
            return
        if self.h2_config.client_side and self._first[3] != _SETTINGS:
            # h2 would wait for a frame of whatever length these bytes stand for.
            self._transport.abort()
        else:
            self.greeted.set_result(None)
