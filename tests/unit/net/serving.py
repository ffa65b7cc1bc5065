"""Servers, taps and loops for tests of what is on the wire."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import grpclib.server
import pytest
from grpclib.config import Configuration
from grpclib.const import Cardinality, Handler

from aiorerun.net.channel import open_channel
from aiorerun.net.endpoint import Endpoint
from aiorerun.net.logmsg import PREFIX, Framed
from aiorerun.net.methods import READ_MESSAGES, WRITE_MESSAGES, RawCodec
from aiorerun.net.protocol import WireProtocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine

    from aiorerun.net.channel import WireChannel

T = TypeVar("T")
SECS = 30.0
"""Longer than anything here may take."""

LOOPS = ["asyncio", "uvloop"]


def run_on(loop: str, main: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end on a loop of this kind."""
    if loop == "asyncio":
        return asyncio.run(main, debug=True)
    try:
        import uvloop
    except ImportError:
        main.close()
        pytest.skip("uvloop is not installed")
    result: T = uvloop.run(main, debug=True)
    return result


def framed(body: bytes) -> Framed:
    """One gRPC message."""
    return Framed(
        (PREFIX.pack(0, len(body)), body) if body else (PREFIX.pack(0, 0),), len(body) + PREFIX.size
    )


class WireServer(grpclib.server.Server):
    """grpclib's server on the package's own protocol."""

    def _protocol_factory(self) -> WireProtocol:
        handler = grpclib.server.Handler(
            self._mapping, self._codec, self._status_details_codec, self.__dispatch__
        )
        self._handlers.add(handler)
        return WireProtocol(handler, self._config, self._h2_config)


@dataclass
class Proxy:
    """The two RPCs, answered by functions of the test."""

    write: Callable[[Any], Awaitable[None]] | None = None
    read: Callable[[Any], Awaitable[None]] | None = None

    def __mapping__(self) -> dict[str, Handler]:
        async def nothing(stream: Any) -> None:
            raise AssertionError("not expected to be called")

        return {
            WRITE_MESSAGES: Handler(self.write or nothing, Cardinality.STREAM_UNARY, bytes, bytes),
            READ_MESSAGES: Handler(self.read or nothing, Cardinality.UNARY_STREAM, bytes, bytes),
        }


@asynccontextmanager
async def serving(
    proxy: Proxy, *, window: int = 4 << 20, stock: bool = False, ssl: Any = None
) -> AsyncGenerator[Endpoint]:
    """A server of grpclib on a free port."""
    kind = grpclib.server.Server if stock else WireServer
    config = Configuration(http2_connection_window_size=window, http2_stream_window_size=window)
    server = kind([proxy], codec=RawCodec(), config=config)  # type: ignore[arg-type]
    await server.start("127.0.0.1", 0, ssl=ssl)
    assert server._server is not None
    port = server._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    try:
        yield Endpoint(ssl is not None, "localhost" if ssl is not None else "127.0.0.1", port)
    finally:
        server.close()
        async with asyncio.timeout(SECS):
            await server.wait_closed()


@asynccontextmanager
async def connected(endpoint: Endpoint, **options: Any) -> AsyncGenerator[WireChannel]:
    """A channel to a server."""
    channel = await open_channel(endpoint, timeout=SECS, **options)
    try:
        yield channel
    finally:
        channel.close()
        await channel.wait_closed()


def writing(channel: WireChannel) -> Any:
    """A call of ``WriteMessages``."""
    return channel.request(WRITE_MESSAGES, Cardinality.STREAM_UNARY, bytes, bytes)


def reading(channel: WireChannel) -> Any:
    """A call of ``ReadMessages``."""
    return channel.request(READ_MESSAGES, Cardinality.UNARY_STREAM, bytes, bytes)


@dataclass
class Direction:
    """One direction of a connection, taken apart into frames.

    Attributes:
        frames: Type, flags, stream and length of every frame.
        data: What came in DATA frames.
    """

    is_client: bool
    frames: list[tuple[int, int, int, int]] = field(default_factory=list)
    data: bytearray = field(default_factory=bytearray)
    _buffer: bytearray = field(default_factory=bytearray)
    _has_preface: bool = False

    def feed(self, data: bytes) -> list[tuple[int, int, int, bytes]]:
        """The frames that these bytes complete."""
        self._buffer += data
        if self.is_client and not self._has_preface:
            if len(self._buffer) < 24:
                return []
            assert self._buffer.startswith(b"PRI * HTTP/2.0\r\n")
            del self._buffer[:24]
            self._has_preface = True
        found = []
        while len(self._buffer) >= 9:
            size = int.from_bytes(self._buffer[:3], "big")
            if len(self._buffer) < 9 + size:
                break
            kind, flags = self._buffer[3], self._buffer[4]
            stream = int.from_bytes(self._buffer[5:9], "big")
            payload = bytes(self._buffer[9 : 9 + size])
            del self._buffer[: 9 + size]
            self.frames.append((kind, flags, stream, size))
            if kind == 0:
                self.data += payload
            found.append((kind, flags, stream, payload))
        return found

    def sizes(self) -> list[int]:
        """Lengths of the DATA frames without END_STREAM."""
        return [size for kind, flags, _, size in self.frames if kind == 0 and not flags & 1]


