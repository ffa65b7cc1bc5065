"""Applications do exactly what they do without the middleware: a list of ASGI behaviours, both ways."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import aiorerun as rr
from aiorerun.integrations.asgi import RerunMiddleware, lifespan
from aiorerun.testing import CaptureSink
from tests.asgi import BODY, Message, Transcript, drive, http_scope, socket_scope

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from tests.asgi import App

START: Message = {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]}
END: Message = {"type": "http.response.body", "body": b"end"}
CONNECT: Message = {"type": "websocket.connect"}


async def plain(scope: Any, receive: Any, send: Any) -> None:
    await send(dict(START))
    await send(dict(END))


async def reads_body(scope: Any, receive: Any, send: Any) -> None:
    size = 0
    more = True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 201, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


async def streams(scope: Any, receive: Any, send: Any) -> None:
    await send(dict(START))
    for number in range(5):
        await send({"type": "http.response.body", "body": b"%d" % number, "more_body": True})
    await send({"type": "http.response.body"})


async def sends_trailers(scope: Any, receive: Any, send: Any) -> None:
    await send({**START, "trailers": True})
    await send(dict(END))
    await send({"type": "http.response.trailers", "headers": [(b"c", b"d")]})


async def sends_file(scope: Any, receive: Any, send: Any) -> None:
    await send(dict(START))
    await send({"type": "http.response.pathsend", "path": "/etc/hostname"})


async def sends_descriptor(scope: Any, receive: Any, send: Any) -> None:
    await send(dict(START))
    await send({"type": "http.response.zerocopysend", "file": 0, "count": 7})


async def raises_before(scope: Any, receive: Any, send: Any) -> None:
    raise RuntimeError("before")


async def raises_after(scope: Any, receive: Any, send: Any) -> None:
    await send(dict(START))
    raise RuntimeError("after") from ValueError("cause")


async def raises_in_background(scope: Any, receive: Any, send: Any) -> None:
    await plain(scope, receive, send)
    raise KeyError("background")


async def raises_group(scope: Any, receive: Any, send: Any) -> None:
    async def fail(error: Exception) -> None:
        raise error

    async with asyncio.TaskGroup() as group:
        group.create_task(fail(ValueError("one")))
        group.create_task(fail(TypeError("two")))


async def raises_base_group(scope: Any, receive: Any, send: Any) -> None:
    await send(dict(START))
    raise BaseExceptionGroup("several", [asyncio.CancelledError("inner"), ValueError("one")])


class OwnBaseError(BaseException):
    """Neither an exception nor an end."""


async def raises_base(scope: Any, receive: Any, send: Any) -> None:
    raise OwnBaseError("base")


async def sends_nothing(scope: Any, receive: Any, send: Any) -> None:
    await receive()


async def sends_nonsense(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": "not a number"})
    await send({"type": "http.response.body", "body": None})
    await send({"type": "unknown"})


async def sends_no_type(scope: Any, receive: Any, send: Any) -> None:
    await send({})


async def waits_for_disconnect(scope: Any, receive: Any, send: Any) -> None:
    await send(dict(START))
    while (await receive())["type"] != "http.disconnect":
        pass
    raise OSError("nobody listens")


async def hears_of_disconnect_late(scope: Any, receive: Any, send: Any) -> None:
    await plain(scope, receive, send)
    await receive()
    assert (await receive())["type"] == "http.disconnect"


async def sends_and_waits(scope: Any, receive: Any, send: Any) -> None:
    await send(dict(START))
    await asyncio.sleep(60)


async def outlives_cancelling(scope: Any, receive: Any, send: Any) -> None:
    await send(dict(START))
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        await send(dict(END))


async def sends_from_task(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.create_task(send(dict(START)))
    await asyncio.gather(send(dict(END)))


async def changes_scope(scope: Any, receive: Any, send: Any) -> None:
    scope["state"] = {"seen": True}
    await send({**START, "headers": [(b"keys", " ".join(sorted(scope)).encode())]})
    await send(dict(END))


async def accepts(scope: Any, receive: Any, send: Any) -> None:
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        await send({"type": "websocket.send", "text": message.get("text") or "ü"})


async def refuses(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.close", "code": 4001})


async def denies(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.http.response.start", "status": 401, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b"no"})


async def breaks(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    raise RuntimeError("socket")


async def closes(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "bytes": b"123"})
    await send({"type": "websocket.close", "code": 1000})


class Case(NamedTuple):
    """What an application does, and what of it stands in the recording.

    Attributes:
        app: The application.
        status: Recorded status.
        failed: Whether it counts as failed.
        disconnected: Whether the client is seen to be gone.
        sent: Recorded bytes of the response.
        options: How it is driven.
    """

    app: App
    status: int
    failed: bool = False
    disconnected: bool = False
    sent: int = 0
    options: dict[str, Any] = {}  # noqa: RUF012 - never changed


HTTP = {
    "plain": Case(plain, 200, sent=3),
    "body": Case(
        reads_body, 201, sent=1, options={"incoming": [{**BODY, "body": b"1234", "more_body": True}, BODY]}
    ),
    "stream": Case(streams, 200, sent=5),
    "trailers": Case(sends_trailers, 200, sent=3),
    "file": Case(sends_file, 200),
    "descriptor": Case(sends_descriptor, 200, sent=7),
    "before": Case(raises_before, 500, failed=True),
    "after": Case(raises_after, 200, failed=True),
    "background": Case(raises_in_background, 200, failed=True, sent=3),
    "group": Case(raises_group, 500, failed=True),
    "base group": Case(raises_base_group, 200, failed=True),
    "base": Case(raises_base, 500, failed=True),
    "nothing": Case(sends_nothing, 0),
    "nonsense": Case(sends_nonsense, 0),
    "no type": Case(sends_no_type, 500, failed=True),
    "disconnect": Case(waits_for_disconnect, 200, failed=True, disconnected=True),
    "disconnect late": Case(hears_of_disconnect_late, 200, sent=3),
    "send fails": Case(plain, 200, disconnected=True, sent=3, options={"fail_at": "http.response.body"}),
    "cancelled": Case(sends_and_waits, 200, disconnected=True, options={"cancel_after": 1}),
    "outlives": Case(outlives_cancelling, 200, sent=3, options={"cancel_after": 1}),
    "from task": Case(sends_from_task, 200, sent=3),
    "scope": Case(changes_scope, 200, sent=3),
}
MESSAGES = [
    CONNECT,
    {"type": "websocket.receive", "text": "hello"},
    {"type": "websocket.receive", "bytes": b"1"},
]
GOODBYE = {"type": "websocket.disconnect", "code": 1001}
SOCKETS = {
    "accepts": Case(accepts, 101, disconnected=True, sent=7, options={"incoming": MESSAGES}),
    "goodbye": Case(accepts, 101, sent=7, options={"incoming": [*MESSAGES, GOODBYE]}),
    "refuses": Case(refuses, 403, options={"incoming": [CONNECT]}),
    "denies": Case(denies, 401, options={"incoming": [CONNECT]}),
    "breaks": Case(breaks, 101, failed=True, options={"incoming": [CONNECT]}),
    "closes": Case(closes, 101, sent=3, options={"incoming": [CONNECT]}),
}


async def both_ways(
    case: Case, scope: Any, **options: Any
) -> tuple[Transcript, Transcript, CaptureSink, RerunMiddleware]:
    """Drives an application bare and with the middleware."""
    bare = await drive(case.app, dict(scope), **case.options)
    async with rr.AsyncRecordingStream("behaviour") as rec:
        sink = CaptureSink()
        await rec.set_sinks(sink)
        wrapped = RerunMiddleware(case.app, recording=rec, **options)
        seen = await drive(wrapped, dict(scope), **case.options)
        await wrapped._recorder.settle()
        await rec.flush()
    return bare, seen, sink, wrapped


@pytest.mark.parametrize(
    "options", [{}, {"headers": True, "bodies": 100, "query": True}], ids=["", "details"]
)
@pytest.mark.parametrize("name", HTTP)
async def test_http(name: str, options: dict[str, Any]) -> None:
    case = HTTP[name]
    bare, seen, sink, wrapped = await both_ways(case, http_scope("/some/path"), **options)

    assert seen.shown() == bare.shown()
    (row,) = [row for row in await sink.rows() if row.entity_path.startswith("/http/requests/")]
    assert row.entity_path == "/http/requests/some/path/GET"
    assert (row["status"], row["failed"]) == ([case.status], [case.failed])
    assert (row["client_disconnected"], row["sent_bytes"]) == ([case.disconnected], [case.sent])
    assert list(row.times) == ["request"]
    assert row["scalars"][0] >= 0
    assert (wrapped.stats.seen, wrapped.stats.recorded, wrapped.stats.in_progress) == (1, 1, 0)


@pytest.mark.parametrize("name", SOCKETS)
async def test_web_socket(name: str) -> None:
    case = SOCKETS[name]
    bare, seen, sink, wrapped = await both_ways(case, socket_scope("/chat"))

    assert seen.shown() == bare.shown()
    (row,) = [row for row in await sink.rows() if row.entity_path.startswith("/http/requests/")]
    assert row.entity_path == "/http/requests/chat/WEBSOCKET"
    assert (row["status"], row["failed"]) == ([case.status], [case.failed])
    assert (row["client_disconnected"], row["sent_bytes"]) == ([case.disconnected], [case.sent])
    assert wrapped.stats.recorded == 1


async def test_messages_of_web_sockets_are_counted() -> None:
    _, _, sink, _ = await both_ways(SOCKETS["goodbye"], socket_scope("/chat"))

    (row,) = await sink.rows("http/requests/chat/WEBSOCKET")
    assert (row["messages_received"], row["messages_sent"], row["close_code"]) == ([2], [2], [1001])
    assert row["received_bytes"] == [6]


async def test_other_scopes_pass_through() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope, receive, send))

    receive, send = object(), object()
    wrapped = RerunMiddleware(app)
    for kind in ("lifespan", "unheard of"):
        scope = {"type": kind}
        await wrapped(scope, receive, send)  # type: ignore[arg-type] # never used
        assert seen.pop() == (scope, receive, send)


# --- lifespans ---------------------------------------------------------------------------------------


async def lives(scope: Any, receive: Any, send: Any) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


async def fails_to_start(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})


async def fails_to_start_loudly(scope: Any, receive: Any, send: Any) -> None:
    await fails_to_start(scope, receive, send)
    raise RuntimeError("no database")


async def fails_to_end(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.failed", "message": "no"})
    raise RuntimeError("no end")


async def knows_none(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError("only http")


EVENTS: list[Message] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]


@pytest.mark.parametrize(
    "app",
    [lives, fails_to_start, fails_to_start_loudly, fails_to_end, knows_none],
    ids=lambda app: app.__name__,
)
async def test_lifespan(app: App) -> None:
    bare = await drive(app, {"type": "lifespan"}, EVENTS)
    sink = CaptureSink()
    wrapped = RerunMiddleware(app, sinks=[sink])
    seen = await drive(wrapped, {"type": "lifespan"}, EVENTS)

    received = bare.received or 1
    assert seen.shown() == (*bare.shown()[:1], received, *bare.shown()[2:])
    # An application that knows no lifespans is served all the same, and recorded.
    assert (wrapped._service.recording is not None) == (app is knows_none)
    await wrapped._service.close()


async def test_an_application_that_ignores_its_lifespan_is_recorded_to_the_end() -> None:
    async def ignores(scope: Any, receive: Any, send: Any) -> None:
        pass

    sink = CaptureSink()
    wrapped = RerunMiddleware(ignores, sinks=[sink])
    seen = await drive(wrapped, {"type": "lifespan"}, EVENTS)

    assert [message["type"] for message in seen.sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert wrapped._service.recording is None


async def test_a_recording_that_cannot_be_opened_keeps_the_service_from_starting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wrapped = RerunMiddleware(lives, save="/nowhere/at/all/{pid}.rrd")
    seen = await drive(wrapped, {"type": "lifespan"}, EVENTS)

    (message,) = seen.sent
    assert message["type"] == "lifespan.startup.failed"
    assert "its directory must exist" in message["message"]
    assert "cannot be opened" in caplog.text


async def test_lifespan_helper_goes_around_the_one_there_was() -> None:
    said: list[Any] = []

    @asynccontextmanager
    async def mine(app: Any) -> AsyncGenerator[dict[str, int]]:
        said.append(rr.get_data_recording())
        yield {"state": 1}
        said.append(rr.get_data_recording())

    sink = CaptureSink()
    before = rr.get_data_recording()
    async with lifespan(mine, sinks=[sink])("app") as state:
        assert state == {"state": 1}
        assert rr.get_data_recording() is said[0]
    assert said[0] is said[1] is not None
    assert rr.get_data_recording() is before


async def test_lifespan_helper_takes_generators_and_nothing() -> None:
    async def mine(app: Any) -> AsyncIterator[str]:
        yield "state"

    async with lifespan(mine, sinks=[CaptureSink()])("app") as state:  # type: ignore[arg-type] # as Starlette did
        assert state == "state"
    async with lifespan(sinks=[CaptureSink()])("app") as nothing:
        assert nothing is None


async def test_lifespan_helper_passes_errors_on_and_closes() -> None:
    @asynccontextmanager
    async def mine(app: Any) -> AsyncGenerator[None]:
        if app:
            raise RuntimeError("no database")
        yield

    helper = lifespan(mine, sinks=[CaptureSink()])
    with pytest.raises(RuntimeError, match="no database"):
        async with helper("app"):
            pass
    assert rr.get_data_recording() is None


async def test_middleware_records_into_the_recording_of_the_lifespan() -> None:
    sink = CaptureSink()
    wrapped = RerunMiddleware(plain)
    async with lifespan(sinks=[sink])("app"):
        await drive(wrapped, http_scope("/a"))
    await drive(wrapped, http_scope("/a"))

    assert len(await sink.rows("http/requests/a/GET")) == 1
    assert wrapped.stats.excluded == 1
