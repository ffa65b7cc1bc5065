"""Telemetry of aiohttp: services, and the requests that its client makes.

One line, and every request is on a timeline::

    setup(app, save="service-{pid}.rrd")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiorerun.integrations.recorder import Recorder, request_stats, settle_all
from aiorerun.integrations.requests.settings import RequestOptions, RequestSettings
from aiorerun.integrations.requests.stats import RequestStats
from aiorerun.integrations.service import RECORDING_OPTIONS, RecordingOptions, ServiceRecording
from aiorerun.stream import AsyncRecordingStream, active

# First, for its error where aiohttp is missing.
from aiorerun.integrations.aiohttp_client import trace_config  # isort: skip
from aiohttp import web

from aiorerun.integrations.aiohttp_exchange import AiohttpExchange

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from typing import Unpack

    from aiohttp.typedefs import Handler, Middleware

    class ServiceOptions(RecordingOptions, RequestOptions, total=False):
        """All options of :func:`setup`."""


__all__ = [
    "RECORDING",
    "RequestStats",
    "cleanup_ctx",
    "middleware",
    "request_stats",
    "setup",
    "trace_config",
]

RECORDING: Final = web.AppKey("aiorerun_recording", AsyncRecordingStream)
"""Where an application that :func:`setup` or :func:`cleanup_ctx` was used for has its recording."""


def setup(
    app: web.Application,
    *,
    recording: AsyncRecordingStream | None = None,
    **options: Unpack[ServiceOptions],
) -> None:
    """Records the requests of an application: it gets :func:`middleware`, outermost, and :func:`cleanup_ctx`.

    Args:
        app: The application, before it starts.
        recording: A recording that is opened and closed elsewhere.
        **options: See :class:`RecordingOptions` and :class:`RequestOptions`.

    Raises:
        TypeError, ValueError: An option makes no sense; the text says which.
    """
    where: Any = {name: value for name, value in options.items() if name in RECORDING_OPTIONS}
    what: Any = {name: value for name, value in options.items() if name not in where}
    app.middlewares.insert(0, middleware(recording=recording, **what))
    app.cleanup_ctx.insert(0, cleanup_ctx(recording=recording, **where))


def cleanup_ctx(
    *, recording: AsyncRecordingStream | None = None, **options: Unpack[RecordingOptions]
) -> Callable[[web.Application], AsyncIterator[None]]:
    """A cleanup context that opens a recording when the application starts, and closes it at the end.

    The recording is ``app[RECORDING]``, and that of each :func:`middleware` without one of its own.

    Args:
        recording: A recording that is opened and closed elsewhere.
        **options: See :class:`RecordingOptions`.

    Raises:
        ValueError: An option makes no sense; the text says which.
        SinkOpenError: When the application starts: another worker writes to the file, or the port is taken.
    """
    service = ServiceRecording(recording, **options)

    async def context(app: web.Application) -> AsyncIterator[None]:
        opened = await service.open()
        if opened is not None:
            app[RECORDING] = opened
            # Tasks that the application starts later log into it, too.
            active.enter(opened)
        try:
            yield
        finally:
            if opened is not None:
                active.leave(opened)
            await settle_all()
            await service.close()

    return context


def middleware(
    *, recording: AsyncRecordingStream | None = None, **options: Unpack[RequestOptions]
) -> Middleware:
    """A middleware that records requests and WebSocket connections.

    What is recorded is told at :class:`aiorerun.integrations.asgi.RerunMiddleware`. Handlers see the same
    requests, and their exceptions go the same way, as without it. aiohttp sends plain responses after the
    middleware has returned: the duration is that of the handler then, and the bytes are those of the body.
    Of what a handler streams, the bytes are those on the wire, headers included.

    Args:
        recording: Where to; by default into the recording of :func:`cleanup_ctx`, or the active one.
        **options: See :class:`RequestOptions`.

    Raises:
        TypeError, ValueError: An option makes no sense; the text says which.
    """
    settings = RequestSettings(**options)
    recorder = Recorder(settings, ServiceRecording(recording))

    @web.middleware
    async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
        exchange = _begin(recorder, request)
        if exchange is None:
            return await handler(request)
        try:
            response = await handler(request)
        except BaseException as error:
            _look(recorder, exchange, error if isinstance(error, web.HTTPException) else None)
            recorder.fail(exchange, error)
            raise
        _look(recorder, exchange, response)
        recorder.end(exchange)
        return response

    return record


def _begin(recorder: Recorder, request: web.Request) -> AiohttpExchange | None:
    settings = recorder.settings
    try:
        if settings.paths.lets_all_through or settings.paths(request.path):
            recording = recorder.target()
            if recording is not None:
                exchange = AiohttpExchange(request, settings)
                exchange.begin(recorder, recording)
                return exchange
    except Exception as error:
        recorder.complain(error)
    recorder.stats.excluded += 1
    return None


def _look(recorder: Recorder, exchange: AiohttpExchange, response: web.StreamResponse | None) -> None:
    try:
        exchange.look(response)
    except Exception as error:
        recorder.complain(error)
