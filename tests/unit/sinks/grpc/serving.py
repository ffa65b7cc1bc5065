"""A small server that can be told to misbehave, and what sinks need to be driven without a stream."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar

import grpclib.const
import grpclib.server
from grpclib.exceptions import GRPCError

from aiorerun.net.logmsg import parse_log_msg
from aiorerun.net.methods import WRITE_MESSAGES, RawCodec
from tests.unit.codec.building import STORE

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from aiorerun.net.logmsg import ParsedLogMsg
    from aiorerun.sinks.grpc import GrpcSink

T = TypeVar("T")

PATIENCE = 20.0
"""So many seconds a condition may take to come true, on a machine that is busy."""


class _Server(grpclib.server.Server):
    """grpclib's, with its connections at hand."""

    def __init__(self, handlers: list[Any], **options: Any) -> None:
        super().__init__(handlers, **options)
        self.protocols: list[Any] = []

    def _protocol_factory(self) -> Any:
        protocol = super()._protocol_factory()
        self.protocols.append(protocol)
        return protocol


class FakeServer:
    """Takes messages and keeps them.

    Attributes:
        streams: What came in over each stream, in order.
        ended: How many streams were confirmed.
        headers: The metadata of each stream.
        reads: Cleared, messages are not read.
        answers: Cleared, streams are not confirmed.
        refuses: Answered to every stream at once.
        refuses_after: Answered to a stream after so many messages.
        connections: Connections so far.
    """

    def __init__(self, *, token: str | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.streams: list[list[ParsedLogMsg]] = []
        self.ended = 0
        self.headers: list[Any] = []
        self.reads = asyncio.Event()
        self.answers = asyncio.Event()
        self.reads.set()
        self.answers.set()
        self.refuses: grpclib.const.Status | None = None
        self.refuses_after: tuple[int, grpclib.const.Status] | None = None
        self.connections = 0
        self.port = 0
        self._token = token
        self._tls = tls
        self._server: _Server | None = None

    def __mapping__(self) -> dict[str, Any]:
        cardinality = grpclib.const.Cardinality.STREAM_UNARY
        return {WRITE_MESSAGES: grpclib.const.Handler(self._write_messages, cardinality, bytes, bytes)}

    @property
    def url(self) -> str:
        return f"{'rerun' if self._tls else 'rerun+http'}://localhost:{self.port}/proxy"

    @property
    def messages(self) -> list[ParsedLogMsg]:
        """All that came in."""
        return [message for stream in self.streams for message in stream]

    @property
    def bodies(self) -> list[bytes]:
        return [bytes(message.body) for message in self.messages]

    def chunk_ids(self) -> Counter[bytes]:
        """How often each chunk came in."""
        return Counter(message.chunk_id for message in self.messages if message.chunk_id is not None)

    async def start(self) -> None:
        """Listens; on the same port as before, if it did before."""
        self._server = _Server([self], codec=RawCodec())
        for _ in range(200):
            try:
                await self._server.start("127.0.0.1", self.port, ssl=self._tls)
                break
            except OSError:
                await asyncio.sleep(0.05)
        listening: Any = self._server._server
        self.port = listening.sockets[0].getsockname()[1]

    async def die(self) -> None:
        """Goes away without a word, as a program that was killed."""
        server, self._server = self._server, None
        if server is None:
            return
        self.connections += len(server.protocols)
        self.cut(server)
        server.close()
        await server.wait_closed()

    def cut(self, server: _Server | None = None) -> None:
        """Cuts all connections."""
        for transport in self.transports(server):
            transport.abort()

    def transports(self, server: _Server | None = None) -> list[Any]:
        protocols = (server or self._server or _NOBODY).protocols
        return [
            protocol.connection._transport
            for protocol in protocols
            if hasattr(getattr(protocol, "connection", None), "_transport")
        ]

    async def _write_messages(self, stream: Any) -> None:
        self.headers.append(dict(stream.metadata))
        if self.refuses is not None:
            raise GRPCError(self.refuses, "on purpose")
        if self._token is not None and stream.metadata.get("authorization") != f"Bearer {self._token}":
            raise GRPCError(grpclib.const.Status.UNAUTHENTICATED, "wrong token")
        taken: list[ParsedLogMsg] = []
        self.streams.append(taken)
        while True:
            await self.reads.wait()
            body = await stream.recv_message()
            if body is None:
                break
            taken.append(parse_log_msg(body))
            if self.refuses_after is not None and len(taken) > self.refuses_after[0]:
                raise GRPCError(self.refuses_after[1], "enough of it")
        await self.answers.wait()
        self.ended += 1
        await stream.send_message(b"")


class _NOBODY:
    protocols: list[Any] = []  # noqa: RUF012


@contextlib.asynccontextmanager
async def serving(**options: Any) -> AsyncGenerator[FakeServer]:
    """A server that listens."""
    server = FakeServer(**options)
    await server.start()
    try:
        yield server
    finally:
        server.reads.set()
        server.answers.set()
        await server.die()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def is_empty(directory: Path) -> bool:
    """Whether nothing is left in a directory."""
    return not any(directory.iterdir())


async def until(condition: Callable[[], bool], secs: float = PATIENCE) -> None:
    """Waits for a condition."""
    async with asyncio.timeout(secs):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


class Context:
    """What a stream gives to a sink."""

    def __init__(self) -> None:
        self.store = STORE
        self.has_given_up = False
        self.lost: Counter[str] = Counter()
        self._jobs = asyncio.Lock()

    async def run_blocking(self, function: Callable[[], T]) -> T:
        async with self._jobs:
            return await asyncio.to_thread(function)

    def hold_bytes(self, nbytes: int) -> None: ...

    def lose(self, rows: int, reason: str) -> None:
        assert rows > 0
        self.lost[reason] += rows

    async def give_up(self, call: asyncio.Task[None]) -> None:
        """Ends a call of the sink as the end of the time for closing does."""
        self.has_given_up = True
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait_for(call, PATIENCE)


@contextlib.asynccontextmanager
async def opened(sink: GrpcSink) -> AsyncGenerator[Context]:
    """An open sink; if it was not closed it gives up at the end."""
    context = Context()
    await sink.open(context)
    try:
        yield context
    finally:
        if sink.connection_state != "closed":
            context.has_given_up = True
            await sink.aclose()
