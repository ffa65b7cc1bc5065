"""Sinks that users write: the protocol, errors, order, several at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import aiorerun as rr
from aiorerun.sinks.base import SinkGone
from aiorerun.sinks.memory import encode_stream
from tests.reading import scalars_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aiorerun.codec.messages import Message


class ListSink:
    """Keeps messages in a list, and notes what is called."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.messages: list[Message] = []
        self.failing: Exception | None = None
        self.store: Any = None
        self.busy = False

    async def _turn(self, name: str) -> None:
        assert not self.busy, "two calls at a time"
        self.busy = True
        self.calls.append(name)
        await asyncio.sleep(0)
        self.busy = False

    async def open(self, context: rr.SinkContext) -> None:
        await self._turn("open")
        self.store = context.store
        assert await context.run_blocking(lambda: 40 + 2) == 42
        if self.failing:
            raise self.failing

    async def write(self, messages: Sequence[Message]) -> None:
        await self._turn("write")
        if self.failing:
            raise self.failing
        self.messages.extend(messages)

    async def flush(self) -> None:
        await self._turn("flush")

    async def aclose(self) -> None:
        await self._turn("aclose")


def stream(**options: Any) -> rr.AsyncRecordingStream:
    return rr.AsyncRecordingStream("user", recording_id="sinks", send_properties=False, **options)


async def test_a_user_sink_gets_everything_in_order() -> None:
    sink = ListSink()
    assert isinstance(sink, rr.Sink)
    rec = stream()
    await rec.log("a", rr.Scalars(0.0))
    await rec.set_sinks(sink)
    for number in range(1, 5):
        await rec.log("a", rr.Scalars(float(number)))
        await rec.flush()
    await rec.disconnect()
    assert sink.store.recording_id == "sinks"
    assert sink.calls[0] == "open"
    assert sink.calls[-1] == "aclose"
    assert sink.calls.count("flush") == 4
    assert scalars_of(encode_stream(sink.messages), "/a") == [0.0, 1.0, 2.0, 3.0, 4.0]


async def test_a_sink_may_have_taken_the_first_messages_of_a_call_that_fails() -> None:
    class Short(ListSink):
        async def write(self, messages: Sequence[Message]) -> None:
            self.messages.extend(messages[:2])
            error = OSError("no more")
            error.messages_taken = 2  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]
            raise error

    rec, sink = stream(), Short()
    for name in "abc":
        await rec.log(name, rr.Scalars(1.0))
    await rec.set_sinks(sink)
    with pytest.raises(OSError, match="no more"):
        await rec.flush()
    [counted] = rec.stats().sinks
    rows = sum(message.rows for message in sink.messages)
    # The announcement may have come in a call of its own.
    assert rows in (1, 2)
    assert counted.messages_written == len(sink.messages) == rows + 1
    assert (counted.rows_written, counted.rows_dropped) == (rows, 3 - rows)
    assert rec.stats().rows_delivered == rows
    assert len(rec.stats().reasons) == 1
    await rec.disconnect()


@pytest.mark.parametrize("closing", ["disconnect", "aclose", "block"])
async def test_a_sink_is_told_that_an_exception_ends_the_recording(closing: str) -> None:
    class Curious(ListSink):
        error: BaseException | None = None

        def leaving(self, error: BaseException) -> None:
            assert "aclose" not in self.calls
            self.error = error

    wrong, sinks = ValueError("on purpose"), [Curious(), Curious()]
    rec = stream()
    await rec.set_sinks(sinks[0], rr.QueuedSink(sinks[1]))
    with pytest.raises(ValueError, match="on purpose"):  # noqa: PT012 - it is about leaving blocks
        if closing == "block":
            async with rec:
                raise wrong
        try:
            raise wrong
        finally:
            await getattr(rec, closing)()
    assert [sink.error for sink in sinks] == [wrong, wrong]
    quiet = Curious()
    rec = stream()
    await rec.set_sinks(quiet)
    await rec.disconnect()
    assert quiet.error is None


async def test_a_failing_sink_is_counted_reported_once_and_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sink = ListSink()
    rec = stream()
    await rec.set_sinks(sink)
    await rec.log("a", rr.Scalars(0.0))
    await rec.flush()
    sink.failing = ConnectionError("gone")
    for number in (1.0, 2.0):
        await rec.log("a", rr.Scalars(number))
        with pytest.raises(ConnectionError, match="gone"):
            await rec.flush()
    sink.failing = None
    await rec.log("a", rr.Scalars(3.0))
    await rec.flush()
    stats = rec.stats()
    assert (stats.rows_accepted, stats.rows_delivered, stats.rows_dropped) == (4, 2, 2)
    assert stats.reasons == {"sink error: ConnectionError": 2}
    assert stats.sinks[0].error == "ConnectionError: gone"
    assert (stats.sinks[0].rows_written, stats.sinks[0].rows_dropped) == (2, 2)
    assert caplog.text.count("gone") == 1
    assert scalars_of(encode_stream(sink.messages), "/a") == [0.0, 3.0]
    await rec.disconnect()


