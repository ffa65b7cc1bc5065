"""Sending to viewers, and serving them, through the functions and methods of both APIs."""

from __future__ import annotations

import asyncio
import errno
import inspect
import logging
import socket
import urllib.request
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import aiorerun as rr
import aiorerun.sync
from aiorerun import web_viewer
from aiorerun.config import ChunkBatcherConfig
from aiorerun.testing import CaptureSink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

FACES = {"asyncio": rr, "blocking": aiorerun.sync}
NOWHERE = "[rerun is disabled]"


async def call(function: Any, *args: Any, **options: Any) -> Any:
    """Calls a function of either API, a blocking one in a thread of its own."""
    if inspect.iscoroutinefunction(function):
        return await function(*args, **options)
    return await asyncio.to_thread(function, *args, **options)


def free_port() -> int:
    """A port that nothing listens at now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> Iterator[Any]:
    face = FACES[request.param]
    yield face
    face.set_global_data_recording(None)


@pytest.fixture
async def server() -> AsyncIterator[rr.AsyncRecordingStream]:
    """A recording that is served, so that others can send to its server."""
    # Not entered: it would be the active recording of the test as well.
    served = rr.AsyncRecordingStream("server", recording_id="served", send_properties=False)
    await served.serve_grpc(grpc_port=0)
    yield served
    await served.disconnect()


def uri_of(server: rr.AsyncRecordingStream) -> str:
    (sink,) = (runner.sink for runner in server._engine.conveyor.sinks.runners)
    assert isinstance(sink, rr.GrpcServerSink)
    return sink.uri


class TestConnecting:
    async def test_functions_send_the_active_recording(
        self, face: Any, server: rr.AsyncRecordingStream
    ) -> None:
        rec = face.RecordingStream("app", recording_id="live", make_default=True, send_properties=False)
        await call(face.connect_grpc, uri_of(server))
        await call(rec.connected, timeout=10)
        await call(face.log, "a", face.Scalars(1.0))
        await call(face.flush, acknowledged=True, timeout_sec=10)

        (sink,) = rec.stats().sinks
        assert (sink.rows_written, sink.rows_pending, sink.state) == (1, 0, "connected")
        await call(face.disconnect)

    async def test_check_25_no_two_equal_sinks(self, face: Any) -> None:
        rec = face.RecordingStream("app", send_properties=False, close_timeout=0.2)
        address = f"127.0.0.1:{free_port()}/proxy"
        named = rr.GrpcSink("rerun+http://" + address.replace("127.0.0.1", "localhost"))
        for equal in (address, f"rerun+http://{address}/", f"rerun+http://user:pw@{address}?x=1#y"):
            with pytest.raises(ValueError, match="Duplicate sinks"):
                await call(rec.set_sinks, rr.GrpcSink(f"rerun+http://{address}"), rr.GrpcSink(equal))
            assert rec.stats().sinks == ()
        with pytest.raises(ValueError, match="Duplicate sinks"):
            await call(rec.set_sinks, rr.GrpcSink(), rr.GrpcSink("rerun+http://127.0.0.1:9876/proxy"))
        # Others are not equal, though they mean the same machine, or the same port.
        tls = rr.GrpcSink(f"rerun://{address}")
        await call(rec.set_sinks, rr.GrpcSink(address), named, tls)
        assert len(rec.stats().sinks) == 3
        await call(rec.disconnect)

    async def test_a_server_that_is_not_there_is_not_waited_for(self, face: Any) -> None:
        rec = face.RecordingStream("app", send_properties=False, close_timeout=0.2)
        url = f"rerun+http://127.0.0.1:{free_port()}/proxy"
        await asyncio.wait_for(call(rec.connect_grpc, url), 5)
        with pytest.raises(TimeoutError, match=r"not connected.*Connect"):
            await call(rec.connected, 0.2)
        await call(rec.disconnect)

    async def test_wrong_urls_are_refused_at_the_call(self, face: Any) -> None:
        rec = face.RecordingStream("app", send_properties=False)
        with pytest.raises(rr.InvalidUrlError, match="invalid endpoint"):
            await call(rec.connect_grpc, "http://127.0.0.1:9876/proxy")
        assert rec.stats().sinks == ()

    async def test_a_url_is_a_text(self, face: Any) -> None:
        rec = face.RecordingStream("app", send_properties=False, make_default=True)
        for connect in (rec.connect_grpc, face.connect_grpc):
            with pytest.raises(TypeError, match="url must be a str, got int: pass one such as 'rerun"):
                await call(connect, 5)
            with pytest.raises(TypeError, match="token must be a str, got int"):
                await call(connect, token=5)
        assert rec.stats().sinks == ()

    async def test_waiting_without_grpc_sinks_is_over_at_once(self, face: Any) -> None:
        rec = face.RecordingStream("app", send_properties=False)
        await asyncio.wait_for(call(rec.connected, 0.0), 5)
        with pytest.raises(ValueError, match="timeout"):
            await call(rec.connected, -1.0)

    async def test_without_a_recording_it_is_ignored(
        self, face: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        face.set_global_data_recording(None)
        await call(face.connect_grpc)
        assert "connect_grpc: no recording is active" in caplog.text

    async def test_sinks_for_viewers_batch_for_low_latency(self, server: rr.AsyncRecordingStream) -> None:
        low = ChunkBatcherConfig.LOW_LATENCY().flush_tick
        assert server._engine.config.flush_tick == low
        async with rr.AsyncRecordingStream("app", send_properties=False) as rec:
            await rec.connect_grpc(uri_of(server))
            assert rec._engine.config.flush_tick == low
            await rec.set_sinks(rr.GrpcSink(uri_of(server)), CaptureSink())
            assert rec._engine.config.flush_tick == ChunkBatcherConfig.DEFAULT().flush_tick


class TestServing:
    async def test_functions_serve_the_active_recording(self, face: Any) -> None:
        rec = face.RecordingStream("app", recording_id="served", make_default=True, send_properties=False)
        uri = await call(face.serve_grpc, grpc_port=0)
        assert uri.startswith("rerun+http://127.0.0.1:")
        async with rr.AsyncRecordingStream("other", recording_id="other", send_properties=False) as other:
            await other.connect_grpc(uri)
            await other.connected(timeout=10)
        await call(rec.disconnect)

    async def test_nothing_is_served_where_it_cannot_be(
        self, face: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        face.set_global_data_recording(None)
        assert await call(face.serve_grpc, grpc_port=0) == NOWHERE
        disabled = face.RecordingStream("app", default_enabled=False)
        assert await call(disabled.serve_grpc, grpc_port=0) == NOWHERE
        assert "is disabled" in caplog.text

    async def test_check_26_a_port_that_is_taken(self, face: Any, server: rr.AsyncRecordingStream) -> None:
        rec = face.RecordingStream("app", send_properties=False)
        port = int(uri_of(server).rsplit(":", 1)[1].split("/")[0])
        with pytest.raises(rr.SinkOpenError, match=str(port)) as caught:
            await call(rec.serve_grpc, grpc_port=port)
        assert isinstance(caught.value, OSError)
        assert caught.value.errno == errno.EADDRINUSE
        assert rec.stats().sinks == ()

    async def test_what_makes_no_sense_is_refused(self, face: Any) -> None:
        rec = face.RecordingStream("app", send_properties=False)
        with pytest.raises(rr.BadMemoryLimitError, match="server_memory_limit"):
            await call(rec.serve_grpc, grpc_port=0, server_memory_limit="much")
        with pytest.raises(ValueError, match="insecure"):
            await call(rec.serve_grpc, grpc_port=0, bind_ip="0.0.0.0")
        for port, error in ((1.5, TypeError), ("9876", TypeError), (-1, ValueError), (1 << 16, ValueError)):
            with pytest.raises(error, match="grpc_port must be"):
                await call(rec.serve_grpc, grpc_port=port)
        assert rec.stats().sinks == ()

    async def test_ports_may_be_numbers_of_numpy(self, face: Any) -> None:
        rec = face.RecordingStream("app", send_properties=False)
        assert await call(rec.serve_grpc, grpc_port=np.int64(0)) != NOWHERE
        await call(rec.disconnect)


class TestWebViewer:
    async def test_the_page_is_served_and_opened(self, face: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("rerun_notebook", reason="needs the extra `web`")
        opened: list[str] = []

        async def open_browser(url: str) -> None:
            opened.append(url)

        monkeypatch.setattr("aiorerun.viewer.page_server.open_browser", open_browser)
        port = free_port()
        await call(face.serve_web_viewer, web_port=port, connect_to="rerun+http://127.0.0.1:9876/proxy")
        page = f"http://127.0.0.1:{port}"
        assert opened == [f"{page}/?url=rerun%2Bhttp%3A%2F%2F127.0.0.1%3A9876%2Fproxy"]
        text = await asyncio.to_thread(lambda: urllib.request.urlopen(page, timeout=10).read().decode())
        assert "<title>" in text

    async def test_check_26_a_port_that_is_taken(self, face: Any) -> None:
        pytest.importorskip("rerun_notebook", reason="needs the extra `web`")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(OSError, match=str(port)) as caught:
                await call(face.serve_web_viewer, web_port=port, open_browser=False)
        assert caught.value.errno == errno.EADDRINUSE

    async def test_notebooks_are_shown_the_own_page(self, face: Any) -> None:
        pytest.importorskip("rerun_notebook", reason="needs the extra `web`")
        await call(face.start_web_viewer_server)
        page = web_viewer.app_url()
        assert page is not None
        assert page.startswith("http://127.0.0.1:")

    def test_the_page_is_gone_with_its_loop(self) -> None:
        pytest.importorskip("rerun_notebook", reason="needs the extra `web`")
        port = free_port()
        asyncio.run(rr.start_web_viewer_server(port))
        with pytest.raises(ConnectionError), socket.create_connection(("127.0.0.1", port), 5):
            pass


class TestSpawning:
    async def test_disabled_recordings_spawn_nothing(
        self, face: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setenv("PATH", "")
        disabled = face.RecordingStream("app", default_enabled=False)
        await call(disabled.spawn)
        assert "is disabled" in caplog.text

    async def test_without_a_recording_the_viewer_is_only_started(
        self, face: Any, server: rr.AsyncRecordingStream, caplog: pytest.LogCaptureFixture
    ) -> None:
        # Something listens at this port: it is taken for the viewer, and nothing is started.
        caplog.set_level(logging.WARNING)
        face.set_global_data_recording(None)
        port = int(uri_of(server).rsplit(":", 1)[1].split("/")[0])
        await call(face.spawn, port=port)
        assert "the viewer is only started" in caplog.text

    async def test_a_viewer_that_runs_already_is_sent_the_recording(
        self, face: Any, server: rr.AsyncRecordingStream
    ) -> None:
        port = int(uri_of(server).rsplit(":", 1)[1].split("/")[0])
        rec = face.RecordingStream("app", recording_id="spawned", make_default=True, send_properties=False)
        await call(face.spawn, port=port)
        await call(rec.connected, timeout=10)
        await call(rec.disconnect)

        await call(rec.spawn, port=port, connect=False)
        assert rec.stats().sinks == ()
