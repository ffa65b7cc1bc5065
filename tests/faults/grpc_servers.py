"""The official server as a process that is killed and started again, and a client that reads what it has."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from grpclib.const import Cardinality

from aiorerun.codec.framing import MESSAGE_HEADER, MessageKind, stream_header
from aiorerun.net.channel import open_channel
from aiorerun.net.endpoint import Endpoint
from aiorerun.net.logmsg import parse_log_msg
from aiorerun.net.methods import READ_MESSAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


def official_program() -> str:
    """The binary itself: killing the script in front of it would leave it running."""
    spec = importlib.util.find_spec("rerun_cli")
    assert spec is not None, "rerun-sdk is not installed: pip install '.[dev]'"
    assert spec.origin is not None
    return str(Path(spec.origin).with_name("rerun.exe" if sys.platform == "win32" else "rerun"))


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class OfficialServer:
    """``rerun --serve-grpc``, on one port through all its lives."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"rerun+http://127.0.0.1:{self.port}/proxy"

    def start(self) -> None:
        """Starts it, and does not wait until it listens."""
        self._process = subprocess.Popen(
            [official_program(), "--serve-grpc", "--port", str(self.port), "--server-memory-limit", "1GB"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(30)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid


@contextlib.contextmanager
def official_server() -> Generator[OfficialServer]:
    server = OfficialServer()
    server.start()
    try:
        yield server
    finally:
        server.kill()


class Received(NamedTuple):
    """A message as a reader gets it."""

    kind: MessageKind
    payload: bytes
    chunk_id: bytes | None


async def read_messages(
    url: str, is_enough: Callable[[list[Received]], bool], timeout: float = 60.0
) -> list[Received]:
    """What a server has, read until it is enough, or until nothing has come for two seconds."""
    received: list[Received] = []
    channel: Any = await open_channel(Endpoint.parse(url), timeout=10.0)
    try:
        async with asyncio.timeout(timeout):
            stream = channel.request(READ_MESSAGES, Cardinality.UNARY_STREAM, bytes, bytes)
            await stream.__aenter__()
            await stream.send_message(b"", end=True)
            while not is_enough(received):
                try:
                    body = await asyncio.wait_for(stream.recv_message(), 2.0)
                except TimeoutError:
                    break
                if body is None:
                    break
                parsed = parse_log_msg(body)
                received.append(Received(parsed.kind, bytes(parsed.payload), parsed.chunk_id))
    finally:
        channel.close()
        await asyncio.sleep(0)
    return received


def without_duplicates(received: list[Received]) -> list[Received]:
    """Chunks whose ids have come before are left out, as by every reader of Rerun."""
    seen: set[bytes] = set()
    kept = []
    for message in received:
        if message.chunk_id is not None:
            if message.chunk_id in seen:
                continue
            seen.add(message.chunk_id)
        kept.append(message)
    return kept


def as_rrd(received: list[Received]) -> bytes:
    """The messages as a file without footer."""
    parts = [stream_header()]
    for message in received:
        parts += [MESSAGE_HEADER.pack(message.kind, len(message.payload)), message.payload]
    return b"".join(parts)
