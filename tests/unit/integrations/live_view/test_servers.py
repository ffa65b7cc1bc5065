"""Live views under real servers: uvicorn, Hypercorn over HTTP/2, aiohttp; and how they end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import hypercorn.asyncio
import numpy as np
import pytest
from aiohttp import web
from fastapi import FastAPI, HTTPException
from hypercorn.config import Config
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount

import aiorerun as rr
from aiorerun.integrations.live_view import aiohttp as view_of_aiohttp, asgi as view_of_asgi
from aiorerun.integrations.live_view.asgi import GRPC_PATH, LiveView
from aiorerun.integrations.live_view.crossing import run_there
from aiorerun.net.methods import READ_MESSAGES
from tests.e2e.services import running, serving_aiohttp
from tests.reading import scalars_of
from tests.unit.server.peers import TIMEOUT, http, http_request, parse_answer, until
from tests.unit.viewer.standin import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from pathlib import Path

    from starlette.requests import Request

    from aiorerun.integrations.live_view.core import LiveViewCore
    from aiorerun.integrations.live_view.request import ViewRequest

WEB = (("content-type", "application/grpc-web+proto"), ("x-grpc-web", "1"))


async def pass_on(request: Request, call_next: Callable[[Request], Awaitable[Any]]) -> Any:
    return await call_next(request)


@asynccontextmanager
async def service(
    rec: rr.AsyncRecordingStream, tmp_path: Path, *, is_wrapped: bool = False, **options: Any
) -> AsyncGenerator[tuple[int, LiveView]]:
    """A FastAPI app under uvicorn, with or without middlewares between."""
    async with LiveView(rec, cache_dir=tmp_path, **options) as view:
        app = FastAPI()
        app.mount("/telemetry", view)
        app.mount(GRPC_PATH, view.grpc_web)
        if is_wrapped:
            app.add_middleware(GZipMiddleware)
            app.add_middleware(BaseHTTPMiddleware, dispatch=pass_on)
        async with running(app) as port:
            yield port, view


@asynccontextmanager
async def aiohttp_service(
    _: rr.AsyncRecordingStream, tmp_path: Path, *, is_wrapped: bool = False, **options: Any
) -> AsyncGenerator[tuple[int, LiveViewCore]]:
    async with serving_aiohttp("unused", cache_dir=tmp_path, **options) as made:
        yield made.port, made.view


def rec_of(view: LiveViewCore) -> rr.AsyncRecordingStream:
    recording: Any = view._rec
    return recording  # type: ignore[no-any-return]


@pytest.fixture(params=["uvicorn", "wrapped", "aiohttp"])
async def served(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncGenerator[tuple[int, LiveViewCore, rr.AsyncRecordingStream]]:
    """A service on each kind of server: its port, its view and what it logs to."""
    rec = rr.AsyncRecordingStream("app", recording_id=request.param, send_properties=False)
    serve: Any = aiohttp_service if request.param == "aiohttp" else service
    async with serve(rec, tmp_path, is_wrapped=request.param == "wrapped") as (port, view):
        yield port, view, rec_of(view)


async def log(rec: rr.AsyncRecordingStream, *values: float) -> None:
    for value in values:
        await rec.log("value", rr.Scalars(value))
    await rec.flush()


def is_complete(answer: bytes) -> bool:
    """Whether an answer in chunks says that there are no more."""
    return answer.endswith(b"\r\n0\r\n\r\n")


async def test_a_stream_over_http(served: tuple[int, LiveViewCore, rr.AsyncRecordingStream]) -> None:
    port, view, rec = served
    await log(rec, 1.0)
    gzip = {"accept-encoding": "gzip"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/telemetry", timeout=TIMEOUT) as client:
        answer = await client.get("recording.rrd?follow=0", headers=gzip)
        assert answer.status_code == 200
        assert scalars_of(answer.content, "/value") == [1.0]
        data = b""
        async with client.stream("GET", "recording.rrd", headers=gzip) as stream:
            value = 1.0
            async for piece in stream.aiter_bytes():
                data += piece
                if scalars_of(data, "/value")[-1:] == [value]:
                    if value == 4.0:
                        break
                    # Each row comes by itself: nothing collects them on the way.
                    value += 1.0
                    await log(rec, value)
            assert view.num_readers == 1
        # A reader that leaves is gone at once, though there is nothing to send.
        await until(lambda: view.num_readers == 0)
        page = await client.get(f"http://127.0.0.1:{port}/telemetry", follow_redirects=True)
        assert str(page.url).endswith("/telemetry/")
        assert page.headers["content-type"].startswith("text/html")
        assert (await client.get("page.js", headers=gzip)).text.startswith("//")
        assert (await client.head("recording.rrd")).status_code == 200
        assert (await client.get("nothing")).status_code == 404


async def test_grpc_web_at_the_root(served: tuple[int, LiveViewCore, rr.AsyncRecordingStream]) -> None:
    port, view, rec = served
    await log(rec, 1.0)
    reading = asyncio.create_task(
        http(port, http_request(headers=WEB, body=bytes(5), host=f"127.0.0.1:{port}"), timeout=TIMEOUT)
    )
    await until(lambda: view.num_readers == 1)
    await rec.disconnect()
    answer = await reading
    assert is_complete(answer)
    status, headers, body = parse_answer(answer)
    assert (status, headers["content-type"]) == (200, "application/grpc-web+proto")
    assert b"/value" in body
    assert body.endswith(b"grpc-status:0\r\n")
    below = http_request(path=f"/telemetry{READ_MESSAGES}", headers=(), host=f"127.0.0.1:{port}")
    assert parse_answer(await http(port, below))[0] == 400


async def test_a_reader_that_stands_still_is_cut_off_and_nobody_waits(
    served: tuple[int, LiveViewCore, rr.AsyncRecordingStream],
) -> None:
    port, view, rec = served
    hub = view.sink.hub
    assert hub is not None
    hub.reader_bytes = 1 << 20
    hub.history.limit = 1 << 20
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    try:
        writer.write(http_request("GET", "/telemetry/recording.rrd", host=f"127.0.0.1:{port}"))
        await until(lambda: view.num_readers == 1)
        noise = np.random.default_rng(1).random(131072)
        number = 0
        async with asyncio.timeout(60):
            while view.num_readers:
                # The sockets take some MiB.
                await rec.log("noise", rr.Scalars(noise + number))
                await rec.flush()
                number += 1
        assert rec.stats().rows_dropped == 0
        data = bytearray()
        async with asyncio.timeout(TIMEOUT):
            with contextlib.suppress(ConnectionError):
                while piece := await reader.read(1 << 20):
                    data += piece
        # Where the recording ends does not tell: it may have been cut off between two messages.
        assert len(data) < number * noise.nbytes
        if rec._store.recording_id != "wrapped":
            # A middleware that wraps answers ends them in order, whatever is raised within.
            assert not is_complete(bytes(data))
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_reader_that_takes_too_long_is_cut_off(
    served: tuple[int, LiveViewCore, rr.AsyncRecordingStream], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, view, rec = served
    for exchange in (view_of_asgi.AsgiExchange, view_of_aiohttp.AiohttpExchange):
        monkeypatch.setattr(exchange.__init__, "__defaults__", (0.3,))
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    try:
        writer.write(http_request("GET", "/telemetry/recording.rrd", host=f"127.0.0.1:{port}"))
        await until(lambda: view.num_readers == 1)
        noise = np.random.default_rng(1).random(131072)
        for number in range(20):
            await rec.log("noise", rr.Scalars(noise + number))
            await rec.flush()
        await until(lambda: view.num_readers == 0)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    assert not reader.at_eof()


async def test_what_the_hook_raises_is_an_answer_of_the_service(tmp_path: Path) -> None:
    rec = rr.AsyncRecordingStream("app", recording_id="raises", send_properties=False)

    async def teapot(request: ViewRequest) -> bool:
        raise HTTPException(418, request.native["path"])

    async with service(rec, tmp_path, authorize=teapot) as (port, _):
        answer = await http(port, http_request("GET", "/telemetry/recording.rrd"))
        assert parse_answer(answer)[0] == 418


async def test_behind_a_prefix_that_a_proxy_takes_off(tmp_path: Path) -> None:
    rec = rr.AsyncRecordingStream("app", recording_id="prefix", send_properties=False)
    async with LiveView(rec, cache_dir=tmp_path) as view:
        app = Starlette(routes=[Mount("/inner", routes=[Mount("/telemetry", view)])])
        async with running(app, root_path="/outer") as port:
            answer = await http(port, http_request("GET", "/inner/telemetry/page.js"))
            assert parse_answer(answer)[0] == 200
            answer = await http(port, http_request("GET", "/inner/telemetry"))
            assert parse_answer(answer)[0] == 307


async def test_hypercorn_over_http_2(tmp_path: Path) -> None:
    rec = rr.AsyncRecordingStream("app", recording_id="h2", send_properties=False)
    end = asyncio.Event()
    async with LiveView(rec, cache_dir=tmp_path) as view:
        app = FastAPI()
        app.mount("/telemetry", view)
        port = free_port()
        config = Config.from_mapping(bind=f"127.0.0.1:{port}", graceful_timeout=5.0)
        wait: Any = end.wait
        serving = asyncio.create_task(hypercorn.asyncio.serve(app, config, shutdown_trigger=wait))  # type: ignore[arg-type]
        base = f"http://127.0.0.1:{port}/telemetry"
        try:
            async with httpx.AsyncClient(http1=False, http2=True, timeout=TIMEOUT) as client:
                async with asyncio.timeout(TIMEOUT):
                    while True:
                        with contextlib.suppress(httpx.ConnectError):
                            answer = await client.get(f"{base}/live.js")
                            break
                        await asyncio.sleep(0.02)
                assert (answer.status_code, answer.http_version) == (200, "HTTP/2")
                await log(rec, 1.0)
                data = b""
                async with client.stream("GET", f"{base}/recording.rrd") as stream:
                    async for piece in stream.aiter_bytes():
                        data += piece
                        if scalars_of(data, "/value") == [1.0, 2.0]:
                            break
                        if scalars_of(data, "/value") == [1.0]:
                            await log(rec, 2.0)
            # This client tells only with the end of the connection that it has left.
            await until(lambda: view.num_readers == 0)
        finally:
            end.set()
            await asyncio.wait_for(serving, TIMEOUT)


async def connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to a service that begins."""
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(ConnectionError):
                return await asyncio.open_connection("127.0.0.1", port)
            await asyncio.sleep(0.02)


