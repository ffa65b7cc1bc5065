"""The asyncio recording stream: capture, times, sinks, flushing, scopes, environment, counters."""

from __future__ import annotations

import asyncio
import logging
import math
import multiprocessing
import threading
import uuid
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import aiorerun as rr
import aiorerun.sync as blocking
from aiorerun import errors
from aiorerun.sinks.memory import encode_stream
from aiorerun.types.store import process_recording_id
from tests.reading import assert_verified, rows_of, scalars_of

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from aiorerun.codec.messages import Message


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mode of a new process."""
    monkeypatch.setattr(errors._Mode, "strict", None)


class ListSink:
    """Keeps messages in a list; takes none while ``open_gate`` is cleared."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.open_gate = asyncio.Event()
        self.open_gate.set()
        self.closed = asyncio.Event()

    async def open(self, context: Any) -> None: ...

    async def write(self, messages: Sequence[Message]) -> None:
        await self.open_gate.wait()
        self.messages.extend(messages)

    async def flush(self) -> None: ...

    async def aclose(self) -> None:
        self.closed.set()

    def scalars(self, path: str) -> list[float]:
        return scalars_of(encode_stream(self.messages), path)


def stream(recording_id: str = "stream", **options: Any) -> rr.AsyncRecordingStream:
    options.setdefault("send_properties", False)
    return rr.AsyncRecordingStream("app", recording_id=recording_id, **options)


def check_invariant(rec: rr.AsyncRecordingStream) -> rr.StreamStats:
    stats = rec.stats()
    assert stats.rows_accepted == stats.rows_delivered + stats.rows_dropped + stats.rows_pending
    assert stats.rows_pending >= 0
    return stats


class TestMaking:
    def test_it_needs_no_event_loop(self) -> None:
        rec = stream()
        rec.log_nowait("a", rr.Scalars(1.0))
        assert rec.stats().rows_pending == 1

    def test_ids(self) -> None:
        assert stream("mine").get_recording_id() == "mine"
        number = uuid.uuid4()
        rec = rr.AsyncRecordingStream("app", recording_id=number)
        assert rec.get_recording_id() == str(number)
        assert rec.get_application_id() == "app"
        assert repr(rec) == f"AsyncRecordingStream('app', recording_id='{number}')"

    def test_without_an_id_it_is_the_one_of_the_process(self) -> None:
        first, second = rr.AsyncRecordingStream("app"), rr.AsyncRecordingStream("app")
        assert first.get_recording_id() == second.get_recording_id() == process_recording_id("app")
        assert rr.AsyncRecordingStream("other").get_recording_id() != first.get_recording_id()

    def test_spawned_children_have_the_same_id(self) -> None:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            assert pool.apply(process_recording_id, ("app",)) == process_recording_id("app")

    def test_the_application_id_is_normalised(self) -> None:
        with pytest.warns(rr.RerunWarning):
            rec = rr.AsyncRecordingStream("my.app/x")
        assert rec.get_application_id() == "my-app-x6819"

    def test_an_empty_application_id_is_refused(self) -> None:
        with pytest.raises(ValueError, match="application id"):
            rr.AsyncRecordingStream("")

    @pytest.mark.parametrize("face", [rr.AsyncRecordingStream, blocking.RecordingStream])
    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            (
                {"batcher_config": 5},
                TypeError,
                "batcher_config must be an aiorerun.ChunkBatcherConfig, got int: pass",
            ),
            (
                {"batcher_config": 0},
                TypeError,
                "batcher_config must be an aiorerun.ChunkBatcherConfig, got int",
            ),
            ({"max_bytes_in_flight": -5}, ValueError, "max_bytes_in_flight must be positive, got -5"),
            ({"max_bytes_in_flight": 0}, ValueError, "max_bytes_in_flight must be positive, got 0"),
            ({"max_bytes_in_flight": 1e6}, TypeError, "max_bytes_in_flight must be an int, got float"),
            ({"max_bytes_in_flight": "1MB"}, TypeError, "max_bytes_in_flight must be an int, got str"),
            ({"max_wait": -1}, ValueError, "max_wait must be 0 s or more, got -1"),
            ({"max_wait": math.nan}, ValueError, "max_wait must be 0 s or more, got nan"),
            ({"max_wait": "x"}, TypeError, "max_wait must be a number, got str"),
            ({"max_wait": True}, TypeError, "max_wait must be a number, got bool"),
            ({"close_timeout": -1}, ValueError, "close_timeout must be positive, got -1"),
            ({"close_timeout": 0}, ValueError, "close_timeout must be positive, got 0"),
            ({"close_timeout": math.nan}, ValueError, "close_timeout must be positive, got nan"),
            ({"close_timeout": None, "max_wait": []}, TypeError, "max_wait must be a number, got list"),
        ],
    )
    def test_settings_that_make_no_sense_are_refused(
        self, face: Any, options: dict[str, Any], error: type[Exception], message: str
    ) -> None:
        with pytest.raises(error, match=f"^{face.__name__}: {message}"):
            face("app", **options)

    def test_settings_may_be_numbers_of_numpy_and_endless(self) -> None:
        rec = stream(max_bytes_in_flight=np.int32(1 << 20), max_wait=np.float32(0.5), close_timeout=math.inf)
        rec.log_nowait("a", rr.Scalars(1.0))
        assert rec.stats().rows_pending == 1

    def test_making_it_active(self) -> None:
        assert rr.get_data_recording() is None
        default = stream(make_default=True)
        assert rr.get_global_data_recording() is default
        local = stream(make_thread_default=True)
        assert rr.get_context_local_data_recording() is local
        assert rr.get_data_recording() is local
        assert rr.set_context_local_data_recording(None) is local
        assert rr.set_global_data_recording(None) is default
        assert rr.get_data_recording() is None

    async def test_start_time_is_recorded_at_once(self) -> None:
        rec = rr.AsyncRecordingStream("app", recording_id="p")
        memory = await rec.memory_recording()
        assert await memory.num_msgs() == 2
        data = await memory.drain_as_bytes()
        assert b"RecordingInfo:start_time" in data
        without = stream("q")
        assert await (await without.memory_recording()).num_msgs() == 1
        await without.disconnect()
        await rec.disconnect()


