"""A live view of a recording inside of an aiohttp service."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from aiorerun.integrations.live_view.core import GRPC_PATH, LiveViewCore
from aiorerun.integrations.live_view.request import ViewRequest, joined_headers
from aiorerun.sinks.binary_stream import parts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from aiorerun.codec.chunk_template import Segment
    from aiorerun.server.cors import Headers
    from aiorerun.stream import AsyncRecordingStream
    from aiorerun.sync.stream import RecordingStream

PROGRESS_SECS: Final = 30.0
"""So long a peer may take for a piece of an answer, or to send a piece of a request."""

_POLL_SECS: Final = 0.25
"""How often it is looked whether a peer is gone that is sent nothing; aiohttp does not tell."""

logger = logging.getLogger("aiorerun")

VIEW: Final = web.AppKey("aiorerun_live_view", LiveViewCore)
"""Where a sub-app has its live view: ``live_view_app(rec)[VIEW]``."""


def live_view_app(
    rec: AsyncRecordingStream | RecordingStream | None = None, **options: Any
) -> web.Application:
    """An aiohttp sub-app with a live view of a recording.

    It is added by ``app.add_subapp("/telemetry/", live_view_app(rec))``, takes the recording when the service
    begins, and ends all its answers when that ends. Below the place where it is added are the page (with a
    slash at its end), and ``recording.rrd``: the recording from what is kept on, then as it grows, or with
    ``?follow=0`` as it is now. gRPC-web is there as well; viewers look for it at the root of the service, see
    :func:`grpc_web_app`. It is read-only.

    Args:
        rec: The recording to show, of the asyncio or of the blocking API. Without one the view shows the
            recording that is given its sink, ``live_view_app()[VIEW].sink``.
        **options: As of :class:`aiorerun.integrations.live_view.core.LiveViewCore`.
    """
    view = LiveViewCore(rec, **options)
    app = web.Application()
    app[VIEW] = view
    app.router.add_route("*", "", _send_to_page)
    app.router.add_route("*", "/{path:.*}", _Handler(view, "").answer)

    async def start(_: web.Application) -> None:
        if rec is not None and view.sink.hub is None:
            await view.start()

    async def end(_: web.Application) -> None:
        # The service waits for its answers after that.
        view.end_readers()

    async def close(_: web.Application) -> None:
        await view.aclose()

    app.on_startup.append(start)
    app.on_shutdown.append(end)
    app.on_cleanup.append(close)
    return app


def grpc_web_app(view_app: web.Application) -> web.Application:
    """gRPC-web of a live view alone, for the root of the service.

    With ``app.add_subapp(GRPC_PATH, grpc_web_app(view_app))`` any web viewer opens
    ``rerun+http://host:port/proxy``.

    Args:
        view_app: What :func:`live_view_app` gave.
    """
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", _Handler(view_app[VIEW], GRPC_PATH).answer)
    return app


class _Handler:
    """Passes requests on to a view."""

    def __init__(self, view: LiveViewCore, prefix: str) -> None:
        self._view = view
        self._prefix = prefix

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answers a request."""
        path = f"{self._prefix}/{request.match_info['path']}"
        exchange = AiohttpExchange(request)
        asked = ViewRequest(
            request.method,
            path,
            request.rel_url.raw_query_string,
            joined_headers(list(request.headers.items())),
            request.remote,
            request,
        )
        try:
            await self._view.handle(asked, exchange)
        except OSError as error:
            if not exchange.is_used:
                # From `authorize`: what it raises is the service's.
                raise
            logger.debug("an answer of the live view is cut off: %r", error)
            exchange.abort()
        return exchange.response


class AiohttpExchange:
    """One request of aiohttp and its answer; see :class:`aiorerun.server.exchange.Exchange`.

    Attributes:
        response: The answer.
        is_used: Whether anything was read or sent.
        is_started: Whether the head of the answer was sent.
        is_writing: Whether something waits for the peer to take it.
        bytes_written: Bytes that the transport has taken.
    """

    def __init__(self, request: web.Request, progress_secs: float = PROGRESS_SECS) -> None:
        self._request = request
        self._progress_secs = progress_secs
        self.response = web.StreamResponse()
        self.is_used = False
        self.is_started = False
        self.is_writing = False
        self.bytes_written = 0

    async def body(self) -> AsyncIterator[bytes]:
        """The pieces of the body.

        Raises:
            ConnectionError: The peer is gone.
            TimeoutError: Nothing came for too long.
        """
        self.is_used = True
        while True:
            async with asyncio.timeout(self._progress_secs):
                piece = await self._request.content.readany()
            if not piece:
                return
            yield piece

    async def send(self, status: int, headers: Headers) -> None:
        """Sends an answer without content."""
        length = [] if status == 204 else [("content-length", "0")]
        await self.start(status, [*headers, *length])
        await self.end()

    async def start(self, status: int, headers: Headers) -> None:
        """Sends the head of an answer."""
        self.is_used = self.is_started = True
        self.response.set_status(status)
        for name, value in headers:
            self.response.headers.add(name, value)
        async with asyncio.timeout(self._progress_secs):
            await self.response.prepare(self._request)

    async def write(self, segments: Sequence[Segment], nbytes: int) -> None:
        """Sends a piece of the answer, and waits until the peer has taken most of it.

        Raises:
            TimeoutError: The peer has taken nothing for too long.
            ConnectionError: The peer is gone.
        """
        self.is_writing = True
        for part in parts(segments):
            async with asyncio.timeout(self._progress_secs):
                await self.response.write(part)
            self.bytes_written += len(part)
        self.is_writing = False

    async def end(self) -> None:
        """Ends the answer."""
        async with asyncio.timeout(self._progress_secs):
            await self.response.write_eof()

    async def disconnected(self) -> None:
        """Returns when the peer is gone."""
        # There is nothing that tells.
        while (transport := self._request.transport) is not None and not transport.is_closing():  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECS)

    def abort(self) -> None:
        """Cuts the connection."""
        transport = self._request.transport
        if transport is not None:
            transport.abort()


async def _send_to_page(request: web.Request) -> web.StreamResponse:
    """The page is where relative links of it lead to its files: behind a slash."""
    query = request.rel_url.raw_query_string
    # Relative, since nobody knows here what proxies have taken off the path.
    location = request.path.rpartition("/")[2] + "/" + (f"?{query}" if query else "")
    return web.Response(status=307, headers={"location": location})


__all__ = ["GRPC_PATH", "VIEW", "ViewRequest", "grpc_web_app", "live_view_app"]
