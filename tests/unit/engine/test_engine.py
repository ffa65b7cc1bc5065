"""The engine: when rows are cut off, and which settings are in force."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

import aiorerun as rr
from aiorerun.engine.engine import NEVER, retrieve

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from aiorerun.codec.messages import Message


class ListSink:
    """Notes when it got how many rows."""

    default_batcher_config: rr.ChunkBatcherConfig | None = None

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.arrived = asyncio.Event()

    async def open(self, context: Any) -> None: ...

    async def write(self, messages: Sequence[Message]) -> None:
        rows = [message.rows for message in messages if message.rows]
        self.rows.extend(rows)
        if rows:
            self.arrived.set()

    async def flush(self) -> None: ...

    async def aclose(self) -> None: ...

    async def wait(self) -> None:
        await asyncio.wait_for(self.arrived.wait(), 10)
        self.arrived.clear()


class FileLike(ListSink):
    is_file = True


def stream(**options: Any) -> rr.AsyncRecordingStream:
    return rr.AsyncRecordingStream("app", recording_id="engine", send_properties=False, **options)


async def test_every_so_many_rows() -> None:
    sink = ListSink()
    rec = stream(batcher_config=rr.ChunkBatcherConfig(flush_tick=1e12, flush_num_rows=4))
    await rec.set_sinks(sink)
    for number in range(10):
        await rec.log("a", rr.Scalars(float(number)))
    await rec.flush()
    assert sink.rows == [4, 4, 2]
    await rec.disconnect()


async def test_with_a_long_tick_the_first_row_waits_for_others() -> None:
    sink = ListSink()
    rec = stream(batcher_config=rr.ChunkBatcherConfig(flush_tick=10, flush_num_rows=3))
    await rec.set_sinks(sink)
    for number in range(6):
        await rec.log("a", rr.Scalars(float(number)))
        await asyncio.sleep(0.01)
    await rec.flush()
    assert sink.rows == [3, 3]
    await rec.disconnect()


async def test_a_long_tick_comes_all_the_same() -> None:
    sink = ListSink()
    rec = stream(batcher_config=rr.ChunkBatcherConfig(flush_tick=1.1))
    await rec.set_sinks(sink)
    await rec.log("a", rr.Scalars(1.0))
    await asyncio.to_thread(rec.log_nowait, "a", rr.Scalars(2.0))
    await sink.wait()
    assert sink.rows == [2]
    await asyncio.to_thread(rec.log_nowait, "a", rr.Scalars(3.0))
    await sink.wait()
    assert sink.rows == [2, 1]
    await rec.disconnect()


async def test_every_so_many_bytes() -> None:
    sink = ListSink()
    rec = stream(batcher_config=rr.ChunkBatcherConfig(flush_tick=1e12, flush_num_bytes=10_000))
    await rec.set_sinks(sink)
    for _ in range(10):
        await rec.log("a", rr.TextLog("x" * 3000))
    await rec.flush()
    # About so many: what rows need beside their texts is estimated.
    assert len(sink.rows) > 1
    assert sink.rows[0] in range(3, 6)
    assert sum(sink.rows) == 10
    await rec.disconnect()


async def test_the_first_row_goes_at_once_and_later_ones_wait_for_the_tick() -> None:
    sink = ListSink()
    tick = 0.2
    rec = stream(batcher_config=rr.ChunkBatcherConfig(flush_tick=tick))
    await rec.set_sinks(sink)
    await rec.log("a", rr.Scalars(0.0))
    await sink.wait()
    assert sink.rows == [1]
    started = time.perf_counter()
    for _ in range(3):
        await rec.log("a", rr.Scalars(1.0))
    await sink.wait()
    assert sink.rows == [1, 3]
    assert time.perf_counter() - started > tick / 4
    await asyncio.sleep(2.5 * tick)
    # Idle: the next one does not wait.
    await rec.log("a", rr.Scalars(2.0))
    await sink.wait()
    assert sink.rows == [1, 3, 1]
    await rec.disconnect()


async def test_a_tick_that_was_late_is_not_followed_by_an_empty_one() -> None:
    sink, tick = ListSink(), 0.1
    rec = stream(batcher_config=rr.ChunkBatcherConfig(flush_tick=tick))
    await rec.set_sinks(sink)
    rec.log_nowait("a", rr.Scalars(1.0))
    # The loop has no time for the tick of this row: the next one has to see to it.
    end = time.perf_counter() + tick + 0.01
    while time.perf_counter() < end:
        pass
    await rec.log("a", rr.Scalars(2.0))
    for _ in range(3):
        await asyncio.sleep(0)
    # Nothing was taken for idleness, which would be zero.
    assert rec._capture.due > time.perf_counter_ns()
    await rec.disconnect()
    assert sink.rows == [2]


async def test_short_ticks_are_stretched_where_they_are_costly() -> None:
    def secs(rec: rr.AsyncRecordingStream) -> float:
        rec._engine._arm()
        return (rec._capture.due - time.perf_counter_ns()) / 1e9

    for tick, batch_secs, expected in [
        (0.008, 0.0001, 0.008),
        (0.008, 0.002, 0.016),
        (0.008, 0.02, 0.032),
        (0.2, 0.02, 0.2),
    ]:
        rec = stream(batcher_config=rr.ChunkBatcherConfig(flush_tick=tick))
        await rec.set_sinks(ListSink())
        rec._engine.room.batch_ns = int(batch_secs * 1e9)
        assert expected - 0.005 < secs(rec) <= expected
        await rec.disconnect()


async def test_many_entities_make_a_tick_costly() -> None:
    rec = stream(batcher_config=rr.ChunkBatcherConfig(flush_tick=0.008))
    await rec.set_sinks(ListSink())
    for number in range(300):
        await rec.log(f"a{number}", rr.Scalars(1.0))
    await rec.flush()
    many = rec._engine.room.batch_ns
    for number in range(5):
        # What is sent in columns comes with no tick, and says nothing about them.
        await rec.send_columns("b", [rr.TimeColumn("t", sequence=[number])], rr.Scalars.columns(scalars=[1]))
        await rec.flush()
    assert rec._engine.room.batch_ns == many
    for _ in range(20):
        await rec.log("a", rr.Scalars(1.0))
        await rec.flush()
    assert rec._engine.room.batch_ns < many / 4
    await rec.disconnect()


async def test_rows_of_another_thread_are_ticked_too() -> None:
    sink = ListSink()
    rec = stream(batcher_config=rr.ChunkBatcherConfig(flush_tick=0.01))
    await rec.set_sinks(sink)
    await asyncio.to_thread(rec.log_nowait, "a", rr.Scalars(1.0))
    await sink.wait()
    for _ in range(3):
        await asyncio.to_thread(rec.log_nowait, "a", rr.Scalars(1.0))
    while sum(sink.rows) < 4:
        await sink.wait()
    await rec.disconnect()


@contextlib.contextmanager
def busy_worker(rec: rr.AsyncRecordingStream) -> Generator[None]:
    """Keeps the worker from encoding anything."""
    go_on = threading.Event()

    def wait() -> None:
        go_on.wait(10)

    rec._engine.conveyor._worker.worker.submit(wait)
    try:
        yield
    finally:
        go_on.set()


async def test_rows_gather_while_those_of_the_last_tick_wait_to_be_encoded() -> None:
    sink = ListSink()
    rec = stream(batcher_config=rr.ChunkBatcherConfig(flush_tick=0.001))
    await rec.set_sinks(sink)
    with busy_worker(rec):
        # The first row of a kind is encoded in the worker; what the next tick cuts off waits behind it.
        for _ in range(20):
            await rec.log("a", rr.Scalars(1.0))
            await asyncio.sleep(0.005)
        assert sink.rows == []
        gathered = rec._capture.waiting_rows
        assert gathered >= 10
    while sum(sink.rows) < 20:
        await sink.wait()
    # Nothing waits for a flush: the ticks have gone on.
    assert max(sink.rows) >= gathered
    assert rec.stats().rows_delivered == 20
    await rec.disconnect()


async def test_only_rows_of_the_last_tick_hold_the_next_one_up() -> None:
    sink = ListSink()
    # Ticks come when they are called here.
    config = rr.ChunkBatcherConfig(flush_tick=1e12, flush_num_rows=4)
    rec = stream(batcher_config=config)
    await rec.set_sinks(sink)
    engine, capture = rec._engine, rec._capture
    with busy_worker(rec):
        await rec.log("busy", rr.Scalars(1.0))
        engine._on_tick()
        first = engine._last_tick
        assert first is not None
        async with asyncio.timeout(10):
            while not first.is_taken:  # noqa: ASYNC110 - it is about the inside of the pipeline
                await asyncio.sleep(0)
        # These are cut off by their number, and wait to be encoded.
        for _ in range(40):
            await rec.log("busy", rr.Scalars(1.0))
        await rec.log("rare", rr.Scalars(2.0))
        assert capture.waiting_rows == 1
        engine._on_tick()
        assert capture.waiting_rows == 0
        await rec.log("rare", rr.Scalars(3.0))
        engine._on_tick()
        assert capture.waiting_rows == 1
        assert sink.rows == []
    await rec.disconnect()
    assert sink.rows == [1, *[4] * 10, 1, 1]


async def test_without_a_tick_only_flushing_counts() -> None:
    sink = ListSink()
    rec = stream(batcher_config=rr.ChunkBatcherConfig.NEVER())
    await rec.set_sinks(sink)
    assert rec._capture.due == NEVER
    for _ in range(100):
        await rec.log("a", rr.Scalars(1.0))
        await asyncio.sleep(0)
    assert sink.rows == []
    await rec.flush()
    assert sink.rows == [100]
    await rec.disconnect()


async def test_no_tick_runs_without_a_sink() -> None:
    sink = ListSink()
    rec = stream(batcher_config=rr.ChunkBatcherConfig(flush_tick=0.001))
    await rec.log("a", rr.Scalars(1.0))
    await rec.set_sinks(sink)
    await rec.log("a", rr.Scalars(2.0))
    await rec.disconnect()
    assert rec._capture.due == NEVER
    await rec.log("a", rr.Scalars(3.0))
    rec._engine._on_tick()  # one that was under way when the sinks were taken away
    await asyncio.sleep(0.01)
    assert sum(sink.rows) == 2
    assert rec.stats().rows_pending == 1
    rec._capture.due = 0
    await rec.log("a", rr.Scalars(4.0))
    assert rec._capture.due == NEVER


class TestSettings:
    async def test_an_explicit_one_goes_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RERUN_FLUSH_NUM_ROWS", "3")
        config = rr.ChunkBatcherConfig(flush_num_rows=7)
        rec = stream(batcher_config=config)
        await rec.set_sinks(ListSink())
        assert rec._engine.config == config
        await rec.disconnect()

    async def test_then_the_environment_then_the_sink(self, monkeypatch: pytest.MonkeyPatch) -> None:
        sink = ListSink()
        sink.default_batcher_config = rr.ChunkBatcherConfig(flush_tick=0.008, flush_num_rows=11)
        rec = stream()
        await rec.set_sinks(sink)
        assert rec._engine.config == sink.default_batcher_config
        monkeypatch.setenv("RERUN_FLUSH_NUM_ROWS", "3")
        await rec.set_sinks(sink)
        assert rec._engine.config == rr.ChunkBatcherConfig(flush_tick=0.008, flush_num_rows=3)
        await rec.set_sinks(sink, ListSink())
        assert rec._engine.config == rr.ChunkBatcherConfig(flush_num_rows=3)
        await rec.disconnect()

    @pytest.mark.parametrize("strict", [True, False])
    async def test_a_chunk_per_row_is_advised_against(
        self, strict: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        before = rr.strict_mode()
        rr.set_strict_mode(strict)
        try:
            rec = stream(batcher_config=rr.ChunkBatcherConfig.ALWAYS())
            await rec.set_sinks(ListSink())
            assert "a chunk of its own" not in caplog.text
            with caplog.at_level(logging.WARNING):
                await rec.set_sinks(FileLike())
            assert ("a chunk of its own" in caplog.text) is not strict
            await rec.disconnect()
        finally:
            rr.set_strict_mode(before)


async def test_the_outcome_of_something_nobody_waits_for_is_seen() -> None:
    loop = asyncio.get_running_loop()
    failed, cancelled = loop.create_future(), loop.create_future()
    failed.set_exception(KeyError())
    cancelled.cancel()
    retrieve(failed)
    retrieve(cancelled)
