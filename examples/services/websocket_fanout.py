"""A chat: what one WebSocket sends, all others of its room get. Rooms and queues are on a timeline.

Run it with ``uvicorn examples.services.websocket_fanout:app``; it writes ``fanout-<pid>.rrd``. ``bare_app``
is the same without telemetry.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

import aiorerun as rr
from aiorerun.integrations.asgi import RerunMiddleware

QUEUE_SIZE = 100


class Rooms:
    """Who is in which room, and what waits for them. Slow members lose messages, and hold up nobody."""

    def __init__(self) -> None:
        self.members: defaultdict[str, set[asyncio.Queue[str]]] = defaultdict(set)

    def join(self, room: str) -> asyncio.Queue[str]:
        queue: asyncio.Queue[str] = asyncio.Queue(QUEUE_SIZE)
        self.members[room].add(queue)
        self._tell(room)
        return queue

    def leave(self, room: str, queue: asyncio.Queue[str]) -> None:
        self.members[room].discard(queue)
        self._tell(room)
        if not self.members[room]:
            del self.members[room]

    def publish(self, room: str, text: str) -> None:
        lost = 0
        for queue in self.members[room]:
            if queue.full():
                lost += 1
            else:
                queue.put_nowait(text)
        if lost:
            rr.log_nowait(f"rooms/{room}/lost", rr.Scalars(lost))

    def _tell(self, room: str) -> None:
        rr.log_nowait(f"rooms/{room}/members", rr.Scalars(len(self.members[room])))


rooms = Rooms()


async def chat(socket: WebSocket) -> None:
    room = socket.path_params["room"]
    await socket.accept()
    queue = rooms.join(room)
    sender = asyncio.create_task(send_all(socket, queue))
    try:
        while True:
            rooms.publish(room, await socket.receive_text())
    except WebSocketDisconnect:
        pass
    finally:
        sender.cancel()
        rooms.leave(room, queue)


async def send_all(socket: WebSocket, queue: asyncio.Queue[str]) -> None:
    while True:
        await socket.send_text(await queue.get())


def make_app(**telemetry: Any) -> Starlette:
    app = Starlette(routes=[WebSocketRoute("/rooms/{room}", chat)])
    if telemetry:
        app.add_middleware(RerunMiddleware, **telemetry)
    return app


app = make_app(save="fanout-{pid}.rrd")
bare_app = make_app()
