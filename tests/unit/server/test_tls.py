"""The server with TLS."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from typing import TYPE_CHECKING

import pytest

from aiorerun.net.tls import client_context
from aiorerun.server.port import PortTimeouts
from tests.unit.server.certificates import make_certificate
from tests.unit.server.peers import (
    Client,
    arrow_msg,
    http,
    http_request,
    random_bytes,
    serving,
    store_info,
    until,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


async def test_grpc_and_grpc_web(certificate: tuple[Path, Path]) -> None:
    bodies = [store_info(), arrow_msg(random_bytes(1 << 20))]
    context = client_context(certificate[0])
    async with serving(tls=certificate) as (server, port):
        assert server.uri == f"rerun://127.0.0.1:{port}/proxy"
        async with Client(port, ssl=context) as client:
            await client.write(bodies)
            assert await client.read(2) == bodies
        # Browsers offer both protocols, and get the one that gRPC-web is served by.
        browser = ssl.create_default_context(cafile=str(certificate[0]))
        browser.set_alpn_protocols(["h2", "http/1.1"])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=browser)
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
        writer.write(http_request("OPTIONS"))
        async with asyncio.timeout(10):
            assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()


async def test_what_is_not_encrypted_is_closed_without_a_word(
    certificate: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "aiorerun")
    caplog.set_level(logging.WARNING)
    async with serving(tls=certificate) as (server, port):
        for data in (http_request("OPTIONS"), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01garbage"):
            with contextlib.suppress(ConnectionError):
                answer = await http(port, data, half_close=True)
                assert not answer.startswith(b"HTTP")
        await until(lambda: server.num_connections == 0)
    assert len([record for record in caplog.records if record.name == "aiorerun"]) <= 3
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


async def test_handshakes_must_come_in_time_and_count(certificate: tuple[Path, Path]) -> None:
    timeouts = PortTimeouts(handshake_secs=0.5)
    async with serving(tls=certificate, timeouts=timeouts, max_connections=2) as (server, port):
        pairs = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        await until(lambda: server.num_connections == 2)
        # One too many.
        with contextlib.suppress(ConnectionError):
            assert await http(port, b"", timeout=5) == b""
        for reader, writer in pairs:
            with contextlib.suppress(ConnectionError):
                async with asyncio.timeout(5):
                    await reader.read()
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        await until(lambda: server.num_connections == 0)


async def test_closing_with_handshakes_and_readers(certificate: tuple[Path, Path]) -> None:
    before = asyncio.all_tasks()
    async with serving(tls=certificate) as (server, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        async with Client(port, ssl=client_context(certificate[0])) as client, client.reading():
            await until(lambda: server.num_connections == 2)
            await server.close()
            assert server.num_connections == 0
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    await until(lambda: asyncio.all_tasks() == before)
