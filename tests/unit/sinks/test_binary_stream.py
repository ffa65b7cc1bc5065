"""Binary streams: reading, streaming, the byte limit, and what becomes of unread data."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

import aiorerun as rr
import aiorerun.sync as blocking
from aiorerun.sinks.binary_stream import PART_BYTES, BinarySink, parts
from tests.reading import assert_verified, scalars_of

if TYPE_CHECKING:
    from pathlib import Path

EMPTY_BYTES = 60
"""A valid RRD stream without messages."""


def stream(name: str = "binary", **options: Any) -> rr.AsyncRecordingStream:
    return rr.AsyncRecordingStream("app", recording_id=name, send_properties=False, **options)


async def test_each_read_is_a_complete_stream_of_what_is_new(tmp_path: Path) -> None:
    rec = stream()
    await rec.log("a", rr.Scalars(0.0))
    binary = await rec.binary_stream()
    files = []
    for number in range(1, 4):
        await rec.log("a", rr.Scalars(float(number)))
        data = await binary.read()
        assert data is not None
        files.append(tmp_path / f"{number}.rrd")
        files[-1].write_bytes(data)
    assert [scalars_of(file, "/a") for file in files] == [[0.0, 1.0], [2.0], [3.0]]
    assert await binary.read() is None
    assert_verified(files)
    await rec.disconnect()


async def test_without_a_flush_only_what_was_batched_is_read() -> None:
    rec = stream(batcher_config=rr.ChunkBatcherConfig.NEVER())
    binary = await rec.binary_stream()
    await binary.read()
    await rec.log("a", rr.Scalars(1.0))
    assert await binary.read(flush=False) is None
    await binary.flush()
    data = await binary.read(flush=False)
    assert data is not None
    assert scalars_of(data, "/a") == [1.0]
    await rec.disconnect()


@pytest.mark.parametrize("timeout", [-1.0, float("nan")])
async def test_odd_timeouts(timeout: float) -> None:
    binary = await stream().binary_stream()
    with pytest.raises(ValueError, match="flush_timeout_sec"):
        await binary.read(flush_timeout_sec=timeout)
    with pytest.raises(ValueError, match="timeout_sec"):
        await binary.flush(timeout)
    await binary._stream.disconnect()


async def test_a_flush_that_takes_too_long_takes_nothing() -> None:
    class Stuck:
        async def open(self, context: Any) -> None: ...
        async def write(self, messages: Any) -> None:
            await free.wait()

        async def flush(self) -> None: ...
        async def aclose(self) -> None: ...

    free = asyncio.Event()
    rec = stream()
    binary = await rec.binary_stream()
    await rec.set_sinks(Stuck(), binary)
    await rec.log("a", rr.Scalars(1.0))
    with pytest.raises(rr.FlushTimeoutError):
        await binary.read(flush_timeout_sec=0.05)
    # Its own part came through: the sinks have queues of their own.
    data = await binary.read(flush_timeout_sec=0)
    assert data is not None
    assert scalars_of(data, "/a") == [1.0]
    free.set()
    await rec.disconnect()


async def test_unread_bytes_count_towards_the_limit_and_reading_makes_room() -> None:
    rec = stream(max_bytes_in_flight=1 << 20, max_wait=0.05)
    binary = await rec.binary_stream()
    image = rr.Image(bytes=os.urandom(1 << 16), width=256, height=256, color_model="L", datatype="U8")

    async def log_much() -> None:
        for _ in range(100):
            await rec.log("image", image)

    with pytest.warns(rr.RerunWarning, match="refused"):
        await log_much()
    await rec.flush()
    stats = rec.stats()
    assert stats.rows_refused > 50
    assert stats.rows_accepted == stats.rows_delivered
    assert stats.pending_bytes <= 2 << 20
    data = await binary.read()
    assert data is not None
    assert rec.stats().pending_bytes == 0
    await rec.log("image", image, strict=True)
    assert rec.stats().rows_refused == stats.rows_refused
    await rec.disconnect()
    assert rec.stats().pending_bytes == 0


async def test_what_is_unread_stays_readable_after_another_sink_came(tmp_path: Path) -> None:
    rec = stream()
    binary = await rec.binary_stream()
    await rec.log("a", rr.Scalars(1.0))
    await rec.save(tmp_path / "a.rrd")
    await rec.log("a", rr.Scalars(2.0))
    data = await binary.read()
    assert data is not None
    assert scalars_of(data, "/a") == [1.0]
    assert await binary.read() is None
    await rec.disconnect()
    assert scalars_of(tmp_path / "a.rrd", "/a") == [2.0]


async def test_beside_another_sink(tmp_path: Path) -> None:
    rec = stream()
    binary = await rec.binary_stream()
    await rec.log("a", rr.Scalars(1.0))
    await rec.set_sinks(rr.FileSink(tmp_path / "a.rrd"), binary)
    await rec.log("a", rr.Scalars(2.0))
    data = await binary.read()
    assert data is not None
    assert scalars_of(data, "/a") == [1.0, 2.0]
    with pytest.raises(ValueError, match="Duplicate sinks detected"):
        await rec.set_sinks(binary, binary)
    await rec.disconnect()
    assert scalars_of(tmp_path / "a.rrd", "/a") == [2.0]


async def test_with_another_recording() -> None:
    first, second = stream("first"), stream("second")
    binary = await first.binary_stream()
    with pytest.raises(rr.SinkOpenError, match="another recording"):
        await second.set_sinks(binary)
    await first.disconnect()
    await binary.read()
    await second.set_sinks(binary)
    await second.log("a", rr.Scalars(1.0))
    data = await binary.read()
    assert data is not None
    assert scalars_of(data, "/a") == [1.0]
    await second.disconnect()


async def test_the_apis_do_not_mix() -> None:
    binary = await stream().binary_stream()
    other = blocking.RecordingStream("app", recording_id="other")
    with pytest.raises(TypeError, match=r"aiorerun\.sync"):
        await asyncio.to_thread(other.set_sinks, binary)  # type: ignore[arg-type]
    await binary._stream.disconnect()


async def test_cancelling_a_read_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rec = stream()
    binary = await rec.binary_stream()
    image = rr.Image(bytes=os.urandom(1 << 20), width=1024, height=1024, color_model="L", datatype="U8")
    await rec.log("image", image)
    await rec.log("a", rr.Scalars(1.0))
    await rec.flush()
    kept = len(binary.log_sink._messages)
    begun, go_on = threading.Event(), threading.Event()
    from aiorerun.sinks import memory

    encode = memory.encode_stream

    def slowly(messages: Any) -> bytes:
        begun.set()
        go_on.wait(10)
        return encode(messages)

    monkeypatch.setattr(memory, "encode_stream", slowly)
    task = asyncio.create_task(binary.read())
    assert await asyncio.to_thread(begun.wait, 10)
    assert binary.log_sink._messages == []
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    assert len(binary.log_sink._messages) == kept
    data = await binary.read()
    assert data is not None
    assert scalars_of(data, "/a") == [1.0]
    await rec.disconnect()


async def test_one_continuous_stream_of_bytes(tmp_path: Path) -> None:
    rec = stream()
    binary = await rec.binary_stream()
    received: list[bytes] = []
    seen = asyncio.Event()

    async def consume() -> None:
        async for part in binary.iter_bytes():
            received.append(part)
            seen.set()

    task = asyncio.create_task(consume())
    for number in range(5):
        seen.clear()
        await rec.log("a", rr.Scalars(float(number)))
        # Nobody flushes: the batcher's tick is enough.
        async with asyncio.timeout(10):
            await seen.wait()
    noise = rr.Image(bytes=os.urandom(1 << 20), width=1024, height=1024, color_model="L", datatype="U8")
    await rec.log("image", noise)
    await rec.disconnect()
    await task
    path = tmp_path / "a.rrd"
    path.write_bytes(b"".join(received))
    assert scalars_of(path, "/a") == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert max(map(len, received)) == PART_BYTES
    assert_verified([path])


async def test_leaving_a_stream_of_bytes_leaves_the_rest_readable() -> None:
    rec = stream()
    binary = await rec.binary_stream()
    iterator = binary.iter_bytes(write_footer=False)
    assert (await anext(iterator))[:4] == b"RRF2"
    await rec.flush()
    await anext(iterator)
    waiting = asyncio.ensure_future(anext(iterator))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert binary.log_sink._waiters == []
    await rec.log("a", rr.Scalars(1.0))
    data = await binary.read()
    assert data is not None
    assert scalars_of(data, "/a") == [1.0]
    await rec.disconnect()


async def test_disabled_recordings_give_nothing() -> None:
    rec = stream(default_enabled=False)
    binary = await rec.binary_stream()
    assert await binary.read() is None
    assert len(b"".join([part async for part in binary.iter_bytes()])) == EMPTY_BYTES


def test_the_blocking_api(tmp_path: Path) -> None:
    rec = blocking.RecordingStream("app", recording_id="blocking", send_properties=False)
    binary = rec.binary_stream()
    received: list[bytes] = []
    thread = threading.Thread(target=lambda: received.extend(binary.iter_bytes()))
    rec.log("a", rr.Scalars(0.0))
    data = binary.read()
    assert data is not None
    assert scalars_of(data, "/a") == [0.0]
    assert binary.read() is None
    thread.start()
    rec.log("a", rr.Scalars(1.0))
    rec.log("a", rr.Scalars(2.0))
    binary.flush(10)
    rec.disconnect()
    thread.join(10)
    assert not thread.is_alive()
    path = tmp_path / "a.rrd"
    path.write_bytes(b"".join(received))
    assert scalars_of(path, "/a") == [1.0, 2.0]
    assert_verified([path])
    with pytest.raises(ValueError, match="timeout_sec"):
        binary.read(flush_timeout_sec=-1)
    rec.set_sinks(binary)
    rec.log("a", rr.Scalars(3.0))
    assert binary.read(flush_timeout_sec=10) is not None
    rec.disconnect()


def test_the_byte_limit_of_the_blocking_api() -> None:
    rec = blocking.RecordingStream(
        "app", recording_id="limit", send_properties=False, max_bytes_in_flight=1 << 20, max_wait=0.05
    )
    binary = rec.binary_stream()
    image = rr.Image(bytes=os.urandom(1 << 16), width=256, height=256, color_model="L", datatype="U8")

    def log_much() -> None:
        for _ in range(100):
            rec.log("image", image)

    with pytest.warns(rr.RerunWarning, match="refused"):
        log_much()
    assert binary.read() is not None
    assert rec.stats().pending_bytes == 0
    rec.disconnect()


def test_parts() -> None:
    assert list(parts([])) == []
    assert list(parts([b"a", memoryview(b"bc")])) == [b"abc"]
    large = bytes(range(256)) * (PART_BYTES // 256) + b"end"
    cut = list(parts([b"first", large, b"last"]))
    assert b"".join(cut) == b"first" + large + b"last"
    assert max(map(len, cut)) == PART_BYTES


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_reads_nothing_of_its_parent() -> None:
    sink = BinarySink()
    sink._messages.append(object())  # type: ignore[arg-type]
    with sink._lock:
        pid = os.fork()
        if pid == 0:
            os._exit(len(sink.take()) + sink.is_open)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert len(sink._messages) == 1
