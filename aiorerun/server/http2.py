"""HTTP/2 connections of the server."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from grpclib.config import Configuration
from grpclib.events import _DispatchServerEvents
from grpclib.server import Handler
from h2.config import H2Configuration
from h2.events import UnknownFrameReceived

from aiorerun.net.methods import RawCodec
from aiorerun.net.protocol import WireProtocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from aiorerun.server.service import ProxyService

logger = logging.getLogger("aiorerun")


class ServerProtocol(WireProtocol):
    """One connection of a client that speaks HTTP/2.

    What is no HTTP/2 closes the connection, and says so in one debug line at most.

    Args:
        service: What is served.
        keepalive_secs: After so long without a word the peer is asked whether it is there.
        keepalive_timeout: So long it may take to answer.
        on_lost: Called with the connection once it is gone.
    """

    def __init__(
        self,
        service: ProxyService,
        *,
        keepalive_secs: float,
        keepalive_timeout: float,
        on_lost: Callable[[ServerProtocol], None],
    ) -> None:
        codec: Any = RawCodec()
        handler = Handler(service.__mapping__(), codec, None, _DispatchServerEvents())
        # grpclib's own keepalive waits for the buffers of a peer that takes nothing.
        config = Configuration(_keepalive_time=None).__for_server__()
        h2_config = H2Configuration(
            client_side=False,
            header_encoding="ascii",
            validate_inbound_headers=False,
            validate_outbound_headers=False,
            normalize_inbound_headers=False,
            normalize_outbound_headers=False,
        )
        super().__init__(
            handler, config, h2_config, keepalive_secs=keepalive_secs, keepalive_timeout=keepalive_timeout
        )
        self._handler = handler
        self._on_lost = on_lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection exists."""
        super().connection_made(transport)
        # Browsers send frames of types that do not exist, to keep servers used to them.
        processors: dict[Any, Any] = self.processor.processors
        processors.setdefault(UnknownFrameReceived, _ignore)

    def data_received(self, data: bytes) -> None:
        """Bytes have come in."""
        try:
            super().data_received(data)
            self._check_frame_size()
        except Exception as error:
            # h2 and grpclib do not name all the ways in which what comes in can be wrong.
            logger.debug("an HTTP/2 connection is closed: %r", error)
            self._transport.abort()

    def _check_frame_size(self) -> None:
        """Refuses a frame by its head: h2 waits for all of it before it looks at its length.

        Raises:
            ValueError: The frame that comes in is longer than allowed.
        """
        h2 = self.connection._connection
        head = bytes(getattr(h2.incoming_buffer, "_data", b"")[:3])
        if len(head) == 3 and int.from_bytes(head, "big") > h2.max_inbound_frame_size:
            raise ValueError("a frame is too long")

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection is gone."""
        # A client may send, and be gone, before the task of its call has had its first turn. Cancelled then,
        # the call would lose what has come for it.
        self._loop.call_soon(self._end, exc)

    def _end(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._on_lost(self)

    def say_goodbye(self) -> None:
        """Tells the peer that no more calls are taken (GOAWAY), and closes."""
        if not self.connection.is_closing():
            self.connection._connection.close_connection()
            self.connection.flush()
        self.close()

    def abort(self) -> None:
        """Cuts the connection."""
        self._transport.abort()

    async def wait_closed(self) -> None:
        """Waits for the calls of a connection that is gone."""
        await self._handler.wait_closed()


def _ignore(_event: Any) -> None:
    """Does nothing."""
