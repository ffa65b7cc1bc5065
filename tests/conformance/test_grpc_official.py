"""What is sent to the official server comes back as it was, and goes there in frames that it puts up with."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

import aiorerun as rr
from aiorerun.codec.framing import MessageKind
from aiorerun.codec.messages import Message, chunk_message
from aiorerun.net.frames import SWITCH, MessageWriter
from aiorerun.net.logmsg import frame, frame_bytes, parse_log_msg
from aiorerun.sinks.grpc import GrpcSink
from aiorerun.types.store import StoreKind
from tests.unit.codec.building import STORE, announcement, scalar_chunk
from tests.unit.net.serving import SECS, Tap, connected, official_server, writing
from tests.unit.server.official import saved
from tests.unit.server.peers import Client, take
from tests.unit.sinks.grpc.serving import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from aiorerun.net.endpoint import Endpoint
    from tests.conftest import Sized

MEMORY = ("--serve-grpc", "--server-memory-limit", "2GB")
SHORT = 256
"""DATA frames with fewer bytes cost the sender something at the official server."""

RECORDING = """
import sys
import numpy as np
import rerun as rr
import rerun.blueprint as rrb
blueprint = rrb.Blueprint(rrb.Vertical(rrb.TimeSeriesView(origin="a"), rrb.Spatial2DView(origin="image")))
rec = rr.RecordingStream("official", recording_id="one")
rec.save(sys.argv[1], default_blueprint=blueprint)
rec.send_recording_name("first")
rec.log("mesh", rr.Points3D(np.zeros((100, 3))), static=True)
for number in range(500):
    rec.set_time("frame", sequence=number)
    rec.log("a", rr.Scalars(number))
    if number % 50 == 0:
        rec.log("image", rr.Image(np.full((90, 160, 3), number % 256, np.uint8)))
        rec.log("static", rr.TextDocument(str(number)), static=True)
        rec.flush()
rec.send_columns("b", [rr.TimeColumn("frame", sequence=range(64))], rr.Scalars.columns(scalars=range(64)))
rec.disconnect()
"""


# --- there and back ----------------------------------------------------------------------------

Record = tuple[MessageKind, bytes]


def record_official(path: Path) -> list[Record]:
    """The records of a file of the official SDK."""
    subprocess.run([sys.executable, "-c", RECORDING, str(path)], check=True, timeout=60)
    return saved(path)


async def by_writer(endpoint: Endpoint, records: list[Record]) -> None:
    """Sends them over a bare stream."""
    async with connected(endpoint) as channel, writing(channel) as stream:
        await MessageWriter(stream).write([frame_bytes(kind, payload) for kind, payload in records])
        await stream.end()
        assert await stream.recv_message() == b""


async def by_sink(endpoint: Endpoint, records: list[Record]) -> None:
    """Sends them with the sink, one after the other."""
    sink = GrpcSink(str(endpoint))
    async with opened(sink):
        for kind, payload in records:
            store = parse_log_msg(b"".join(frame_bytes(kind, payload).segments)[5:]).store
            assert store is not None
            await sink.write([Message(kind, (payload,), len(payload), 0, None, store)])
        await sink.flush_acknowledged()
        await sink.aclose()


def queue_of(record: Record) -> int:
    """The place of a record among the three queues of a server."""
    kind, payload = record
    parsed = parse_log_msg(b"".join(frame_bytes(kind, payload).segments)[5:])
    if kind is not MessageKind.ARROW_MSG or parsed.store_kind is StoreKind.BLUEPRINT:
        return 0
    return 1 if parsed.is_static else 2


@pytest.mark.parametrize("send", [by_writer, by_sink])
async def test_check_01_records_of_an_official_file_come_back_unchanged(
    send: Callable[[Any, Any], Coroutine[Any, Any, None]], tmp_path: Path
) -> None:
    records = await asyncio.to_thread(record_official, tmp_path / "official.rrd")
    kinds = Counter(kind for kind, _ in records)
    assert kinds[MessageKind.BLUEPRINT_ACTIVATION_COMMAND] == 1
    assert kinds[MessageKind.SET_STORE_INFO] >= 2
    assert kinds[MessageKind.ARROW_MSG] > 20
    assert {queue_of(record) for record in records} == {0, 1, 2}
    async with asyncio.timeout(60), official_server(*MEMORY) as endpoint:
        await send(endpoint, records)
        async with Client(endpoint.port) as client:
            bodies = await client.read(len(records))
            # And no more than those.
            async with client.reading() as stream:
                await take(stream, len(records))
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(stream.recv_message(), 0.5)
    parsed = [parse_log_msg(body) for body in bodies]
    back = [(each.kind, bytes(each.payload)) for each in parsed]
    assert Counter(back) == Counter(records)
    # What every reader needs, then static data, then the rest, each as it was sent.
    assert back == sorted(records, key=queue_of)


# --- frames ------------------------------------------------------------------------------------


def with_short_ends(count: int) -> list[Message]:
    """Messages whose last frame would be a short one if each were sent alone."""
    messages: list[Message] = []
    rows = 500
    while len(messages) < count:
        message = chunk_message(STORE, scalar_chunk("/a", range(rows)))
        rows += 1
        if 0 < frame(message).nbytes % 16_384 < 200:
            messages.append(message)
            # A whole frame more.
            rows += 500
    return messages


@pytest.mark.parametrize("direct", ["1", "0"], ids=["direct", "by h2"])
async def test_check_10_the_sink_sends_no_short_frame_but_at_the_end_of_a_burst(
    direct: str, sized: Sized, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SWITCH, direct)
    bursts = sized(20, 100)
    tap = Tap()
    async with (
        asyncio.timeout(100),
        official_server(*MEMORY) as server,
        tap.before(server) as endpoint,
    ):
        sink = GrpcSink(str(endpoint))
        burst = [announcement() for _ in range(500)] + with_short_ends(4)
        async with opened(sink):
            await sink.connected(SECS)
            for _ in range(bursts):
                await sink.write(burst)
            await sink.flush_acknowledged()
            await sink.aclose()
    assert tap.problems == []
    sizes = tap.up.sizes()
    assert sum(sizes) > bursts * (500 * 70 + 4 * 16_384)
    # The last frame of a burst may be a short one, and one that closes the stream is empty.
    assert sum(size < SHORT for size in sizes) <= bursts


async def test_check_10_a_recording_sends_no_short_frames(sized: Sized) -> None:
    rows = sized(2000, 20_000)
    tap = Tap()
    async with (
        asyncio.timeout(100),
        official_server(*MEMORY) as server,
        tap.before(server) as endpoint,
    ):
        async with rr.AsyncRecordingStream("frames", recording_id="f") as rec:
            await rec.connect_grpc(str(endpoint))
            for row in range(rows):
                rec.set_time("frame", sequence=row)
                await rec.log("value", rr.Scalars(float(row)))
                await rec.log("bytes", rr.AnyValues(data=os.urandom(1 + row % 700)))
                if row % 100 == 0:
                    await rec.flush()
            await rec.flush(acknowledged=True)
        assert rec.stats().rows_dropped == 0
        chunks = rec.stats().chunks
    assert tap.problems == []
    sizes = tap.up.sizes()
    # Far from what the server puts up with: 256 bytes less than half a megabyte per connection.
    assert sum(SHORT - size for size in sizes if size < SHORT) < chunks * SHORT // 4
