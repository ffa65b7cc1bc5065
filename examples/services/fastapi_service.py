"""A FastAPI service whose requests are on a timeline, and live on a page of its own.

Run it with ``uvicorn examples.services.fastapi_service:app``, and open ``http://127.0.0.1:8000/telemetry/``.
It writes ``fastapi-<pid>.rrd``, with several ``--workers`` one each. ``bare_app`` is the same without
telemetry.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
from fastapi import BackgroundTasks, FastAPI, HTTPException, Request, WebSocket
from fastapi.responses import StreamingResponse

import aiorerun as rr
from aiorerun.integrations.asgi import RerunMiddleware
from aiorerun.integrations.live_view.asgi import LiveView

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ITEMS = {number: f"item {number}" for number in range(100)}


def make_app(**telemetry: Any) -> FastAPI:
    app = FastAPI()
    add_routes(app)
    add_streams(app)
    if telemetry:
        app.add_middleware(RerunMiddleware, **telemetry)
    return app


def make_watched_app() -> FastAPI:
    view = LiveView()
    # Whoever watches is not recorded.
    app = make_app(save="fastapi-{pid}.rrd", sinks=[view.sink], exclude=["/telemetry*"])
    app.mount("/telemetry", view)
    return app


def add_routes(app: FastAPI) -> None:
    @app.get("/")
    async def home() -> dict[str, str]:
        return {"hello": "world"}

    @app.get("/items/{item_id}")
    async def item(item_id: int) -> dict[str, Any]:
        if item_id not in ITEMS:
            raise HTTPException(404, "no such item")
        return {"id": item_id, "name": ITEMS[item_id]}

    @app.get("/slow/{number}")
    async def slow(number: int) -> dict[str, int]:
        # Wherever this is logged from, it lands in the scope of this request.
        await rr.log("steps", rr.TextLog(f"request {number} waits"))
        await asyncio.sleep(0.01)
        await rr.log("steps", rr.TextLog(f"request {number} goes on"))
        return {"number": number}

    @app.get("/thread/{number}")
    def thread(number: int) -> dict[str, int]:
        rr.log_nowait("steps", rr.TextLog(f"request {number} runs in a thread"))
        return {"number": number}

    @app.get("/paint/{red}/{green}/{blue}")
    async def paint(red: int, green: int, blue: int) -> str:
        await rr.log("painted", rr.Image(np.full((64, 64, 3), (red, green, blue), np.uint8)))
        return "done"

    @app.get("/fail")
    async def fail() -> None:
        raise RuntimeError("this handler is broken")

    @app.post("/echo")
    async def echo(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    @app.post("/mail/{number}", status_code=202)
    async def mail(number: int, background: BackgroundTasks) -> dict[str, str]:
        background.add_task(send_mail, number)
        return {"status": "queued"}


def add_streams(app: FastAPI) -> None:
    @app.get("/stream/{chunks}")
    async def stream(chunks: int) -> StreamingResponse:
        return StreamingResponse(count(chunks), media_type="text/plain")

    @app.websocket("/ws")
    async def shout(socket: WebSocket) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_text(text.upper())


async def send_mail(number: int) -> None:
    await asyncio.sleep(0.01)
    await rr.log("steps", rr.TextLog(f"request {number} has sent its mail"))


async def count(chunks: int) -> AsyncIterator[str]:
    for number in range(chunks):
        await asyncio.sleep(0.001)
        yield f"{number}\n"


app = make_watched_app()
bare_app = make_app()
