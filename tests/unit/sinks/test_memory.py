"""The memory sink."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiorerun as rr
from aiorerun.sinks.memory import MemorySink, encode_stream
from tests.reading import assert_verified, scalars_of

if TYPE_CHECKING:
    from pathlib import Path


async def some_messages(count: int) -> list[Any]:
    rec = rr.AsyncRecordingStream("memory", recording_id="m", send_properties=False)
    sink = MemorySink()
    await rec.set_sinks(sink)
    for number in range(count):
        await rec.log("a", rr.Scalars(float(number)))
        await rec.flush()
    messages = sink.take_messages()
    await rec.disconnect()
    return messages


async def test_it_keeps_messages_until_they_are_taken() -> None:
    messages = await some_messages(3)
    sink = MemorySink()
    await sink.open(None)  # type: ignore[arg-type]
    await sink.write(messages[:2])
    await sink.write(messages[2:])
    await sink.flush()
    assert sink.num_messages == len(messages) == 4
    assert repr(sink) == "MemorySink(4 messages)"
    assert sink.take_messages() == messages
    assert (sink.num_messages, sink.take_messages()) == (0, [])
    await sink.aclose()


async def test_a_stream_of_messages_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "a.rrd"
    path.write_bytes(encode_stream(await some_messages(3)))
    assert scalars_of(path, "/a") == [0.0, 1.0, 2.0]
    assert_verified([path])
    assert len(encode_stream([])) == 60


async def test_the_byte_limit_does_not_apply() -> None:
    rec = rr.AsyncRecordingStream(
        "memory", recording_id="m", send_properties=False, max_bytes_in_flight=1 << 16
    )
    memory = await rec.memory_recording()
    for number in range(5000):
        await rec.log("a", rr.Scalars(float(number)), strict=True)
    assert scalars_of(await memory.drain_as_bytes(), "/a") == list(range(5000))
    assert rec.stats().rows_refused == 0
    await rec.disconnect()
