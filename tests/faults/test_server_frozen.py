"""Peers of the server that stop reading, in all the ways in which they can."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import time
from typing import TYPE_CHECKING

import pytest
from grpclib.const import Status
from grpclib.exceptions import GRPCError

from aiorerun.net.logmsg import frame_body
from aiorerun.net.reading import MessageReader
from aiorerun.net.streams import StreamBrokenError
from aiorerun.server.entries import Entry, Queue
from aiorerun.server.port import PortTimeouts
from aiorerun.server.web_connection import WebTimeouts
from tests.unit.server.official import saving
from tests.unit.server.peers import (
    Client,
    arrow_msg,
    greedy_request,
    http_request,
    serving,
    static_chunk,
    until,
)

if TYPE_CHECKING:
    from pathlib import Path

    from grpclib.client import Stream

    from aiorerun.server.hub import Hub
    from aiorerun.server.server import ProxyServer
    from tests.conftest import Sized

WEB = ("content-type", "application/grpc-web+proto")


def _entry(size: int = 100_000) -> Entry:
    return Entry(frame_body(arrow_msg(bytes(size))), Queue.DISPOSABLE)


async def _publish(hub: Hub, count: int, size: int = 100_000, pause: float = 0.001) -> tuple[float, float]:
    """Publishes messages at a steady rate; how long that took, and the longest wait."""
    start = time.monotonic()
    longest = 0.0
    for number in range(count):
        begin = time.monotonic()
        await hub.publish([_entry(size)])
        now = time.monotonic()
        longest = max(longest, now - begin)
        await asyncio.sleep(start + (number + 1) * pause - now)
    return time.monotonic() - start, longest


async def _drain(client: Client, counts: list[int], ready: asyncio.Event) -> None:
    async with client.reading() as stream:
        ready.set()
        while await stream.recv_message() is not None:
            counts[0] += 1


async def _read_to_the_end(reader: MessageReader) -> None:
    async with asyncio.timeout(20):
        while await reader.read():
            pass


async def _beside_a_frozen_reader(
    server: ProxyServer, stream: Stream[bytes, bytes], alone: float, load: tuple[int, int, float]
) -> None:
    """Publishes again, beside a reader that does not read; and then reads what it is told."""
    await until(lambda: server.hub.num_readers == 3)
    together, longest = await _publish(server.hub, *load)
    assert server.hub.num_readers == 2
    assert longest < server.hub.stall_secs + 0.2
    assert together < alone / 0.9
    reader = MessageReader(stream)
    with pytest.raises(StreamBrokenError, match="too far behind") as caught:
        await _read_to_the_end(reader)
    assert caught.value.status == Status.RESOURCE_EXHAUSTED.value


async def test_one_frozen_reader_among_three(sized: Sized) -> None:
    """The others keep their rate, and the frozen one is told why it is closed."""
    count, size, pause = sized(700, 10_000), 30_000, 0.006
    options = {"server_memory_limit": "0B", "reader_bytes": 1 << 20, "stall_secs": 0.2}
    async with (
        serving(**options) as (server, port),
        Client(port) as one,
        Client(port) as two,
        Client(port) as frozen,
    ):
        counts = [[0], [0]]
        ready = [asyncio.Event(), asyncio.Event()]
        readers = [
            asyncio.create_task(_drain(client, counts[number], ready[number]))
            for number, client in enumerate((one, two))
        ]
        await asyncio.gather(*(event.wait() for event in ready))
        alone, _ = await _publish(server.hub, count, size, pause)
        # grpclib raises the status once more when the call is left.
        with contextlib.suppress(GRPCError):
            async with frozen.reading() as stream:
                await _beside_a_frozen_reader(server, stream, alone, (count, size, pause))
        await until(lambda: all(got[0] == 2 * count for got in counts))
        await server.close()
        async with asyncio.timeout(10):
            await asyncio.gather(*readers, return_exceptions=True)


async def test_a_web_reader_that_takes_nothing_is_cut() -> None:
    timeouts = PortTimeouts(web=WebTimeouts(progress_secs=0.5))
    async with serving(timeouts=timeouts) as (server, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(http_request(headers=[WEB], body=bytes(5), close=False))
        await until(lambda: server.hub.num_readers == 1)
        await _publish(server.hub, 200)
        await until(lambda: server.hub.num_readers == 0 and server.num_connections == 0)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        del reader


async def test_a_web_reader_that_is_too_slow_is_cut() -> None:
    options = {"server_memory_limit": "0B", "reader_bytes": 1 << 20, "stall_secs": 0.2}
    async with serving(**options) as (server, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(http_request(headers=[WEB], body=bytes(5), close=False))
        await until(lambda: server.hub.num_readers == 1)
        _, longest = await _publish(server.hub, 300)
        assert longest < 0.6
        assert server.hub.num_readers == 0
        await until(lambda: server.num_connections == 0)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize("keepalive", [(0.5, 0.5), pytest.param((10.0, 15.0), marks=pytest.mark.soak)])
@pytest.mark.parametrize("data", [False, True])
async def test_check_22_a_frozen_peer_is_dropped(
    keepalive: tuple[float, float], data: bool, tmp_path: Path
) -> None:
    timeouts = PortTimeouts(keepalive_secs=keepalive[0], keepalive_timeout=keepalive[1])
    async with (
        serving(timeouts=timeouts) as (server, _),
        saving(server.uri, tmp_path / "saved.rrd") as process,
    ):
        await until(lambda: server.hub.num_readers == 1)
        process.send_signal(signal.SIGSTOP)
        start = time.monotonic()
        if data:
            # More than all buffers on the way take.
            for number in range(30):
                body = static_chunk("/a", number + 1, {"x": [random.randbytes(1 << 20)]})
                await server.hub.publish([Entry(frame_body(body), Queue.DISPOSABLE)])
        await asyncio.sleep(keepalive[0] / 2)
        assert server.hub.num_readers == 1
        await until(lambda: server.hub.num_readers == 0, 40)
        assert time.monotonic() - start < min(30.0, 8 * keepalive[0])
        await until(lambda: server.num_connections == 0)


@pytest.mark.soak
async def test_check_22_an_idle_connection_survives_a_minute(tmp_path: Path) -> None:
    async with serving() as (server, _), saving(server.uri, tmp_path / "saved.rrd"):
        await until(lambda: server.hub.num_readers == 1)
        await asyncio.sleep(60)
        assert server.hub.num_readers == 1


async def test_a_frozen_reader_does_not_hold_up_the_end() -> None:
    async with serving(server_memory_limit="1GB") as (server, port), Client(port) as client, client.reading():
        await _publish(server.hub, 100, 1 << 20)
        start = time.monotonic()
        await server.close(0.5)
        assert time.monotonic() - start < 3.0


async def test_a_reader_whose_connection_takes_nothing_is_cut() -> None:
    """The buffers of the connection are full, so that not even a status gets through."""
    options = {"server_memory_limit": "0B", "reader_bytes": 1 << 20, "stall_secs": 0.2}
    async with serving(**options) as (server, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(greedy_request())
        await until(lambda: server.hub.num_readers == 1)
        _, longest = await _publish(server.hub, 300)
        assert longest < 0.6
        assert server.hub.num_readers == 0
        await until(lambda: server.num_connections == 0)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