async def test_one_failing_sink_does_not_disturb_the_other(tmp_path: Path) -> None:
    good, bad = ListSink(), ListSink()
    rec = stream()
    await rec.set_sinks(good, bad)
    bad.failing = OSError("no")
    await rec.log("a", rr.Scalars(1.0))
    with pytest.raises(OSError, match="no"):
        await rec.flush()
    await rec.disconnect()
    assert scalars_of(encode_stream(good.messages), "/a") == [1.0]
    assert rec.stats().rows_dropped == 1
    assert rec.stats().rows_pending == 0


class GoneSink(ListSink):
    """Takes some messages, then its reader goes away."""

    def __init__(self, gone_after: int) -> None:
        super().__init__()
        self.left = gone_after

    async def write(self, messages: Sequence[Message]) -> None:
        if self.left == 0:
            raise SinkGone("the reader is gone")
        self.left -= 1
        await super().write(messages)


async def test_a_slow_sink_does_not_hold_up_the_other() -> None:
    class SlowSink(ListSink):
        async def write(self, messages: Sequence[Message]) -> None:
            await free.wait()
            await super().write(messages)

    free = asyncio.Event()
    slow, fast = SlowSink(), ListSink()
    rec = stream()
    await rec.set_sinks(slow, fast)
    for number in range(3):
        await rec.log("a", rr.Scalars(float(number)))
        with pytest.raises(rr.FlushTimeoutError):
            await rec.flush(timeout_sec=0.05)
        # On a busy machine that may have been too short for the fast one as well.
        async with asyncio.timeout(10):
            while rec.stats().sinks[1].rows_written <= number:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert scalars_of(encode_stream(fast.messages), "/a") == list(range(number + 1))
    assert slow.messages == []
    stats = rec.stats()
    assert [sink.rows_written for sink in stats.sinks] == [0, 3]
    assert (stats.rows_delivered, stats.rows_pending) == (0, 3)
    assert stats.sinks[0].queued_bytes > 0 == stats.sinks[1].queued_bytes
    free.set()
    await rec.flush()
    assert scalars_of(encode_stream(slow.messages), "/a") == [0.0, 1.0, 2.0]
    await rec.disconnect()
    assert rec.stats().rows_delivered == 3


async def test_a_sink_that_is_gone_gives_back_what_it_did_not_take(caplog: pytest.LogCaptureFixture) -> None:
    gone, later = GoneSink(2), ListSink()
    rec = stream()
    await rec.set_sinks(gone)
    for number in range(4):
        await rec.log("a", rr.Scalars(float(number)))
        await rec.flush(timeout_sec=10)
    stats = rec.stats()
    assert (stats.sinks, stats.rows_dropped) == ((), 0)
    assert stats.rows_delivered + stats.rows_pending == 4
    assert caplog.text.count("the reader is gone") == 1
    assert gone.calls[-1] == "aclose"
    await rec.set_sinks(later)
    await rec.disconnect()
    taken = scalars_of(encode_stream(gone.messages), "/a")
    assert taken + scalars_of(encode_stream(later.messages), "/a") == [0.0, 1.0, 2.0, 3.0]
    assert rec.stats().rows_delivered == 4
    assert rec.stats().pending_bytes == 0


async def test_a_sink_that_is_gone_while_it_is_replaced() -> None:
    class GoneWhenClosing(ListSink):
        async def write(self, messages: Sequence[Message]) -> None:
            await closing.wait()
            raise SinkGone("the reader is gone")

    closing = asyncio.Event()
    gone, later = GoneWhenClosing(), ListSink()
    rec = stream()
    await rec.set_sinks(gone)
    await rec.log("a", rr.Scalars(1.0))
    switching = asyncio.create_task(rec.set_sinks(later))
    await asyncio.sleep(0.05)
    closing.set()
    await switching
    await rec.log("a", rr.Scalars(2.0))
    await rec.disconnect()
    assert scalars_of(encode_stream(later.messages), "/a") == [1.0, 2.0]
    assert (rec.stats().rows_delivered, rec.stats().pending_bytes) == (2, 0)


async def test_of_two_sinks_one_is_gone_and_the_other_goes_on() -> None:
    gone, good = GoneSink(1), ListSink()
    rec = stream()
    await rec.set_sinks(gone, good)
    await rec.flush()
    await rec.log("a", rr.Scalars(1.0))
    with pytest.raises(SinkGone):
        await rec.flush()
    await rec.log("a", rr.Scalars(2.0))
    await rec.flush()
    assert [sink.name for sink in rec.stats().sinks] == [repr(good)]
    await rec.disconnect()
    assert scalars_of(encode_stream(good.messages), "/a") == [1.0, 2.0]
    stats = rec.stats()
    assert (stats.rows_delivered, stats.rows_dropped, stats.pending_bytes) == (1, 1, 0)


