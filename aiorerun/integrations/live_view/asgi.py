"""A live view of a recording inside of an ASGI service: FastAPI, Starlette, Litestar and others."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from aiorerun.integrations.live_view.core import GRPC_PATH, LiveViewCore
from aiorerun.integrations.live_view.request import ViewRequest, joined_headers
from aiorerun.integrations.live_view.uvicorn import abort_transport, is_ending
from aiorerun.sinks.binary_stream import parts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence

    from aiorerun.codec.chunk_template import Segment
    from aiorerun.server.cors import Headers

    Scope: TypeAlias = MutableMapping[str, Any]
    Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PROGRESS_SECS: Final = 30.0
"""So long a peer may take for a piece of an answer, or to send a piece of a request."""

_WATCH_SECS: Final = 0.25
"""How often it is looked whether the server is about to end, while there are readers."""

logger = logging.getLogger("aiorerun")


class LiveView(LiveViewCore):
    """A live view of a recording, as an ASGI app to be mounted: ``app.mount("/telemetry", LiveView(rec))``.

    Below the place where it is mounted are the page (with a slash at its end), and ``recording.rrd``: the
    recording from what is kept on, then as it grows, or with ``?follow=0`` as it is now. gRPC-web is there as
    well; viewers look for it at the root of the service, see :attr:`grpc_web`.

    It takes the recording from the first request on. A service best begins with it::

        async with view:
            yield

    in its lifespan: mounted apps are not told when a service begins and ends. It is read-only: nothing can be
    written to a recording through it.

    The arguments are those of :class:`aiorerun.integrations.live_view.core.LiveViewCore`.
    """

    _watching: asyncio.Task[None] | None = None

    @property
    def grpc_web(self) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
        """An ASGI app with gRPC-web alone, for :data:`GRPC_PATH` at the root of the service.

        With ``app.mount(GRPC_PATH, view.grpc_web)`` any web viewer opens ``rerun+http://host:port/proxy``.
        """
        return self._serve_grpc

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; WebSockets are refused."""
        await self._serve(scope, receive, send, "")

    async def _serve_grpc(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._serve(scope, receive, send, GRPC_PATH)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, prefix: str) -> None:
        kind = scope["type"]
        if kind == "http":
            path = _path(scope)
            if not prefix and path == "/" and not _original_path(scope).endswith("/"):
                await _send_to_page(scope, send)
                return
            await self._serve_http(_request(scope, prefix + path), AsgiExchange(scope, receive, send))
        elif kind == "websocket":
            await _refuse_websocket(scope, receive, send)
        elif kind == "lifespan":
            await self._live(receive, send)
        else:
            raise ValueError(f"a live view answers HTTP, not {kind!r}")

    async def _serve_http(self, request: ViewRequest, exchange: AsgiExchange) -> None:
        try:
            self._watch()
            await self.handle(request, exchange)
        except OSError as error:
            if not exchange.is_used:
                # From `authorize`: what it raises is the framework's.
                raise
            logger.debug("an answer of the live view is cut off: %r", error)
            if not isinstance(error, ConnectionError):
                exchange.abort()
        if exchange.is_cut:
            # The server would take an answer without an end for one that is complete, or for a mistake.
            raise ConnectionAbortedError("a reader of the live view was too slow: its answer is cut off")
        # A connection that was cut tells the server in the next turn.
        await asyncio.sleep(0)

    def _watch(self) -> None:
        """Has an eye on the server for as long as there are readers."""
        if self._watching is None or self._watching.done():
            self._watching = asyncio.get_running_loop().create_task(
                self._watch_server(), name="aiorerun-live-view-watch", context=contextvars.Context()
            )

    async def _watch_server(self) -> None:
        # At least once, since the reader comes a little later.
        while True:
            await asyncio.sleep(_WATCH_SECS)
            if is_ending():
                self.end_readers()
            if not self.num_readers:
                return

    async def _live(self, receive: Receive, send: Send) -> None:
        """The life of the service, if this is all of it."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await self.start()
                except Exception as error:
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.aclose()
                await send({"type": "lifespan.shutdown.complete"})
                return


class AsgiExchange:
    """One request over ASGI and its answer; see :class:`aiorerun.server.exchange.Exchange`.

    Attributes:
        is_used: Whether anything was received or sent.
        is_started: Whether the head of the answer was sent.
        is_writing: Whether something waits for the peer to take it.
        is_cut: Whether the answer should end here, unfinished, and the server has to see to that.
        bytes_written: Bytes that the server has taken.
    """

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, progress_secs: float = PROGRESS_SECS
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._progress_secs = progress_secs
        self.is_used = False
        self.is_started = False
        self.is_writing = False
        self.is_cut = False
        self.bytes_written = 0

    async def body(self) -> AsyncIterator[bytes]:
        """The pieces of the body.

        Raises:
            ConnectionError: The peer is gone.
            TimeoutError: Nothing came for too long.
        """
        self.is_used = True
        has_more = True
        while has_more:
            async with asyncio.timeout(self._progress_secs):
                message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ConnectionAbortedError("the peer has closed the connection")
            if piece := message.get("body", b""):
                yield bytes(piece)
            has_more = message.get("more_body", False)

    async def send(self, status: int, headers: Headers) -> None:
        """Sends an answer without content."""
        length = [] if status == 204 else [("content-length", "0")]
        await self.start(status, [*headers, *length])
        await self.end()

    async def start(self, status: int, headers: Headers) -> None:
        """Sends the head of an answer."""
        self.is_used = self.is_started = True
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await self._put({"type": "http.response.start", "status": status, "headers": encoded})

    async def write(self, segments: Sequence[Segment], nbytes: int) -> None:
        """Sends a piece of the answer, and waits until the server has taken it.

        Raises:
            TimeoutError: The peer has taken nothing for too long.
            ConnectionError: The peer is gone.
        """
        self.is_writing = True
        for part in parts(segments):
            await self._put({"type": "http.response.body", "body": part, "more_body": True})
            self.bytes_written += len(part)
        self.is_writing = False

    async def end(self) -> None:
        """Ends the answer."""
        await self._put({"type": "http.response.body", "body": b"", "more_body": False})

    async def disconnected(self) -> None:
        """Returns when the peer is gone."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def abort(self) -> None:
        """Cuts the answer off: with the connection, if that is in reach and has no other answers."""
        is_alone = self._scope.get("http_version", "1.1").startswith("1")
        self.is_cut = not (is_alone and abort_transport(self._receive, self._send))

    async def _put(self, message: MutableMapping[str, Any]) -> None:
        async with asyncio.timeout(self._progress_secs):
            await self._send(message)


