"""Connections: opening, refusing, watching, closing, with and without TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from aiorerun.net.channel import ConnectError, open_channel
from aiorerun.net.endpoint import Endpoint
from aiorerun.net.frames import MessageWriter
from aiorerun.net.methods import RawCodec, auth_metadata
from aiorerun.net.streams import StreamBrokenError
from aiorerun.net.tls import client_context, server_context
from tests.unit.net.serving import (
    LOOPS,
    SECS,
    Proxy,
    connected,
    framed,
    free_port,
    raw_server,
    run_on,
    serving,
    until,
    writing,
)
from tests.unit.net.test_frames import BODIES, Collector

if TYPE_CHECKING:
    from pathlib import Path


async def test_nobody_listens() -> None:
    endpoint = Endpoint(False, "127.0.0.1", free_port())
    with pytest.raises(ConnectError) as caught:
        await open_channel(endpoint, timeout=5)
    assert isinstance(caught.value, ConnectionError)
    assert str(endpoint) in str(caught.value)


async def test_unknown_names() -> None:
    with pytest.raises(ConnectError, match=r"a\.invalid"):
        await open_channel(Endpoint(False, "a.invalid", 9876), timeout=20)
    with pytest.raises(ConnectError, match="cannot connect"):
        await open_channel(Endpoint(False, "a" * 70, 9876), timeout=20)


async def test_a_peer_that_says_nothing() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        started = time.monotonic()
        with pytest.raises(ConnectError, match="no answer within"):
            await open_channel(Endpoint(False, "127.0.0.1", silent.getsockname()[1]), timeout=0.2)
        assert time.monotonic() - started < 5


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
async def test_a_peer_that_speaks_something_else(answer: bytes) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(answer)
        await writer.drain()

    async with raw_server(handle) as endpoint:
        with pytest.raises(ConnectError):
            await open_channel(endpoint, timeout=SECS)


async def test_cancelling_closes_what_was_opened() -> None:
    has_come = asyncio.Event()
    is_gone = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        has_come.set()
        while await reader.read(1000):
            pass
        is_gone.set()

    async with raw_server(handle) as endpoint, asyncio.timeout(SECS):
        task = asyncio.create_task(open_channel(endpoint, timeout=SECS))
        await has_come.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await is_gone.wait()


async def test_lost_connections_are_not_opened_again() -> None:
    async with serving(Proxy(write=Collector())) as endpoint:
        channel = await open_channel(endpoint, timeout=SECS)
        assert channel.is_connected
        protocol: Any = channel._protocol
        protocol._transport.abort()
        await protocol.lost
        assert not is_connected(channel)
        with pytest.raises(ConnectError):
            async with writing(channel) as stream:
                await stream.send_request()
        channel.close()
        channel.close()
        await channel.wait_closed()
        assert not is_connected(channel)


def is_connected(channel: Any) -> bool:
    """What changes behind the type checker's back."""
    return bool(channel.is_connected)


async def test_closing_a_channel_whose_peer_does_not_read() -> None:
    """What the transport still holds does not keep the connection for ever."""

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes.fromhex("000006040000000000") + bytes.fromhex("00047fffffff"))
        writer.write(bytes.fromhex("000004080000000000") + (0x7FFF_0000).to_bytes(4, "big"))
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    async with raw_server(swallow) as endpoint, asyncio.timeout(SECS):
        channel = await open_channel(endpoint, timeout=SECS)
        stream = writing(channel)
        async with stream:
            task = asyncio.create_task(MessageWriter(stream).write([framed(bytes(1 << 20))] * 64))
            protocol: Any = channel._protocol
            await until(lambda: not protocol.connection.write_ready.is_set())
            channel.close()
            with pytest.raises(StreamBrokenError):
                await task
        await channel.wait_closed()
        assert protocol.lost.done()


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("role", ["client", "server"])
def test_check_22_a_frozen_peer_is_noticed(loop: str, role: str) -> None:
    """Even with full buffers, and within the two times that are set."""

    async def main() -> None:
        async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(bytes.fromhex("000006040000000000") + bytes.fromhex("00047fffffff"))
            writer.write(bytes.fromhex("000004080000000000") + (0x7FFF_0000).to_bytes(4, "big"))
            reader._transport.pause_reading()  # type: ignore[attr-defined]
            await asyncio.Event().wait()

        async with asyncio.timeout(SECS), raw_server(swallow) as endpoint:
            channel = await open_channel(endpoint, timeout=SECS, keepalive_secs=0.2, keepalive_timeout=0.2)
            protocol: Any = channel._protocol
            started = time.monotonic()
            if role == "client":
                stream = writing(channel)
                async with stream:
                    with pytest.raises(StreamBrokenError):
                        await MessageWriter(stream).write([framed(bytes(1 << 20))] * 64)
            else:
                await protocol.lost
            assert 0.35 < time.monotonic() - started < 5
            channel.close()

    run_on(loop, main())


