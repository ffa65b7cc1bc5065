"""An aiohttp service whose requests are on a timeline, those that it makes itself included.

Run it with ``python -m aiohttp.web -H 127.0.0.1 -P 8080 examples.services.aiohttp_service:main``; it writes
``aiohttp-<pid>.rrd``. ``bare_main`` is the same without telemetry.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiohttp import ClientSession, WSMsgType, web

import aiorerun as rr
from aiorerun.integrations.aiohttp import setup, trace_config

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CLIENT = web.AppKey("client", ClientSession)


async def home(request: web.Request) -> web.Response:
    return web.json_response({"hello": "world"})


async def item(request: web.Request) -> web.Response:
    number = int(request.match_info["item_id"])
    if number >= 100:
        raise web.HTTPNotFound(text="no such item")
    return web.json_response({"id": number, "name": f"item {number}"})


async def slow(request: web.Request) -> web.Response:
    number = int(request.match_info["number"])
    # Wherever this is logged from, it lands in the scope of this request.
    await rr.log("steps", rr.TextLog(f"request {number} waits"))
    await asyncio.sleep(0.01)
    await rr.log("steps", rr.TextLog(f"request {number} goes on"))
    return web.json_response({"number": number})


async def twice(request: web.Request) -> web.Response:
    """Asks this very service for something: that request is recorded in the scope of this one."""
    async with request.app[CLIENT].get(request.url.with_path("/items/1")) as response:
        return web.json_response(await response.json())


async def echo(request: web.Request) -> web.Response:
    return web.json_response({"bytes": len(await request.read())})


async def stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for number in range(int(request.match_info["chunks"])):
        await asyncio.sleep(0.001)
        await response.write(f"{number}\n".encode())
    await response.write_eof()
    return response


async def fail(request: web.Request) -> web.Response:
    raise RuntimeError("this handler is broken")


async def shout(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data.upper())
    return socket


async def client(app: web.Application) -> AsyncIterator[None]:
    async with ClientSession(trace_configs=[trace_config()]) as session:
        app[CLIENT] = session
        yield


def make_app(**telemetry: Any) -> web.Application:
    app = web.Application()
    app.router.add_get("/", home)
    app.router.add_get("/items/{item_id}", item)
    app.router.add_get("/slow/{number}", slow)
    app.router.add_get("/twice", twice)
    app.router.add_post("/echo", echo)
    app.router.add_get("/stream/{chunks}", stream)
    app.router.add_get("/fail", fail)
    app.router.add_get("/ws", shout)
    app.cleanup_ctx.append(client)
    if telemetry:
        setup(app, **telemetry)
    return app


def main(arguments: list[str]) -> web.Application:
    return make_app(save="aiohttp-{pid}.rrd")


def bare_main(arguments: list[str]) -> web.Application:
    return make_app()
