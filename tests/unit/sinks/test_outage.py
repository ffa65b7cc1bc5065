"""Sinks that are unavailable for a while or lose what they had taken, and acknowledged flushes."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

import aiorerun as rr
from aiorerun.codec.messages import chunk_message
from aiorerun.sinks import outage
from aiorerun.sinks.base import SinkGone, SinkUnavailable
from aiorerun.sinks.memory import encode_stream
from aiorerun.sinks.parcel import Parcel
from aiorerun.sinks.runner import SinkRunner
from aiorerun.worker import Worker
from tests.reading import scalars_of
from tests.unit.codec.building import STORE, scalar_chunk
from tests.unit.engine.test_room import make_room

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from aiorerun.codec.messages import Message

WAIT_SECS = 10


class BareSink:
    """Takes messages, or raises what it is told to."""

    overflow: rr.OverflowPolicy | None = None
    max_queued_bytes: int | None = None

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.taken: list[Message] = []
        self.tries = 0
        self.tried = asyncio.Event()
        self.calls: list[str] = []
        self.context: Any = None

    def __repr__(self) -> str:
        return "BareSink()"

    async def open(self, context: Any) -> None:
        self.context = context

    async def write(self, messages: Sequence[Message]) -> None:
        self.tries += 1
        self.tried.set()
        if self.error is not None:
            raise self.error
        self.taken.extend(messages)

    async def flush(self) -> None:
        self.calls.append("flush")

    async def aclose(self) -> None:
        self.calls.append("aclose")


class Sink(BareSink):
    """Says when it can be tried again."""

    def __init__(self) -> None:
        super().__init__()
        self.available = asyncio.Event()

    def go_away(self, text: str = "no viewer") -> None:
        self.error = SinkUnavailable(text)
        self.available.clear()

    def come_back(self) -> None:
        self.error = None
        self.available.set()

    async def wait_available(self) -> None:
        self.calls.append("wait_available")
        await self.available.wait()


Make = Any


@pytest.fixture
async def make() -> AsyncIterator[Callable[..., SinkRunner]]:
    worker = Worker.of(asyncio.get_running_loop())
    runners: list[SinkRunner] = []

    def make(sink: Any, **options: Any) -> SinkRunner:
        runners.append(SinkRunner(sink, STORE, worker, **options))
        return runners[-1]

    yield make
    for runner in runners:
        if runner._task is not None and not runner._task.done():
            # The test has failed: nothing but closing ends the task.
            await runner.close(0.05)
    worker.release()


async def started(make: Make, sink: BareSink, **options: Any) -> SinkRunner:
    runner: SinkRunner = make(sink, **options)
    await runner.open(1)
    runner.start()
    return runner


def messages(count: int, path: str = "/a") -> list[Message]:
    return [chunk_message(STORE, scalar_chunk(path, [number])) for number in range(count)]


def put(runner: SinkRunner, wanted: Sequence[Message]) -> None:
    for message in wanted:
        runner.put(Parcel(message, 1, 1))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECS):
        while not condition():  # noqa: ASYNC110 - counters cannot be awaited
            await asyncio.sleep(0.001)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was told, without what asyncio says about a slow machine."""
    return [record.message for record in caplog.records if record.name == "aiorerun"]


async def unavailable(make: Make, sink: Sink, wanted: Sequence[Message], **options: Any) -> SinkRunner:
    """A runner that has been refused these messages."""
    sink.go_away()
    runner = await started(make, sink, **options)
    put(runner, wanted)
    await until(lambda: "wait_available" in sink.calls)
    return runner


def balanced(runner: SinkRunner) -> bool:
    stats = runner.stats()
    assert sum(stats.reasons.values()) == stats.rows_dropped
    return stats.rows_accepted == stats.rows_written + stats.rows_dropped + stats.rows_pending


