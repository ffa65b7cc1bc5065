"""Opens connections to message proxies and viewers."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any, Final

import grpclib.client
from grpclib.config import Configuration

from aiorerun.net.methods import RawCodec
from aiorerun.net.protocol import KEEPALIVE_SECS, KEEPALIVE_TIMEOUT, WireProtocol
from aiorerun.net.tls import client_context

if TYPE_CHECKING:
    from aiorerun.net.endpoint import Endpoint
    from aiorerun.net.tls import ClientTls

WINDOW: Final = 8 << 20
"""Bytes that a peer may send before they are read, per connection and per stream."""


class ConnectError(ConnectionError):
    """A server could not be connected to. The text says which one, and why."""


class WireChannel(grpclib.client.Channel):
    """A channel of grpclib over one connection, which it does not open again once it is lost."""

    def __init__(
        self, host: str, port: int, *, keepalive_secs: float | None, keepalive_timeout: float, **options: Any
    ) -> None:
        super().__init__(host, port, **options)
        self._keepalive_secs = keepalive_secs
        self._keepalive_timeout = keepalive_timeout
        self._lost: asyncio.Future[None] | None = None

    def _protocol_factory(self) -> WireProtocol:
        return WireProtocol(
            grpclib.client.Handler(),
            self._config,
            self._h2_config,
            keepalive_secs=self._keepalive_secs,
            keepalive_timeout=self._keepalive_timeout,
        )

    @property
    def is_connected(self) -> bool:
        """Whether the connection is there, as far as anybody knows."""
        protocol: Any = self._protocol
        return protocol is not None and not protocol.handler.connection_lost

    async def connect(self) -> None:
        """Connects, and waits until the peer has shown that it speaks HTTP/2.

        Cancelling closes the connection.

        Raises:
            OSError: That did not work.
        """
        try:
            protocol = await self.__connect__()
            # Shielded, since cancelling would otherwise cancel the future that the protocol sets.
            await asyncio.shield(protocol.greeted)
        except BaseException:
            self.close()
            raise

    async def __connect__(self) -> Any:
        if self._protocol is not None and not self.is_connected:
            raise ConnectError("the connection is closed")
        return await super().__connect__()

    def close(self) -> None:
        """Closes the connection; what it still holds is sent if the peer takes it within two seconds."""
        protocol: Any = self._protocol
        self._protocol = None
        if protocol is not None:
            protocol.close()
            self._lost = protocol.lost

    async def wait_closed(self) -> None:
        """Waits until a closed connection is gone, which takes two seconds at most.

        Cancelling changes nothing about the connection.
        """
        if self._lost is not None:
            # Others may wait for it, too.
            await asyncio.shield(self._lost)


async def open_channel(
    endpoint: Endpoint,
    *,
    tls: ClientTls = None,
    timeout: float,
    keepalive_secs: float | None = KEEPALIVE_SECS,
    keepalive_timeout: float = KEEPALIVE_TIMEOUT,
    codec: Any = None,
) -> WireChannel:
    """Connects to a server.

    Cancelling closes what was opened so far.

    Args:
        endpoint: Where it is.
        tls: What to trust, for endpoints with TLS.
        timeout: Seconds for all of it: looking up the name, connecting, TLS, the first frames of HTTP/2.
        keepalive_secs: After so many seconds of silence the server is asked whether it is there; ``None``
            never asks.
        keepalive_timeout: So many seconds it may take to answer; then the connection is cut.
        codec: How grpclib encodes messages; by default they are bytes.

    Returns:
        A channel for calls, connected. It belongs to the caller, who has to ``close()`` it.

    Raises:
        ConnectError: The server cannot be reached, is not trusted, or speaks something else.
    """
    channel: WireChannel | None = None
    try:
        async with asyncio.timeout(timeout):
            context = await asyncio.to_thread(client_context, tls) if endpoint.is_tls else None
            channel = WireChannel(
                endpoint.connect_host,
                endpoint.port,
                keepalive_secs=keepalive_secs,
                keepalive_timeout=keepalive_timeout,
                ssl=context,
                codec=RawCodec() if codec is None else codec,
                config=Configuration(
                    http2_connection_window_size=WINDOW,
                    http2_stream_window_size=WINDOW,
                ),
            )
            await channel.connect()
    except TimeoutError:
        raise ConnectError(f"cannot connect to {endpoint}: no answer within {timeout:g} s") from None
    except (OSError, ssl.CertificateError, UnicodeError) as error:
        raise ConnectError(f"cannot connect to {endpoint}: {_reason(error)}") from error
    return channel


def _reason(error: BaseException) -> str:
    if isinstance(error, ssl.SSLError):
        return getattr(error, "verify_message", "") or error.reason or str(error)
    return (getattr(error, "strerror", None) if isinstance(error, OSError) else None) or str(error)
