"""The conveyor: handing over, failing sinks, loops that end or are taken away."""

from __future__ import annotations

import asyncio
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

import aiorerun as rr
from aiorerun.engine import conveyor
from aiorerun.engine.conveyor import conveyors
from aiorerun.sinks.memory import encode_stream
from tests.reading import scalars_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aiorerun.codec.messages import Message


class ListSink:
    """Keeps messages; may be told to wait or to fail when it is opened."""

    def __init__(self, *, opens: asyncio.Event | None = None, error: Exception | None = None) -> None:
        self.opens = opens
        self.error = error
        self.calls: list[str] = []
        self.messages: list[Message] = []

    async def open(self, context: Any) -> None:
        self.calls.append("open")
        if self.opens is not None:
            await self.opens.wait()
        if self.error is not None:
            raise self.error

    async def write(self, messages: Sequence[Message]) -> None:
        self.calls.append("write")
        self.messages.extend(messages)

    async def flush(self) -> None: ...

    async def aclose(self) -> None:
        self.calls.append("aclose")

    def scalars(self) -> list[float]:
        return scalars_of(encode_stream(self.messages), "/a")


def stream(**options: Any) -> rr.AsyncRecordingStream:
    return rr.AsyncRecordingStream("app", recording_id="conveyor", send_properties=False, **options)


async def test_a_sink_that_never_opens_is_given_up() -> None:
    rec, good = stream(close_timeout=0.05), ListSink()
    await rec.log("a", rr.Scalars(1.0))
    with pytest.raises(rr.SinkOpenError, match="did not open within 0.05 s"):
        await rec.set_sinks(good, ListSink(opens=asyncio.Event()))
    assert good.calls[-1] == "aclose"
    later = ListSink()
    await rec.set_sinks(later)
    await rec.disconnect()
    assert later.scalars() == [1.0]


async def test_a_sink_that_opens_too_slowly_in_the_worker_is_given_up() -> None:
    class Slow(ListSink):
        async def open(self, context: rr.SinkContext) -> None:
            await context.run_blocking(partial(time.sleep, 0.2))
            await super().open(context)

    rec = stream(close_timeout=0.05)
    await rec.log("a", rr.Scalars(1.0))
    with pytest.raises(rr.SinkOpenError, match="did not open within 0.05 s"):
        await rec.set_sinks(Slow())
    later = ListSink()
    await rec.set_sinks(later)
    await rec.disconnect()
    assert later.scalars() == [1.0]


async def test_a_failed_change_whose_caller_is_gone() -> None:
    rec, opens = stream(), asyncio.Event()
    task = asyncio.create_task(rec.set_sinks(ListSink(opens=opens, error=OSError("no"))))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    opens.set()
    sink = ListSink()
    await rec.log("a", rr.Scalars(1.0))
    await rec.set_sinks(sink)
    await rec.disconnect()
    assert sink.scalars() == [1.0]


async def test_a_flush_that_comes_after_everything_was_closed() -> None:
    rec = stream()
    await rec.set_sinks(ListSink())
    closing = asyncio.create_task(rec.disconnect())
    flushing = asyncio.create_task(rec.flush())
    await asyncio.wait_for(asyncio.gather(closing, flushing), 10)
    assert rec._engine.conveyor not in conveyors


async def test_rows_logged_while_everything_is_closed_wait_for_the_next_sink() -> None:
    rec, first, second = stream(batcher_config=rr.ChunkBatcherConfig.ALWAYS()), ListSink(), ListSink()
    await rec.set_sinks(first)
    closing = asyncio.create_task(rec.disconnect())
    await asyncio.sleep(0)
    await rec.log("a", rr.Scalars(1.0))
    await closing
    await rec.log("a", rr.Scalars(2.0))
    await rec.set_sinks(second)
    await rec.disconnect()
    assert first.scalars() == []
    assert second.scalars() == [1.0, 2.0]


async def test_a_backlog_is_bounded_after_a_disconnect() -> None:
    rec = stream(batcher_config=rr.ChunkBatcherConfig.ALWAYS(), max_bytes_in_flight=1 << 14)
    await rec.set_sinks(ListSink())
    await rec.disconnect()
    for number in range(1000):
        await rec.log("a", rr.Scalars(float(number)))
    stats = rec.stats()
    assert stats.rows_dropped == stats.reasons["no sink after a disconnect"] > 0
    assert stats.rows_accepted == 1000
    sink = ListSink()
    await rec.set_sinks(sink)
    await rec.disconnect()
    assert sink.scalars() == [float(number) for number in range(stats.rows_dropped, 1000)]


def test_a_loop_that_ends_finishes_the_sinks() -> None:
    rec, sink = stream(), ListSink()

    async def main() -> None:
        await rec.set_sinks(sink)
        await rec.log("a", rr.Scalars(1.0))

    asyncio.run(main())
    assert sink.calls[-1] == "aclose"
    assert sink.scalars() == [1.0]
    assert not rec._engine.has_sinks
    assert rec.stats().rows_pending == 0


def test_a_flush_under_way_when_the_loop_ends_is_cancelled() -> None:
    rec, sink = stream(), ListSink()
    futures: list[asyncio.Future[None]] = []

    async def main() -> None:
        await rec.set_sinks(sink)
        await rec.log("a", rr.Scalars(1.0))
        futures.append(rec._engine.flush())

    asyncio.run(main())
    assert futures[0].done()
    assert sink.scalars() == [1.0]


