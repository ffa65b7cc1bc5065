"""Telemetry of ASGI services: FastAPI, Starlette, Litestar, and everything else that speaks ASGI.

One line, and every request is on a timeline::

    app.add_middleware(RerunMiddleware, save="service-{pid}.rrd")
"""

from __future__ import annotations

import inspect
import logging
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiorerun.integrations.asgi_exchanges import DetailedExchange, HttpExchange, WebSocketExchange
from aiorerun.integrations.asgi_routes import RouteFinder
from aiorerun.integrations.recorder import Recorder, request_stats, settle_all
from aiorerun.integrations.requests.settings import RequestOptions, RequestSettings
from aiorerun.integrations.requests.stats import RequestStats
from aiorerun.integrations.service import RECORDING_OPTIONS, RecordingOptions, ServiceRecording
from aiorerun.stream import active

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from typing import TypeAlias, Unpack

    from aiorerun.integrations.asgi_exchanges import AsgiExchange, Message, Receive, Scope, Send
    from aiorerun.stream import AsyncRecordingStream

    AsgiApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
    Lifespan: TypeAlias = Callable[[Any], AbstractAsyncContextManager[Any]]

    class MiddlewareOptions(RecordingOptions, RequestOptions, total=False):
        """All options of the middleware."""


__all__ = ["RerunMiddleware", "RequestStats", "lifespan", "request_stats"]

logger = logging.getLogger("aiorerun")


class RerunMiddleware:
    """Records the requests and WebSocket connections of an ASGI application.

    Each gets a number on the timeline ``request``, and what is logged while it is handled has this number,
    also in tasks and threads that it starts. When the application is done with it there is a row at
    ``http/requests/<route>/<method>``: the duration of the response in milliseconds (``Scalars``), status,
    bytes, time to the first byte, and whether the client went away or the application failed. Failures are
    told at ``http/log``, with tracebacks; requests per second and the average number in progress, for each
    route, at ``http/rate/…`` and ``http/concurrency/…``.

    The application sees the same messages, and its exceptions go the same way, as without it.

    With ``save``, ``connect_grpc``, ``serve_grpc`` or ``sinks`` it opens a recording when the server starts
    the application, and closes it when the server has ended it; if a sink cannot be opened the service does
    not start. Where servers tell nothing of that, it is opened by the first request and closed when the
    program ends. Otherwise it records into ``recording``, that of :func:`lifespan`, or the active one.

    Args:
        app: The application.
        recording: A recording that is opened and closed elsewhere.
        **options: See :class:`RecordingOptions` and :class:`RequestOptions`.

    Raises:
        TypeError, ValueError: An option makes no sense; the text says which.
    """

    def __init__(
        self,
        app: AsgiApp,
        *,
        recording: AsyncRecordingStream | None = None,
        **options: Unpack[MiddlewareOptions],
    ) -> None:
        where: dict[str, Any] = {name: value for name, value in options.items() if name in RECORDING_OPTIONS}
        what: dict[str, Any] = {name: value for name, value in options.items() if name not in where}
        self.app = app
        self._settings = RequestSettings(**what)
        self._service = ServiceRecording(recording, **where)
        self._recorder = Recorder(self._settings, self._service)
        self._finder = RouteFinder(self._settings.routes, self._settings.name_route)
        self._all_paths = self._settings.paths.lets_all_through
        plain = DetailedExchange if self._settings.wants_details else HttpExchange
        self._http = plain.made_for(self._finder, self._settings)
        self._web_socket = WebSocketExchange.made_for(self._finder, self._settings)

    @property
    def stats(self) -> RequestStats:
        """What became of its requests so far."""
        return self._recorder.current_stats()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the application."""
        kind = scope.get("type")
        if kind == "http":
            make = self._http
        elif kind == "websocket":
            make = self._web_socket
        elif kind == "lifespan" and self._service.owns:
            await _Lifespan(self.app, self._service).run(scope, receive, send)
            return
        else:
            await self.app(scope, receive, send)
            return
        exchange: AsgiExchange | None = None
        try:
            recording = self._service.recording
            if recording is None or recording._capture.gate:
                recording = self._recorder.target()
            if recording is not None and (self._all_paths or self._settings.paths(scope["path"])):
                begun = make()
                begun.scope = scope
                begun.server_receive = receive
                begun.server_send = send
                begun.begin(self._recorder, recording)
                exchange = begun
        except Exception as error:
            self._recorder.complain(error)
        if exchange is None:
            self._recorder.stats.excluded += 1
            await self.app(scope, receive, send)
            return
        app = self.app
        try:
            await app(scope, exchange.receive, exchange.send)
        except BaseException as error:
            self._recorder.fail(exchange, error)
            raise
        self._recorder.end(exchange)


class _Lifespan:
    """One run of an application: its recording is open before it starts, and closed after it has ended."""

    def __init__(self, app: AsgiApp, service: ServiceRecording) -> None:
        self._app = app
        self._service = service
        self._first: Message | None = None
        self._receive: Receive
        self._send: Send
        self._said: str | None = None

    async def run(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._first = await receive()
        try:
            recording = await self._service.open()
        except Exception as error:
            logger.exception("the recording of this service cannot be opened")
            await send({"type": "lifespan.startup.failed", "message": f"aiorerun: {error}"})
            return
        assert recording is not None
        # Tasks that the application starts log into it, too.
        active.enter(recording)
        try:
            await self._app(scope, self._receive_next, self._pass_on)
        finally:
            # After an exception servers may go on without lifespans, and requests come.
            active.leave(recording)
        if self._said in (None, "lifespan.startup.complete"):
            await self._stand_in()

    async def _receive_next(self) -> Message:
        first, self._first = self._first, None
        return await self._receive() if first is None else first

    async def _pass_on(self, message: Message) -> None:
        self._said = message.get("type")
        if self._said != "lifespan.startup.complete":
            # After this message the server may be gone at any moment.
            await self._close()
        await self._send(message)

    async def _stand_in(self) -> None:
        """For an application that does not wait for its end: the recording needs one."""
        if self._said is None:
            await self._send({"type": "lifespan.startup.complete"})
        await self._receive()
        await self._close()
        await self._send({"type": "lifespan.shutdown.complete"})

    async def _close(self) -> None:
        await settle_all()
        await self._service.close()


def lifespan(
    existing: Lifespan | None = None,
    *,
    recording: AsyncRecordingStream | None = None,
    **options: Unpack[RecordingOptions],
) -> Lifespan:
    """A lifespan for FastAPI, Starlette or Litestar that opens a recording around the one there was, if any.

    The recording is open before the service starts, and complete when it has ended, also if either fails.
    It is the active one while the service starts, and that of each :class:`RerunMiddleware` that has none
    of its own: ``FastAPI(lifespan=lifespan(mine, save="service-{pid}.rrd"))``.

    Args:
        existing: The lifespan there was: what it yields is passed on.
        recording: A recording that is opened and closed elsewhere.
        **options: See :class:`RecordingOptions`.

    Raises:
        ValueError: An option makes no sense; the text says which.
    """
    service = ServiceRecording(recording, **options)
    inner = existing
    if existing is not None and inspect.isasyncgenfunction(existing):
        inner = asynccontextmanager(existing)

    @asynccontextmanager
    async def run(app: Any) -> AsyncGenerator[Any]:
        opened = await service.open()
        if opened is not None:
            active.enter(opened)
        try:
            if inner is None:
                yield None
            else:
                async with inner(app) as state:
                    yield state
        finally:
            if opened is not None:
                active.leave(opened)
            await settle_all()
            await service.close()

    return run
