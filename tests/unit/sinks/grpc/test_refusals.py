"""Servers that answer with errors, want a token, speak TLS, or something else altogether."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from grpclib.const import Status

from aiorerun.sinks.base import SinkUnavailable
from aiorerun.sinks.grpc import (
    ConnectionState,
    GrpcSink,
    ServerStatusError,
    ServerUnavailable,
    backoff as backoff_module,
    connection as connection_module,
)
from aiorerun.sinks.grpc.supply import REFUSED
from tests.unit.sinks.grpc.serving import PATIENCE, Context, opened, serving, until
from tests.unit.sinks.grpc.test_sink import bodies, lines, temporal

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "UNREACHABLE_SECS", 0.2)


@pytest.mark.parametrize("status", [Status.INVALID_ARGUMENT, Status.PERMISSION_DENIED, Status.INTERNAL])
async def test_an_error_comes_out_of_a_confirmed_flush_with_its_status(status: Status) -> None:
    async with serving() as server:
        server.refuses_after = (1, status)
        sink = GrpcSink(server.url)
        async with opened(sink) as context:
            await sink.write(temporal(2))
            with pytest.raises(ServerUnavailable) as info:
                await sink.flush_acknowledged()
            assert info.value.status == status.name
            assert info.value.code == status.value
            assert "enough of it" in str(info.value)
            context.has_given_up = True
            await sink.aclose()


@pytest.mark.parametrize("status", [Status.UNAUTHENTICATED, Status.PERMISSION_DENIED])
async def test_a_refusal_is_not_tried_again_soon_and_is_the_error_of_the_next_write(
    status: Status, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as server:
        server.refuses = status
        sink = GrpcSink(server.url)
        async with opened(sink) as context:
            # What goes out before the answer comes in counts as sent, and is kept.
            with contextlib.suppress(ServerUnavailable):
                await sink.write(temporal())
            await until(lambda: sink.status.error is not None)
            with pytest.raises(ServerUnavailable) as info:
                await sink.write(temporal())
            assert info.value.status == status.name
            assert sink.state is not ConnectionState.CONNECTED
            context.has_given_up = True
            await sink.aclose()
        assert len(server.headers) == 1
    assert len([line for line in lines(caplog) if "confirmation" not in line and "lost" in line]) <= 1


async def test_it_is_tried_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff_module, "REFUSED_SECS", 0.2)
    async with serving() as server:
        server.refuses = Status.UNAUTHENTICATED
        sink = GrpcSink(server.url)
        async with opened(sink):
            messages = temporal()
            await sink.write(messages)
            await until(lambda: len(server.headers) == 2)
            server.refuses = None
            await until(lambda: len(server.messages) == 1)
            await sink.flush_acknowledged()
            await sink.aclose()
        assert server.bodies == bodies(messages)


async def test_what_the_server_never_takes_is_given_up_and_counted(impatient: None) -> None:
    async with serving() as server:
        server.refuses_after = (2, Status.INVALID_ARGUMENT)
        sink = GrpcSink(server.url)
        async with opened(sink) as context:
            await sink.connected(PATIENCE)
            await sink.write(temporal(3, rows=2))
            await until(lambda: bool(context.lost))
            assert context.lost == {REFUSED: 6}
            server.refuses_after = None
            later = temporal(3)
            for _ in range(50):
                try:
                    await sink.write(later)
                    break
                except SinkUnavailable:
                    await sink.wait_available()
            await sink.aclose()
        assert [bytes(each.body) for each in server.streams[-1]] == bodies(later)


async def write_and_flush(sink: GrpcSink, times: int) -> None:
    for _ in range(times):
        await sink.write(temporal())
        await sink.flush()
        await asyncio.sleep(0.01)


async def test_a_server_that_refuses_everything_ends_no_call_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "UNREACHABLE_SECS", 2.0)
    async with serving() as server:
        server.refuses = Status.UNIMPLEMENTED
        sink = GrpcSink(server.url)
        async with opened(sink) as context:
            loop = asyncio.get_running_loop()
            with pytest.raises(ServerStatusError) as info:
                await write_and_flush(sink, 1000)
            assert info.value.status == "UNIMPLEMENTED"
            start = loop.time()
            context.has_given_up = True
            await sink.aclose()
            assert loop.time() - start < 2.0
        # Not more attempts than the waits in between allow.
        assert len(server.headers) < 15


async def test_the_token_is_sent_and_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(token="correct horse") as server:
        good, bad = GrpcSink(server.url, token="correct horse"), GrpcSink(server.url, token="wrong-secret")
        async with opened(good):
            await good.write(temporal())
            await good.flush_acknowledged()
            await good.aclose()
        assert len(server.messages) == 1
        async with opened(bad) as context:
            await bad.write(temporal())
            with pytest.raises(ServerUnavailable, match="UNAUTHENTICATED") as info:
                await bad.flush_acknowledged()
            context.has_given_up = True
            await bad.aclose()
    assert "secret" not in caplog.text + str(info.value) + repr(bad.status)
    assert "horse" not in caplog.text + repr(good)


@pytest.mark.parametrize(
    ("url", "is_told"),
    [
        ("rerun+http://127.0.0.1:1/proxy", False),
        ("rerun+http://localhost:1/proxy", False),
        ("rerun+http://[::1]:1/proxy", False),
        ("rerun+http://127.example.invalid:1/proxy", True),
        ("rerun+http://192.0.2.7:1/proxy", True),
    ],
)
async def test_a_token_on_an_open_line_is_worth_a_warning(
    url: str, is_told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(GrpcSink(url, token="x")):
        pass
    assert ("not encrypted" in caplog.text) is is_told


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost and its key."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
            "-keyout", key, "-out", certificate,
        ],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return certificate, key


def server_tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    context.set_alpn_protocols(["h2"])
    return context


@pytest.mark.parametrize("as_context", [False, True])
async def test_it_speaks_tls_with_servers_that_it_trusts(
    certificate: tuple[Path, Path], as_context: bool
) -> None:
    tls: Any = ssl.create_default_context(cafile=certificate[0]) if as_context else certificate[0]
    async with serving(tls=server_tls(certificate)) as server:
        sink = GrpcSink(server.url, tls=tls)
        async with opened(sink):
            messages = temporal(2)
            await sink.write(messages)
            await sink.aclose()
        assert server.bodies == bodies(messages)
        assert server.ended == 1


async def test_a_server_that_is_not_trusted_gets_nothing(
    certificate: tuple[Path, Path], impatient: None
) -> None:
    # What the end of a handshake looks like to a server of asyncio is of no interest.
    asyncio.get_running_loop().set_exception_handler(lambda loop, details: None)
    async with serving(tls=server_tls(certificate)) as server:
        sink = GrpcSink(server.url)
        async with opened(sink):
            with pytest.raises(SinkUnavailable, match="self.signed"):
                await sink.write(temporal())
        assert server.streams == []


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
async def test_something_else_that_listens_is_not_a_server(answer: bytes, impatient: None) -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.read(10)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sink = GrpcSink(f"rerun+http://127.0.0.1:{port}/proxy")
    async with opened(sink):
        with pytest.raises(SinkUnavailable):
            await sink.write(temporal())
        assert sink.state is ConnectionState.CONNECTING
    server.close()
    await server.wait_closed()
    assert connections < 8


async def test_a_server_that_has_stopped_answering_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiorerun.net.channel.open_channel.__kwdefaults__", {
        **_channel_defaults(), "keepalive_secs": 0.2, "keepalive_timeout": 0.3,
    })  # fmt: skip
    async with serving() as server:
        sink = GrpcSink(server.url)
        async with opened(sink):
            await sink.connected(PATIENCE)
            await sink.write(temporal())
            (transport,) = server.transports()
            transport.pause_reading()
            await until(lambda: sink.status.connections == 2)
            await sink.connected(PATIENCE)
            await sink.aclose()
        assert sink.status.rows_replayed == 1


def _channel_defaults() -> dict[str, Any]:
    from aiorerun.net.channel import open_channel

    return dict(open_channel.__kwdefaults__ or {})


async def test_a_context_without_rows_has_nothing_to_tell(caplog: pytest.LogCaptureFixture) -> None:
    context = Context()
    sink = GrpcSink("rerun+http://127.0.0.1:1/proxy")
    await sink.open(context)
    await sink.aclose()
    assert lines(caplog) == []
