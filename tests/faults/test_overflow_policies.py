"""Overflow policies end to end: what a slow sink gets, who is held up, what is counted and told."""

from __future__ import annotations

import asyncio
import threading
import time
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import aiorerun as rr
import aiorerun.sync as blocking
from aiorerun.engine import jobs
from aiorerun.sinks.base import SinkGone
from aiorerun.sinks.memory import encode_stream
from tests.faults.loop_watch import long_steps
from tests.reading import LoggedRow, rows_of, scalars_of
from tests.slowness import SLOWNESS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from aiorerun.codec.messages import Message

DROPPING: list[rr.OverflowPolicy] = ["drop_oldest", "drop_newest", "keep_latest"]
POLICIES: list[rr.OverflowPolicy] = ["wait", *DROPPING]
EACH_ROW = rr.ChunkBatcherConfig.ALWAYS()


class GatedSink:
    """Takes messages while its gate is open."""

    overflow: rr.OverflowPolicy | None = None
    max_queued_bytes: int | None = None

    def __init__(self, *, is_open: bool = False) -> None:
        self.messages: list[Message] = []
        self.gate = asyncio.Event()
        if is_open:
            self.gate.set()

    def __repr__(self) -> str:
        return "GatedSink()"

    async def open(self, context: Any) -> None: ...

    async def write(self, messages: Sequence[Message]) -> None:
        await self.gate.wait()
        self.messages.extend(messages)

    async def flush(self) -> None: ...

    async def aclose(self) -> None: ...

    def rows(self) -> list[LoggedRow]:
        return rows_of(encode_stream(self.messages))

    def scalars(self, path: str = "/a") -> list[float]:
        return scalars_of(encode_stream(self.messages), path)


def stream(**options: Any) -> rr.AsyncRecordingStream:
    options.setdefault("batcher_config", EACH_ROW)
    return rr.AsyncRecordingStream("overflow", recording_id="policies", **options)


def wait_for(event: threading.Event) -> None:
    """A job that takes long."""
    event.wait()


async def until(condition: Callable[[], bool]) -> None:
    """Waits for something that happens without a signal."""
    while not condition():  # noqa: ASYNC110 - counters cannot be awaited
        await asyncio.sleep(0.001)


def assert_balanced(rec: rr.AsyncRecordingStream) -> None:
    stats = rec.stats()
    assert stats.rows_accepted == stats.rows_delivered + stats.rows_dropped + stats.rows_pending
    assert sum(stats.reasons.values()) == stats.rows_dropped + stats.rows_refused
    for sink in stats.sinks:
        assert sink.rows_accepted == sink.rows_written + sink.rows_dropped + sink.rows_pending
        assert sum(sink.reasons.values()) == sink.rows_dropped


@pytest.mark.parametrize("how", ["the sink's attributes", "the wrapper", "the stream"])
@pytest.mark.parametrize("policy", DROPPING)
async def test_what_a_slow_sink_gets(
    how: str, policy: rr.OverflowPolicy, caplog: pytest.LogCaptureFixture
) -> None:
    limit = 16 << 10
    slow = GatedSink()
    sink: rr.Sink = slow
    if how == "the sink's attributes":
        slow.overflow, slow.max_queued_bytes = policy, limit
    elif how == "the wrapper":
        sink = rr.QueuedSink(slow, overflow=policy, max_queued_bytes=limit)
    rec = stream(overflow=policy if how == "the stream" else "wait", max_bytes_in_flight=limit)

    def is_all_at_the_sink() -> bool:
        stats = rec.stats()
        return stats.rows_pending == stats.sinks[0].rows_pending

    await rec.set_sinks(sink)
    await rec.log("map", rr.Scalars(-1.0), static=True)
    for number in range(300):
        await rec.log(f"{'abc'[number % 3]}", rr.Scalars(float(number)))
        if number % 10 == 0:
            # The sink is what is slow, not the encoding.
            await until(is_all_at_the_sink)
        assert_balanced(rec)
    await until(is_all_at_the_sink)
    stats = rec.stats()
    assert stats.rows_accepted == 302, "with the properties and the static row"
    assert stats.rows_refused == 0
    assert stats.sinks[0].overflow == policy
    assert stats.sinks[0].reasons == {f"overflow: {policy}": stats.sinks[0].rows_dropped}
    assert stats.sinks[0].rows_dropped > 100
    slow.gate.set()
    await asyncio.wait_for(rec.flush(), 20)
    await rec.log("a", rr.Scalars(1000.0))
    await rec.disconnect()
    assert_balanced(rec)
    assert rec.stats().rows_pending == 0
    assert len(slow.messages) == 1 + 303 - rec.stats().rows_dropped, "and the store info"
    assert slow.scalars("/map") == [-1.0]
    newest = {path: slow.scalars(f"/{path}")[-1] for path in "bc"}
    if policy == "drop_newest":
        assert slow.scalars()[0] == 0.0
        assert 299.0 not in slow.scalars("/c")
    else:
        assert newest == {"b": 298.0, "c": 299.0}
    assert slow.scalars() == sorted(slow.scalars())
    lines = [record.message for record in caplog.records]
    assert sum("does not keep up" in line for line in lines) == 1, lines
    (end,) = [line for line in lines if "rows were dropped" in line]
    assert f"{stats.sinks[0].rows_dropped} rows were dropped ({policy})" in end


