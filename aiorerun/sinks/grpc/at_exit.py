"""Connecting while the interpreter ends: no thread can be started any more, which looking up names needs."""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from aiorerun.net.channel import WireChannel
    from aiorerun.net.endpoint import Endpoint


async def open_without_threads(
    endpoint: Endpoint,
    context: ssl.SSLContext | None,
    timeout: float,
    run: Callable[[Callable[[], Any]], Awaitable[Any]],
) -> WireChannel:
    """Connects without the executor of the event loop.

    Args:
        endpoint: The server.
        context: What to trust, for endpoints with TLS.
        timeout: Seconds for all of it.
        run: Runs something that blocks.

    Raises:
        OSError: That did not work.
    """
    from grpclib.config import Configuration

    from aiorerun.net.channel import WINDOW, WireChannel
    from aiorerun.net.methods import RawCodec
    from aiorerun.net.protocol import KEEPALIVE_SECS, KEEPALIVE_TIMEOUT

    error: OSError = ConnectionError(f"no address of {endpoint.connect_host} is known")
    lookup = partial(socket.getaddrinfo, endpoint.connect_host, endpoint.port, type=socket.SOCK_STREAM)
    async with asyncio.timeout(timeout):
        for _, _, _, _, address in await run(lookup):
            channel = WireChannel(
                address[0],
                endpoint.port,
                keepalive_secs=KEEPALIVE_SECS,
                keepalive_timeout=KEEPALIVE_TIMEOUT,
                ssl=context,
                codec=RawCodec(),
                config=Configuration(
                    http2_connection_window_size=WINDOW,
                    http2_stream_window_size=WINDOW,
                    # The certificate is for the name, not for the address.
                    ssl_target_name_override=None if context is None else endpoint.host,
                ),
            )
            channel._authority = endpoint.authority
            try:
                await channel.connect()
            except OSError as failure:
                error = failure
            else:
                return channel
    raise error
