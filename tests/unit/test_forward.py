"""Sending chunks that exist already, in both APIs: what arrives, what is counted, what is refused."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

import aiorerun as rr
import aiorerun.sync as blocking_rr
from aiorerun.codec.chunk_arrow import to_record_batch
from aiorerun.codec.decoder import read_chunks
from aiorerun.sync import recording as blocking
from tests.unit.codec.building import messages_of, scalar_chunk, stream_of
from tests.unit.recording.making import chunks as made_chunks, everything, one_recording

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from aiorerun.sinks.base import SinkContext
    from tests.unit.conftest import NewStream

CHUNKS = made_chunks()
BATCHES = [to_record_batch(each) for each in CHUNKS]
ROWS = sum(batch.num_rows for batch in BATCHES)


def new_blocking_stream(**options: Any) -> blocking_rr.RecordingStream:
    return blocking_rr.RecordingStream("target", recording_id="new", send_properties=False, **options)


def same(data: bytes, batches: list[pa.RecordBatch]) -> bool:
    """Whether a stream holds exactly these chunks, in the target's store."""
    found = read_chunks(data)
    assert {(each.store.application_id, each.store.recording_id) for each in found} <= {("target", "new")}
    return len(found) == len(batches) and all(
        each.batch.equals(batch, check_metadata=True) for each, batch in zip(found, batches, strict=True)
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return one_recording(tmp_path / "one.bin", CHUNKS)


@pytest.mark.parametrize("write_footer", [True, False])
async def test_a_recording_is_sent_as_it_is(
    tmp_path: Path, write_footer: bool, new_stream: NewStream
) -> None:
    path = one_recording(tmp_path / "one.bin", CHUNKS, write_footer=write_footer)
    rec = new_stream()
    memory = await rec.memory_recording()
    await rec.send_recording(await rr.recording.load_recording(path))
    await rec.send_recording(blocking.load_recording(path))
    assert same(await memory.drain_as_bytes(), BATCHES * 2)
    stats = rec.stats()
    assert (stats.rows_accepted, stats.rows_pending, stats.rows_dropped) == (2 * ROWS, 0, 0)
    assert stats.chunks == 2 * len(BATCHES)


def test_a_recording_is_sent_as_it_is_blocking(path: Path) -> None:
    rec = new_blocking_stream()
    memory = rec.memory_recording()
    rec.send_recording(blocking.load_recording(path))
    assert same(memory.drain_as_bytes(), BATCHES)
    rec.send_recording(asyncio.run(rr.recording.load_recording(path)))
    assert same(memory.drain_as_bytes(), BATCHES)
    assert rec.stats().rows_accepted == 2 * ROWS


async def as_async(items: list[Any]) -> AsyncIterator[Any]:
    for item in items:
        await asyncio.sleep(0)
        yield item


def as_generator(items: list[Any]) -> Iterator[Any]:
    yield from items


FORMS: dict[str, Any] = {
    "list": list,
    "tuple": tuple,
    "generator": as_generator,
    "async generator": as_async,
    "chunks": lambda items: [rr.recording.Chunk.from_record_batch(item) for item in items],
    "table": None,
}


@pytest.mark.parametrize("form", [name for name in FORMS if name != "table"])
async def test_chunks_in_all_forms(form: str, new_stream: NewStream) -> None:
    rec = new_stream()
    memory = await rec.memory_recording()
    await rec.send_chunks(FORMS[form](BATCHES))
    assert same(await memory.drain_as_bytes(), BATCHES)


@pytest.mark.parametrize("form", [name for name in FORMS if name not in ("table", "async generator")])
def test_chunks_in_all_forms_blocking(form: str) -> None:
    rec = new_blocking_stream()
    memory = rec.memory_recording()
    rec.send_chunks(FORMS[form](BATCHES))
    assert same(memory.drain_as_bytes(), BATCHES)


async def test_one_chunk_alone(path: Path, new_stream: NewStream) -> None:
    rec = new_stream()
    memory = await rec.memory_recording()
    await rec.send_chunks(BATCHES[0])
    await rec.send_chunks(rr.recording.Chunk.from_record_batch(BATCHES[1]))
    await rec.send_chunks(next(blocking.load_recording(path).chunks(entity_path="wave")))
    found = read_chunks(await memory.drain_as_bytes())
    assert [each.batch.num_rows for each in found] == [3, 1, 2]


async def test_lazy_chunks_and_filters(path: Path, new_stream: NewStream) -> None:
    rec = new_stream()
    memory = await rec.memory_recording()
    ours = await rr.recording.load_recording(path)
    await rec.send_chunks(ours.chunks(entity_path="points"))
    await rec.send_chunks(blocking.load_recording(path).chunks(entity_path="wave"))
    await rec.send_chunks(list(blocking.load_recording(path).chunks(entity_path="wave")))
    await rec.send_chunks(ours)
    found = read_chunks(await memory.drain_as_bytes())
    assert len(found) == 3 + 1 + 1 + 5


async def test_the_module_functions(path: Path, new_stream: NewStream) -> None:
    recording = await rr.recording.load_recording(path)
    with pytest.raises(ValueError, match="send_recording: no recording is active"):
        await rr.send_recording(recording)
    await rr.send_chunks(BATCHES)
    rec = new_stream()
    memory = await rec.memory_recording()
    with rec:
        await rr.send_recording(recording)
        await rr.send_chunks(BATCHES[0])
    await rr.send_recording(recording, rec)
    await rr.send_chunks(BATCHES[0], recording=rec)
    assert len(read_chunks(await memory.drain_as_bytes())) == 12


def test_the_module_functions_blocking(path: Path) -> None:
    recording = blocking.load_recording(path)
    blocking_rr.set_global_data_recording(None)
    with pytest.raises(ValueError, match="send_recording: no recording is active"):
        blocking_rr.send_recording(recording)
    blocking_rr.send_chunks(BATCHES)
    rec = new_blocking_stream()
    memory = rec.memory_recording()
    with rec:
        blocking_rr.send_recording(recording)
        blocking_rr.send_chunks(BATCHES[0])
    blocking_rr.send_recording(recording, rec)
    blocking_rr.send_chunks(BATCHES[0], recording=rec)
    assert len(read_chunks(memory.drain_as_bytes())) == 12


WRONG = [3, "text", {"a": 1}, [1], ["x"], [BATCHES[0], object()], pa.record_batch({"x": [1]}), [None]]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: type(wrong).__name__)
async def test_what_is_no_chunk(wrong: Any, new_stream: NewStream) -> None:
    rec = new_stream()
    memory = await rec.memory_recording()
    with pytest.warns(rr.RerunWarning, match=r"send_chunks: (TypeError|ValueError)"):
        await rec.send_chunks(wrong)
    rr.set_strict_mode(True)
    try:
        with pytest.raises((TypeError, ValueError)):
            await rec.send_chunks(wrong)
        other = new_blocking_stream()
        await asyncio.to_thread(_raises, other, wrong)
    finally:
        rr.set_strict_mode(False)
    # What came before the wrong one is sent, and the warning is recorded.
    chunks = read_chunks(await memory.drain_as_bytes())
    warned = [
        chunk for chunk in chunks if chunk.batch.schema.metadata[b"rerun:entity_path"] == b"/__warnings"
    ]
    assert len(warned) == 1
    assert len(chunks) - 1 == (2 if isinstance(wrong, list) and len(wrong) > 1 else 0)