async def test_check_22_a_peer_that_answers_is_kept() -> None:
    async with serving(Proxy(write=Collector())) as endpoint:
        channel = await open_channel(endpoint, timeout=SECS, keepalive_secs=0.05, keepalive_timeout=2)
        protocol: Any = channel._protocol
        await until(lambda: protocol.pings >= 4)
        assert channel.is_connected
        channel.close()
        await channel.wait_closed()
        assert protocol._timer.cancelled()


def make_certificate(directory: Path, name: str = "localhost") -> tuple[Path, Path]:
    certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
    subject = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(
        ["openssl", "req", "-x509", *kind, *subject, *files], check=True, capture_output=True, timeout=60
    )
    return certificate, key


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize("loop", LOOPS)
def test_tls(loop: str, certificate: tuple[Path, Path]) -> None:
    async def main() -> None:
        collector = Collector()
        context = server_context(certificate)
        async with (
            asyncio.timeout(SECS),
            serving(Proxy(write=collector), ssl=context) as endpoint,
            connected(endpoint, tls=certificate[0]) as channel,
        ):
            assert endpoint.is_tls
            async with writing(channel) as stream:
                writer = MessageWriter(stream)
                await writer.write([framed(body) for body in BODIES])
                await stream.end()
                await stream.recv_message()
            assert writer.is_direct
        assert collector.bodies == BODIES

    run_on(loop, main())


def test_certificates_that_are_not_trusted(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    async def main() -> None:
        other = make_certificate(tmp_path, "other")
        async with serving(Proxy(), ssl=server_context(certificate)) as endpoint:
            for trusted in (None, other[0]):
                with pytest.raises(ConnectError, match="certificate"):
                    await open_channel(endpoint, timeout=SECS, tls=trusted)
        async with serving(Proxy(), ssl=server_context(other)) as endpoint:
            with pytest.raises(ConnectError, match="localhost"):
                await open_channel(endpoint, timeout=SECS, tls=other[0])
        with pytest.raises(ConnectError, match="No such file"):
            await open_channel(endpoint, timeout=SECS, tls=tmp_path / "missing.pem")

    # The server's side of a handshake that fails is reported to the loop, which may only log it.
    asyncio.run(main())


def test_contexts(certificate: tuple[Path, Path]) -> None:
    assert server_context(None) is None
    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    assert server_context(own) is own
    mine = ssl.create_default_context()
    assert client_context(mine) is mine
    made = client_context(certificate[0])
    assert made.minimum_version is ssl.TLSVersion.TLSv1_2
    assert made.check_hostname
    assert made.verify_mode is ssl.CERT_REQUIRED
    with pytest.raises(OSError, match=r"missing|No such file"):
        server_context((certificate[0].with_name("missing"), certificate[1]))


def test_tokens() -> None:
    assert auth_metadata(None) == {}
    assert auth_metadata("abc") == {"authorization": "Bearer abc"}
    for token in ("", " a", "a ", "geheim\n", "ü", "a\tb"):
        with pytest.raises(ValueError, match="token") as caught:
            auth_metadata(token)
        assert "geheim" not in str(caught.value)


def test_the_codec_passes_bytes_on() -> None:
    data = b"abc"
    assert RawCodec().encode(data, bytes) is data
    assert RawCodec().decode(data, bytes) is data
