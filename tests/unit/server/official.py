"""The official programs as peers of the server: readers, servers and writers in processes of their own."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiorerun.codec.decoder import RrdDecoder
from aiorerun.codec.errors import RrdError
from aiorerun.codec.framing import MessageKind
from tests.unit.server.peers import until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


def rerun_program() -> str:
    """The official program itself. The script of that name only starts it: signals would not reach it."""
    spec = importlib.util.find_spec("rerun_cli")
    assert spec is not None, "rerun-sdk is not installed: pip install '.[dev]'"
    assert spec.origin is not None
    return str(Path(spec.origin).with_name("rerun"))


# Logs with the official SDK: URL, number of rows, seconds that leaving may take.
WRITER = """
import sys, time
import numpy as np
import rerun as rr
rec = rr.RecordingStream("app", recording_id="official")
rec.connect_grpc(sys.argv[1])
rec.log("static", rr.Points3D([[1, 2, 3]]), static=True)
for number in range(int(sys.argv[2])):
    rec.set_time("frame", sequence=number)
    rec.log("scalars", rr.Scalars(number))
rec.log("image", rr.Image(np.full((200, 300, 3), 77, np.uint8)))
start = time.monotonic()
rec.disconnect()
print(time.monotonic() - start)
"""


def free_port() -> int:
    """A port that was free just now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def running(*arguments: str, **options: Any) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A process that is gone afterwards."""
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        **options,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.kill()
        await process.wait()


@contextlib.asynccontextmanager
async def saving(uri: str, path: Path) -> AsyncGenerator[asyncio.subprocess.Process]:
    """The official reader, which writes what it reads to a file. Interrupt it before reading the file."""
    async with running(rerun_program(), uri, "--save", str(path), "--port", str(free_port())) as process:
        yield process


@contextlib.asynccontextmanager
async def official_server(*options: str) -> AsyncGenerator[int]:
    """The official server; the result is its port."""
    port = free_port()
    async with running(rerun_program(), "--serve-grpc", "--port", str(port), *options):
        async with asyncio.timeout(20):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                    continue
                writer.close()
                await writer.wait_closed()
                break
        yield port


def saved(path: Path) -> list[tuple[MessageKind, bytes]]:
    """The messages in a file that may not be complete."""
    decoder = RrdDecoder()
    messages: list[tuple[MessageKind, bytes]] = []
    if path.exists():
        with contextlib.suppress(RrdError):
            messages.extend(
                (message.kind, bytes(message.payload)) for message in decoder.feed(path.read_bytes())
            )
    return [message for message in messages if message[0] is not MessageKind.END]


async def interrupted(process: asyncio.subprocess.Process) -> None:
    """Ends the official reader as Ctrl-C does."""
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(20):
        await process.wait()


async def write_official(uri: str, rows: int) -> float:
    """Logs with the official SDK; the result is how long leaving took."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, uri, str(rows), stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(60):
            stdout, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    return float(stdout)


async def until_saved(path: Path, count: int, timeout: float = 60) -> None:
    """Waits until the official reader has written so many messages."""
    await until(lambda: path.exists() and len(saved(path)) >= count, timeout)
