"""What is seen of a request between aiohttp's server and its handler."""

from __future__ import annotations

import asyncio
from time import perf_counter_ns
from typing import TYPE_CHECKING

from aiohttp import web

from aiorerun.integrations.exchange import Exchange
from aiorerun.integrations.requests.bodies import Body
from aiorerun.integrations.requests.details import document
from aiorerun.integrations.requests.routes import UNMATCHED
from aiorerun.integrations.requests.rows import PackedRow, closed_row

if TYPE_CHECKING:
    from aiorerun.integrations.recorder import Recorder
    from aiorerun.integrations.requests.routes import Route
    from aiorerun.integrations.requests.settings import RequestSettings
    from aiorerun.stream import AsyncRecordingStream


class AiohttpExchange(Exchange):
    """A request to an aiohttp server.

    Args:
        request: The request.
        settings: What is recorded of it.

    Attributes:
        response: What the handler has returned or raised.
    """

    __slots__ = ("_request", "_settings", "response")

    def __init__(self, request: web.Request, settings: RequestSettings) -> None:
        self.response: web.StreamResponse | None = None
        self._request = request
        self._settings = settings

    def begin(self, recorder: Recorder, recording: AsyncRecordingStream) -> None:
        """Begins: from now on what the task logs has the number of this request."""
        super().begin(recorder, recording)
        self.is_plain = False

    @property
    def described(self) -> web.Request:
        """The request."""
        return self._request

    @property
    def has_route(self) -> bool:
        """Always: the route is chosen before middlewares are called."""
        return True

    def find_route(self) -> Route:
        """The route of the resource that was chosen."""
        request, settings = self._request, self._settings
        if settings.name_route is not None:
            named = settings.name_route(request)
            if named is not None:
                return settings.routes.get(request.method, named)
        resource = request.match_info.route.resource
        return settings.routes.get(request.method, UNMATCHED if resource is None else resource.canonical)

    def look(self, response: web.StreamResponse | None) -> None:
        """Notes what the handler has returned, before aiohttp goes on with it."""
        request = self._request
        self.response = response
        self.received = request.content.total_bytes
        self.disconnected = request.transport is None
        if response is not None:
            self._look_at(response)

    def finish(self, error: BaseException | None) -> bool:
        """Works out how it ended; returns whether that counts as a failure of the service."""
        if error is None or isinstance(error, web.HTTPException):
            return self.status >= 500
        if isinstance(error, ConnectionResetError | asyncio.CancelledError | GeneratorExit):
            self.disconnected = True
            return False
        self.status = self.status or 500
        return True

    def _look_at(self, response: web.StreamResponse) -> None:
        self.status = response.status
        if isinstance(response, web.WebSocketResponse):
            self.disconnected = response.close_code not in (None, 1000, 1001)
            return
        if response.prepared:
            self.sent = response.body_length
        else:
            self.first_byte_ns = perf_counter_ns()
            self.sent = response.content_length or 0

    def row(self, failed: bool) -> PackedRow:
        """The row of the request, or of the connection."""
        response = self.response
        if not isinstance(response, web.WebSocketResponse):
            return super().row(failed)
        # aiohttp counts no messages.
        return closed_row(super().row(failed), response.close_code)

    def details(self, title: str) -> str:
        """Headers, bodies and the query string as one text, as far as they are wanted."""
        request, response, settings = self._request, self.response, self._settings
        sent = [] if response is None else list(response.headers.items())
        bodies: tuple[Body | None, Body | None] = (None, None)
        if settings.max_body:
            # What the handler has read; what was streamed is kept nowhere.
            bodies = (
                _body(request._read_bytes, settings.max_body),
                _body(getattr(response, "body", None), settings.max_body),
            )
        headers = (list(request.headers.items()), sent)
        return document(settings, f"{title} {self.status}", request.query_string, headers, bodies)

    def secrets(self) -> set[str]:
        """What the request has sent as a secret."""
        request = self._request
        return self._settings.redactor.secrets_of(request.headers.items(), request.query_string)


def _body(data: object, limit: int) -> Body | None:
    if not isinstance(data, bytes | bytearray):
        return None
    body = Body(limit)
    body.add(bytes(data))
    return body
