"""Small web services with a live view, and what they are asked for."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import uvicorn
from aiohttp import web
from fastapi import FastAPI, Request

import aiorerun as rr
from aiorerun.integrations.live_view.aiohttp import VIEW, grpc_web_app, live_view_app
from aiorerun.integrations.live_view.asgi import GRPC_PATH, LiveView
from tests.e2e.scene import APPLICATION, COLOR

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from aiorerun.integrations.live_view.core import LiveViewCore

SECS = 20.0


class Service:
    """A service that runs.

    Attributes:
        port: Where.
        view: Its live view.
    """

    def __init__(self, port: int, view: LiveViewCore) -> None:
        self.port = port
        self.view = view

    @property
    def page(self) -> str:
        """The page of its live view."""
        return f"http://127.0.0.1:{self.port}/telemetry/"

    async def get(self, path: str) -> bytes:
        """What it answers; the connection is closed then."""
        async with asyncio.timeout(SECS):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                writer.write(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{self.port}\r\n\r\n".encode())
                return await reader.read()
            finally:
                writer.close()
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()


async def log_request(rec: rr.AsyncRecordingStream, method: str, path: str) -> None:
    """What services log of a request: where it went, and an image of one colour for each to /paint."""
    await rec.log("requests", rr.TextLog(f"{method} {path}"))
    if path == "/paint":
        await rec.log("img", rr.Image(np.full((64, 64, 3), COLOR, np.uint8)))


@asynccontextmanager
async def running(app: Any, **options: Any) -> AsyncGenerator[int]:
    """Runs an ASGI app under uvicorn on a free port; gives that."""
    settings: dict[str, Any] = {
        "port": 0,
        "log_level": "warning",
        "ws": "none",
        "timeout_graceful_shutdown": 10,
    }
    config = uvicorn.Config(app, **settings | options)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(SECS):
            while not server.started:
                assert not serving.done()
                await asyncio.sleep(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await asyncio.wait_for(serving, SECS)


def fastapi_service(rec: rr.AsyncRecordingStream, **options: Any) -> tuple[FastAPI, LiveView]:
    """A FastAPI app that logs its requests, and shows them."""
    view = LiveView(rec, **options)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with view:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.middleware("http")
    async def note(request: Request, call_next: Callable[[Request], Awaitable[Any]]) -> Any:
        await log_request(rec, request.method, request.url.path)
        return await call_next(request)

    @app.get("/paint")
    async def paint() -> str:
        return "done"

    app.mount("/telemetry", view)
    app.mount(GRPC_PATH, view.grpc_web)
    return app, view


@asynccontextmanager
async def serving_fastapi(recording_id: str, **options: Any) -> AsyncGenerator[Service]:
    """A FastAPI service under uvicorn."""
    rec = rr.AsyncRecordingStream(APPLICATION, recording_id=recording_id)
    app, view = fastapi_service(rec, **options)
    async with running(app) as port:
        yield Service(port, view)


@asynccontextmanager
async def serving_aiohttp(recording_id: str, port: int = 0, **options: Any) -> AsyncGenerator[Service]:
    """The same with aiohttp."""
    rec = rr.AsyncRecordingStream(APPLICATION, recording_id=recording_id)

    @web.middleware
    async def note(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        await log_request(rec, request.method, request.path)
        return await handler(request)

    async def paint(_: web.Request) -> web.Response:
        return web.Response(text="done")

    app = web.Application(middlewares=[note])
    app.router.add_get("/paint", paint)
    view_app = live_view_app(rec, **options)
    app.add_subapp("/telemetry/", view_app)
    app.add_subapp(GRPC_PATH, grpc_web_app(view_app))
    runner = web.AppRunner(app, shutdown_timeout=10)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        yield Service(runner.addresses[0][1], view_app[VIEW])
    finally:
        await runner.cleanup()