SERVICE = """
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import aiorerun as rr

rec = rr.AsyncRecordingStream("app", recording_id="child")
kind, port = sys.argv[1], int(sys.argv[2])
if kind == "aiohttp":
    from aiohttp import web
    from aiorerun.integrations.live_view.aiohttp import live_view_app

    app = web.Application()
    app.add_subapp("/telemetry/", live_view_app(rec))
    web.run_app(app, host="127.0.0.1", port=port, print=None)
else:
    import uvicorn
    from fastapi import FastAPI
    from aiorerun.integrations.live_view.asgi import LiveView

    view = LiveView(rec)

    @asynccontextmanager
    async def lifespan(app):
        async with view:
            yield

    app = FastAPI(lifespan=lifespan)
    app.mount("/telemetry", view)
    uvicorn.run(app, port=port, log_level="warning")
Path("ended").write_text("in order")
"""


@pytest.mark.parametrize("kind", ["uvicorn", "aiohttp"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_service_with_readers_ends_at_once(kind: str, number: signal.Signals, tmp_path: Path) -> None:
    port = free_port()
    request = http_request("GET", "/telemetry/recording.rrd", host=f"127.0.0.1:{port}")
    with (tmp_path / "log").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-W", "error", "-c", SERVICE, kind, str(port)),
            cwd=tmp_path,
            stdout=output,
            stderr=output,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONASYNCIODEBUG": "1"},
        )
    try:
        reader, writer = await connected(port)
        writer.write(request)
        async with asyncio.timeout(TIMEOUT):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            process.send_signal(number)
            # All there is, and its end.
            assert (await reader.read()).endswith(b"0\r\n\r\n")
            writer.close()
        await asyncio.wait_for(process.wait(), 5)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    said = (tmp_path / "log").read_text()
    assert "Traceback" not in said or number is signal.SIGINT, said
    assert "rror" not in said, said


async def test_what_the_hook_raises_is_an_answer_of_aiohttp(tmp_path: Path) -> None:
    def refuse(request: ViewRequest) -> bool:
        if request.native.query.get("how") == "badly":
            raise PermissionError
        raise web.HTTPUnauthorized

    async with serving_aiohttp("raises", cache_dir=tmp_path, authorize=refuse) as made:
        for path, status in (("/telemetry/", 401), ("/telemetry/recording.rrd?how=badly", 500)):
            assert parse_answer(await http(made.port, http_request("GET", path)))[0] == status


async def test_a_loop_that_is_closed_has_nobody_to_answer() -> None:
    async def nothing() -> None: ...

    loop = asyncio.new_event_loop()
    loop.close()
    with pytest.raises(ConnectionAbortedError, match="closed"):
        await run_there(loop, nothing())
