"""What waits to be encoded, or for a sink: what of it newer rows replace."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiorerun as rr
from aiorerun.codec.messages import chunk_message
from aiorerun.engine.cargo import Batch, Encoded
from aiorerun.engine.jobs import encode
from aiorerun.engine.room import Room
from aiorerun.pipeline.capture import Capture
from aiorerun.sinks.base import SinkGone
from aiorerun.types.ids import ids
from aiorerun.types.timeline import TimelineKind
from aiorerun.types.timepoint import NO_TIMES, with_time
from tests.reading import rows_of
from tests.unit.codec.building import BLUEPRINT, STORE, announcement, scalar_chunk

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from aiorerun.codec.messages import Message


def key(cargo: Batch | Encoded) -> Hashable:
    (unit,) = cargo.units()
    return unit.key


def batch(*archetypes: Any, timelines: Sequence[str] = ("frame", "step"), path: str = "/a") -> Batch:
    """One row, not encoded yet."""
    config = rr.ChunkBatcherConfig.DEFAULT()
    capture = Capture(config, clock=lambda: 0, wall=lambda: 0, max_waiting_bytes=1 << 20)
    capture.inject = 0
    times = NO_TIMES
    for number, timeline in enumerate(timelines):
        times = with_time(times, timeline, TimelineKind.SEQUENCE, number)
    capture.add(path, archetypes[0], archetypes[1:], times if timelines else None)
    return Batch(capture.cut_all(), 256)


def encoded(wanted: Batch) -> Encoded:
    config = rr.ChunkBatcherConfig.DEFAULT()
    capture = Capture(config, clock=lambda: 0, wall=lambda: 0, max_waiting_bytes=1 << 20)
    room = Room(capture, 1 << 20, 5.0, "room")
    (((message,), _),) = encode([wanted], STORE, ids, room)
    return Encoded(message, 1, 10)


def test_encoded_or_not_the_same_columns_replace_each_other() -> None:
    positions, text = rr.Points3D([[1, 2, 3]]), rr.TextLog("x")
    waiting = key(batch(positions))
    assert key(encoded(batch(positions))) == waiting
    assert key(encoded(batch(positions, timelines=("step", "frame")))) == waiting
    # Another way of encoding the same components.
    assert key(encoded(batch(rr.Points3D([[1, 2, 3]] * 5)))) == waiting
    assert key(encoded(batch(rr.TextLog("one"), timelines=()))) == key(batch(rr.TextLog("two"), timelines=()))
    for other in (
        batch(positions, path="/b"),
        batch(positions, timelines=("frame",)),
        batch(positions, timelines=()),
        batch(text),
        batch(positions, text),
    ):
        before = key(other)
        assert key(encoded(other)) == before != waiting


def test_other_messages_are_replaced_by_nothing() -> None:
    first, second = Encoded(announcement(), 0, 10), Encoded(announcement(), 0, 10)
    assert key(first) != key(second)
    data, view = (Encoded(chunk_message(store, scalar_chunk("/a")), 1, 1) for store in (STORE, BLUEPRINT))
    assert key(data) != key(view)


class LeavingSink:
    """Its reader goes away when the gate opens."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()

    async def open(self, context: Any) -> None: ...

    async def write(self, messages: Sequence[Message]) -> None:
        await self.gate.wait()
        raise SinkGone("the reader is gone")

    async def flush(self) -> None: ...

    async def aclose(self) -> None: ...


async def test_what_a_sink_gave_back_is_replaced_by_what_is_newer() -> None:
    rec = rr.AsyncRecordingStream(
        "cargo",
        recording_id="latest",
        send_properties=False,
        overflow="keep_latest",
        max_bytes_in_flight=64 << 10,
        batcher_config=rr.ChunkBatcherConfig.ALWAYS(),
    )
    rec.set_log_tick_enabled(False)
    leaving = LeavingSink()
    await rec.set_sinks(leaving)
    await rec.log("once", rr.Scalars(-1.0))
    await rec.log("often", rr.Scalars(0.0))
    async with asyncio.timeout(10):
        while rec.stats().sinks[0].rows_accepted < 2:  # noqa: ASYNC110 - counters cannot be awaited
            await asyncio.sleep(0.001)
        leaving.gate.set()
        while rec.stats().sinks:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    number = 0
    while not rec.stats().rows_dropped:
        number += 1
        await rec.log("often", rr.Scalars(float(number)))
    memory = await rec.memory_recording()
    rows = rows_of(await memory.drain_as_bytes())
    await rec.aclose()
    assert [row for row in rows if row.path == "/once"], "nothing newer has replaced it"
    values = [row.values["Scalars:scalars"][0] for row in rows if row.path == "/often"]
    assert 0.0 not in values, "the message that came back was replaced"
    assert values[-1] == float(number)
