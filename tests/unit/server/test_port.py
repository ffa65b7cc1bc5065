"""The port: limits of time and number, and what is no protocol of ours."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import struct
from typing import Any

import pytest

from aiorerun.errors import SinkOpenError
from aiorerun.server.port import PortTimeouts
from aiorerun.server.server import ProxyServer
from aiorerun.server.sniffing import PREFACE
from aiorerun.server.web_connection import WebTimeouts
from tests.unit.server.peers import Client, http, http_request, serving, store_info, take, until

QUICK = PortTimeouts(0.3, 0.3, 0.2, 0.2, WebTimeouts(0.3, 0.3, 0.3))


@contextlib.contextmanager
def _socket(port: int) -> Any:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        sock.setblocking(False)
        yield sock


async def _closed(sock: socket.socket, timeout: float = 5) -> None:
    """Waits until the other side closes, whatever it says before."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(timeout):
            while await loop.sock_recv(sock, 65536):
                pass


@pytest.mark.parametrize("first", [b"", b"P", PREFACE[:-1], b"POS"])
async def test_connections_that_do_not_say_what_they_are_are_closed(first: bytes) -> None:
    async with serving(timeouts=QUICK) as (server, port):
        with _socket(port) as sock:
            await asyncio.get_running_loop().sock_sendall(sock, first)
            await until(lambda: server.num_connections == 1)
            await _closed(sock)
        assert server.num_connections == 0


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n", http_request(close=False)[:-1]])
async def test_heads_must_come_in_time(first: bytes) -> None:
    async with serving(timeouts=QUICK) as (server, port):
        with _socket(port) as sock:
            await asyncio.get_running_loop().sock_sendall(sock, first)
            await _closed(sock)
        await until(lambda: server.num_connections == 0)


async def test_heads_that_come_byte_by_byte_have_no_more_time() -> None:
    async with serving(timeouts=QUICK) as (_, port):
        loop = asyncio.get_running_loop()
        with _socket(port) as sock:
            closed = asyncio.create_task(_closed(sock))
            await loop.sock_sendall(sock, b"GET / HTTP/1.1\r\nx: ")
            with contextlib.suppress(ConnectionError):
                while not closed.done():
                    await loop.sock_sendall(sock, b"x")
                    await asyncio.sleep(0.02)
            await closed


async def test_bodies_must_make_progress_and_idle_connections_end() -> None:
    async with serving(timeouts=QUICK) as (server, port):
        loop = asyncio.get_running_loop()
        with _socket(port) as sock:
            head = http_request(
                headers=[("content-type", "application/grpc-web")], body=b"12345", close=False
            )
            await loop.sock_sendall(sock, head[:-1])
            await _closed(sock)
        with _socket(port) as sock:
            await loop.sock_sendall(sock, http_request("OPTIONS", close=False))
            await _closed(sock)
        await until(lambda: server.num_connections == 0)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"hello\r\n",
        bytes(100),
        b"SSH-2.0-OpenSSH\r\n",
        PREFACE + b"garbage, no frames at all" * 10,
        PREFACE + struct.pack(">I", 9)[1:] + b"\x00\x00\x00\x00\x00\x01" + b"x" * 9,
        PREFACE + b"\xff\xff\xff\x04\x00\x00\x00\x00\x00" + b"x" * 100,
    ],
)
async def test_garbage_closes_the_connection_without_a_word(
    garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving() as (server, port):
        with _socket(port) as sock:
            await asyncio.get_running_loop().sock_sendall(sock, garbage)
            await _closed(sock)
        await until(lambda: server.num_connections == 0)
        assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []
        assert len([record for record in caplog.records if record.name == "aiorerun"]) <= 1
        async with Client(port) as client:
            await client.write([store_info()])


async def test_frames_of_unknown_types_are_ignored() -> None:
    async with serving() as (_, port), Client(port) as client:
        await client.write([store_info(1)])
        protocol: Any = client.channel._protocol
        protocol.connection._transport.write(b"\0\0\1\x7f\0\0\0\0\0x")
        await client.write([store_info(2)])
        assert await client.read(2) == [store_info(1), store_info(2)]


async def test_too_many_connections_are_refused_at_once() -> None:
    async with serving(max_connections=3) as (server, port), Client(port) as client:
        await client.write([store_info()])
        with _socket(port) as one, _socket(port) as two:
            await until(lambda: server.num_connections == 3)
            with _socket(port) as three:
                await _closed(three, 1)
            assert server.num_connections == 3
            # Those that were let in are served.
            await client.write([store_info()])
            del one, two
        await until(lambda: server.num_connections == 1)
        assert (await http(port, http_request("OPTIONS"))).startswith(b"HTTP/1.1 200")


async def test_idle_clients_are_asked_whether_they_are_there() -> None:
    async with serving(timeouts=QUICK) as (server, port):
        async with Client(port) as client, client.reading() as live:
            await asyncio.sleep(1.0)
            await client.write([store_info()])
            assert await take(live, 1) == [store_info()]
        with _socket(port) as sock:
            # It says hello, and then nothing any more.
            await asyncio.get_running_loop().sock_sendall(sock, PREFACE + b"\0\0\0\4\0\0\0\0\0")
            await until(lambda: server.num_connections > 0)
            await _closed(sock)
        await until(lambda: server.num_connections == 0)


async def test_check_26_a_port_that_is_taken() -> None:
    async with serving() as (server, port):
        other = ProxyServer(port=port)
        with pytest.raises(SinkOpenError, match=f"cannot listen on 127.0.0.1:{port}") as caught:
            await other.start()
        assert caught.value.errno == errno.EADDRINUSE
        await other.close()
        assert server.uri == f"rerun+http://127.0.0.1:{port}/proxy"


async def test_addresses_that_do_not_exist() -> None:
    with pytest.raises(SinkOpenError, match="cannot listen"):
        await ProxyServer("192.0.2.1", 0, insecure=True).start()


async def test_ipv6() -> None:
    try:
        server = ProxyServer("::1", 0)
        await server.start()
    except SinkOpenError:
        pytest.skip("this machine has no IPv6")
    try:
        port = int(server.uri.removesuffix("/proxy").rpartition(":")[2])
        assert server.uri == f"rerun+http://[::1]:{port}/proxy"
        reader, writer = await asyncio.open_connection("::1", port)
        writer.write(http_request("OPTIONS", host=f"[::1]:{port}"))
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()
        await writer.wait_closed()
    finally:
        await server.close()


async def test_a_connection_that_comes_while_it_is_closed() -> None:
    loop = asyncio.get_running_loop()
    problems: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: problems.append(context))
    try:
        for turns in range(3):
            server = ProxyServer(port=0)
            await server.start()
            port = int(server.uri.rsplit(":", 1)[1].split("/")[0])
            with socket.socket() as client:
                client.setblocking(False)
                client.connect_ex(("127.0.0.1", port))
                # After one turn it is accepted in the very turn in which closing begins.
                for _ in range(turns):
                    await asyncio.sleep(0)
                await server.close()
    finally:
        loop.set_exception_handler(None)
    assert problems == []
