"""A live view of a recording inside a web service, whatever framework that is written with.

It is put into one by :mod:`aiorerun.integrations.live_view.asgi` or
:mod:`aiorerun.integrations.live_view.aiohttp`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aiorerun.integrations.live_view.access import Access
from aiorerun.integrations.live_view.crossing import Crossing, run_there
from aiorerun.integrations.live_view.page import ViewPage, send_answer
from aiorerun.integrations.live_view.sink import LiveViewSink, load
from aiorerun.net.methods import PROXY_SERVICE
from aiorerun.server.rpc_error import RpcError
from aiorerun.server.server import origin_patterns
from aiorerun.stream import AsyncRecordingStream
from aiorerun.viewer.page_answers import MOUNTED_SECURITY, Answer, refusal

if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable, Iterable
    from types import TracebackType
    from typing import Self

    from aiorerun.integrations.live_view.access import Authorize
    from aiorerun.integrations.live_view.request import ViewRequest
    from aiorerun.server.exchange import Exchange
    from aiorerun.server.hub import Hub
    from aiorerun.sync.stream import RecordingStream

GRPC_PATH: Final = f"/{PROXY_SERVICE}"
"""Where viewers look for gRPC-web: their URLs (``rerun+http://host:port/proxy``) cannot name a prefix."""

RECORDING_PATH: Final = "/recording.rrd"
"""The recording as a stream, below the place where the view is mounted."""

MAX_READERS: Final = 64
"""So many may read at a time; others are told to come later."""

FLUSH_SECS: Final = 2.0
"""So long a reader that wants what there is waits for what was logged just now."""

_STREAM_HEADERS: Final = (
    ("cache-control", "no-store"),
    # Otherwise middlewares that compress, and proxies, would collect rows for as long as they like.
    ("content-encoding", "identity"),
    ("x-accel-buffering", "no"),
    *MOUNTED_SECURITY,
)

_MAX_REQUEST_BYTES: Final = 4096
"""The longest gRPC message that is taken: requests of readers are empty."""

logger = logging.getLogger("aiorerun")


class LiveViewCore:
    """What all live views have in common; see :class:`aiorerun.integrations.live_view.asgi.LiveView`.

    Args:
        rec: The recording to show, of the asyncio or of the blocking API. Without one the view shows the
            recording that is given its ``sink``, as in ``RerunMiddleware(app, sinks=[view.sink])``.
        authorize: Says of each request whether it is answered, as ``bool`` or as an awaitable of one. What it
            raises is left to the framework.
        challenge: The header ``www-authenticate`` of refusals, such as ``'Basic realm="telemetry"'``, with
            which browsers ask for a password.
        insecure: Let everybody in. Without it, and without ``authorize``, only this machine is served.
        server_memory_limit: What may be kept for viewers that come later, such as ``"25%"`` or ``"4GB"``;
            ``"0B"`` keeps nothing. The oldest data goes first; static data stays.
        newest_first: Send what is kept with the newest first, and what comes before all of it.
        cors_allow_origin: Origins of other pages that may read the data, with ``*`` for any characters.
        max_readers: How many may read at a time.
        cache_dir: Where compressed files of the page are kept; by default in the user's cache.

    Raises:
        BadMemoryLimitError: ``server_memory_limit`` is none.
        ValueError: ``authorize`` and ``insecure`` were both given, or ``challenge`` without ``authorize``.

    Attributes:
        sink: What gets the recording. :meth:`start` attaches it to ``rec``; a recording with several sinks is
            given it beside the others, with ``set_sinks``.
    """

    def __init__(
        self,
        rec: AsyncRecordingStream | RecordingStream | None = None,
        *,
        authorize: Authorize | None = None,
        challenge: str | None = None,
        insecure: bool = False,
        server_memory_limit: str = "25%",
        newest_first: bool = False,
        cors_allow_origin: str | Iterable[str] | None = None,
        max_readers: int = MAX_READERS,
        cache_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        if authorize is not None and insecure:
            raise ValueError("insecure=True lets everybody in: leave it out, or authorize")
        if challenge is not None and authorize is None:
            raise ValueError("challenge: goes with authorize=..., which says whom to challenge")
        self.sink = LiveViewSink(server_memory_limit=server_memory_limit, newest_first=newest_first)
        self._rec = rec
        self._access = Access(
            authorize,
            insecure=insecure,
            challenge=challenge,
            cors_allow_origin=origin_patterns(cors_allow_origin),
        )
        self._max_readers = max_readers
        self._page = ViewPage(None if cache_dir is None else Path(cache_dir))
        self._starting: asyncio.Task[None] | None = None
        self._has_attached = False
        self._is_ending = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._rec!r}, {self._access!r})"

    @property
    def num_readers(self) -> int:
        """How many read the recording now."""
        return 0 if self.sink.hub is None else self.sink.hub.num_readers

    # --- beginning and end ---------------------------------------------------------------------

    async def start(self) -> None:
        """Attaches the view to its recording, unless it is attached; the first request does so as well.

        What was logged before goes to the view, too, unless the recording had other sinks. Cancelling it does
        not undo it.

        Raises:
            RuntimeError: The recording has other sinks, which would be replaced; there is none; or the view
                was closed.
            SinkOpenError: The view is attached to another recording.
        """
        if self._is_ending:
            raise RuntimeError("the live view was closed: make another one")
        if self.sink.hub is not None:
            return
        loop, starting = asyncio.get_running_loop(), self._starting
        # One that another event loop took with it never ends.
        if starting is None or starting.done() or starting.get_loop() is not loop:
            starting = self._starting = loop.create_task(self._attach(), name="aiorerun-live-view")
        try:
            await asyncio.shield(starting)
        finally:
            if starting.done() and self._starting is starting:
                self._starting = None

    async def _attach(self) -> None:
        rec = self._rec
        if rec is None:
            raise RuntimeError(
                "the live view has no recording: give it one, or give a recording its sink, as in "
                "`RerunMiddleware(app, sinks=[view.sink])`"
            )
        if rec._attached():
            raise RuntimeError(
                f"{rec!r} has other sinks, which the live view would replace: give it the view beside "
                "them, as in `await rec.set_sinks(FileSink(path), view.sink)`"
            )
        await self._call(rec, rec.set_sinks, self.sink)
        self._has_attached = self.sink.hub is not None

    async def aclose(self) -> None:
        """Ends all readers, and disconnects the recording if the view was what attached itself to it.

        May be called again. Cancelling it does not undo it.
        """
        self.end_readers()
        if self._has_attached and self._rec is not None:
            self._has_attached = False
            await self._call(self._rec, self._rec.disconnect)
        await self._page.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def end_readers(self) -> None:
        """Ends all readers, and takes no more of them: the service is about to end. From its event loop."""
        self._is_ending = True
        hub, loop = self.sink.hub, self.sink.loop
        if hub is not None and loop is not None:
            # A loop that is closed has no readers.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(hub.end_readers, "the service is ending")

    async def _call(
        self,
        rec: AsyncRecordingStream | RecordingStream,
        function: Callable[..., Any],
        *arguments: Any,
    ) -> None:
        """Calls a method of a recording, which may be one of the blocking API."""
        if isinstance(rec, AsyncRecordingStream):
            await function(*arguments)
        else:
            await asyncio.to_thread(function, *arguments)

    # --- requests ------------------------------------------------------------------------------

    async def handle(self, request: ViewRequest, exchange: Exchange) -> None:
        """Answers one request. Cancelling it cuts the answer off.

        Args:
            request: The request.
            exchange: Where its body comes from, and where the answer goes.

        Raises:
            OSError: The peer is gone or too slow: what was sent is not complete.
            Exception: What ``authorize`` raised; nothing was sent then.
        """
        is_grpc = request.path.startswith(GRPC_PATH + "/")
        is_data = is_grpc or request.path == RECORDING_PATH
        refused = self._access.check_place(request)
        if refused is None and is_data:
            refused = self._access.check_page(request.headers)
        is_preflight = request.method == "OPTIONS" and is_data
        # Browsers send no credentials with those, and they give nothing away.
        if refused is None and not is_preflight:
            refused = await self._access.check_person(request)
        if refused is not None:
            await self._send(exchange, refused, request)
        elif is_preflight:
            await exchange.send(204, self._access.origins.preflight_headers(request.headers))
        elif is_grpc:
            await self._with_hub(request, exchange, self._answer_grpc)
        elif request.path == RECORDING_PATH:
            await self._with_hub(request, exchange, self._answer_recording)
        else:
            # So that what is logged from now on is there, if nobody has started the view before.
            with contextlib.suppress(RuntimeError):
                await self.start()
            await self._send(exchange, await self._page.answer(request), request)

    async def _send(self, exchange: Exchange, answer: Answer, request: ViewRequest) -> None:
        await send_answer(exchange, answer, with_body=request.method != "HEAD")

    async def _with_hub(
        self,
        request: ViewRequest,
        exchange: Exchange,
        answer: Callable[[ViewRequest, Exchange, Hub], Awaitable[None]],
    ) -> None:
        """Lets a request be answered on the event loop of the recording."""
        try:
            await self.start()
        except RuntimeError as error:
            await self._send(exchange, _unavailable(str(error)), request)
            return
        hub, loop = self.sink.hub, self.sink.loop
        if hub is None or loop is None:
            await self._send(exchange, _unavailable("The recording is disabled or has ended."), request)
        elif self.num_readers >= self._max_readers:
            await self._send(exchange, _unavailable("There are too many readers."), request)
        elif loop is (here := asyncio.get_running_loop()):
            await answer(request, exchange, hub)
        else:
            await run_there(loop, _run(answer, request, Crossing(exchange, here), hub))

    async def _answer_grpc(self, request: ViewRequest, exchange: Exchange, hub: Hub) -> None:
        parts = load()
        calls = parts.Calls(hub, parts.Authorization(None), max_message_bytes=_MAX_REQUEST_BYTES)
        web = parts.GrpcWeb(calls, self._access.origins, may_write=False, headers=_STREAM_HEADERS)
        await web.answer(parts.Request(request.method, request.path, dict(request.headers)), exchange)

    async def _answer_recording(self, request: ViewRequest, exchange: Exchange, hub: Hub) -> None:
        if request.method not in ("GET", "HEAD"):
            refused = refusal(405, "Only GET and HEAD are served.", MOUNTED_SECURITY)
            refused.headers.append(("allow", "GET, HEAD"))
            await self._send(exchange, refused, request)
            return
        headers = [
            ("content-type", "application/octet-stream"),
            *_STREAM_HEADERS,
            *self._access.origins.answer_headers(request.headers),
        ]
        follow = request.parameter("follow") not in ("0", "false")
        if not follow:
            headers.append(("content-disposition", 'attachment; filename="recording.rrd"'))
        if request.method == "HEAD":
            await exchange.start(200, headers)
            await exchange.end()
            return
        if not follow:
            await self._flush()
        try:
            reader = hub.attach(live=follow)
        except RpcError as error:
            await self._send(exchange, _unavailable(error.reason), request)
            return
        await load().answer_rrd(reader, exchange, headers)

    async def _flush(self) -> None:
        """Lets rows that were logged before come, within reason."""
        rec = self.sink.recording if self._rec is None else self._rec
        if rec is None:
            return
        try:
            async with asyncio.timeout(FLUSH_SECS):
                await self._call(rec, partial(rec.flush, timeout_sec=FLUSH_SECS))
        except Exception as error:
            # It takes too long, or another sink has lost something: what is there is there.
            logger.debug("a flush before reading failed: %s", error)


async def _run(
    answer: Callable[[ViewRequest, Exchange, Hub], Awaitable[None]],
    request: ViewRequest,
    exchange: Exchange,
    hub: Hub,
) -> None:
    await answer(request, exchange, hub)


def _unavailable(text: str) -> Answer:
    refused = refusal(503, text, MOUNTED_SECURITY)
    refused.headers.append(("retry-after", "2"))
    return refused