@pytest.mark.parametrize("policy", DROPPING)
async def test_a_slow_sink_holds_up_neither_others_nor_who_logs(policy: rr.OverflowPolicy) -> None:
    slow, fast = GatedSink(), GatedSink(is_open=True)
    rec = stream(max_bytes_in_flight=64 << 10, send_properties=False, close_timeout=0.1)
    await rec.set_sinks(fast, rr.QueuedSink(slow, overflow=policy))
    image = np.zeros((64, 64, 3), np.uint8)
    started = time.perf_counter()
    for number in range(200):
        await rec.log("a", rr.Scalars(float(number)))
        await rec.log("image", rr.Image(image))
        assert rec.stats().pending_bytes < 64 << 12
    await until(lambda: rec.stats().sinks[0].rows_written == 400)
    assert time.perf_counter() - started < 4, "max_wait is 5 s: somebody has waited for the slow one"
    assert fast.scalars() == [float(number) for number in range(200)]
    stats = rec.stats()
    assert (stats.rows_refused, stats.sinks[0].rows_dropped) == (0, 0)
    # Delivered is what all sinks have got, and the slow one has written nothing.
    assert stats.rows_delivered == 0
    assert stats.rows_dropped == stats.sinks[1].rows_dropped > 200
    assert stats.sinks[1].queued_bytes < (64 << 10) + (4 << 20)
    await rec.disconnect()
    after = rec.stats()
    assert (after.rows_pending, after.rows_dropped) == (0, 400)
    assert after.reasons.keys() == {f"overflow: {policy}", "sink did not finish in time"}


async def test_a_sink_that_waits_makes_callers_wait_in_a_stream_that_drops() -> None:
    patient = GatedSink()
    patient.overflow = "wait"
    rec = stream(overflow="drop_oldest", max_bytes_in_flight=16 << 10, max_wait=30, send_properties=False)
    await rec.set_sinks(patient)
    logging = asyncio.create_task(log_scalars(rec, 500))
    await asyncio.sleep(0.1)
    assert not logging.done()
    patient.gate.set()
    await asyncio.wait_for(logging, 20)
    await rec.disconnect()
    assert patient.scalars() == [float(number) for number in range(500)]


async def log_scalars(rec: rr.AsyncRecordingStream, count: int) -> None:
    for number in range(count):
        await rec.log("a", rr.Scalars(float(number)))


