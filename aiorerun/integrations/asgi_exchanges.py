"""What is seen of a request between an ASGI server and an application: the messages that they exchange.

Nothing is held back, changed or sent. ``send`` hands out the very awaitable of the server.
"""

from __future__ import annotations

import asyncio
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from aiorerun.integrations.asgi_routes import has_route
from aiorerun.integrations.exchange import Exchange
from aiorerun.integrations.requests.bodies import Body
from aiorerun.integrations.requests.details import decoded, document
from aiorerun.integrations.requests.rows import web_socket_row

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from aiorerun.integrations.asgi_routes import RouteFinder
    from aiorerun.integrations.recorder import Recorder
    from aiorerun.integrations.requests.routes import Route
    from aiorerun.integrations.requests.rows import PackedRow
    from aiorerun.integrations.requests.settings import RequestSettings
    from aiorerun.stream import AsyncRecordingStream

    Message: TypeAlias = MutableMapping[str, Any]
    Scope: TypeAlias = MutableMapping[str, Any]
    Receive: TypeAlias = Callable[[], Awaitable[Message]]
    Send: TypeAlias = Callable[[Message], Awaitable[None]]

_SWITCHING: Final = 101
_FORBIDDEN: Final = 403
_DISCONNECTS: Final = frozenset(("ClientDisconnect", "ClientDisconnected", "WebSocketDisconnect"))
"""What frameworks raise when they are told that the client is gone."""


class AsgiExchange(Exchange):
    """A request or connection over ASGI.

    Attributes:
        scope: What the server tells of it.
        server_receive: That of the server.
        server_send: Likewise.
        finder: Finds its route.
        settings: What is recorded.
        gone: Whether the server has told that the client is gone.
    """

    __slots__ = ("gone", "scope", "server_receive", "server_send")

    finder: ClassVar[RouteFinder]
    settings: ClassVar[RequestSettings]

    scope: Scope
    server_receive: Receive
    server_send: Send
    gone: bool

    @property
    def described(self) -> Scope:
        """The scope."""
        return self.scope

    @classmethod
    def made_for(cls, finder: RouteFinder, settings: RequestSettings) -> type[AsgiExchange]:
        """The class of one middleware: what its requests share is not set once more for each of them."""
        shared = {"__slots__": (), "finder": finder, "settings": settings}
        made: Any = type(cls.__name__, (cls,), shared)
        own: type[AsgiExchange] = made
        return own

    async def receive(self) -> Message:
        """The next message from the client."""
        raise NotImplementedError

    def send(self, message: Message) -> Awaitable[None]:
        """Looks at a message on its way to the client."""
        raise NotImplementedError

    @property
    def has_route(self) -> bool:
        """Whether a router has made its choice."""
        return has_route(self.scope)

    def find_route(self) -> Route:
        """The route, as far as the scope tells."""
        scope = self.scope
        known = self.finder.known.get((id(scope.get("route")), scope["method"]))
        if known is not None and known[1] == scope["path"].count("/"):
            return known[0]
        return self.finder.find(scope, scope["method"], self.status)

    def finish(self, error: BaseException | None) -> bool:
        """Works out how it ended; returns whether that counts as a failure of the service."""
        if error is None:
            return self.status >= 500
        if _is_given_up(error):
            self.disconnected = self.disconnected or not self.done_ns
            return False
        if getattr(self, "gone", False) and type(error).__name__ in _DISCONNECTS:
            return False
        if isinstance(error, OSError) and _came_through(error, self._last_send()):
            # So servers may tell that the client is gone.
            self.disconnected = True
            return False
        if not self.status:
            # This is what servers answer then.
            self.status = 500
        return True

    def _last_send(self) -> Any:
        """That of the server itself, where other middlewares of this kind are around this one.

        They hand on its awaitable, so no exception comes through them.
        """
        send: Any = self.server_send
        while isinstance(outer := getattr(send, "__self__", None), AsgiExchange):
            send = outer.server_send
        return send

    def details(self, title: str) -> str:
        """Nothing, unless it is wanted."""
        return ""

    def secrets(self) -> set[str]:
        """What the request has sent as a secret."""
        headers = decoded(self.scope.get("headers") or ())
        return self.settings.redactor.secrets_of(headers, _query(self.scope))


class HttpExchange(AsgiExchange):
    """A request over HTTP."""

    __slots__ = ()

    async def receive(self) -> Message:
        """The next message from the client."""
        message = await self.server_receive()
        try:
            if message["type"] == "http.disconnect":
                if not self.done_ns:
                    self.gone = self.disconnected = True
            else:
                self.received += len(message.get("body", b""))
        except Exception:  # noqa: S110 - what is no message is the business of the application
            pass
        return message

    def send(self, message: Message) -> Awaitable[None]:
        """Looks at a message on its way to the client."""
        try:
            kind = message["type"]
            if kind == "http.response.body":
                self.sent += len(message.get("body", b""))
                if not message.get("more_body"):
                    self.done_ns = perf_counter_ns()
            elif kind == "http.response.start":
                self.first_byte_ns = perf_counter_ns()
                self.status = _status(message["status"])
            else:
                self._look_at(kind, message)
        except Exception:  # noqa: S110 - what is no message is the business of the server
            pass
        # Calling what is in a slot like a method is slow in CPython 3.11.
        send = self.server_send
        return send(message)

    def _look_at(self, kind: str, message: Message) -> None:
        """Extensions of ASGI."""
        if kind == "http.response.zerocopysend":
            self.sent += message.get("count") or 0
            if not message.get("more_body"):
                self.done_ns = perf_counter_ns()
        elif kind == "http.response.pathsend":
            self.done_ns = perf_counter_ns()