async def test_what_a_sink_holds_counts_towards_the_limit() -> None:
    class Holding(ListSink):
        async def open(self, context: rr.SinkContext) -> None:
            await super().open(context)
            self.context = context
            assert not context.has_given_up
            context.hold_bytes(12345)

    sink = Holding()
    rec = stream()
    await rec.set_sinks(sink)
    await rec.flush()
    assert rec.stats().pending_bytes == 12345
    sink.context.hold_bytes(-12345)
    assert rec.stats().pending_bytes == 0
    await rec.disconnect()


async def test_files_are_equal_by_path_and_flag(tmp_path: Path) -> None:
    path = tmp_path / "a.rrd"
    rr.set_strict_mode(False)
    with pytest.raises(ValueError, match="Duplicate sinks detected: FileSink"):
        await stream().set_sinks(rr.FileSink(path), rr.FileSink(str(path)))
    assert rr.FileSink(path) == rr.FileSink(f"{tmp_path}/./a.rrd")
    assert rr.FileSink(path) != rr.FileSink(path, write_footer=False)
    assert len({rr.FileSink(path), rr.FileSink(str(path)), rr.FileSink(tmp_path / "b.rrd")}) == 2
    assert not path.exists()


async def test_a_sink_that_refuses_to_open_leaves_the_stream_as_it_was() -> None:
    good, bad = ListSink(), ListSink()
    bad.failing = PermissionError("not you")
    rec = stream()
    await rec.log("a", rr.Scalars(1.0))
    with pytest.raises(PermissionError, match="not you"):
        await rec.set_sinks(good, bad)
    assert good.calls[-1] == "aclose"
    later = ListSink()
    await rec.set_sinks(later)
    await rec.disconnect()
    assert scalars_of(encode_stream(later.messages), "/a") == [1.0]


async def test_what_is_no_sink_is_refused() -> None:
    rec = stream()
    with pytest.raises(TypeError, match="not a sink"):
        await rec.set_sinks(object())  # type: ignore[arg-type]
    sink = ListSink()
    with pytest.raises(ValueError, match="Duplicate sinks"):
        await rec.set_sinks(sink, sink)
    assert sink.calls == []


async def test_rows_logged_while_a_sink_opens_go_to_the_new_sink() -> None:
    class SlowToOpen(ListSink):
        async def open(self, context: rr.SinkContext) -> None:
            await super().open(context)
            await asyncio.sleep(0.05)

    first, second = ListSink(), SlowToOpen()
    rec = stream()
    await rec.set_sinks(first)
    await rec.log("a", rr.Scalars(1.0))
    switching = asyncio.create_task(rec.set_sinks(second))
    await asyncio.sleep(0)
    await rec.log("a", rr.Scalars(2.0))
    await switching
    await rec.disconnect()
    assert scalars_of(encode_stream(first.messages), "/a") == [1.0]
    assert scalars_of(encode_stream(second.messages), "/a") == [2.0]


async def test_flush_with_timeout_zero_does_not_wait() -> None:
    sink = ListSink()
    rec = stream()
    await rec.set_sinks(sink)
    await rec.log("a", rr.Scalars(1.0))
    await rec.flush(timeout_sec=0)
    assert sink.messages[1:] == []
    for _ in range(1000):
        if len(sink.messages) == 2:
            break
        await asyncio.sleep(0.001)
    assert scalars_of(encode_stream(sink.messages), "/a") == [1.0]
    await rec.disconnect()


@pytest.mark.parametrize("timeout", [-1.0, float("nan")])
async def test_flush_refuses_odd_timeouts(timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout_sec"):
        await stream().flush(timeout_sec=timeout)


async def test_a_sink_that_is_closed_late_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    class NeverCloses(ListSink):
        async def aclose(self) -> None:
            await asyncio.Event().wait()

    rec = stream(close_timeout=0.05)
    await rec.set_sinks(NeverCloses())
    await rec.log("a", rr.Scalars(1.0))
    await rec.disconnect()
    assert rec.stats().rows_pending == 0


async def test_an_unclosed_stream_warns_and_still_delivers() -> None:
    sink = ListSink()
    rec = stream()
    await rec.set_sinks(sink)
    await rec.log("a", rr.Scalars(1.0))
    with pytest.warns(ResourceWarning, match="unclosed"):
        del rec
    for _ in range(1000):
        if "aclose" in sink.calls:
            break
        await asyncio.sleep(0.001)
    assert scalars_of(encode_stream(sink.messages), "/a") == [1.0]


async def test_after_a_disconnect_the_buffer_is_bounded_and_drops_the_oldest() -> None:
    limit, rows = 1 << 18, 10_000
    rec = stream(max_bytes_in_flight=limit, batcher_config=rr.ChunkBatcherConfig.ALWAYS())
    sink, later = ListSink(), ListSink()
    await rec.set_sinks(sink)
    await rec.disconnect()
    for number in range(rows):
        await rec.log("a", rr.Scalars(float(number)))
    stats = rec.stats()
    assert stats.pending_bytes <= limit
    assert stats.reasons == {"no sink after a disconnect": stats.rows_dropped}
    assert stats.rows_dropped > rows // 2
    await rec.set_sinks(later)
    await rec.disconnect()
    values = scalars_of(encode_stream(later.messages), "/a")
    assert values == list(range(stats.rows_dropped, rows))