async def test_what_it_cannot_take_waits_in_order(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    sink, wanted = Sink(), messages(6)
    runner = await unavailable(make, sink, wanted[:3])
    put(runner, wanted[3:])
    stats = runner.stats()
    assert (stats.rows_pending, stats.rows_written, stats.rows_dropped) == (6, 0, 0)
    assert stats.queued_bytes == sum(message.nbytes for message in wanted)
    assert stats.error == "SinkUnavailable: no viewer"
    sink.come_back()
    await until(lambda: sink.taken == wanted)
    await asyncio.wait_for(runner.flush(), WAIT_SECS)
    assert (runner.stats().rows_written, runner.stats().queued_bytes) == (6, 0)
    await runner.close(1)
    assert lines(caplog) == [
        "BareSink() is unavailable, what is logged waits for it: no viewer",
        "BareSink() takes data again",
    ]


async def test_it_may_go_away_again_and_again(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    sink, wanted = Sink(), messages(4)
    runner = await unavailable(make, sink, wanted)
    for _ in range(3):
        # It says that it is back, but is not.
        sink.tried.clear()
        sink.available.set()
        await asyncio.wait_for(sink.tried.wait(), WAIT_SECS)
        sink.available.clear()
    sink.come_back()
    await until(lambda: sink.taken == wanted)
    await asyncio.wait_for(runner.flush(), WAIT_SECS)
    assert caplog.text.count("is unavailable") == 1
    put(runner, messages(1))
    sink.go_away("gone again")
    await until(lambda: caplog.text.count("is unavailable") == 2)
    sink.come_back()
    await runner.close(WAIT_SECS)
    assert caplog.text.count("takes data again") == 2
    assert runner.stats().rows_written == 5


async def test_flushes_get_the_error_as_long_as_it_lasts(make: Make) -> None:
    sink = Sink()
    sink.go_away()
    runner = await started(make, sink)
    put(runner, messages(1))
    waiting = [runner.flush(), runner.flush(acknowledged=True)]
    put(runner, messages(1))
    waiting.append(runner.flush())
    for each in waiting:
        with pytest.raises(SinkUnavailable, match="no viewer"):
            await asyncio.wait_for(each, WAIT_SECS)
    later = runner.flush()
    assert isinstance(later.exception(), SinkUnavailable)
    assert "flush" not in sink.calls
    cancelled = runner.flush()
    assert cancelled.done()
    cancelled.exception()
    sink.come_back()
    await until(lambda: runner.stats().rows_written == 2)
    await asyncio.wait_for(runner.flush(), WAIT_SECS)
    await runner.close(1)


async def test_flushes_wait_again_as_soon_as_it_says_that_it_is_back(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage, "PAUSE_SECS", 0.2)
    sink = Sink()
    runner = await unavailable(make, sink, messages(1))
    sink.come_back()
    await asyncio.sleep(0)
    assert sink.tries == 1
    await asyncio.wait_for(runner.flush(), WAIT_SECS)
    assert sink.tries == 2
    await runner.close(1)


async def test_one_that_cannot_say_when_is_tried_from_time_to_time(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage, "RETRY_SECS", 0.01)
    sink, wanted = BareSink(), messages(2)
    sink.error = SinkUnavailable("busy")
    runner = await started(make, sink)
    put(runner, wanted)
    await until(lambda: sink.tries >= 3)
    sink.error = None
    await until(lambda: sink.taken == wanted)
    await runner.close(1)


async def test_one_that_is_always_wrong_about_it_does_not_keep_the_loop_busy(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage, "PAUSE_SECS", 0.03)
    sink = Sink()
    sink.go_away()
    sink.available.set()
    runner = await started(make, sink)
    started_at = time.monotonic()
    put(runner, messages(1))
    await until(lambda: sink.tries >= 5)
    assert time.monotonic() - started_at > 4 * 0.03 - 0.01
    sink.come_back()
    await runner.close(WAIT_SECS)
    assert runner.stats().rows_written == 1


async def test_one_that_fails_to_wait_is_tried_all_the_same(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(outage, "RETRY_SECS", 0.01)

    class Confused(Sink):
        async def wait_available(self) -> None:
            raise KeyError("when")

    sink, wanted = Confused(), messages(2)
    sink.go_away()
    runner = await started(make, sink)
    put(runner, wanted)
    await until(lambda: sink.tries >= 3)
    sink.come_back()
    await runner.close(WAIT_SECS)
    assert sink.taken == wanted
    assert caplog.text.count("waiting for BareSink() failed: KeyError: 'when'") == 1


async def test_one_that_is_gone_for_good_gives_everything_back(make: Make) -> None:
    class Leaving(Sink):
        async def wait_available(self) -> None:
            await super().wait_available()
            raise SinkGone("it will not come back")

    sink, wanted = Leaving(), messages(5)
    gone: list[SinkRunner] = []
    runner = await unavailable(make, sink, wanted[:3], on_gone=gone.append)
    put(runner, wanted[3:])
    sink.available.set()
    await until(lambda: bool(gone))
    assert gone == [runner]
    assert [parcel.message for parcel in runner.take_unsent()] == wanted
    assert runner.counters.queued_bytes == 0


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest", "keep_latest"])
async def test_its_policy_goes_on_dropping(
    make: Make, policy: rr.OverflowPolicy, caplog: pytest.LogCaptureFixture
) -> None:
    """Also what was refused: it waits like the rest."""
    sink, first = Sink(), messages(8)
    sink.overflow = policy
    sink.max_queued_bytes = 10 * first[0].nbytes
    runner = await unavailable(make, sink, first)
    more = [*messages(30, "/b"), *messages(1, "/c")]
    for message in more:
        put(runner, [message])
        assert balanced(runner)
    stats = runner.stats()
    assert stats.queued_bytes <= sink.max_queued_bytes
    assert stats.reasons == {f"overflow: {policy}": stats.rows_dropped}
    sink.come_back()
    await runner.close(WAIT_SECS)
    everything = [*first, *more]
    kept = sink.taken
    if policy == "drop_newest":
        assert kept == everything[: len(kept)]
    elif policy == "drop_oldest":
        assert kept == everything[-len(kept) :]
    else:
        # The newest of each, however old.
        assert kept[0] is first[-1]
        assert kept[-2:] == more[-2:]
        assert kept == [message for message in everything if message in kept]
    assert runner.stats().rows_written == len(kept)
    assert caplog.text.count("rows were dropped") == 1


async def test_closing_waits_for_it(make: Make) -> None:
    sink, wanted = Sink(), messages(3)
    runner = await unavailable(make, sink, wanted)
    closing = asyncio.create_task(runner.close(WAIT_SECS))
    await asyncio.sleep(0)
    sink.come_back()
    await closing
    assert sink.taken == wanted
    assert sink.calls[-1] == "aclose"


@pytest.mark.parametrize("where", ["waiting", "writing"])
async def test_closing_does_not_wait_for_ever(
    make: Make, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Hanging(Sink):
        async def write(self, messages: Sequence[Message]) -> None:
            if self.tries:
                self.tries += 1
                await asyncio.Event().wait()
            await super().write(messages)

    sink, wanted = Hanging(), messages(3)
    runner = await unavailable(make, sink, wanted[:2])
    put(runner, wanted[2:])
    if where == "writing":
        sink.available.set()
        await until(lambda: sink.tries == 2)
    await runner.close(0.05)
    stats = runner.stats()
    assert stats.reasons == {"sink unavailable: no viewer": 3}
    assert (stats.rows_dropped, stats.rows_pending, stats.queued_bytes) == (3, 0, 0)
    assert sink.calls[-1] == "aclose"
    assert "did not finish within 0.05 s: 3 rows are lost (sink unavailable: no viewer)" in caplog.text


async def test_the_end_of_the_loop_does_not_end_the_waiting(make: Make) -> None:
    sink, wanted = Sink(), messages(2)
    runner = await unavailable(make, sink, wanted)
    assert runner._task is not None
    runner._task.cancel()
    await until(lambda: sink.calls.count("wait_available") == 2)
    sink.come_back()
    await runner.close(WAIT_SECS)
    assert sink.taken == wanted


class TestLosses:
    async def test_they_move_from_written_to_dropped(
        self, make: Make, caplog: pytest.LogCaptureFixture
    ) -> None:
        sink, told = Sink(), list[tuple[int, str]]()
        runner = await started(make, sink, on_lost=lambda rows, reason: told.append((rows, reason)))
        put(runner, messages(5))
        await runner.flush()
        sink.context.lose(2, "connection lost")
        sink.context.lose(0, "nothing")
        stats = runner.stats()
        assert (stats.rows_written, stats.rows_dropped, stats.rows_pending) == (3, 2, 0)
        assert stats.messages_written == 5
        # More than it has taken are not there to be lost.
        sink.context.lose(100, "connection lost")
        assert (runner.stats().rows_written, runner.stats().reasons) == (0, {"connection lost": 5})
        assert told == [(2, "connection lost"), (3, "connection lost")]
        sink.context.lose(1, "connection lost")
        assert len(told) == 2
        put(runner, messages(1))
        await runner.flush()
        await runner.close(1)
        assert lines(caplog) == [
            "BareSink() has lost rows that it had taken: connection lost",
            "BareSink() takes data again: 5 rows are lost",
        ]
        assert balanced(runner)

    async def test_in_an_outage_one_line_tells_of_both_ends(
        self, make: Make, caplog: pytest.LogCaptureFixture
    ) -> None:
        sink = Sink()
        runner = await started(make, sink)
        put(runner, messages(2))
        await runner.flush()
        sink.go_away()
        put(runner, messages(1))
        await until(lambda: "is unavailable" in caplog.text)
        sink.context.lose(2, "connection lost")
        sink.come_back()
        await runner.close(WAIT_SECS)
        assert caplog.text.count("takes data again") == 1
        assert "takes data again: 2 rows are lost" in caplog.text

    async def test_the_stream_counts_them(self) -> None:
        sink = Sink()
        rec = stream()
        await rec.set_sinks(sink)
        for number in range(5):
            await rec.log("a", rr.Scalars(float(number)))
        await rec.flush()
        assert rec.stats().rows_delivered == 5
        sink.context.lose(3, "connection lost")
        stats = rec.stats()
        assert (stats.rows_delivered, stats.rows_dropped, stats.rows_pending) == (2, 3, 0)
        assert stats.reasons == stats.sinks[0].reasons == {"connection lost": 3}
        await rec.disconnect()

    async def test_with_several_sinks_no_more_than_were_delivered(self) -> None:
        sink, other = Sink(), Sink()
        rec = stream(close_timeout=0.1)
        await rec.set_sinks(sink, other)
        await rec.log("a", rr.Scalars(0.0))
        await rec.flush()
        other.go_away()
        for number in range(4):
            await rec.log("a", rr.Scalars(float(number)))
        await until(lambda: rec.stats().sinks[0].rows_written == 5)
        sink.context.lose(3, "connection lost")
        stats = rec.stats()
        # The others wait for the second sink still.
        assert (stats.rows_delivered, stats.rows_dropped, stats.rows_pending) == (0, 1, 4)
        assert stats.sinks[0].rows_dropped == 3
        await rec.disconnect()
        after = rec.stats()
        assert (after.rows_delivered, after.rows_dropped, after.rows_pending) == (0, 5, 0)

    async def test_what_comes_from_before_a_fork_counts_no_more(self) -> None:
        room = make_room()
        lose = partial(room.lose, ledger=room.ledger)
        room.settle(0, 3, None)
        lose(1, "lost")
        assert (room.ledger.rows_delivered, room.ledger.rows_dropped) == (2, 1)
        room.start_empty()
        room.settle(0, 3, None)
        lose(1, "lost")
        assert (room.ledger.rows_delivered, room.ledger.rows_dropped) == (3, 0)


class Acknowledging(Sink):
    async def flush_acknowledged(self) -> None:
        self.calls.append("flush_acknowledged")


class TestFlushes:
    async def test_acknowledged_where_the_sink_knows_how(self, make: Make) -> None:
        sink, plain = Acknowledging(), Sink()
        for each in (sink, plain):
            runner = await started(make, each)
            await runner.flush()
            await runner.flush(acknowledged=True)
            await runner.close(1)
        assert sink.calls == ["flush", "flush_acknowledged", "aclose"]
        assert plain.calls == ["flush", "flush", "aclose"]

    async def test_through_the_stream_and_the_queue_of_a_sink(self) -> None:
        sink, queued = Acknowledging(), Acknowledging()
        rec = stream()
        await rec.set_sinks(sink, rr.QueuedSink(queued))
        await rec._flush_sinks(WAIT_SECS)
        await rec._flush_sinks(WAIT_SECS, acknowledged=True)
        await rec.disconnect()
        assert sink.calls == queued.calls == ["flush", "flush_acknowledged", "aclose"]

    async def test_one_that_is_unavailable_is_no_failure(
        self, make: Make, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Offline(Sink):
            async def flush_acknowledged(self) -> None:
                raise SinkUnavailable("nobody to ask")

        runner = await started(make, Offline())
        with pytest.raises(SinkUnavailable, match="nobody to ask"):
            await runner.flush(acknowledged=True)
        await runner.flush()
        assert runner.stats().error == "SinkUnavailable: nobody to ask"
        await runner.close(1)
        assert lines(caplog) == []


async def test_the_state_of_its_connection_is_shown(make: Make) -> None:
    class Connected(Sink):
        connection_state = "connected"

    assert make(Sink()).stats().state is None
    assert make(Connected()).stats().state == "connected"
    assert make(rr.QueuedSink(Connected())).stats().state == "connected"


def stream(**options: Any) -> rr.AsyncRecordingStream:
    config = rr.ChunkBatcherConfig.ALWAYS()
    return rr.AsyncRecordingStream(
        "outage", recording_id="outage", send_properties=False, batcher_config=config, **options
    )


async def test_a_stream_whose_sink_comes_and_goes_loses_nothing() -> None:
    sink = Sink()
    rec = stream()
    await rec.set_sinks(sink)
    for number in range(60):
        if number % 20 == 5:
            sink.go_away()
        await rec.log("a", rr.Scalars(float(number)))
        if number % 20 == 10:
            await until(lambda: rec.stats().sinks[0].error is not None)
            with pytest.raises(SinkUnavailable):
                await asyncio.wait_for(rec.flush(), WAIT_SECS)
        if number % 20 == 15:
            sink.come_back()
    await until(lambda: rec.stats().rows_delivered == 60)
    await rec.flush()
    await rec.disconnect()
    assert scalars_of(encode_stream(sink.taken), "/a") == [float(number) for number in range(60)]
