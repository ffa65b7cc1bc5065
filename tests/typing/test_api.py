"""What type checkers make of both faces: return types, and that wrong use is found."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, assert_type

import numpy as np
import pyarrow as pa
import pytest

import aiorerun as rr
import aiorerun.sync as blocking

if TYPE_CHECKING:
    from pathlib import Path


class MySink:
    """A sink as users write them."""

    async def open(self, context: rr.SinkContext) -> None:
        assert_type(await context.run_blocking(lambda: 3), int)

    async def write(self, messages: Any) -> None: ...

    async def flush(self) -> None: ...

    async def aclose(self) -> None: ...


async def the_asyncio_face(path: Path) -> None:
    assert_type(await rr.init("app"), None)
    async with rr.AsyncRecordingStream("app", recording_id="x") as rec:
        assert_type(rec, rr.AsyncRecordingStream)
        call = rec.log("a", rr.Scalars(1.0))
        as_coroutine: Coroutine[Any, Any, None] = call
        await as_coroutine
        assert_type(await rec.log("a", rr.Scalars(1.0), rr.TextLog("x"), static=True, strict=None), None)
        assert_type(await rec.memory_recording(), rr.MemoryRecording)
        assert_type(await (await rr.memory_recording()).drain_as_bytes(), bytes)
        assert_type(await (await rr.memory_recording()).num_msgs(), int)
        assert_type(rec.stats(), rr.StreamStats)
        assert_type(rec.stats().rows_pending, int)
        assert_type(rec.get_recording_id(), str)
        await rec.save(path, write_footer=False)
        await rec.save(str(path))
        await rec.set_sinks(rr.FileSink(path), MySink())
        binary = await rec.binary_stream()
        assert_type(binary, rr.BinaryStream)
        assert_type(await binary.read(), bytes | None)
        await rec.set_sinks(binary, MySink())
        await rec.flush(timeout_sec=1)
        frames = [rr.TimeColumn("frame", sequence=[1, 2])]
        await rec.send_columns("a", frames, rr.Scalars.columns(scalars=[1.0, 2.0]), strict=True)
        await rr.send_columns(["a", 1], (), [*rr.Scalars.columns(scalars=[1.0])], recording=rec)
        table = pa.table({"t": [1], "x": [2]})
        await rec.send_dataframe(table, index="t", entity_path="a")
        await rr.send_dataframe(table, rec, index=["t"])
        await rec.send_record_batch(table.to_batches()[0], index=None)
        assert_type(await rec.send_property("x", rr.AnyValues(typing_a=1)), None)
        await rr.send_recording_name("name", rec)
        await rec.send_recording_start_time_nanos(1)
        index_name: bytes = rr.SORBET_INDEX_NAME
        assert index_name
        with rec as same:
            assert_type(same, rr.AsyncRecordingStream)
    task = asyncio.create_task(rr.log("a", rr.Scalars(1.0)))
    assert_type(task, asyncio.Task[None])


def the_blocking_face(path: Path) -> None:
    assert_type(blocking.init("app"), None)
    with blocking.RecordingStream("app", batcher_config=blocking.ChunkBatcherConfig.NEVER()) as rec:
        assert_type(rec, blocking.RecordingStream)
        assert_type(rec.log(["a", 1], blocking.Scalars(1.0)), None)
        assert_type(rec.memory_recording(), blocking.MemoryRecording)
        assert_type(blocking.memory_recording(rec).drain_as_bytes(), bytes)
        frames = [blocking.TimeColumn("frame", sequence=[1, 2])]
        assert_type(rec.send_columns("a", frames, blocking.Scalars.columns(scalars=[1.0, 2.0])), None)
        blocking.send_columns("a", [], blocking.AnyValues.columns(typing_x=[1]), recording=rec, strict=None)
        table = pa.table({"t": [1], "x": [2]})
        rec.send_dataframe(table, index=blocking.AUTO_INDEX if path.exists() else "t", entity_path=["a", 1])
        blocking.send_record_batch(table.to_batches()[0], rec, index=None)
        assert_type(blocking.send_property("x", blocking.Scalars(1.0).as_component_batches(), rec), None)
        rec.send_recording_name("name")
        assert_type(rec.send_recording_start_time_nanos(1), None)
        rec.save(path)
        rec.set_sinks(blocking.FileSink(path), MySink())
        binary = rec.binary_stream()
        assert_type(binary, blocking.BinaryStream)
        assert_type(binary.read(flush=False), bytes | None)
        rec.set_sinks(binary, MySink())
        rec.flush(timeout_sec=1)


def what_is_the_same_in_both(rec: rr.AsyncRecordingStream) -> None:
    rec.set_time("frame", sequence=1)
    rec.set_time("frame", duration=dt.timedelta(seconds=1))
    rec.set_time("frame", timestamp=np.datetime64(1, "ns"))
    with rec.at("frame", sequence=2):
        rec.log_nowait("a", rr.Points3D([[1, 2, 3]]).as_component_batches())
    assert_type(rr.get_data_recording(), rr.AsyncRecordingStream | None)
    assert_type(blocking.get_data_recording(), blocking.RecordingStream | None)
    assert_type(rr.set_global_data_recording(rec), rr.AsyncRecordingStream | None)
    assert_type(rr.get_recording_id(), str | None)
    assert_type(rr.is_enabled(), bool)
    assert_type(rr.new_entity_path(["a", 1]), str)

    @rr.recording_stream_generator_ctx
    def produce(count: int) -> Generator[int, None, None]:
        yield from range(count)

    assert_type(produce(3), Generator[int, None, None])

    @rr.thread_local_stream("app")
    async def job(number: int) -> str:
        return str(number)

    as_coroutine: Callable[[int], Coroutine[Any, Any, str]] = job
    assert callable(as_coroutine)


async def wrong_use(rec: rr.AsyncRecordingStream, other: blocking.RecordingStream) -> None:
    # Each of these lines is an error for both checkers: an unused "ignore" would be reported.
    await rec.log(3, rr.Scalars(1.0))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    await rec.log("a", 3)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    await rec.log("a")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    await rr.log("a", rr.Scalars(1.0), recording=other)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    await rec.send_columns("a", [3], [])  # type: ignore[list-item] # pyright: ignore[reportArgumentType]
    await rec.send_columns("a", [], 3)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    await rr.send_columns("a", [], [], rec)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    await rec.send_dataframe(None, "t")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    await rec.send_dataframe(None, index=3)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    await rec.send_property("x", 3)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    await rec.send_recording_name(3)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    await rec.set_sinks("file.rrd")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    rec.set_time("a", sequence="1")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    rec.set_time("a", 1)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    rr.AsyncRecordingStream()  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    blocking.save(None)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def test_sinks_of_users_fit_the_protocol() -> None:
    sink: rr.Sink = MySink()
    assert isinstance(sink, rr.Sink)
    assert not isinstance(object(), rr.Sink)


async def test_the_asyncio_lines_run(tmp_path: Path) -> None:
    try:
        await the_asyncio_face(tmp_path / "a.rrd")
        await rr.disconnect()
        rec = rr.AsyncRecordingStream("app", recording_id="typing")
        with pytest.warns(rr.RerunWarning):
            what_is_the_same_in_both(rec)
    finally:
        rr.set_global_data_recording(None)


def test_the_blocking_lines_run(tmp_path: Path) -> None:
    try:
        the_blocking_face(tmp_path / "a.rrd")
        blocking.disconnect()
    finally:
        blocking.set_global_data_recording(None)