class Tap:
    """Forwards connections, and checks that no window is exceeded.

    Attributes:
        up: What clients sent.
        down: What servers sent.
        problems: Windows that were exceeded.
    """

    def __init__(self) -> None:
        self.up = Direction(is_client=True)
        self.down = Direction(is_client=False)
        self.problems: list[str] = []
        # What each side may still send: by side and stream, 0 for the connection.
        self._windows: dict[tuple[str, int], int] = {}
        self._initial = {"up": 65_535, "down": 65_535}
        self._max_frame = {"up": 16_384, "down": 16_384}

    def see(self, side: str, data: bytes) -> None:
        """Follows the windows."""
        other = "down" if side == "up" else "up"
        direction = self.up if side == "up" else self.down
        for kind, flags, stream, payload in direction.feed(data):
            if kind == 0:
                self._count(side, stream, len(payload))
            elif kind == 8:
                self._window(other, stream)
                self._windows[other, stream] += int.from_bytes(payload, "big")
            elif kind == 4 and not flags & 1:
                self._settings(other, payload)

    def _count(self, side: str, stream: int, size: int) -> None:
        if size > self._max_frame[side]:
            self.problems.append(f"{side}: a frame of {size} bytes")
        for number in (0, stream):
            self._window(side, number)
            self._windows[side, number] -= size
            if self._windows[side, number] < 0:
                self.problems.append(f"{side}: the window of {number} is exceeded")

    def _settings(self, side: str, payload: bytes) -> None:
        """Settings that bind this side."""
        for start in range(0, len(payload), 6):
            name = int.from_bytes(payload[start : start + 2], "big")
            value = int.from_bytes(payload[start + 2 : start + 6], "big")
            if name == 4:
                for key in self._windows:
                    if key[0] == side and key[1]:
                        self._windows[key] += value - self._initial[side]
                self._initial[side] = value
            elif name == 5:
                self._max_frame[side] = value

    def _window(self, side: str, stream: int) -> None:
        self._windows.setdefault((side, stream), self._initial[side] if stream else 65_535)

    async def _pump(self, side: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                self.see(side, data)
                writer.write(data)
                await writer.drain()
        writer.close()

    @asynccontextmanager
    async def before(self, endpoint: Endpoint) -> AsyncGenerator[Endpoint]:
        """The address to connect to instead."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
            try:
                await asyncio.gather(
                    self._pump("up", reader, up_writer), self._pump("down", up_reader, writer)
                )
            finally:
                await closed(up_writer)

        async with raw_server(handle) as tapped:
            yield tapped


async def closed(writer: asyncio.StreamWriter) -> None:
    """Waits until a connection is gone."""
    writer.transport.abort()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


@asynccontextmanager
async def raw_server(
    handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]],
) -> AsyncGenerator[Endpoint]:
    """A server of bytes. At the end all its connections are cut."""
    tasks: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        try:
            await handle(reader, writer)
        except (asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            await closed(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield Endpoint(False, "127.0.0.1", server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    """Waits for something that nobody tells about."""
    async with asyncio.timeout(SECS):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def official_program() -> str:
    """The official command line program."""
    beside = Path(sys.executable).with_name("rerun")
    if not beside.exists():
        pytest.skip("the official program is not installed beside this Python")
    return str(beside)


@asynccontextmanager
async def official_server(*arguments: str) -> AsyncGenerator[Endpoint]:
    """The official server, reachable."""
    port = free_port()
    command = [official_program(), *(arguments or ("--serve-grpc",)), "--port", str(port)]
    # A process of its own session, with the launcher's child in it.
    process = subprocess.Popen(  # noqa: ASYNC220
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        endpoint = Endpoint(False, "127.0.0.1", port)
        async with asyncio.timeout(SECS):
            while True:
                if process.poll() is not None:
                    raise RuntimeError(f"{command} ended with {process.returncode}")
                try:
                    (await open_channel(endpoint, timeout=1)).close()
                    break
                except ConnectionError:
                    await asyncio.sleep(0.05)
        yield endpoint
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
