"""Limits of recordings: both APIs, threads, flushes, sinks, counts."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

import aiorerun
import aiorerun.sync
import aiorerun.sync.testing
from aiorerun.testing import CaptureSink
from aiorerun.types.entity_path import normalize_entity_path


def balanced(stats: aiorerun.StreamStats) -> bool:
    """Whether every row is accounted for, and every dropped one has a reason."""
    return (
        stats.rows_accepted == stats.rows_delivered + stats.rows_dropped + stats.rows_pending
        and sum(stats.reasons.values()) == stats.rows_dropped + stats.rows_refused
    )


async def make() -> tuple[aiorerun.AsyncRecordingStream, CaptureSink]:
    rec, sink = aiorerun.AsyncRecordingStream("app", send_properties=False), CaptureSink()
    await rec.set_sinks(sink)
    return rec, sink


async def until_rows(rec: aiorerun.AsyncRecordingStream, count: int) -> None:
    async with asyncio.timeout(20):
        while rec.stats().rows_delivered < count:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.005)


async def test_the_last_row_arrives_by_itself() -> None:
    rec, sink = await make()
    rec.limit("camera/**", hz=20)
    for number in range(50):
        await rec.log("camera/left", aiorerun.Scalars(number))
        await rec.log("other", aiorerun.Scalars(number))
    # Nobody flushes: the last one comes when its period is over, and is not alone.
    await until_rows(rec, 52)
    values = [row["scalars"] for row in await sink.rows("camera/left")]
    assert (values[0], values[-1]) == ([0.0], [49.0])
    assert len(await sink.rows("other")) == 50
    stats = rec.stats()
    assert stats.reasons == {"rate limit: camera/**": 50 - len(values)}
    assert balanced(stats)
    assert stats.rows_pending == 0
    await rec.disconnect()


async def test_a_row_of_an_idle_recording_is_released() -> None:
    rec, _ = await make()
    rec.limit("a", hz=10)
    await rec.log("a", aiorerun.Scalars(1))
    await until_rows(rec, 1)
    # From here on everything is idle, the tick too.
    rec.log_nowait("a", aiorerun.Scalars(2))
    assert rec.stats().rows_pending == 1
    await until_rows(rec, 2)
    await rec.disconnect()


async def test_flush_and_disconnect_leave_nothing_behind() -> None:
    rec, sink = await make()
    rec.limit("a", hz=0.01)
    for number in range(4):
        await rec.log("a", aiorerun.Scalars(number))
    await rec.flush()
    assert (await sink.rows("a")).values("scalars") == [[0.0], [3.0]]
    await rec.log("a", aiorerun.Scalars(4))
    await rec.disconnect()
    stats = rec.stats()
    assert (stats.rows_accepted, stats.rows_delivered, stats.rows_dropped) == (5, 3, 2)
    assert balanced(stats)


async def test_the_first_sink_gets_what_waits() -> None:
    rec, sink = aiorerun.AsyncRecordingStream("app", send_properties=False), CaptureSink()
    rec.limit("a", hz=0.01)
    rec.log_nowait("a", aiorerun.Scalars(1))
    rec.log_nowait("a", aiorerun.Scalars(2))
    await rec.set_sinks(sink)
    await until_rows(rec, 2)
    await rec.disconnect()


async def test_another_file_has_what_has_not_changed() -> None:
    rec, first = await make()
    second = CaptureSink()
    rec.limit("state", on_change=True)
    await rec.log("state", aiorerun.TextLog("idle"))
    await rec.log("state", aiorerun.TextLog("idle"))
    await rec.set_sinks(second)
    await rec.log("state", aiorerun.TextLog("idle"))
    await rec.flush()
    assert (len(await first.rows()), len(await second.rows())) == (1, 1)
    assert rec.stats().reasons == {"unchanged: state": 1}
    await rec.disconnect()


async def test_a_limit_is_replaced_and_removed() -> None:
    rec, sink = await make()
    first = rec.limit("a", hz=1)
    second = rec.limit("a", hz=2, latest_wins=False)
    assert list(rec.limits) == [second]
    first.remove()
    assert list(rec.limits) == [second]
    second.remove()
    second.remove()
    assert list(rec.limits) == []
    for number in range(10):
        await rec.log("a", aiorerun.Scalars(number))
    await rec.flush()
    assert len(await sink.rows("a")) == 10
    await rec.disconnect()


async def test_columns_are_not_limited() -> None:
    rec, sink = await make()
    rec.limit("/**", hz=1, on_change=True)
    times = [aiorerun.TimeColumn("frame", sequence=range(10))]
    await rec.send_columns("a", times, aiorerun.Scalars.columns(scalars=[1.0] * 10))
    await rec.flush()
    assert len(await sink.rows("a")) == 10
    await rec.disconnect()


async def test_times_of_held_rows_are_their_own() -> None:
    rec, sink = await make()
    rec.limit("a", hz=50)
    for frame in range(3):
        rec.set_time("frame", sequence=frame)
        await rec.log("a", aiorerun.Scalars(frame))
    rec.set_time("frame", sequence=99)
    await rec.flush()
    rows = await sink.rows("a")
    assert [row.times["frame"] for row in rows] == [0, 2]
    assert rows[0].log_time < rows[1].log_time
    await rec.disconnect()


def test_threads_of_the_blocking_api() -> None:
    rec = aiorerun.sync.RecordingStream("app", send_properties=False)
    sink = aiorerun.sync.testing.CaptureSink()
    rec.set_sinks(sink)
    rec.limit("worker/**", hz=100)
    start = threading.Barrier(4)

    def work(number: int) -> None:
        start.wait(10)
        for step in range(3000):
            rec.log(f"worker/{number % 2}", aiorerun.sync.Scalars(step))
            rec.log("free", aiorerun.sync.Scalars(step))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    deadline = time.monotonic() + 20
    while rec.stats().rows_pending and time.monotonic() < deadline:
        time.sleep(0.005)
    stats = rec.stats()
    assert balanced(stats)
    assert (stats.rows_accepted, stats.rows_pending) == (24_000, 0)
    assert len(sink.rows("free")) == 12_000
    assert len(sink.rows("worker/0")) + len(sink.rows("worker/1")) == stats.rows_delivered - 12_000
    assert stats.reasons["rate limit: worker/**"] > 10_000
    rec.disconnect()


def test_the_functions_act_on_the_active_recording() -> None:
    rec = aiorerun.sync.RecordingStream("app", send_properties=False)
    limit = aiorerun.sync.limit("a", hz=1, recording=rec)
    assert rec.limits == (limit,)
    assert "hz=1" in repr(limit)
    with rec:
        aiorerun.sync.limit("b", on_change=True)
    assert [each.pattern for each in rec.limits] == ["a", "b"]
    for face in (aiorerun, aiorerun.sync):
        with pytest.raises(RuntimeError, match="no recording is active"):
            face.limit("a", hz=1)


def test_paths_in_patterns_are_taken_like_all_paths() -> None:
    rec = aiorerun.sync.RecordingStream("app", send_properties=False)
    rec.limit("my//path/", hz=1, latest_wins=False)
    for _ in range(3):
        rec.log(["my", "path"], aiorerun.sync.Scalars(1))
    assert rec.stats().reasons == {"rate limit: my//path/": 2}
    assert normalize_entity_path("my//path/") == "/my/path"
