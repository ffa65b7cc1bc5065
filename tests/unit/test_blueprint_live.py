"""Blueprints over gRPC: kept through restarts of a server, and there for readers that come late."""

from __future__ import annotations

from secrets import token_hex
from typing import TYPE_CHECKING

import pytest

import aiorerun as rr
from aiorerun.codec.framing import MESSAGE_HEADER, MessageKind, stream_header
from aiorerun.net.logmsg import parse_log_msg
from aiorerun.server.sink import GrpcServerSink
from aiorerun.sinks.grpc import GrpcSink
from tests.unit.made_blueprints import MadeBlueprint, MadeView, Seen, seen, whole
from tests.unit.server.peers import Client
from tests.unit.sinks.grpc.serving import serving, until

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiorerun.net.logmsg import ParsedLogMsg

INFO = Seen("info", "r")
A = Seen("chunk", "r", "/a")
B = Seen("chunk", "r", "/b")


def as_rrd(messages: Iterable[ParsedLogMsg]) -> bytes:
    """Messages as they came in over gRPC, as a file without footer."""
    parts = [stream_header()]
    for message in messages:
        parts += [MESSAGE_HEADER.pack(message.kind, len(message.payload)), bytes(message.payload)]
    return b"".join(parts)


def stream() -> rr.AsyncRecordingStream:
    return rr.AsyncRecordingStream("app", recording_id="live", send_properties=False)


async def test_over_grpc_the_order_is_that_of_a_file() -> None:
    async with serving() as server:
        rec = stream()
        await rec.connect_grpc(server.url, default_blueprint=MadeBlueprint())
        await rec.log("a", rr.Scalars(1.0))
        await rec.flush()
        await rec.send_blueprint(MadeView(), make_default=False)
        await rec.flush(acknowledged=True)
        await rec.disconnect()
        expected = [*whole("b0", "default"), INFO, A, *whole("b1", "active", "/view/alone")]
        assert [each for each in seen(as_rrd(server.messages)) if each.kind != "info"] == [
            each for each in expected if each.kind != "info"
        ]
        assert server.messages[0].kind is MessageKind.SET_STORE_INFO


@pytest.mark.parametrize("acknowledged", [True, False])
async def test_a_server_that_starts_anew_gets_them_again(acknowledged: bool) -> None:
    async with serving() as server:
        rec, sink = stream(), GrpcSink(server.url)
        await rec.set_sinks(sink, default_blueprint=MadeBlueprint())
        await rec.log("a", rr.Scalars(1.0))
        await rec.send_blueprint(MadeView(), make_default=False)
        await rec.flush(acknowledged=acknowledged)
        before = len(server.streams)
        await server.die()
        await server.start()
        await sink.connected(20.0)
        await rec.log("b", rr.Scalars(2.0))
        await rec.flush(acknowledged=True)
        await until(lambda: len(server.streams) > before)
        found = [
            each
            for each in seen(as_rrd(message for made in server.streams[before:] for message in made))
            if each.kind != "info"
        ]
        blueprints = [each for each in found if each.store != "r"]
        without_info = [
            each
            for each in (*whole("b0", "default"), *whole("b1", "active", "/view/alone"))
            if each.kind != "info"
        ]
        assert blueprints == without_info
        assert B in found
        # What was confirmed is not sent again; blueprints always are, since a viewer needs them.
        assert (A in found) is not acknowledged
        await rec.disconnect()


async def test_a_viewer_that_is_spawned_gets_the_default_first() -> None:
    async with serving() as server:
        # Something listens there already: no viewer is started.
        await rr.spawn(port=server.port, connect=False)
        await rr.init("app", recording_id="spawned", send_properties=False)
        await rr.spawn(port=server.port, default_blueprint=MadeBlueprint())
        await rr.log("a", rr.Scalars(1.0))
        await rr.flush(acknowledged=True)
        await rr.disconnect()
        rr.set_global_data_recording(None)
        found = [each for each in seen(as_rrd(server.messages)) if each.kind != "info"]
        assert found == [*(each for each in whole("b0", "default") if each.kind != "info"), A]


async def test_only_blueprints_in_use_are_sent_again() -> None:
    async with serving() as server:
        rec, sink = stream(), GrpcSink(server.url)
        await rec.set_sinks(sink)
        for number in range(5):
            await rec.send_blueprint(MadeBlueprint(f"/view/{number}"))
        await rec.flush(acknowledged=True)
        before = len(server.streams)
        await server.die()
        await server.start()
        await sink.connected(20.0)
        await rec.log("b", rr.Scalars(2.0))
        await rec.flush(acknowledged=True)
        again = seen(as_rrd(message for made in server.streams[before:] for message in made))
        assert [each for each in again if each.kind != "info"] == [
            Seen("chunk", "b0", "/view/4"),
            Seen("activation", "b0", "active default"),
            B,
        ]
        await rec.disconnect()


@pytest.mark.parametrize("newest_first", [False, True])
async def test_readers_that_come_late_get_them_whole_and_first(newest_first: bool) -> None:
    sink = GrpcServerSink(port=0, newest_first=newest_first, server_memory_limit="200kB")
    rec = stream()
    await rec.set_sinks(sink, default_blueprint=MadeBlueprint())
    for _ in range(40):
        await rec.log("a", rr.TextDocument(token_hex(5_000)))
        await rec.flush()
    await rec.send_blueprint(MadeView(), make_default=False)
    await rec.flush()
    assert sink.server is not None
    history = sink.server.hub.history
    # The oldest rows have gone to make room, and no blueprint has.
    count = len(history)
    assert count < 40
    async with Client(int(sink.uri.removesuffix("/proxy").rpartition(":")[2])) as client:
        bodies = await client.read(count)
    found = seen(as_rrd(map(parse_log_msg, bodies)))
    blueprints = [each for each in found if each.store != "r"]
    assert blueprints == [*whole("b0", "default"), *whole("b1", "active", "/view/alone")]
    last = max(position for position, each in enumerate(found) if each.store != "r")
    first_row = found.index(A)
    assert last < first_row
    await rec.disconnect()