class WebSocketExchange(AsgiExchange):
    """A WebSocket connection: one row, when it is over."""

    __slots__ = ("_code", "_received", "_sent")

    def begin(self, recorder: Recorder, recording: AsyncRecordingStream) -> None:
        """Begins: from now on what the task logs has the number of this connection."""
        super().begin(recorder, recording)
        self.is_plain = False
        self._code = self._received = self._sent = 0

    def find_route(self) -> Route:
        """The route, as far as the scope tells."""
        return self.finder.find(self.scope, "WEBSOCKET", self.status)

    async def receive(self) -> Message:
        """The next message from the client."""
        message = await self.server_receive()
        try:
            kind = message["type"]
            if kind == "websocket.receive":
                self._received += 1
                self.received += _size(message)
            elif kind == "websocket.disconnect" and not self.done_ns:
                self.done_ns = perf_counter_ns()
                self.gone = True
                self._code = message.get("code") or 1005
                # 1000 and 1001 are ends on purpose.
                self.disconnected = self._code not in (1000, 1001)
        except Exception:  # noqa: S110 - what is no message is the business of the application
            pass
        return message

    def send(self, message: Message) -> Awaitable[None]:
        """Looks at a message on its way to the client."""
        try:
            kind = message["type"]
            if kind == "websocket.send":
                self._sent += 1
                self.sent += _size(message)
            elif kind == "websocket.accept":
                self.first_byte_ns = perf_counter_ns()
                self.status = _SWITCHING
            elif kind == "websocket.close":
                self.done_ns = perf_counter_ns()
                self._code = message.get("code") or 1000
                self.status = self.status or _FORBIDDEN
            elif kind == "websocket.http.response.start":
                self.first_byte_ns = perf_counter_ns()
                self.status = _status(message["status"])
        except Exception:  # noqa: S110 - what is no message is the business of the server
            pass
        return self.server_send(message)

    def row(self, failed: bool) -> PackedRow:
        """The row of the connection."""
        return web_socket_row(super().row(failed), self._received, self._sent, self._code)


class DetailedExchange(HttpExchange):
    """A request whose headers, bodies or query string are recorded."""

    __slots__ = ("_bodies", "_headers")

    def begin(self, recorder: Recorder, recording: AsyncRecordingStream) -> None:
        """Begins: from now on what the task logs has the number of this request."""
        super().begin(recorder, recording)
        limit = recorder.settings.max_body
        self._headers: Any = ()
        self._bodies = (Body(limit), Body(limit)) if limit else None

    async def receive(self) -> Message:
        """The next message from the client."""
        message = await super().receive()
        self._keep(0, message)
        return message

    def send(self, message: Message) -> Awaitable[None]:
        """Looks at a message on its way to the client."""
        self._keep(1, message)
        return super().send(message)

    def _keep(self, side: int, message: Message) -> None:
        try:
            if message["type"] == "http.response.start":
                self._headers = message.get("headers") or ()
            elif self._bodies is not None:
                self._bodies[side].add(message.get("body", b""))
        except Exception:  # noqa: S110 - what is no message is the business of others
            pass

    def details(self, title: str) -> str:
        """Headers, bodies and the query string as one text, as far as they are wanted."""
        scope = self.scope
        headers = (decoded(scope.get("headers") or ()), decoded(self._headers))
        bodies = self._bodies or (None, None)
        return document(self.settings, f"{title} {self.status}", _query(scope), headers, bodies)


def _status(status: int) -> int:
    # What is no number of 16 bits is the business of the server.
    return status if status.__class__ is int and 0 <= status <= 0xFFFF else int(status) & 0xFFFF


def _query(scope: Scope) -> str:
    query = scope.get("query_string") or b""
    return query.decode("latin-1") if isinstance(query, bytes) else str(query)


def _size(message: Message) -> int:
    data = message.get("bytes")
    if data is not None:
        return len(data)
    text: str = message.get("text") or ""
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def _is_given_up(error: BaseException) -> bool:
    """Whether nobody wants the answer any more: the server has cancelled the request."""
    if isinstance(error, BaseExceptionGroup):
        return all(_is_given_up(each) for each in error.exceptions)
    return isinstance(error, asyncio.CancelledError | GeneratorExit)


def _came_through(error: BaseException, function: Any) -> bool:
    """Whether an error was raised while this function ran."""
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    trace = error.__traceback__
    while code is not None and trace is not None:
        if trace.tb_frame.f_code is code:
            return True
        trace = trace.tb_next
    return False
