"""Peers that mean no good: the server goes on serving the others."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from typing import TYPE_CHECKING

import pytest
from grpclib.exceptions import GRPCError, StreamTerminatedError

from aiorerun.net.methods import WRITE_MESSAGES
from aiorerun.server.port import PortTimeouts
from aiorerun.server.sniffing import PREFACE
from aiorerun.server.web_connection import WebTimeouts
from tests.unit.server.peers import Client, http, http_request, serving, store_info, until

if TYPE_CHECKING:
    from tests.conftest import Sized

WEB = ("content-type", "application/grpc-web+proto")


async def _latency(port: int) -> float:
    """How long one write and one read take."""
    start = time.perf_counter()
    async with Client(port) as client:
        await client.write([store_info()])
        await client.read(1)
    return time.perf_counter() - start


@pytest.mark.parametrize("hello", [b"", b"POST / HT", PREFACE + b"\0\0\0\4\0\0\0\0\0"])
async def test_a_thousand_idle_connections(hello: bytes, sized: Sized) -> None:
    count = sized(1000, 1000)
    timeouts = PortTimeouts(first_byte_secs=60, keepalive_secs=60)
    async with serving(timeouts=timeouts) as (server, port):
        await _latency(port)
        before = min([await _latency(port) for _ in range(5)])
        writers: list[asyncio.StreamWriter] = []
        try:
            for _ in range(count):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(hello)
                writers.append(writer)
            await until(lambda: server.num_connections >= count)
            after = min([await _latency(port) for _ in range(5)])
            assert after < 3 * before + 0.02
        finally:
            for writer in writers:
                writer.transport.abort()
        await until(lambda: server.num_connections == 0)
        assert await _latency(port) < 5


async def test_many_slow_senders_of_heads_are_cut_while_others_are_served() -> None:
    timeouts = PortTimeouts(first_byte_secs=0.5, web=WebTimeouts(head_secs=0.5))
    async with serving(timeouts=timeouts) as (server, port):
        sending = True

        async def send_slowly() -> None:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            with contextlib.suppress(ConnectionError):
                writer.write(b"POST / HTTP/1.1\r\n")
                while sending and not writer.is_closing():
                    writer.write(b"x-header: 1\r\n")
                    await writer.drain()
                    await asyncio.sleep(0.05)
            writer.transport.abort()

        tasks = [asyncio.create_task(send_slowly()) for _ in range(50)]
        try:
            await until(lambda: server.num_connections == 50)
            assert await _latency(port) < 2
            await until(lambda: server.num_connections == 0, 10)
        finally:
            sending = False
            await asyncio.gather(*tasks)


async def test_random_bytes_after_each_beginning(sized: Sized) -> None:
    generator = random.Random(1)
    beginnings = [
        b"",
        PREFACE,
        PREFACE + b"\0\0\0\4\0\0\0\0\0",
        b"POST ",
        b"GET / HTTP/1.1\r\n",
        http_request()[:-4],
    ]
    timeouts = PortTimeouts(
        first_byte_secs=0.3, keepalive_secs=0.3, keepalive_timeout=0.3, web=WebTimeouts(0.3, 0.3, 0.3)
    )
    async with serving(timeouts=timeouts) as (server, port):
        for number in range(sized(60, 2000)):
            data = beginnings[number % len(beginnings)] + generator.randbytes(generator.randrange(1, 400))
            with contextlib.suppress(ConnectionError):
                await http(port, data, half_close=True)
        await until(lambda: server.num_connections == 0)
        assert await _latency(port) < 2


async def test_requests_cut_anywhere() -> None:
    whole = http_request(path=WRITE_MESSAGES, headers=[WEB], body=b"\0\0\0\0\4" + store_info()[:4])
    async with serving() as (server, port):
        for size in range(1, len(whole), 3):
            with contextlib.suppress(ConnectionError):
                await http(port, whole[:size], half_close=True)
        await until(lambda: server.num_connections == 0)
        assert len(server.hub.history) == 0


async def test_long_headers_over_http2() -> None:
    async with serving() as (server, port):
        async with Client(port) as client:
            client.metadata = {f"x-{number}": "y" * 10_000 for number in range(20)}
            with pytest.raises((GRPCError, StreamTerminatedError)):
                await client.write([store_info()])
        await until(lambda: server.num_connections == 0)
        assert await _latency(port) < 2


async def test_streams_that_are_opened_and_reset_again() -> None:
    from grpclib.client import UnaryStreamMethod

    from aiorerun.net.methods import READ_MESSAGES

    async with serving() as (server, port), Client(port) as client:
        for _ in range(300):
            async with UnaryStreamMethod(client.channel, READ_MESSAGES, bytes, bytes).open() as stream:
                await stream.send_request()
                await stream.cancel()
        await client.write([store_info()])
        await until(lambda: server.hub.num_readers == 0)