class TestSwitches:
    async def test_a_disabled_stream_drops_everything(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        rec = stream(default_enabled=False)
        assert not rec.is_enabled()
        assert rec.get_recording_id() == "stream"
        await rec.log("a", rr.Scalars(1.0))
        rec.log_nowait("a", object())  # type: ignore[arg-type]
        await rec.save(tmp_path / "a.rrd")
        assert "disabled" in caplog.text
        assert not (tmp_path / "a.rrd").exists()
        await rec.flush()
        memory = await rec.memory_recording()
        assert await memory.num_msgs() == 0
        assert rows_of(await memory.drain_as_bytes()) == []
        await rec.disconnect()
        await rec.aclose()
        assert rec.stats().rows_accepted == 0

    @pytest.mark.parametrize(("value", "enabled"), [("off", False), ("0", False), ("on", True), ("1", True)])
    def test_the_environment_overrides(
        self, monkeypatch: pytest.MonkeyPatch, value: str, enabled: bool
    ) -> None:
        monkeypatch.setenv("RERUN", value)
        assert stream(default_enabled=not enabled).is_enabled() is enabled

    def test_an_unknown_value_is_ignored_with_a_warning(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RERUN", "perhaps")
        with pytest.warns(rr.RerunWarning, match="RERUN"):
            assert stream().is_enabled()

    async def test_log_time_and_log_tick_are_injected(self) -> None:
        rec = stream()
        memory = await rec.memory_recording()
        for number in range(3):
            await rec.log("a", rr.Scalars(float(number)), static=number == 1)
        rows = rows_of(await memory.drain_as_bytes())
        assert [row.times.get("log_tick") for row in sorted(rows, key=lambda row: row.row_id)] == [0, None, 2]
        assert all(("log_time" in row.times) == bool(row.times) for row in rows)
        await rec.disconnect()

    @pytest.mark.parametrize("name", ["log_time", "log_tick"])
    async def test_the_environment_turns_them_off(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setenv(f"RERUN_{name.upper()}", "0")
        rec = stream()
        memory = await rec.memory_recording()
        await rec.log("a", rr.Scalars(1.0))
        (row,) = rows_of(await memory.drain_as_bytes())
        assert set(row.times) == {"log_time", "log_tick"} - {name}
        await rec.disconnect()

    async def test_so_does_the_program_from_now_on(self) -> None:
        rec = stream()
        memory = await rec.memory_recording()
        expected = []
        for tick, clock in ((True, True), (False, True), (True, False), (False, False), (True, True)):
            rec.set_log_tick_enabled(tick)
            rec.set_log_time_enabled(clock)
            await rec.log("a", rr.Scalars(1.0))
            expected.append((tick, clock))
        rows = sorted(rows_of(await memory.drain_as_bytes()), key=lambda row: row.row_id)
        assert [("log_tick" in row.times, "log_time" in row.times) for row in rows] == expected
        assert rows[-1].times["log_tick"] == 4
        await rec.disconnect()

    async def test_forced_saving(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        forced, ignored = tmp_path / "forced.rrd", tmp_path / "ignored.rrd"
        monkeypatch.setenv("_RERUN_TEST_FORCE_SAVE", str(forced))
        async with stream() as rec:
            await rec.log("a", rr.Scalars(1.0))
            await rec.save(ignored)
            await rec.log("a", rr.Scalars(2.0))
            await rec.flush()
            assert scalars_of(forced, "/a") == [1.0, 2.0]
            await rec.log("a", rr.Scalars(3.0))
        assert scalars_of(forced, "/a") == [1.0, 2.0, 3.0]
        assert not ignored.exists()
        await rec.aclose()
        assert_verified([forced])

    async def test_forced_saving_without_a_single_await(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        path = tmp_path / "forced.rrd"
        monkeypatch.setenv("_RERUN_TEST_FORCE_SAVE", str(path))
        rec = stream()
        rec.log_nowait("a", rr.Scalars(1.0))
        assert not path.exists()
        await rec.aclose()
        assert scalars_of(path, "/a") == [1.0]


class TestSinks:
    async def test_the_start_buffer_goes_to_the_first_sink(self) -> None:
        rec, sink = stream(), ListSink()
        await rec.log("a", rr.Scalars(1.0))
        await rec.flush()
        assert check_invariant(rec).rows_pending == 1
        await rec.set_sinks(sink)
        await rec.flush()
        assert sink.scalars("/a") == [1.0]
        assert check_invariant(rec).rows_pending == 0
        await rec.disconnect()

    async def test_replacing_cuts_at_the_call(self) -> None:
        rec, first, second = stream(), ListSink(), ListSink()
        await rec.set_sinks(first)
        await rec.log("a", rr.Scalars(1.0))
        change = rec.set_sinks(second)
        change.send(None)  # up to its first suspension
        rec.log_nowait("a", rr.Scalars(2.0))
        task = asyncio.create_task(rec.flush())
        with pytest.raises(RuntimeError):
            change.send(None)
        await task
        await rec.disconnect()
        assert (first.scalars("/a"), second.scalars("/a")) == ([1.0], [2.0])

    async def test_no_sinks_means_a_buffer_again(self) -> None:
        rec, first, second = stream(), ListSink(), ListSink()
        await rec.set_sinks(first)
        await rec.set_sinks()
        await rec.log("a", rr.Scalars(1.0))
        await rec.flush()
        await rec.set_sinks(second)
        await rec.disconnect()
        assert (first.scalars("/a"), second.scalars("/a")) == ([], [1.0])

    async def test_disconnecting_twice_is_fine(self) -> None:
        rec = stream()
        await rec.disconnect()
        await rec.set_sinks(ListSink())
        await rec.disconnect()
        await rec.disconnect()

    async def test_a_blueprint_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(TypeError, match="default_blueprint"):
            await stream().save(tmp_path / "a.rrd", object())  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="default_blueprint"):
            await stream().set_sinks(default_blueprint=object())  # type: ignore[arg-type]

    async def test_cancelling_a_change_does_not_undo_it(self) -> None:
        rec, sink = stream(), ListSink()
        await rec.log("a", rr.Scalars(1.0))
        task = asyncio.create_task(rec.set_sinks(sink))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await rec.flush()
        assert sink.scalars("/a") == [1.0]
        await rec.disconnect()

    async def test_memory_is_drained_and_goes_on(self) -> None:
        rec = stream()
        memory = await rec.memory_recording()
        assert await memory.num_msgs() == 1
        await rec.log("a", rr.Scalars(1.0))
        assert await memory.num_msgs() == 2
        assert scalars_of(await memory.drain_as_bytes(), "/a") == [1.0]
        assert await memory.num_msgs() == 0
        assert len(await memory.drain_as_bytes()) == 60
        await rec.log("a", rr.Scalars(2.0))
        assert scalars_of(await memory.drain_as_bytes(), "/a") == [2.0]
        await rec.disconnect()

    async def test_what_memory_still_holds_goes_to_the_next_sink(self, tmp_path: Path) -> None:
        path = tmp_path / "a.rrd"
        rec = rr.AsyncRecordingStream("app", recording_id="handed over")
        memory = await rec.memory_recording()
        await rec.log("a", rr.Scalars(1.0))
        await rec.disconnect()
        await rec.log("a", rr.Scalars(2.0))
        await rec.save(path)
        await rec.disconnect()
        assert scalars_of(path, "/a") == [1.0, 2.0]
        assert await memory.num_msgs() == 0
        assert_verified([path])


class TestFlushing:
    @pytest.mark.parametrize("timeout", [1e38, 9.3e9, float("inf"), 10])
    async def test_timeouts_that_are_no_problem(self, timeout: float) -> None:
        rec, sink = stream(), ListSink()
        await rec.set_sinks(sink)
        await rec.log("a", rr.Scalars(1.0))
        await rec.flush(timeout_sec=timeout)
        assert sink.scalars("/a") == [1.0]
        await rec.disconnect()

    @pytest.mark.parametrize("timeout", [-1, -0.001, float("-inf"), float("nan")])
    async def test_timeouts_that_are_refused(self, timeout: float) -> None:
        with pytest.raises(ValueError, match="timeout_sec"):
            await stream().flush(timeout_sec=timeout)

    async def test_a_timeout_loses_nothing(self) -> None:
        rec, sink = stream(), ListSink()
        await rec.set_sinks(sink)
        sink.open_gate.clear()
        await rec.log("a", rr.Scalars(1.0))
        with pytest.raises(rr.FlushTimeoutError, match=r"0.02 s"):
            await rec.flush(timeout_sec=0.02)
        await rec.flush(timeout_sec=0)
        assert check_invariant(rec).rows_pending == 1
        sink.open_gate.set()
        await rec.flush()
        assert check_invariant(rec).rows_delivered == 1
        await rec.disconnect()

    async def test_cancelling_loses_nothing(self) -> None:
        rec, sink = stream(), ListSink()
        await rec.set_sinks(sink)
        sink.open_gate.clear()
        await rec.log("a", rr.Scalars(1.0))
        task = asyncio.create_task(rec.flush())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        sink.open_gate.set()
        await rec.flush()
        assert sink.scalars("/a") == [1.0]
        await rec.disconnect()

    async def test_a_timeout_error_of_a_sink_is_told_from_our_own(self) -> None:
        class TimesOut(ListSink):
            async def flush(self) -> None:
                raise TimeoutError("the sink's own")

        rec = stream()
        await rec.set_sinks(TimesOut())
        with pytest.raises(TimeoutError, match="the sink's own") as caught:
            await rec.flush()
        assert not isinstance(caught.value, rr.FlushTimeoutError)
        await rec.disconnect()

    async def test_from_another_loop_and_thread(self) -> None:
        rec, sink = stream(), ListSink()
        await rec.set_sinks(sink)

        def elsewhere() -> None:
            async def main() -> None:
                await rec.log("a", rr.Scalars(1.0))
                await rec.flush(timeout_sec=10)
                assert sink.scalars("/a") == [1.0]
                await rec.log("a", rr.Scalars(2.0))
                await rec.disconnect()

            asyncio.run(main())

        await asyncio.to_thread(elsewhere)
        assert sink.scalars("/a") == [1.0, 2.0]

    @pytest.mark.may_block
    async def test_a_loop_that_stopped_without_being_closed(self) -> None:
        rec, sink = stream(), ListSink()
        ready = threading.Event()
        loop = asyncio.new_event_loop()

        def run_once() -> None:
            loop.run_until_complete(rec.set_sinks(sink))
            ready.set()

        thread = threading.Thread(target=run_once)
        thread.start()
        thread.join()
        try:
            rec.log_nowait("a", rr.Scalars(1.0))
            async with asyncio.timeout(5):
                await rec.flush(timeout_sec=1)
                await rec.disconnect()
            assert sink.scalars("/a") == [1.0]
        finally:
            for task in asyncio.all_tasks(loop):
                task.cancel()
            await asyncio.to_thread(loop.run_until_complete, asyncio.sleep(0))
            loop.close()


class TestClosing:
    async def test_a_closed_stream_takes_nothing(self) -> None:
        rec, sink = stream(), ListSink()
        await rec.set_sinks(sink)
        await rec.log("a", rr.Scalars(1.0))
        await rec.aclose()
        assert sink.scalars("/a") == [1.0]
        for strict in (True, False):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                if strict:
                    with pytest.raises(rr.StreamClosedError, match="make a new stream"):
                        await rec.log("a", rr.Scalars(2.0), strict=True)
                    with pytest.raises(rr.StreamClosedError, match="make a new stream"):
                        rec.log_nowait("a", rr.Scalars(2.0), strict=True)
                else:
                    await rec.log("a", rr.Scalars(2.0))
                    rec.log_nowait("a", rr.Scalars(2.0))
            assert [warning.filename for warning in caught] == ([] if strict else [__file__, __file__])
        with pytest.raises(rr.StreamClosedError):
            await rec.memory_recording()
        await rec.flush()
        await rec.aclose()
        assert check_invariant(rec).rows_accepted == 1

    async def test_closing_without_any_sink_says_what_is_lost(self, caplog: pytest.LogCaptureFixture) -> None:
        empty = stream()
        await empty.aclose()
        assert caplog.text == ""
        rec = stream()
        for _ in range(5):
            await rec.log("a", rr.Scalars(1.0))
        await rec.aclose()
        assert "5 rows that no sink ever took" in caplog.text

    async def test_an_unclosed_stream_is_a_resource_warning(self) -> None:
        rec, sink = stream(), ListSink()
        await rec.set_sinks(sink)
        left = [rec]
        del rec
        # The last reference goes inside.
        with pytest.warns(ResourceWarning, match="unclosed AsyncRecordingStream"):
            left.clear()
        await asyncio.wait_for(sink.closed.wait(), 10)

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    async def test_an_unclosed_stream_is_closed_also_where_warnings_are_errors(self) -> None:
        rec, sink = stream(), ListSink()
        await rec.set_sinks(sink)
        left = [rec]
        del rec
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            left.clear()
        await asyncio.wait_for(sink.closed.wait(), 10)

    def test_a_stream_that_was_never_made_is_let_go(self) -> None:
        rr.AsyncRecordingStream.__new__(rr.AsyncRecordingStream).__del__()


class TestScopes:
    async def test_async_with_activates_and_disconnects(self) -> None:
        sink = ListSink()
        async with stream() as rec:
            assert rr.get_data_recording() is rec
            await rec.set_sinks(sink)
            await rr.log("a", rr.Scalars(1.0))
        assert rr.get_data_recording() is None
        assert sink.scalars("/a") == [1.0]
        assert rec.stats().sinks == ()

    async def test_an_exception_passes_through(self) -> None:
        with pytest.raises(KeyError):
            async with stream():
                raise KeyError
        assert rr.get_data_recording() is None

    def test_with_only_activates(self) -> None:
        with stream("outer") as outer:
            with stream("inner") as inner:
                assert rr.get_data_recording() is inner
            assert rr.get_data_recording() is outer
        assert rr.get_data_recording() is None

    def test_leaving_out_of_order_never_raises(self) -> None:
        first, second = stream("first"), stream("second")
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert rr.get_data_recording() is second
        first.__exit__(None, None, None)
        second.__exit__(None, None, None)
        second.__exit__(None, None, None)
        assert rr.get_data_recording() is None

    async def test_leaving_in_another_task_never_raises(self) -> None:
        rec = stream()
        rec.__enter__()

        async def leave() -> None:
            rec.__exit__(None, None, None)
            assert rr.get_data_recording() is None

        await asyncio.create_task(leave())
        assert rr.get_data_recording() is rec
        rec.__exit__(None, None, None)

    def test_a_plain_generator_leaks_and_a_decorated_one_does_not(self) -> None:
        rec = stream()

        def produce() -> Generator[int, None, None]:
            with rec:
                yield 1

        leaking = produce()
        next(leaking)
        assert rr.get_data_recording() is rec
        leaking.close()
        assert rr.get_data_recording() is None
        decorated = rr.recording_stream_generator_ctx(produce)()
        next(decorated)
        assert rr.get_data_recording() is None
        decorated.close()
        with pytest.raises(ValueError, match="not a generator function"):
            rr.recording_stream_generator_ctx(len)

    def test_a_new_thread_starts_with_the_global_recording(self) -> None:
        local = stream("local")
        seen: list[Any] = []
        with local:
            thread = threading.Thread(target=lambda: seen.append(rr.get_data_recording()))
            thread.start()
            thread.join()
        assert seen == [None]


class TestCounters:
    async def test_at_every_moment(self) -> None:
        rec, sink = stream(batcher_config=rr.ChunkBatcherConfig(flush_num_rows=7)), ListSink()
        for number in range(100):
            await rec.log(f"a{number % 3}", rr.Scalars(1.0))
            assert check_invariant(rec).rows_accepted == number + 1
            if number == 20:
                await rec.set_sinks(sink)
            if number % 30 == 0:
                await rec.flush()
            await asyncio.sleep(0)
        await rec.flush()
        stats = check_invariant(rec)
        assert (stats.rows_delivered, stats.rows_pending) == (100, 0)
        assert stats.sinks[0].rows_written == 100
        assert stats.bytes_written == stats.sinks[0].bytes_written > 0
        assert stats.pending_bytes == 0
        await rec.disconnect()
        assert check_invariant(rec).bytes_written >= stats.bytes_written
        await rec.log("a", rr.Scalars(1.0))
        assert check_invariant(rec).rows_pending == 1

    async def test_threads_see_them_hold_as_well(self) -> None:
        rec, sink = stream(batcher_config=rr.ChunkBatcherConfig(flush_num_rows=50)), ListSink()
        await rec.set_sinks(sink)
        done = threading.Event()

        def log() -> None:
            for _ in range(5000):
                rec.log_nowait("a", rr.Scalars(1.0))

        def look() -> int:
            looks = 0
            while not done.is_set():
                check_invariant(rec)
                looks += 1
            return looks

        watcher = asyncio.create_task(asyncio.to_thread(look))
        await asyncio.gather(asyncio.to_thread(log), asyncio.to_thread(log))
        await rec.flush()
        done.set()
        assert await watcher > 0
        assert check_invariant(rec).rows_delivered == 10_000
        await rec.disconnect()

    async def test_rows_that_cannot_be_encoded_are_counted(self, caplog: pytest.LogCaptureFixture) -> None:
        from aiorerun.engine.cargo import Ready

        def fail() -> list[Message]:
            raise ArithmeticError("on purpose")

        rec, sink = stream(), ListSink()
        await rec.set_sinks(sink)
        rec._capture.count_ready_rows(3)
        rec._engine.push(Ready(fail, 3, 100))
        await rec.log("a", rr.Scalars(1.0))
        await rec.flush()
        stats = check_invariant(rec)
        assert (stats.rows_delivered, stats.rows_dropped) == (1, 3)
        assert stats.reasons == {"could not be encoded: ArithmeticError": 3}
        assert "on purpose" in caplog.text
        assert sink.scalars("/a") == [1.0]
        await rec.disconnect()


class TestOverTheLimit:
    async def test_log_nowait_refuses(self) -> None:
        rec, sink = stream(max_bytes_in_flight=1 << 20, close_timeout=0.1), ListSink()
        await rec.set_sinks(sink)
        sink.open_gate.clear()
        cloud = rr.Points3D(np.zeros((20_000, 3), np.float32))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for _ in range(20):
                rec.log_nowait("a", cloud)
        assert len(caught) == 1
        assert caught[0].filename == __file__
        stats = check_invariant(rec)
        assert stats.rows_accepted + stats.rows_refused == 20
        assert stats.rows_refused > 0
        with pytest.raises(rr.QueueFullError, match="max_bytes_in_flight"):
            rec.log_nowait("a", cloud, strict=True)
        sink.open_gate.set()
        await rec.flush()
        rec.log_nowait("a", cloud)
        await rec.disconnect()
        assert check_invariant(rec).rows_delivered == stats.rows_accepted + 1

    async def test_log_waits_for_room_then_refuses(self) -> None:
        rec, sink = stream(max_bytes_in_flight=1 << 20, max_wait=0.1), ListSink()
        await rec.set_sinks(sink)
        sink.open_gate.clear()
        cloud = rr.Points3D(np.zeros((20_000, 3), np.float32))
        while rec.stats().rows_pending < 20:
            before = rec.stats().rows_accepted
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                await rec.log("a", cloud)
            if rec.stats().rows_accepted == before:
                break
        assert rec.stats().rows_refused == 1
        sink.open_gate.set()
        await rec.flush()
        await rec.log("a", cloud, strict=True)
        await rec.disconnect()
        assert check_invariant(rec).rows_pending == 0


async def test_a_debug_message_is_all_there_is_to_hear(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    with caplog.at_level(logging.INFO):
        async with stream() as rec:
            await rec.save(tmp_path / "a.rrd")
            await rec.log("a", rr.Scalars(1.0))
    assert [record for record in caplog.records if record.name.startswith("aiorerun")] == []