@pytest.mark.parametrize("policy", DROPPING)
@pytest.mark.may_block
async def test_rows_that_cannot_be_encoded_in_time_are_dropped_too(
    policy: rr.OverflowPolicy, caplog: pytest.LogCaptureFixture
) -> None:
    """The worker is held up, as by a machine that has no time for it."""
    rec = stream(overflow=policy, max_bytes_in_flight=128 << 10, send_properties=False)
    sink = GatedSink(is_open=True)
    await rec.set_sinks(rr.QueuedSink(sink, max_queued_bytes=64 << 20))
    worker = rec._engine.conveyor._worker.worker
    assert worker is not None
    go_on = threading.Event()
    worker.submit(partial(wait_for, go_on))
    await rec.log("map", rr.Scalars(-1.0), static=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", rr.RerunWarning)
        for number in range(10_000):
            await rec.log(f"{'abc'[number % 3]}", rr.Scalars(float(number)))
            if number % 1000 == 0:
                assert_balanced(rec)
                assert rec.stats().pending_bytes < 256 << 10
    go_on.set()
    await rec.disconnect()
    stats = rec.stats()
    assert_balanced(rec)
    assert (stats.rows_accepted, stats.rows_pending, stats.rows_refused) == (10_001, 0, 0)
    assert stats.reasons == {f"overflow: {policy}": stats.rows_dropped}
    assert stats.rows_dropped > 1000
    assert len(sink.rows()) == stats.rows_delivered
    assert sink.scalars("/map") == [-1.0]
    everything = {row.values["Scalars:scalars"][0] for row in sink.rows()}
    assert (9999.0 in everything) == (policy != "drop_newest")
    told = [str(warning.message) for warning in caught] + [record.message for record in caplog.records]
    assert len([text for text in told if "are dropped" in text]) == 1, told
    assert len([text for text in told if f"{stats.rows_dropped} rows were lost" in text]) == 1, told


@pytest.mark.parametrize("policy", DROPPING)
@pytest.mark.may_block
async def test_rows_before_the_worker_and_before_the_sink_share_the_limit(
    policy: rr.OverflowPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whatever little time encoding takes.
    monkeypatch.setattr(jobs, "QUICK_NS", -1)
    limit = 1 << 20
    rec = stream(overflow=policy, max_bytes_in_flight=limit, send_properties=False)
    sink, other = GatedSink(), GatedSink()
    other.max_queued_bytes = 64 << 20
    await rec.set_sinks(sink, other)
    noise = np.random.default_rng(1).integers(0, 256, (32, 1000), np.uint8)
    for number in range(60):
        await rec.log(f"images/{number % 50}", rr.Tensor(noise))
        await until(lambda number=number: rec.stats().chunks > number)  # type: ignore[misc]
    waits = rec.stats().sinks[0].queued_bytes
    assert 0.9 * limit < waits <= limit
    go_on = threading.Event()
    rec._engine.conveyor._worker.worker.submit(partial(wait_for, go_on))
    for number in range(20):
        await rec.log(f"images/{number % 50}", rr.Tensor(noise))
        await asyncio.sleep(0)
    stats = rec.stats()
    assert stats.chunks == 60
    # Those 640 kB are not encoded yet; a queue with a limit of its own does not yield to them.
    assert stats.sinks[0].queued_bytes <= waits - 512 * 1000
    assert stats.sinks[1].queued_bytes > 58 * 32_000
    assert_balanced(rec)
    go_on.set()
    for each in (sink, other):
        each.gate.set()
    await rec.disconnect()
    assert_balanced(rec)
    assert rec.stats().rows_pending == 0
    assert len(other.messages) > 80
    assert 20 < len(sink.messages) < 60


async def test_giving_up_a_long_queue_holds_up_nobody() -> None:
    rec = stream(overflow="drop_newest", close_timeout=0.05, send_properties=False)
    await rec.set_sinks(GatedSink())
    rows = 20_000
    for number in range(rows):
        await rec.log("a", rr.Scalars(float(number)))
    await until(lambda: rec.stats().chunks == rows)
    with long_steps(0.02 * SLOWNESS) as found:
        await rec.disconnect()
    assert not found.steps
    stats = rec.stats()
    assert_balanced(rec)
    assert (stats.rows_dropped, stats.rows_pending) == (rows, 0)


@pytest.mark.parametrize("policy", DROPPING)
async def test_the_buffer_after_a_disconnect_follows_the_policy(policy: rr.OverflowPolicy) -> None:
    rec = stream(overflow=policy, max_bytes_in_flight=1 << 15)
    await rec.set_sinks(GatedSink(is_open=True))
    await rec.disconnect()
    await rec.log("map", rr.Scalars(-1.0), static=True)
    for number in range(1000):
        await rec.log(f"{'ab'[number % 2]}", rr.Scalars(float(number)))
        assert_balanced(rec)
    assert rec.stats().reasons.keys() == {"no sink after a disconnect"}
    assert rec.stats().pending_bytes <= 1 << 15
    sink = GatedSink(is_open=True)
    await rec.set_sinks(sink)
    await rec.disconnect()
    assert sink.scalars("/map") == [-1.0]
    if policy == "drop_newest":
        assert sink.scalars("/a")[0] == 0.0
    else:
        assert sink.scalars("/b")[-1] == 999.0
    assert_balanced(rec)


async def test_static_data_and_properties_survive_a_long_disconnect() -> None:
    rec = stream(max_bytes_in_flight=1 << 15)
    await rec.log("map", rr.Scalars(7.0), static=True)
    first = GatedSink(is_open=True)
    await rec.set_sinks(first)
    await rec.disconnect()
    await rec.log("map", rr.Scalars(8.0), static=True)
    for number in range(2000):
        await rec.log("a", rr.Scalars(float(number)))
    second = GatedSink(is_open=True)
    await rec.set_sinks(second)
    await rec.disconnect()
    assert second.scalars("/map") == [8.0]
    assert second.scalars()[-1] == 1999.0


def test_the_blocking_face_never_waits_for_a_dropping_sink(tmp_path: Path) -> None:
    class Stuck(GatedSink):
        async def write(self, messages: Sequence[Message]) -> None:
            await asyncio.Event().wait()

    rec = blocking.RecordingStream(
        "overflow", recording_id="b", max_bytes_in_flight=1 << 16, close_timeout=0.2, batcher_config=EACH_ROW
    )
    path = tmp_path / "all.rrd"
    rec.set_sinks(rr.FileSink(path), rr.QueuedSink(Stuck(), overflow="keep_latest"))
    started = time.perf_counter()
    for number in range(500):
        rec.log("a", blocking.Scalars(float(number)))
    assert time.perf_counter() - started < 4
    rec.disconnect()
    assert scalars_of(path, "/a") == [float(number) for number in range(500)]
    stats = rec.stats()
    assert (stats.rows_accepted, stats.rows_delivered, stats.rows_dropped) == (501, 0, 501)
    assert set(stats.reasons) <= {"overflow: keep_latest", "sink did not finish in time"}


@pytest.mark.may_block
async def test_a_file_with_a_policy_of_its_own_has_a_disk_of_its_own(tmp_path: Path) -> None:
    """What hangs in a system call of that file hangs there alone."""
    slow = rr.FileSink(tmp_path / "slow.rrd", overflow="drop_oldest", max_queued_bytes=4096)
    rec = stream(close_timeout=5, send_properties=False)
    await rec.set_sinks(rr.FileSink(tmp_path / "fast.rrd"), slow)
    disk = threading.Event()
    rec._engine.conveyor.sinks.runners[1]._worker.submit(partial(wait_for, disk))
    await log_scalars(rec, 300)
    await until(lambda: rec.stats().sinks[0].rows_written == 300)
    assert rec.stats().sinks[1].rows_written == 0
    disk.set()
    await rec.disconnect()
    assert scalars_of(tmp_path / "fast.rrd", "/a") == [float(number) for number in range(300)]
    assert scalars_of(tmp_path / "slow.rrd", "/a")[-1] == 299.0
    await asyncio.sleep(0)
    assert [thread.name for thread in threading.enumerate()].count("aiorerun-worker") <= 1


class TestChecks:
    def test_of_the_stream(self) -> None:
        for make in (rr.AsyncRecordingStream, blocking.RecordingStream):
            with pytest.raises(ValueError, match="overflow: 'drop' is not a policy"):
                make("app", overflow="drop")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]

    def test_of_sinks(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="is not a policy"):
            rr.FileSink(tmp_path / "a.rrd", overflow="never")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        with pytest.raises(ValueError, match="max_queued_bytes: 0 is not positive"):
            rr.FileSink(tmp_path / "a.rrd", max_queued_bytes=0)
        with pytest.raises(ValueError, match="is not a policy"):
            rr.QueuedSink(GatedSink(), overflow="never")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]

    async def test_of_the_attributes_of_a_sink(self) -> None:
        rec, sink = stream(), GatedSink()
        sink.overflow = "never"  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue]
        with pytest.raises(ValueError, match="overflow: 'never' is not a policy"):
            await rec.set_sinks(sink)
        sink.overflow, sink.max_queued_bytes = None, -1
        with pytest.raises(ValueError, match="max_queued_bytes: -1"):
            await rec.set_sinks(sink)