def test_what_waits_for_a_change_when_the_loop_ends_is_cancelled() -> None:
    rec, former, sink = stream(close_timeout=0.05), ListSink(), ListSink(opens=asyncio.Event())
    waiting: list[asyncio.Future[None]] = []

    async def main() -> None:
        await rec.set_sinks(former)
        waiting.append(rec._engine.switch((sink,)))
        while "open" not in sink.calls:  # noqa: ASYNC110 - the sink is asked to open some time soon
            await asyncio.sleep(0)
        await rec.log("a", rr.Scalars(1.0))
        waiting.append(rec._engine.flush())
        waiting.append(rec._engine.switch(()))

    asyncio.run(main())
    assert all(future.done() for future in waiting)
    assert former.scalars() == [1.0]
    assert former.calls[-1] == "aclose"
    assert rec.stats().rows_pending == 0


def test_a_loop_closed_by_hand_is_gone_on_without() -> None:
    rec, sink = stream(), ListSink()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(rec.set_sinks(sink))
    left = asyncio.all_tasks(loop)
    loop.close()
    for task in left:
        task._log_destroy_pending = False  # type: ignore[attr-defined] # they are left on purpose
    rec.log_nowait("a", rr.Scalars(1.0))
    thread = threading.Thread(target=rec.log_nowait, args=("a", rr.Scalars(1.5)))
    thread.start()
    thread.join()
    assert rec._engine.conveyor.call_threadsafe(lambda: None) is False

    async def main() -> None:
        await rec.log("a", rr.Scalars(2.0))
        await rec.flush()
        assert sink.scalars() == [1.0, 1.5, 2.0]
        await rec.disconnect()

    asyncio.run(main())
    assert sink.calls[-1] == "aclose"


async def test_conveyors_with_sinks_are_known() -> None:
    rec = stream()
    conveyor = rec._engine.conveyor
    assert conveyor not in conveyors
    await rec.set_sinks(ListSink())
    assert conveyor in conveyors
    assert (conveyor.name, conveyor.is_running, conveyor.is_on_own_thread) == ("conveyor", True, True)
    await rec.disconnect()
    assert conveyor not in conveyors


async def test_an_unexpected_error_is_told_and_the_rest_goes_on(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise ArithmeticError("cannot be loaded")

    rec, good = stream(), ListSink()
    await rec.set_sinks(good)
    with monkeypatch.context() as patch:
        patch.setattr(conveyor, "_load", fail)
        with pytest.raises(ArithmeticError, match="cannot be loaded"):
            await rec.set_sinks(ListSink())
    assert "unexpected error" in caplog.text
    await rec.log("a", rr.Scalars(1.0))
    await rec.disconnect()
    assert good.scalars() == [1.0]


async def test_sinks_that_cannot_be_compared_are_refused() -> None:
    class Odd(ListSink):
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            raise ArithmeticError("cannot be compared")

    rec, good = stream(), ListSink()
    await rec.set_sinks(good)
    with pytest.raises(ArithmeticError, match="cannot be compared"):
        await rec.set_sinks(Odd())
    await rec.log("a", rr.Scalars(1.0))
    await rec.disconnect()
    assert good.scalars() == [1.0]


async def test_imports_may_take_longer_than_closing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(conveyor, "_load", lambda: time.sleep(0.3))
    rec = rr.AsyncRecordingStream("app", recording_id="slow", send_properties=False, close_timeout=0.1)
    await rec.save(tmp_path / "slow.rrd")
    await rec.log("a", rr.Scalars(1.0))
    await rec.aclose()
    assert scalars_of(tmp_path / "slow.rrd", "/a") == [1.0]


async def test_sinks_stay_where_others_cannot_be_opened(tmp_path: Path) -> None:
    rec, kept = stream(), ListSink()
    await rec.set_sinks(kept)
    await rec.log("a", rr.Scalars(1.0))
    with pytest.raises(rr.SinkOpenError):
        await rec.set_sinks(kept, rr.FileSink(tmp_path / "missing" / "x.rrd"))
    assert "aclose" not in kept.calls
    await rec.log("a", rr.Scalars(2.0))
    await rec.disconnect()
    assert kept.scalars() == [1.0, 2.0]
    assert rec.stats().rows_pending == 0


async def test_closing_while_sinks_are_being_changed_leaves_none(tmp_path: Path) -> None:
    for turns in range(1, 5):
        rec = stream()
        saving = asyncio.create_task(rec.save(tmp_path / f"{turns}.rrd"))
        for _ in range(turns):
            await asyncio.sleep(0)
        await rec.aclose()
        await saving
        assert not rec._engine.has_sinks
        cancelled = stream()
        saving = asyncio.create_task(cancelled.save(tmp_path / f"{turns}.rrd"))
        for _ in range(turns):
            await asyncio.sleep(0)
        saving.cancel()
        await cancelled.disconnect()
        assert not cancelled._engine.has_sinks
        assert cancelled._engine.conveyor not in conveyors
        await asyncio.gather(saving, return_exceptions=True)