def _raises(stream: blocking_rr.RecordingStream, wrong: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        stream.send_chunks(wrong)


def test_async_iterables_are_for_the_asyncio_api() -> None:
    with pytest.warns(rr.RerunWarning, match="asynchronous, use the asyncio API"):
        new_blocking_stream().send_chunks(as_async(BATCHES))  # type: ignore[arg-type]


async def test_what_is_no_recording(tmp_path: Path, new_stream: NewStream) -> None:
    rec = new_stream()
    with pytest.warns(rr.RerunWarning, match="expected a recording from load_recording"):
        await rec.send_recording(BATCHES)  # type: ignore[arg-type]
    path = tmp_path / "all.bin"
    path.write_bytes(everything())
    (blueprint,) = (await rr.recording.load_archive(path)).all_blueprints()
    with pytest.warns(rr.RerunWarning, match="this is a blueprint"):
        await rec.send_recording(blueprint)
    other = new_blocking_stream()
    with pytest.warns(rr.RerunWarning, match="expected a recording"):
        other.send_recording("x.rrd")  # type: ignore[arg-type]
    # The warnings are recorded, and nothing else.
    assert (rec.stats().rows_accepted, other.stats().rows_accepted) == (2, 1)


async def test_disabled_and_closed_streams(new_stream: NewStream) -> None:
    disabled = new_stream(default_enabled=False)
    await disabled.send_chunks(BATCHES)
    assert disabled.stats().rows_accepted == 0
    closed = new_stream()
    await closed.aclose()
    with pytest.warns(rr.RerunWarning, match="send_chunks: StreamClosedError"):
        await closed.send_chunks(BATCHES)
    other = new_blocking_stream()
    await asyncio.to_thread(other.close)
    with pytest.warns(rr.RerunWarning, match="send_chunks: StreamClosedError"):
        other.send_chunks(BATCHES)


async def test_damage_is_raised_and_what_came_before_is_sent(tmp_path: Path, new_stream: NewStream) -> None:
    path = one_recording(tmp_path / "one.bin", CHUNKS)
    recording, other = await rr.recording.load_recording(path), blocking.load_recording(path)
    data = bytearray(path.read_bytes())
    at = other._index.offsets.tolist()[2]
    data[at : at + 12] = b"\xff" * 12
    path.write_bytes(data)
    rec = new_stream()
    memory = await rec.memory_recording()
    with pytest.raises(rr.RrdError):
        await rec.send_chunks(other.chunks())
    assert same(await memory.drain_as_bytes(), BATCHES[:2])
    with pytest.raises(rr.RrdError):
        await rec.send_recording(recording)
    with pytest.raises(rr.RrdError):
        await asyncio.to_thread(new_blocking_stream().send_recording, other)


class StuckSink:
    """Takes nothing until it is let go."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.rows = 0

    async def open(self, context: SinkContext) -> None: ...

    async def write(self, messages: Any) -> None:
        await self.let_go.wait()
        self.rows += sum(message.rows for message in messages)

    async def flush(self) -> None: ...

    async def aclose(self) -> None: ...


async def test_over_the_limit_it_waits_and_then_refuses_whole_chunks(new_stream: NewStream) -> None:
    rec = new_stream(max_bytes_in_flight=200_000, max_wait=0.2)
    sink = StuckSink()
    await rec.set_sinks(sink)
    batch = to_record_batch(scalar_chunk("/a", range(1000)))
    with pytest.warns(rr.RerunWarning, match="are refused"):
        await rec.send_chunks([batch] * 20)
    stats = rec.stats()
    assert stats.rows_accepted + stats.rows_refused == 20_000
    assert stats.rows_refused >= 5_000
    assert stats.reasons == {"over the byte limit": stats.rows_refused}
    assert stats.pending_bytes < 400_000
    sink.let_go.set()
    await rec.flush()
    assert rec.stats().rows_delivered == stats.rows_accepted == sink.rows
    await rec.aclose()


async def test_over_the_limit_it_goes_on_when_there_is_room(new_stream: NewStream) -> None:
    rec = new_stream(max_bytes_in_flight=200_000, max_wait=30)
    sink = StuckSink()
    await rec.set_sinks(sink)
    batch = to_record_batch(scalar_chunk("/a", range(1000)))
    sending = asyncio.create_task(rec.send_chunks(as_generator([batch] * 50)))
    while rec._capture.gate == 0:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.001)
    assert not sending.done()
    sink.let_go.set()
    await asyncio.wait_for(sending, 20)
    await rec.flush()
    assert sink.rows == rec.stats().rows_delivered == 50_000
    await rec.aclose()


def test_over_the_limit_threads_wait_too(tmp_path: Path) -> None:
    rec = new_blocking_stream(max_bytes_in_flight=200_000)
    rec.save(tmp_path / "x.rrd")
    batch = to_record_batch(scalar_chunk("/a", range(1000)))
    threads = [threading.Thread(target=rec.send_chunks, args=([batch] * 25,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rec.disconnect()
    assert rec.stats().rows_delivered == 100_000


async def test_cancelling_leaves_whole_chunks(tmp_path: Path, new_stream: NewStream) -> None:
    path = tmp_path / "many.bin"
    path.write_bytes(
        stream_of(messages_of(*(scalar_chunk(f"/{number}", range(100)) for number in range(300))))
    )
    recording = await rr.recording.load_recording(path)
    for turns in range(0, 60, 7):
        rec = new_stream()
        memory = await rec.memory_recording()
        task = asyncio.create_task(rec.send_recording(recording))
        for _ in range(turns):
            await asyncio.sleep(0.0005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        found = read_chunks(await memory.drain_as_bytes())
        assert [each.batch.schema.metadata[b"rerun:entity_path"].decode() for each in found] == [
            f"/{number}" for number in range(len(found))
        ]
        assert rec.stats().rows_accepted == rec.stats().rows_delivered == 100 * len(found)


async def test_what_is_sent_before_a_sink_waits_for_it(path: Path, new_stream: NewStream) -> None:
    rec = new_stream()
    await rec.send_recording(await rr.recording.load_recording(path))
    memory = await rec.memory_recording()
    assert same(await memory.drain_as_bytes(), BATCHES)


async def test_no_ticks_are_taken_and_no_times_added(new_stream: NewStream) -> None:
    rec = new_stream()
    memory = await rec.memory_recording()
    await rec.log("a", rr.Scalars(1))
    await rec.send_chunks(BATCHES)
    await rec.log("a", rr.Scalars(2))
    found = read_chunks(await memory.drain_as_bytes())
    ticks = [
        tick
        for each in found
        if "log_tick" in each.batch.schema.names
        for tick in each.batch["log_tick"].to_pylist()
    ]
    assert ticks == [0, 1]
    assert sum("log_time" in each.batch.schema.names for each in found) < len(found)


async def test_forced_files_get_what_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_stream: NewStream
) -> None:
    monkeypatch.setenv("_RERUN_TEST_FORCE_SAVE", str(tmp_path / "forced.rrd"))
    rec = new_stream()
    await rec.send_chunks(BATCHES)
    await rec.disconnect()
    assert (await rr.recording.load_recording(tmp_path / "forced.rrd")).num_rows == ROWS