class LeavingSink(GatedSink):
    """Its reader goes away when the gate opens."""

    async def write(self, messages: Sequence[Message]) -> None:
        await self.gate.wait()
        raise SinkGone("the reader is gone")


@pytest.mark.parametrize("policy", POLICIES)
async def test_what_a_sink_with_a_queue_gives_back_counts_towards_the_limit(
    policy: rr.OverflowPolicy,
) -> None:
    leaving, later = LeavingSink(), GatedSink(is_open=True)
    rec = stream(send_properties=False)
    await rec.set_sinks(rr.QueuedSink(leaving, overflow=policy))
    for number in range(5):
        await rec.log("a", rr.Scalars(float(number)))
    await until(lambda: rec.stats().sinks[0].rows_accepted == 5)
    assert (rec._engine.room.ledger.in_flight > 0) == (policy == "wait")
    leaving.gate.set()
    await until(lambda: not rec.stats().sinks)
    ledger = rec._engine.room.ledger
    assert (ledger.in_flight > 0, ledger.aside) == (True, 0)
    assert rec.stats().rows_pending == 5
    assert_balanced(rec)
    await rec.log("a", rr.Scalars(5.0))
    await rec.set_sinks(later)
    await rec.aclose()
    assert later.scalars() == [0, 1, 2, 3, 4, 5]
    stats = rec.stats()
    assert (stats.rows_delivered, stats.rows_dropped, stats.pending_bytes) == (6, 0, 0)