def _path(scope: Scope) -> str:
    """The path below the place where the app is mounted, without a slash at its end.

    Not all frameworks take the rest off, and some add a slash.
    """
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    if root and path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
        path = path[len(root) :]
    return path.rstrip("/") or "/"


def _original_path(scope: Scope) -> str:
    """The path as the server got it, as far as that is known."""
    raw: bytes | None = scope.get("raw_path")
    path: str = scope["path"] if raw is None else raw.partition(b"?")[0].decode("latin-1")
    return path or "/"


def _request(scope: Scope, path: str) -> ViewRequest:
    client = scope.get("client")
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    joined = joined_headers(headers)
    return ViewRequest(
        scope["method"],
        path,
        scope.get("query_string", b"").decode("latin-1"),
        joined,
        client[0] if client else None,
        scope,
    )


async def _send_to_page(scope: Scope, send: Send) -> None:
    """The page is where relative links of it lead to its files: behind a slash."""
    query = scope.get("query_string", b"")
    # Relative, since nobody knows here what proxies have taken off the path.
    location = _original_path(scope).rpartition("/")[2].encode("latin-1") + b"/" + (query and b"?" + query)
    headers = [(b"location", location), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 307, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _refuse_websocket(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    if "websocket.http.response" in scope.get("extensions", {}):
        head = {"status": 404, "headers": [(b"content-length", b"0")]}
        await send({"type": "websocket.http.response.start", **head})
        await send({"type": "websocket.http.response.body", "body": b"", "more_body": False})
    else:
        await send({"type": "websocket.close", "code": 1000})


__all__ = ["GRPC_PATH", "LiveView", "ViewRequest"]
