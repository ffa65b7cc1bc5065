"""Following a file that is still being written."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import threading
import time
import warnings
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

import aiorerun as rr
import aiorerun.sync as blocking_rr
from aiorerun.codec.decoder import iter_messages
from aiorerun.recording.follow import Tail
from aiorerun.sync import recording as blocking
from tests.unit.codec.building import (
    FRAME,
    SCALARS,
    chunk,
    component,
    index,
    messages_of,
    scalar_chunk,
    stream_of,
)
from tests.unit.recording.making import everything

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Sized

STREAM = stream_of(messages_of(*(scalar_chunk(f"/{number}") for number in range(6))))
ENDS = [raw.offset + len(raw.payload) for raw in iter_messages(STREAM)][1:-1]


async def test_rows_are_seen_while_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "live.rrd"
    rec = rr.AsyncRecordingStream("app", recording_id="live", send_properties=False)
    await rec.save(path)
    seen: list[int] = []
    async with asyncio.timeout(20), rr.recording.follow(path, poll_interval=0.01) as chunks:
        for frame in range(20):
            rec.set_time("frame", sequence=frame)
            await rec.log("a", rr.Scalars(frame))
            await rec.flush()
            chunk = await anext(chunks)
            assert chunk.is_read
            seen += chunk.column("frame").to_pylist()
        await rec.disconnect()
        with pytest.raises(StopAsyncIteration):
            await anext(chunks)
    assert seen == list(range(20))


def test_the_blocking_one_sees_them_too(tmp_path: Path) -> None:
    path = tmp_path / "live.rrd"
    rec = blocking_rr.RecordingStream("app", recording_id="live", send_properties=False)
    rec.save(path)

    def write() -> None:
        for frame in range(50):
            rec.set_time("frame", sequence=frame)
            rec.log("a", blocking_rr.Scalars(frame))
            if frame % 5 == 0:
                rec.flush()
        rec.disconnect()

    writer = threading.Thread(target=write)
    writer.start()
    seen = [
        frame
        for chunk in blocking.follow(path, poll_interval=0.01)
        for frame in chunk.column("frame").to_pylist()
    ]
    writer.join()
    assert seen == list(range(50))


def test_every_cut_gives_the_complete_chunks(tmp_path: Path, sized: Sized) -> None:
    path = tmp_path / "growing.bin"
    for step in range(1, sized(60, 600), 7):
        path.write_bytes(b"")
        tail = Tail(path)
        found: list[str] = []
        with path.open("ab") as file:
            for start in range(0, len(STREAM), step * 13):
                file.write(STREAM[start : start + step * 13])
                file.flush()
                found += [item.entity_path for item in tail.read() if isinstance(item, rr.recording.Chunk)]
                assert len(found) == sum(end <= start + step * 13 for end in ENDS)
        assert found == [f"/{number}" for number in range(6)]
        assert tail.has_ended


@pytest.mark.parametrize("cut", [len(STREAM), len(STREAM) - 3, len(STREAM) - 32])
async def test_it_ends_with_the_stream(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(STREAM[:cut])
    async with asyncio.timeout(10):
        assert len([chunk async for chunk in rr.recording.follow(path)]) == 6
    assert len(list(blocking.follow(path))) == 6


async def test_streams_that_were_joined_are_followed_to_the_end_of_the_last(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(STREAM + everything())
    chunks = [chunk async for chunk in rr.recording.follow(path)]
    assert len(chunks) == 6 + 5 + 1 + 1
    assert [chunk.store.recording_id for chunk in chunks if chunk.store][-2:] == ["other", "rec_0"]


async def test_without_an_end_it_waits_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(stream_of(messages_of(scalar_chunk()), write_footer=False))
    chunks = rr.recording.follow(path, poll_interval=30)
    assert (await anext(chunks)).num_rows == 1
    waiting = asyncio.create_task(anext(chunks))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    start = time.perf_counter()
    await chunks.aclose()
    with pytest.raises(StopAsyncIteration):
        await waiting
    assert time.perf_counter() - start < 5
    with pytest.raises(StopAsyncIteration):
        await anext(chunks)


def test_closing_the_blocking_one_from_another_thread(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(stream_of(messages_of(scalar_chunk()), write_footer=False))
    chunks = blocking.follow(path, poll_interval=30)
    assert next(chunks).num_rows == 1
    closer = threading.Timer(0.05, chunks.close)
    closer.start()
    assert list(chunks) == []
    closer.join()


async def test_cancelling_loses_no_chunk(tmp_path: Path, sized: Sized) -> None:
    count = sized(60, 2000)
    path = tmp_path / "x.bin"
    path.write_bytes(stream_of(messages_of(*(scalar_chunk(f"/{number}") for number in range(count)))))
    chunks = rr.recording.follow(path)
    found: list[str] = []
    for attempt in itertools.count():
        task = asyncio.create_task(anext(chunks))
        # Before it has begun, while the thread reads, or when the chunk is there.
        for _ in range(attempt % 5):
            await asyncio.sleep(0)
        task.cancel()
        try:
            found.append((await task).entity_path)
        except asyncio.CancelledError:
            pass
        except StopAsyncIteration:
            break
    assert found == [f"/{number}" for number in range(count)]


async def test_an_idle_file_is_not_looked_at_all_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(stream_of(messages_of(scalar_chunk()), write_footer=False))
    looks = 0
    original = Tail.read

    def count(self: Tail) -> Any:
        nonlocal looks
        looks += 1
        return original(self)

    monkeypatch.setattr(Tail, "read", count)
    async with rr.recording.follow(path, poll_interval=0.1) as chunks:
        await anext(chunks)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await anext(chunks)
    assert looks <= 7


async def test_what_is_found_is_bounded(tmp_path: Path) -> None:
    # It shrinks to a hundredth.
    frames = [index(FRAME, [7] * 20_000)]
    values = [component(SCALARS, [[1.0]] * 20_000, pa.float64())]
    made = [chunk(f"/{number}", 20_000, frames, values) for number in range(40)]
    path = tmp_path / "x.bin"
    path.write_bytes(stream_of(messages_of(*made)))
    tail = Tail(path)
    groups = []
    while not tail.has_ended:
        groups.append(tail.read())
    sizes = [sum(item.nbytes for item in group if isinstance(item, rr.recording.Chunk)) for group in groups]
    assert path.stat().st_size < 10 << 20
    assert max(sizes) < 3 << 20
    assert len(groups) > 10
    assert sum(map(len, groups)) == 40


async def test_damage_is_raised_and_the_rest_goes_on(tmp_path: Path) -> None:
    data = bytearray(STREAM)
    at = [raw.offset for raw in iter_messages(STREAM)][2]
    data[at : at + 12] = b"\xff" * 12
    path = tmp_path / "x.bin"
    path.write_bytes(data)
    for_asyncio = rr.recording.follow(path)
    assert (await anext(for_asyncio)).entity_path == "/0"
    with pytest.raises(rr.RrdError):
        await anext(for_asyncio)
    assert [chunk.entity_path async for chunk in for_asyncio] == ["/2", "/3", "/4", "/5"]
    chunks = blocking.follow(path)
    assert next(chunks).entity_path == "/0"
    with pytest.raises(rr.RrdError):
        next(chunks)
    assert len(list(chunks)) == 4


async def test_what_is_no_stream_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"something else, and long enough to tell")
    chunks = rr.recording.follow(path)
    with pytest.raises(rr.RrdError, match="not an RRD stream"):
        await anext(chunks)
    with pytest.raises(StopAsyncIteration):
        await anext(chunks)
    with pytest.raises(FileNotFoundError):
        await anext(rr.recording.follow(tmp_path / "missing.rrd"))
    with pytest.raises(FileNotFoundError):
        next(blocking.follow(tmp_path / "missing.rrd"))


async def test_a_file_that_becomes_shorter_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(stream_of(messages_of(scalar_chunk()), write_footer=False))
    async with rr.recording.follow(path, poll_interval=0.01) as chunks:
        await anext(chunks)
        os.truncate(path, 100)
        with pytest.raises(rr.RrdError, match="has become shorter"):
            await anext(chunks)


async def test_a_pipe_ends_when_its_writer_does(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def write() -> None:
        with pipe.open("wb", buffering=0) as file:
            for start in range(0, len(STREAM), 1000):
                file.write(STREAM[start : start + 1000])
            file.write(STREAM)

    writer = threading.Thread(target=write)
    writer.start()
    async with asyncio.timeout(20):
        assert len([chunk async for chunk in rr.recording.follow(pipe)]) == 12
    await asyncio.to_thread(writer.join)


async def test_closing_while_a_pipe_is_silent(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with os.fdopen(os.open(pipe, os.O_RDWR), "wb", buffering=0) as silent:
        chunks = rr.recording.follow(pipe)
        waiting = asyncio.create_task(anext(chunks))
        await asyncio.sleep(0.1)
        async with asyncio.timeout(5):
            await chunks.aclose()
            with pytest.raises(StopAsyncIteration):
                await waiting
        assert not silent.closed


def test_one_that_is_dropped_closes_its_file(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(stream_of(messages_of(scalar_chunk()), write_footer=False))
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chunks: Any = blocking.follow(path)
        next(chunks)
        del chunks
        gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before