async def test_the_buffer_behind_a_sink_that_is_gone_keeps_the_limit(
    caplog: pytest.LogCaptureFixture,
) -> None:
    leaving, later = LeavingSink(), GatedSink(is_open=True)
    rec = stream(send_properties=False, max_bytes_in_flight=200_000)
    await rec.set_sinks(leaving)
    await rec.log("a", rr.Scalars(-1.0), static=True)
    for number in range(20):
        await rec.log("a", rr.Scalars(np.full(500, float(number))))
    leaving.gate.set()
    await until(lambda: not rec._engine.conveyor.is_running)
    for number in range(20, 100):
        await rec.log("a", rr.Scalars(np.full(500, float(number))))
    stats = rec.stats()
    assert stats.rows_dropped > 20
    assert stats.reasons == {"no sink after a disconnect": stats.rows_dropped}
    assert stats.pending_bytes < 200_000
    await rec.set_sinks(later)
    await rec.aclose()
    assert_balanced(rec)
    values = [value for row in later.rows() for value in row.values["Scalars:scalars"]]
    assert -1.0 in values
    assert values[-1] == 99.0
    assert rec.stats().rows_pending == 0
    assert caplog.text.count("no sink after a disconnect") == 1


async def test_rows_that_a_former_sink_lost_stay_lost() -> None:
    first, second, later = LeavingSink(), LeavingSink(), GatedSink(is_open=True)
    rec = stream(send_properties=False)
    await rec.set_sinks(first, second)
    await rec.log("a", rr.Scalars(1.0))
    await until(lambda: rec.stats().sinks[1].rows_accepted == 1)
    first.gate.set()
    await until(lambda: len(rec.stats().sinks) == 1)
    second.gate.set()
    await until(lambda: not rec.stats().sinks)
    await rec.set_sinks(later)
    await rec.aclose()
    assert later.scalars() == [1.0]
    stats = rec.stats()
    assert (stats.rows_delivered, stats.rows_dropped) == (0, 1)
    assert stats.reasons == {"sink is gone: GatedSink()": 1}


async def test_a_binary_stream_has_no_queue() -> None:
    async with stream() as rec:
        binary = await rec.binary_stream()
        with pytest.raises(TypeError, match="pass overflow to the recording stream"):
            rr.QueuedSink(binary)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def test_static_columns_outlive_temporal_ones() -> None:
    """Also chunks that are sent ready-made are ranked."""
    rec = stream(send_properties=False, overflow="drop_oldest", max_bytes_in_flight=400_000)
    free = threading.Event()
    sink = GatedSink(is_open=True)
    await rec.set_sinks(sink)
    worker = rec._engine.conveyor._worker.worker
    assert worker is not None
    worker.submit(partial(wait_for, free))
    await rec.send_columns("s", [], rr.Scalars.columns(scalars=np.arange(100.0)))
    frames = np.arange(1000)
    for _ in range(40):
        columns = rr.Scalars.columns(scalars=np.arange(1000.0))
        await rec.send_columns("t", [rr.TimeColumn("frame", sequence=frames)], columns)
    assert rec.stats().rows_dropped > 10_000
    free.set()
    await rec.aclose()
    assert_balanced(rec)
    assert len(sink.scalars("/s")) == 100
    assert 0 < len(sink.scalars("/t")) < 40_000
