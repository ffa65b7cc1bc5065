"""Drives ASGI applications without a server, and notes everything that a server would see."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

Message: TypeAlias = "dict[str, Any]"
App: TypeAlias = "Callable[[Any, Any, Any], Awaitable[None]]"

BODY: Message = {"type": "http.request", "body": b"", "more_body": False}


@dataclass(slots=True)
class Transcript:
    """What an application did.

    Attributes:
        sent: Its messages.
        received: How many messages it has asked for.
        error: What it raised.
    """

    sent: list[Message] = field(default_factory=list)
    received: int = 0
    error: BaseException | None = None

    def shown(self) -> tuple[Any, ...]:
        """Everything, comparable."""
        return self.sent, self.received, type(self.error), str(self.error), told(self.error)


def told(error: BaseException | None) -> list[str]:
    """An exception with its causes and members, as texts."""
    if error is None:
        return []
    members = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    more = [text for member in (*members, error.__cause__, error.__context__) for text in told(member)]
    return [repr(error), *more]


def http_scope(path: str = "/", method: str = "GET", **more: Any) -> dict[str, Any]:
    """A scope as servers make it."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"test")],
        "client": ("127.0.0.1", 1234),
        "server": ("127.0.0.1", 80),
        **more,
    }


def socket_scope(path: str = "/ws", **more: Any) -> dict[str, Any]:
    """The same for a WebSocket connection."""
    scope = http_scope(path, **more)
    del scope["method"]
    return {**scope, "type": "websocket", "scheme": "ws", "subprotocols": []}


async def until(condition: Callable[[], Awaitable[Any]], timeout: float = 20) -> Any:
    """Waits until this gives something, and returns it."""
    async with asyncio.timeout(timeout):
        while not (found := await condition()):  # noqa: ASYNC110 - files and rows cannot be awaited
            await asyncio.sleep(0.01)
    return found


async def drive(
    app: App,
    scope: Any,
    incoming: Iterable[Message] = (BODY,),
    *,
    fail_at: str | None = None,
    cancel_after: int | None = None,
) -> Transcript:
    """Runs an application for one scope.

    Args:
        app: The application.
        scope: The scope.
        incoming: The messages of the client; after them it is gone.
        fail_at: ``send`` raises ``OSError`` for messages of this type.
        cancel_after: The task is cancelled when so many messages were sent.
    """
    transcript = Transcript()
    waiting = list(incoming)
    gone = "websocket.disconnect" if scope["type"] == "websocket" else "http.disconnect"
    enough = asyncio.Event()

    async def receive() -> Message:
        transcript.received += 1
        await asyncio.sleep(0)
        return waiting.pop(0) if waiting else {"type": gone}

    async def send(message: Message) -> None:
        await asyncio.sleep(0)
        if message["type"] == fail_at:
            raise OSError("the client is gone")
        transcript.sent.append(dict(message))
        if cancel_after is not None and len(transcript.sent) >= cancel_after:
            enough.set()

    async def run() -> None:
        try:
            await app(scope, receive, send)
        except BaseException as error:
            transcript.error = error

    task = asyncio.create_task(run())
    if cancel_after is not None:
        await asyncio.wait_for(enough.wait(), 10)
        task.cancel()
    await asyncio.wait_for(task, 10)
    return transcript
