"""The sink that serves what is logged."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import aiorerun as rr
from aiorerun.errors import SinkOpenError
from aiorerun.net.logmsg import ParsedLogMsg, parse_log_msg
from aiorerun.server.server import ProxyServer
from aiorerun.server.sink import GrpcServerSink
from tests.unit.server.peers import Client, serving
from tests.unit.sinks.grpc.serving import free_port


def _port(sink: GrpcServerSink) -> int:
    return int(sink.uri.removesuffix("/proxy").rpartition(":")[2])


def _is_open(sink: GrpcServerSink) -> bool:
    return sink.server is not None


def test_equality_and_what_it_shows() -> None:
    sink = GrpcServerSink(port=1, token="s3cret")
    for equal in (
        GrpcServerSink(port=1),
        GrpcServerSink(port=1, token="s3cret", newest_first=True),
        GrpcServerSink(port=1, token="s3cret", server_memory_limit="1GB"),
    ):
        assert sink == equal
        assert hash(sink) == hash(equal)
    for other in (GrpcServerSink(port=2), GrpcServerSink("127.0.0.2", 1), "something else"):
        assert sink != other
    assert GrpcServerSink(port=0) == GrpcServerSink(port=0)
    assert GrpcServerSink(port=0) != GrpcServerSink(port=0, newest_first=True)
    assert "s3cret" not in repr(sink)
    assert sink.uri == "rerun+http://127.0.0.1:1/proxy"
    assert isinstance(sink, rr.Sink)


@pytest.mark.parametrize(
    "options", [{"bind_ip": "0.0.0.0"}, {"port": 70000}, {"server_memory_limit": "?"}, {"token": " "}]
)
def test_parameters_that_make_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        GrpcServerSink(**options)


@pytest.mark.parametrize(
    "options", [{"bind_ip": 5}, {"port": 1.5}, {"port": "9876"}, {"server_memory_limit": 5}, {"token": 5}]
)
def test_parameters_of_another_type(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(TypeError, match=f"^{name} must be"):
        GrpcServerSink(**options)
    with pytest.raises(TypeError, match=f"^{name} must be"):
        ProxyServer(**options)


async def test_what_is_logged_is_served() -> None:
    sink = GrpcServerSink(port=0)
    rec = rr.AsyncRecordingStream("app", recording_id="rid")
    async with rec:
        await rec.set_sinks(sink)
        assert sink.server is not None
        assert _port(sink) > 0
        rec.set_time("frame", sequence=1)
        await rec.log("a", rr.TextLog("before"))
        await rec.flush()
        async with Client(_port(sink)) as client, client.reading() as live:
            await rec.log("b", rr.TextLog("after"))
            await rec.log("s", rr.TextLog("static"), static=True)
            await rec.flush()
            held = len(sink.server.hub.history)
            seen: list[ParsedLogMsg] = []
            async with asyncio.timeout(10):
                while len(seen) < held:
                    message = await live.recv_message()
                    assert message is not None
                    seen.append(parse_log_msg(message))
        assert {parsed.store.recording_id for parsed in seen if parsed.store is not None} == {"rid"}
        assert sum(parsed.is_static is True for parsed in seen) >= 1
    assert not _is_open(sink)
    assert rec.stats().rows_dropped == 0


async def test_a_port_that_is_taken_refuses_the_sink() -> None:
    async with serving() as (_, port), rr.AsyncRecordingStream("app") as rec:
        with pytest.raises(SinkOpenError, match="port=0"):
            await rec.set_sinks(GrpcServerSink(port=port))
        sink = GrpcServerSink(port=0)
        await rec.set_sinks(sink)
        await rec.log("a", rr.TextLog("x"))
        await rec.flush()
        assert sink.server is not None
        assert len(sink.server.hub.history) > 0


async def test_a_frozen_viewer_does_not_hold_up_the_program_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = GrpcServerSink(port=0, server_memory_limit="0B")
    async with rr.AsyncRecordingStream("app") as rec:
        await rec.set_sinks(sink)
        assert sink.server is not None
        hub = sink.server.hub
        monkeypatch.setattr(hub, "reader_bytes", 100_000)
        monkeypatch.setattr(hub, "stall_secs", 0.2)
        reader = hub.attach()
        async with asyncio.timeout(10):
            for number in range(100):
                await rec.log("a", rr.TextLog(f"{number}" * 1000))
                await rec.flush()
        assert reader.dropped.done()
    assert rec.stats().rows_dropped == 0


async def test_a_port_can_be_served_anew_with_other_options() -> None:
    port = free_port()
    async with rr.AsyncRecordingStream("app") as rec:
        await rec.set_sinks(GrpcServerSink(port=port))
        await rec.log("a", rr.TextLog("x"))
        again = GrpcServerSink(port=port, server_memory_limit="1GB", newest_first=True)
        await rec.set_sinks(again)
        assert again.server is not None
        assert _port(again) == port
        with pytest.raises(ValueError, match="Duplicate sinks"):
            await rec.set_sinks(GrpcServerSink(port=port), GrpcServerSink(port=port, token="x"))
        assert [stats.name for stats in rec.stats().sinks] == [repr(again)]


async def test_a_sink_serves_one_recording() -> None:
    sink = GrpcServerSink(port=0)
    async with rr.AsyncRecordingStream("app") as one, rr.AsyncRecordingStream("app") as two:
        await one.set_sinks(sink)
        with pytest.raises(SinkOpenError, match="another recording"):
            await two.set_sinks(sink)
        assert _is_open(sink)
