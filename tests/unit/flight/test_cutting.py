"""Rows of some time are cut out of chunks: exactly, whatever is in them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import aiorerun as rr
from aiorerun.flight.cutting import cut
from aiorerun.flight.ring import Dated
from aiorerun.sinks.memory import MemorySink, encode_stream
from aiorerun.types.ids import ids
from tests.reading import assert_verified, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from aiorerun.codec.messages import Message

BIG = rr.ChunkBatcherConfig(flush_tick=1e9, flush_num_bytes=1 << 40, flush_num_rows=1 << 40)


def nothing() -> None:
    """No pause."""


def rows(messages: Iterable[Message]) -> dict[bytes, Any]:
    """The rows with times by id, as text that can be compared."""
    return {
        row.row_id: (row.path, row.times, repr(row.values))
        for row in rows_of(encode_stream(list(messages)))
        if row.times
    }


def time_of(row_id: bytes) -> int:
    return int.from_bytes(row_id[:8], "big")


async def captured() -> list[Message]:
    """Chunks of many rows each, of all kinds of columns."""
    rng = np.random.default_rng(5)
    sink = MemorySink()
    rec = rr.AsyncRecordingStream("cutting", recording_id="c", batcher_config=BIG)
    await rec.set_sinks(sink)
    for number in range(40):
        rec.set_time("row", sequence=number if number % 7 else 3)
        count = number % 4
        await rec.log("points", rr.Points3D(rng.random((count, 3)), labels=["a"] * count))
        await rec.log(
            "pose", rr.Transform3D(translation=[1, 2, number]) if count else rr.Transform3D(scale=2)
        )
        await rec.log("text", rr.TextLog(f"number {number}"))
        await rec.log("any", rr.AnyValues(x=number, y="z" * number) if count else rr.AnyValues(x=number))
        await rec.log("image", rr.Image(rng.integers(0, 255, (4, 4 + number % 2, 3), np.uint8)))
        await rec.log("strips", rr.LineStrips3D([rng.random((size + 1, 3)) for size in range(count)]))
        await rec.log("wave", rr.Scalars(float(number)))
        await asyncio.sleep(0)
    steps = np.arange(1000)
    await rec.send_columns(
        "column", [rr.TimeColumn("row", sequence=steps)], rr.Scalars.columns(scalars=steps.astype(float))
    )
    await rec.flush()
    taken = sink.take_messages()
    await rec.disconnect()
    return [
        message for message in taken if message.index is not None and message.index.group.columns.timelines
    ]


@pytest.mark.parametrize("part", [0.0, 0.01, 0.37, 0.5, 0.99, 1.0])
async def test_the_rows_in_between_are_what_is_left(part: float, tmp_path: Path) -> None:
    messages = await captured()
    whole = rows(messages)
    times = sorted(map(time_of, whole))
    middle = times[int(part * (len(times) - 1))]
    arrived = times[-1] + 5
    chunks = [Dated(message, message.captured_ns, arrived) for message in messages]
    assert all(dated.captured_ns for dated in chunks)
    for begin, end in ((middle, arrived), (0, middle), (middle - 100_000, middle + 100_000)):
        left = list(cut(chunks, begin, end, ids, nothing))
        assert rows(left) == {key: row for key, row in whole.items() if begin < time_of(key) <= end}
    path = tmp_path / "cut.rrd"
    path.write_bytes(encode_stream(list(cut(chunks, middle - 1, arrived, ids, nothing))))
    assert_verified([path])


async def test_whole_chunks_are_passed_on_as_they_are() -> None:
    messages = await captured()
    arrived = max(map(time_of, rows(messages))) + 5
    chunks = [Dated(message, message.captured_ns, arrived) for message in messages]
    before = min(message.captured_ns for message in messages) - 1
    assert [message.index for message in cut(chunks, before, arrived, ids, nothing)] == [
        message.index for message in messages
    ]
    assert all(
        given is left
        for given, left in zip(messages, cut(chunks, before, arrived, ids, nothing), strict=True)
    )
    assert list(cut(chunks, arrived, arrived + 10, ids, nothing)) == []
    assert list(cut(chunks, 0, before, ids, nothing)) == []


async def test_a_part_of_a_chunk_is_another_chunk() -> None:
    messages = [message for message in await captured() if message.rows == 40]
    assert messages
    middle = messages[0].captured_ns + 1
    chunks = [Dated(message, message.captured_ns, middle + 10**12) for message in messages]
    left = list(cut(chunks, middle, middle + 10**12, ids, nothing))
    known = {message.index.record[:16] for message in messages if message.index}
    changed = [message for message in left if message.rows < 40]
    assert changed
    assert not {message.index.record[:16] for message in changed if message.index} & known


async def test_rows_from_elsewhere_count_from_when_they_came() -> None:
    messages = await captured()
    chunks = [Dated(message, 0, 1000 + number) for number, message in enumerate(messages)]
    # Those that came while others were waited for were logged before.
    assert list(cut(chunks, 1001, 1003, ids, nothing)) == messages[2:]


async def test_only_rows_that_this_process_has_captured_say_when(tmp_path: Path) -> None:
    async with rr.AsyncRecordingStream("cutting", recording_id="c") as rec:
        await rec.save(tmp_path / "a.rrd")
        await rec.log("a", rr.Scalars(1.0))
    recording = await rr.recording.load_recording(tmp_path / "a.rrd")
    sink = MemorySink()
    async with rr.AsyncRecordingStream("cutting", recording_id="d", send_properties=False) as rec:
        await rec.set_sinks(sink)
        await rec.send_recording(recording)
        for _ in range(2):
            await rec.log("b", rr.Scalars(1.0))
            for size in (1, 300, 300, 300):
                times = rr.TimeColumn("row", sequence=np.arange(size))
                await rec.send_columns("c", [times], rr.Scalars.columns(scalars=np.zeros(size)))
        await rec.flush()
        taken = [message for message in sink.take_messages() if message.index is not None]
    assert len(taken) >= 10
    for message in taken:
        assert message.index is not None
        first = min(map(time_of, rows([message])), default=0)
        is_own = message.index.group.entity_path in ("/b", "/c")
        assert message.captured_ns == (first if is_own else 0)
