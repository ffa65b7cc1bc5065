"""A server of ASGI for tests, of one request: what the app sends is looked at as it comes, or not taken."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from tests.unit.server.peers import TIMEOUT, until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, MutableMapping

    from aiorerun.integrations.live_view.asgi import LiveView

HOST = ("host", "127.0.0.1:8000")


def scope_of(
    target: str = "/",
    *,
    method: str = "GET",
    headers: tuple[tuple[str, str], ...] = (HOST,),
    root_path: str = "",
    client: tuple[str, int] | None = ("127.0.0.1", 50000),
    **more: Any,
) -> dict[str, Any]:
    """The scope of a request."""
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": root_path,
        "headers": [(name.encode(), value.encode()) for name, value in headers],
        "client": client,
        "server": ("127.0.0.1", 8000),
        **more,
    }


class Peer:
    """The other side of one request.

    Attributes:
        messages: What the app has sent.
        takes: Cleared, the app's sending is not finished.
    """

    def __init__(self, body: bytes = b"") -> None:
        self.messages: list[MutableMapping[str, Any]] = []
        self.takes = asyncio.Event()
        self.takes.set()
        self._requests: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._requests.put_nowait({"type": "http.request", "body": body, "more_body": False})

    async def receive(self) -> dict[str, Any]:
        return await self._requests.get()

    async def send(self, message: MutableMapping[str, Any]) -> None:
        await self.takes.wait()
        self.messages.append(message)

    def leave(self) -> None:
        """Closes the connection."""
        self._requests.put_nowait({"type": "http.disconnect"})

    @property
    def status(self) -> int:
        """The status of the answer."""
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the answer."""
        return {name.decode(): value.decode() for name, value in self.messages[0]["headers"]}

    @property
    def body(self) -> bytes:
        """What has come of the body."""
        return b"".join(message.get("body", b"") for message in self.messages[1:])

    @property
    def is_complete(self) -> bool:
        """Whether the answer has ended."""
        return bool(self.messages) and not self.messages[-1].get("more_body", True)

    async def until(self, condition: Callable[[Peer], bool]) -> None:
        """Waits until what has come is as expected."""
        await until(lambda: condition(self))


async def ask(view: Any, target: str = "/", *, body: bytes = b"", **options: Any) -> Peer:
    """The whole answer to a request; fails unless it ends."""
    peer = Peer(body)
    async with asyncio.timeout(TIMEOUT):
        await view(scope_of(target, **options), peer.receive, peer.send)
    return peer


@asynccontextmanager
async def asking(
    view: LiveView | Any, target: str, *, body: bytes = b"", **options: Any
) -> AsyncGenerator[tuple[Peer, asyncio.Task[None]]]:
    """A request whose answer goes on; its peer leaves in the end."""
    peer = Peer(body)
    task = asyncio.create_task(view(scope_of(target, **options), peer.receive, peer.send))
    try:
        yield peer, task
    finally:
        peer.takes.set()
        peer.leave()
        await asyncio.wait({task}, timeout=TIMEOUT)
        assert task.done()
