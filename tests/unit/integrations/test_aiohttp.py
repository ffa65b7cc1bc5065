"""Requests to aiohttp services, and those of its client."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import ClientSession, web

import aiorerun as rr
from aiorerun.integrations.aiohttp import RECORDING, cleanup_ctx, middleware, setup, trace_config
from aiorerun.testing import CaptureSink
from tests.asgi import until
from tests.reading import rows_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

SECRET = "very-Secret.value42"

# The client's own bookkeeping of connections that the server has closed.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed transport")


async def home(request: web.Request) -> web.Response:
    return web.Response(text="hello")


async def item(request: web.Request) -> web.Response:
    if request.match_info["item_id"] == "0":
        raise web.HTTPNotFound(text="no such item")
    return web.json_response({"id": request.match_info["item_id"]})


async def echo(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


async def broken(request: web.Request) -> web.Response:
    raise RuntimeError(f"broken by {request.headers.get('Authorization')} {request.query_string}")


async def unavailable(request: web.Request) -> web.Response:
    raise web.HTTPServiceUnavailable


async def stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(3):
        await response.write(b"12345")
    await response.write_eof()
    return response


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"12345")
        await asyncio.sleep(0.001)


async def socket(request: web.Request) -> web.WebSocketResponse:
    response = web.WebSocketResponse()
    await response.prepare(request)
    async for message in response:
        await response.send_str(message.data.upper())
    return response


async def inside(request: web.Request) -> web.Response:
    await rr.log("inside", rr.TextLog("in the handler"))
    task = asyncio.create_task(rr.log("inside", rr.TextLog("in a task")))
    await task
    return web.Response()


def make_app(*middlewares: Any) -> web.Application:
    app = web.Application(middlewares=middlewares)
    app.router.add_get("/", home)
    app.router.add_get("/items/{item_id}", item)
    app.router.add_post("/echo", echo)
    app.router.add_get("/broken", broken)
    app.router.add_get("/unavailable", unavailable)
    app.router.add_get("/stream", stream)
    app.router.add_get("/endless", endless)
    app.router.add_get("/ws", socket)
    app.router.add_get("/inside", inside)
    sub = web.Application()
    sub.router.add_get("/x/{y}", home)
    app.add_subapp("/sub", sub)
    return app


@asynccontextmanager
async def served(app: web.Application) -> AsyncGenerator[str]:
    """The URL of an application that runs."""
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def recorded(**options: Any) -> AsyncGenerator[tuple[ClientSession, str, Callable[[str], Any]]]:
    """A client, the URL of the service, and what gives the rows below a path."""
    sink = CaptureSink()
    app = make_app()
    setup(app, sinks=[sink], **options)

    async def rows(path: str) -> list[Any]:
        await app[RECORDING].flush()
        return [row for row in await sink.rows() if row.entity_path.startswith(path)]

    async with served(app) as url, ClientSession() as client:
        yield client, url, rows


async def get(client: ClientSession, url: str, **options: Any) -> tuple[int, bytes]:
    async with client.get(url, **options) as response:
        return response.status, await response.read()


@pytest.mark.parametrize(
    ("path", "entity", "status", "sent"),
    [
        ("/", "/http/requests/GET", 200, 5),
        ("/items/17", r"/http/requests/items/\{item_id\}/GET", 200, 12),
        ("/items/0", r"/http/requests/items/\{item_id\}/GET", 404, 12),
        ("/none", r"/http/requests/\(unmatched\)/GET", 404, 14),
        ("/stream", "/http/requests/stream/GET", 200, None),
        ("/unavailable", "/http/requests/unavailable/GET", 503, 24),
        ("/sub/x/3", r"/http/requests/sub/x/\{y\}/GET", 200, 5),
    ],
)
async def test_requests(path: str, entity: str, status: int, sent: int | None) -> None:
    async with recorded() as (client, url, rows):
        assert (await get(client, url + path))[0] == status
        (row,) = await rows("/http/requests")

    assert row.entity_path == entity
    assert (row["status"], row["client_disconnected"]) == ([status], [False])
    if sent is None:
        # As it went over the wire, with headers and frames of chunks.
        assert row["sent_bytes"][0] > 15
    else:
        assert row["sent_bytes"] == [sent]
    assert row["failed"] == [status >= 500]
    assert set(row.times) == {"request"}


async def test_bodies_are_counted() -> None:
    async with recorded() as (client, url, rows):
        async with client.post(url + "/echo", data=b"x" * 100_000) as response:
            assert len(await response.read()) == 100_000
        (row,) = await rows("/http/requests")

    assert (row["received_bytes"], row["sent_bytes"]) == ([100_000], [100_000])


async def test_failures(caplog: pytest.LogCaptureFixture) -> None:
    async with recorded() as (client, url, rows):
        status, _ = await get(
            client, url + f"/broken?token={SECRET}", headers={"Authorization": f"Bearer {SECRET}"}
        )
        assert status == 500
        logged = await until(lambda: rows("/http/log"))
        (row,) = await rows("/http/requests")

    text = logged[0]["text"][0]
    assert text.startswith("GET /broken: 500 RuntimeError: broken by")
    assert "Traceback" in text
    assert SECRET not in text
    assert (row["status"], row["failed"]) == ([500], [True])
    # And it is still told where it was told before.
    assert "Error handling request" in caplog.text


async def test_web_sockets() -> None:
    async with recorded() as (client, url, rows):
        async with client.ws_connect(url + "/ws") as socket:
            await socket.send_str("hello")
            assert (await socket.receive_str()) == "HELLO"
        found = await until(lambda: rows("/http/requests"))

    assert (found[0]["status"], found[0]["close_code"], found[0]["client_disconnected"]) == (
        [101],
        [1000],
        [False],
    )
    assert "WebSocket:messages_sent" not in found[0].arrow, "nobody has counted them"


async def test_clients_that_go_away() -> None:
    async with recorded() as (client, url, rows):
        async with client.get(url + "/endless") as response:
            await response.content.readexactly(5)
        found = await until(lambda: rows("/http/requests"))

    assert (found[0]["client_disconnected"], found[0]["failed"]) == ([True], [False])


async def test_scopes_on_one_connection() -> None:
    async with recorded() as (client, url, rows):
        for _ in range(3):
            await get(client, url + "/inside")
        inside_rows, requests = await rows("/inside"), await rows("/http/requests")

    numbers = [row.times["request"] for row in requests]
    assert len(set(numbers)) == 3
    assert [row.times["request"] for row in inside_rows] == [number for number in numbers for _ in range(2)]


async def test_the_app_is_the_same_without() -> None:
    async def outcomes(app: web.Application) -> list[Any]:
        async with served(app) as url, ClientSession() as client:
            paths = ["/", "/items/17", "/items/0", "/none", "/stream", "/unavailable", "/broken", "/sub/x/3"]
            answers = [await get(client, url + path) for path in paths]
        # In debug mode there is a traceback, and one frame of it is ours.
        return [(status, body if status != 500 else None) for status, body in answers]

    async with rr.AsyncRecordingStream("both") as rec:
        await rec.set_sinks(CaptureSink())
        assert await outcomes(make_app()) == await outcomes(make_app(middleware(recording=rec)))
        assert rec.stats().rows_accepted > 8


async def test_filters_samples_and_details() -> None:
    options = {"exclude": ["/stream"], "sample": lambda request: float(request.path != "/none")}
    async with recorded(headers=True, bodies=100, query=True, **options) as (client, url, rows):
        for path in ("/stream", "/none", "/items/17?token=abcdef&page=2"):
            await get(client, url + path, headers={"Cookie": f"sid={SECRET}"})
        (row,) = await rows("/http/details")
        assert len(await rows("/http/requests")) == 1

    text = row["text"][0]
    assert "page=2" in text
    assert "Cookie: ***" in text
    assert '{"id": "17"}' in text
    assert SECRET not in text
    assert "abcdef" not in text


async def test_routes_named_by_the_user() -> None:
    async with recorded(route=lambda request: "/mine" if request.path == "/" else None) as (
        client,
        url,
        rows,
    ):
        await get(client, url + "/")
        await get(client, url + "/stream")
        found = [row.entity_path for row in await rows("/http/requests")]

    assert found == ["/http/requests/mine/GET", "/http/requests/stream/GET"]


async def test_a_recording_that_cannot_be_opened_keeps_the_service_from_starting() -> None:
    app = make_app()
    app.cleanup_ctx.append(cleanup_ctx(save="/nowhere/at/all.rrd"))
    with pytest.raises(rr.SinkOpenError):
        async with served(app):
            pass


async def test_client_requests() -> None:
    sink = CaptureSink()
    app = make_app()
    async with rr.AsyncRecordingStream("client") as rec:
        await rec.set_sinks(sink)
        async with served(app) as url, ClientSession(trace_configs=[trace_config()]) as client:
            with rec.at("request", sequence=7):
                await get(client, url + "/items/17")
                async with client.post(url + "/echo", data=b"12345") as response:
                    await response.read()
        with pytest.raises(aiohttp.ClientError):
            async with ClientSession(trace_configs=[trace_config(recording=rec)]) as client:
                await get(client, url + f"/?token={SECRET}")

    got, failed = await sink.rows(r"http/client/requests/127.0.0.1/GET")
    (posted,) = await sink.rows(r"http/client/requests/127.0.0.1/POST")
    assert got.times == posted.times == {"request": 7}
    assert (got["status"], got["received_bytes"], got["failed"]) == ([200], [12], [False])
    assert posted["sent_bytes"] == [5]
    assert (failed["status"], failed["failed"]) == ([0], [True])
    (log,) = await sink.rows("http/client/log")
    assert log["text"][0].startswith("GET 127.0.0.1 ClientConnectorError: Cannot connect")
    assert SECRET not in log["text"][0]


async def test_client_requests_by_name() -> None:
    sink = CaptureSink()
    async with rr.AsyncRecordingStream("client") as rec:
        await rec.set_sinks(sink)
        trace = trace_config(route=lambda method, url: f"items{url.path}"[:6], entity_path="out")
        async with served(make_app()) as url, ClientSession(trace_configs=[trace]) as client:
            await get(client, url + "/items/17")

    assert len(await sink.rows("out/requests/items/GET")) == 1


async def test_a_client_is_not_affected_by_errors_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    def fail(method: str, url: Any) -> str:
        raise ZeroDivisionError("no name")

    async with rr.AsyncRecordingStream("client") as rec:
        await rec.set_sinks(CaptureSink())
        trace = trace_config(recording=rec, route=fail)
        async with served(make_app()) as url, ClientSession(trace_configs=[trace]) as client:
            assert [(await get(client, url + "/"))[0] for _ in range(2)] == [200, 200]
        with pytest.raises(aiohttp.ClientConnectorError):
            async with ClientSession(trace_configs=[trace]) as client:
                await get(client, url)
    assert caplog.text.count("a client request could not be recorded") == 1


async def test_a_client_without_a_recording() -> None:
    async with served(make_app()) as url, ClientSession(trace_configs=[trace_config()]) as client:
        assert (await get(client, url + "/"))[0] == 200


async def test_secrets_are_nowhere_in_the_bytes() -> None:
    async with rr.AsyncRecordingStream("secrets") as rec:
        memory = await rec.memory_recording()
        async with served(make_app(middleware(recording=rec))) as url, ClientSession() as client:
            await get(
                client,
                f"{url}/broken?token={SECRET}",
                headers={"Authorization": f"Bearer {SECRET}", "Cookie": f"sid={SECRET}"},
            )
        data = await memory.drain_as_bytes()

    plain = repr(rows_of(data)).encode()
    assert b"RuntimeError" in plain
    for searched in (data, plain):
        assert SECRET.encode() not in searched


def test_without_aiohttp_the_error_names_the_extra() -> None:
    code = "import sys; sys.modules['aiohttp'] = None; import aiorerun.integrations.aiohttp"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )

    assert "pip install 'aiorerun[aiohttp]'" in done.stderr
