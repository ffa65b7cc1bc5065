"""The flight recorder: what a dump holds, who triggers one, and that hooks are put back."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

import aiorerun as rr
import aiorerun.blueprint as rrb
import aiorerun.sync as blocking
from aiorerun.flight import lingering, recorder as module
from aiorerun.flight.hooks import SysHook, ThreadHook
from aiorerun.sinks.rrd_file import RrdFile
from aiorerun.worker import Worker
from tests.reading import assert_verified, rerun_cli, rows_of, scalars_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from aiorerun.codec.messages import Message
    from aiorerun.sinks.base import SinkContext


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110 - what is waited for happens in files and threads
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def nothing_lingers() -> Iterator[None]:
    yield
    lingering.stop_lingering(everything=True)
    assert not isinstance(sys.excepthook, SysHook)
    assert not isinstance(threading.excepthook, ThreadHook)


class Clock:
    """The time of rows, as a test likes it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = 0
        real = module.now_ns
        monkeypatch.setattr(module, "now_ns", lambda: real() + self.ahead)
        monkeypatch.setattr("aiorerun.flight.sink.now_ns", lambda: real() + self.ahead)

    def pass_secs(self, secs: float) -> None:
        self.ahead += int(secs * 1e9)


async def test_a_dump_holds_what_is_static_and_the_last_seconds(tmp_path: Path) -> None:
    sink = rr.FlightRecorderSink(max_seconds=0.3)
    rec = rr.AsyncRecordingStream("flight", recording_id="f")
    await rec.set_sinks(sink)
    await rec.send_recording_name("a name")
    await rec.log("map", rr.Points3D([[1, 2, 3]]), static=True)
    await rec.log("map", rr.Points3D([[4, 5, 6]]), static=True)
    await rec.send_blueprint(rrb.Blueprint(rrb.TimeSeriesView(origin="/")))
    ends, number = time.monotonic() + 0.9, 0
    while time.monotonic() < ends:
        await rec.log("a", rr.Scalars(float(number)))
        number += 1
        await asyncio.sleep(0.002)
    path = await sink.dump(tmp_path / "dump.rrd")
    await rec.disconnect()

    assert path == sink.last_dump == tmp_path / "dump.rrd"
    values = scalars_of(path, "/a")
    # The last row is there, though it was not encoded when the dump was asked for; and nothing is missing.
    assert values == list(range(int(values[0]), number))
    times = [row.times["log_time"] for row in rows_of(path) if row.path == "/a"]
    assert max(times) - min(times) <= 0.3e9
    assert len(values) < number
    assert [row.values["Points3D:positions"] for row in rows_of(path) if row.path == "/map"][-1] == [
        [4, 5, 6]
    ]
    printed = rerun_cli("rrd", "print", "-v", path).stdout
    for name in ("RecordingInfo:name", "RecordingInfo:start_time", "ViewBlueprint"):
        assert name in printed
    assert_verified([path])


async def test_the_limit_cuts_between_two_rows_of_one_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    config = rr.ChunkBatcherConfig(flush_tick=1e9, flush_num_rows=1 << 30, flush_num_bytes=1 << 40)
    sink = rr.FlightRecorderSink(max_seconds=10)
    async with rr.AsyncRecordingStream("flight", recording_id="f", batcher_config=config) as rec:
        await rec.set_sinks(sink)
        for number in range(3):
            await rec.log("a", rr.Scalars(float(number)))
        await asyncio.sleep(0.05)
        for number in range(3, 5):
            await rec.log("a", rr.Scalars(float(number)))
        await rec.flush()
        assert len(sink._ring or ()) == 1
        clock.pass_secs(9.97)
        assert scalars_of(await sink.dump(tmp_path / "a.rrd"), "/a") == [3.0, 4.0]
        clock.pass_secs(1)
        assert scalars_of(await sink.dump(tmp_path / "b.rrd"), "/a") == []
        assert sink.num_rows == 5
        await rec.log("b", rr.Scalars(0.0))
        await rec.flush()
        # What is too old is let go of when something comes.
        assert sink.num_rows == 1
    assert_verified([tmp_path / "a.rrd", tmp_path / "b.rrd"])


async def test_bytes_are_a_limit_too(tmp_path: Path) -> None:
    sink = rr.FlightRecorderSink(max_bytes=100_000)
    async with rr.AsyncRecordingStream("flight", recording_id="f") as rec:
        await rec.set_sinks(sink)
        for number in range(50):
            await rec.log("a", rr.AnyValues(data=os.urandom(9_000), number=number))
            await rec.flush()
            assert sink.nbytes <= 100_000
        assert sink.num_rows == 9
        path = await sink.dump(tmp_path / "a.rrd")
    assert [row.values["number"] for row in rows_of(path)] == [[number] for number in range(41, 50)]


async def test_what_does_not_fit_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sink = rr.FlightRecorderSink(max_bytes=50_000, max_seconds=60)
    async with rr.AsyncRecordingStream("flight", recording_id="f") as rec:
        await rec.set_sinks(sink)
        for _ in range(2):
            await rec.log("a", rr.AnyValues(data=os.urandom(60_000)))
            await rec.flush()
        assert sink.num_rows == 0
        for _ in range(9):
            await rec.log("a", rr.AnyValues(data=os.urandom(9_000)))
            await rec.flush()
    assert caplog.text.count("larger than max_bytes") == 1
    assert caplog.text.count("dumps go less far back") == 1


async def test_dumps_get_names_that_are_free(tmp_path: Path) -> None:
    sink = rr.FlightRecorderSink(path=tmp_path / "dump.rrd")
    async with rr.AsyncRecordingStream("flight", recording_id="f") as rec:
        await rec.set_sinks(sink)
        await rec.log("a", rr.Scalars(1.0))
        assert [(await sink.dump()).name for _ in range(3)] == ["dump.rrd", "dump-2.rrd", "dump-3.rrd"]
        # One that is named is written anew.
        await rec.log("a", rr.Scalars(2.0))
        assert await sink.dump(str(tmp_path / "dump.rrd")) == tmp_path / "dump.rrd"
    assert scalars_of(tmp_path / "dump.rrd", "/a") == [1.0, 2.0]
    assert scalars_of(tmp_path / "dump-2.rrd", "/a") == [1.0]
    assert len(list(tmp_path.iterdir())) == 3
    assert_verified(tmp_path.iterdir())


async def test_a_dump_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: RrdFile, messages: Sequence[Message]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    sink = rr.FlightRecorderSink(path=tmp_path / "dump.rrd")
    async with rr.AsyncRecordingStream("flight", recording_id="f") as rec:
        await rec.set_sinks(sink)
        await rec.log("a", rr.Scalars(1.0))
        with pytest.raises(FileNotFoundError):
            await sink.dump(tmp_path / "missing" / "a.rrd")
        (tmp_path / "old.rrd").write_text("old")
        with monkeypatch.context() as patch:
            patch.setattr(RrdFile, "write", fail)
            for path in (None, tmp_path / "old.rrd"):
                with pytest.raises(OSError, match="No space left"):
                    await sink.dump(path)
        assert [path.name for path in tmp_path.iterdir()] == ["old.rrd"]
        assert (tmp_path / "old.rrd").read_text() == "old"
        assert scalars_of(await sink.dump(), "/a") == [1.0]


async def test_dumps_at_once_are_one_each(tmp_path: Path) -> None:
    sink = rr.FlightRecorderSink(path=tmp_path / "dump.rrd")
    async with rr.AsyncRecordingStream("flight", recording_id="f") as rec:
        await rec.set_sinks(sink)
        await rec.log("a", rr.Scalars(1.0))
        paths = await asyncio.gather(*(sink.dump() for _ in range(5)))
    assert len(set(paths)) == 5
    assert all(scalars_of(path, "/a") == [1.0] for path in paths)


async def test_cancelling_does_not_stop_a_dump(tmp_path: Path) -> None:
    sink = rr.FlightRecorderSink(path=tmp_path / "dump.rrd")
    async with rr.AsyncRecordingStream("flight", recording_id="f") as rec:
        await rec.set_sinks(sink)
        await rec.log("a", rr.Scalars(1.0))
        task = asyncio.create_task(sink.dump())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    # Closing has waited for it.
    assert scalars_of(tmp_path / "dump.rrd", "/a") == [1.0]


async def test_it_can_be_asked_after_it_was_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    sink = rr.FlightRecorderSink(path=tmp_path / "dump.rrd", max_seconds=5)
    assert rows_of(await sink.dump(tmp_path / "empty.rrd")) == []
    async with rr.AsyncRecordingStream("flight", recording_id="f") as rec:
        await rec.set_sinks(sink)
        await rec.log("a", rr.Scalars(1.0))
    # It holds the seconds before that.
    clock.pass_secs(100)
    assert scalars_of(await sink.dump(), "/a") == [1.0]


async def test_a_slow_sink_beside_it_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FLUSH_SECS", 0.1)

    class Stuck:
        def __init__(self) -> None:
            self.released = asyncio.Event()

        async def open(self, context: SinkContext) -> None:
            pass

        async def write(self, messages: Sequence[Message]) -> None:
            await self.released.wait()

        async def flush(self) -> None:
            pass

        async def aclose(self) -> None:
            pass

    sink, stuck = rr.FlightRecorderSink(path=tmp_path / "dump.rrd"), Stuck()
    async with rr.AsyncRecordingStream("flight", recording_id="f") as rec:
        await rec.set_sinks(stuck, sink)
        await rec.log("a", rr.Scalars(1.0))
        assert scalars_of(await sink.dump(), "/a") == [1.0]
        stuck.released.set()


async def test_rows_logged_after_the_question_are_not_in_the_answer(tmp_path: Path) -> None:
    sink = rr.FlightRecorderSink(path=tmp_path / "dump.rrd")
    async with rr.AsyncRecordingStream("flight", recording_id="f") as rec:
        await rec.set_sinks(sink)
        await rec.log("a", rr.Scalars(1.0))
        task = asyncio.create_task(sink.dump())
        await asyncio.sleep(0)
        await rec.log("a", rr.Scalars(2.0))
        assert scalars_of(await task, "/a") == [1.0]


async def test_what_was_passed_on_just_before_is_there_too(tmp_path: Path) -> None:
    source = rr.AsyncRecordingStream("app", recording_id="source", send_properties=False)
    await source.save(tmp_path / "source.rrd")
    for number in range(5):
        source.set_time("frame", sequence=number)
        await source.log("passed_on", rr.Scalars(float(number)))
    await source.disconnect()
    recording = await rr.recording.load_recording(tmp_path / "source.rrd")
    recorder = rr.FlightRecorderSink(max_seconds=60)
    rec = rr.AsyncRecordingStream("app", recording_id="flight", send_properties=False)
    await rec.set_sinks(recorder)
    rec.set_time("frame", sequence=1)
    await rec.log("own", rr.Scalars(1.0))
    await rec.send_recording(recording)
    dump = await recorder.dump(tmp_path / "dump.rrd")
    await rec.disconnect()
    assert sorted(row.path for row in rows_of(dump)) == ["/own", *["/passed_on"] * 5]


async def test_it_stays_full_when_other_sinks_come_beside_it(tmp_path: Path) -> None:
    sink = rr.FlightRecorderSink(path=tmp_path / "dump.rrd")
    async with rr.AsyncRecordingStream("flight", recording_id="f") as rec:
        await rec.set_sinks(sink)
        await rec.log("a", rr.Scalars(1.0))
        await rec.set_sinks(sink, rr.FileSink(tmp_path / "whole.rrd"))
        await rec.log("a", rr.Scalars(2.0))
        assert scalars_of(await sink.dump(), "/a") == [1.0, 2.0]
    async with rr.AsyncRecordingStream("flight", recording_id="g") as rec:
        await rec.set_sinks(rr.QueuedSink(sink))
        await rec.log("a", rr.Scalars(3.0))
        assert scalars_of(await sink.dump(), "/a") == [3.0]


async def test_two_recordings_cannot_share_one() -> None:
    sink = rr.FlightRecorderSink()
    first = rr.AsyncRecordingStream("flight", recording_id="f")
    await first.set_sinks(sink)
    second = rr.AsyncRecordingStream("flight", recording_id="g")
    with pytest.raises(rr.SinkOpenError, match="make one for each"):
        await second.set_sinks(sink)
    await first.log("a", rr.Scalars(1.0))
    await first.disconnect()
    await second.set_sinks(sink)
    await second.disconnect()


async def test_closing_leaves_no_thread_and_no_task() -> None:
    before = threading.active_count(), asyncio.all_tasks()
    workers = len(Worker._all)
    for _ in range(3):
        async with rr.AsyncRecordingStream("flight", recording_id="f") as rec:
            await rec.set_sinks(rr.FlightRecorderSink(on_exception=True, on_signal=signal.SIGTERM))
            await rec.log("a", rr.Scalars(1.0))
    await until(lambda: threading.active_count() <= before[0])
    assert asyncio.all_tasks() == before[1]
    assert len(Worker._all) <= workers + 1
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


# --- exceptions ---------------------------------------------------------------------------------------


async def test_exceptions_of_tasks_make_a_dump(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    told: list[Any] = []

    def handler(_: Any, context: dict[str, Any]) -> None:
        told.append(context.get("exception"))

    loop.set_exception_handler(handler)
    sink = rr.FlightRecorderSink(path=tmp_path / "dump.rrd", on_exception=True)
    async with rr.AsyncRecordingStream("flight", recording_id="f") as rec:
        await rec.set_sinks(sink)
        await rec.log("a", rr.Scalars(1.0))
        errors = [ValueError(str(number)) for number in range(3)]
        for error in errors:
            loop.call_exception_handler({"message": "a test", "exception": error})
        # Neither these.
        loop.call_exception_handler({"message": "no exception"})
        loop.call_exception_handler({"message": "the end", "exception": KeyboardInterrupt()})
        await until(lambda: sink.last_dump is not None)
    # They are passed on, several at once make one dump, and the handler is put back.
    assert told[:3] == errors
    assert len(told) == 5
    assert loop.get_exception_handler() is handler
    assert [path.name for path in tmp_path.iterdir()] == ["dump.rrd"]
    assert scalars_of(tmp_path / "dump.rrd", "/a") == [1.0]
    assert caplog.text.count("unhandled ValueError in a task or callback; 1 rows are in") == 1
    loop.set_exception_handler(None)


async def test_exceptions_of_threads_make_a_dump(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    before = threading.excepthook
    sink = rr.FlightRecorderSink(path=tmp_path / "dump.rrd", on_exception=True)
    async with rr.AsyncRecordingStream("flight", recording_id="f") as rec:
        await rec.set_sinks(sink)
        await rec.log("a", rr.Scalars(1.0))

        def fail() -> None:
            raise ValueError("on purpose")

        thread = threading.Thread(target=fail, name="worker 7")
        thread.start()
        await until(lambda: not thread.is_alive())
    assert [args.exc_type for args in told] == [ValueError]
    assert threading.excepthook is before
    assert scalars_of(tmp_path / "dump.rrd", "/a") == [1.0]
    assert "unhandled ValueError in thread 'worker 7'" in caplog.text


async def test_the_hook_of_the_interpreter_is_passed_on_and_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []

    def hook(*args: Any) -> None:
        told.append(args[0])

    monkeypatch.setattr(sys, "excepthook", hook)
    sink = rr.FlightRecorderSink(path=tmp_path / "dump.rrd", on_exception=True)
    rec = rr.AsyncRecordingStream("flight", recording_id="f")
    await rec.set_sinks(sink)
    await rec.log("a", rr.Scalars(1.0))
    assert sys.excepthook is not hook
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    sys.excepthook(ValueError, ValueError(), None)
    await until(lambda: sink.last_dump is not None)
    await rec.disconnect()
    assert told == [KeyboardInterrupt, ValueError]
    assert sys.excepthook is hook
    assert scalars_of(tmp_path / "dump.rrd", "/a") == [1.0]


@pytest.mark.parametrize("first", [0, 1])
async def test_hooks_of_two_recorders_go_whichever_is_closed_first(first: int) -> None:
    hooks = sys.excepthook, threading.excepthook, asyncio.get_running_loop().get_exception_handler()
    recs = [rr.AsyncRecordingStream("flight", recording_id=f"f{number}") for number in range(2)]
    for rec in recs:
        await rec.set_sinks(rr.FlightRecorderSink(on_exception=True, on_signal=signal.SIGUSR1))
    await recs[first].disconnect()
    assert sys.excepthook is not hooks[0]
    await recs[1 - first].disconnect()
    assert (sys.excepthook, threading.excepthook) == hooks[:2]
    assert asyncio.get_running_loop().get_exception_handler() is hooks[2]
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL


async def test_hooks_that_others_have_covered_only_pass_on(tmp_path: Path) -> None:
    told: list[Any] = []
    original = sys.excepthook
    rec = rr.AsyncRecordingStream("flight", recording_id="f")
    sink = rr.FlightRecorderSink(path=tmp_path / "dump.rrd", on_exception=True)
    await rec.set_sinks(sink)
    ours = sys.excepthook

    def other(*args: Any) -> None:
        told.append(args[0])

    ours.former = other  # type: ignore[attr-defined] # pyright: ignore[reportFunctionMemberAccess]
    sys.excepthook = cover = lambda *args: ours(*args)
    try:
        await rec.disconnect()
        assert sys.excepthook is cover
        sys.excepthook(ValueError, ValueError(), None)
    finally:
        sys.excepthook = original
    assert told == [ValueError]
    assert sink.last_dump is None


async def test_a_recording_left_by_an_exception_is_dumped_if_nobody_handles_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "excepthook", lambda *args: None)
    before = sys.excepthook
    sink = rr.FlightRecorderSink(path=tmp_path / "dump.rrd", on_exception=True)
    with pytest.raises(ValueError, match="on purpose"):  # noqa: PT012 - it is about leaving the block
        async with rr.AsyncRecordingStream("flight", recording_id="f") as rec:
            await rec.set_sinks(sink)
            await rec.log("a", rr.Scalars(1.0))
            raise ValueError("on purpose")
    assert sink.last_dump is None
    # Nobody knows yet whether it is handled.
    assert sys.excepthook is not before
    await asyncio.to_thread(sys.excepthook, ValueError, ValueError(), None)
    assert scalars_of(tmp_path / "dump.rrd", "/a") == [1.0]
    # After a while it was.
    monkeypatch.setattr(lingering, "LINGER_SECS", -1.0)
    lingering.stop_lingering()
    assert sys.excepthook is before


async def test_only_a_few_wait_for_what_becomes_of_their_exceptions() -> None:
    before = sys.excepthook
    for number in range(lingering.MAX_LINGERING + 3):
        rec = rr.AsyncRecordingStream("flight", recording_id=f"f{number}")
        try:
            await rec.set_sinks(rr.FlightRecorderSink(on_exception=True))
            raise ValueError("on purpose")
        except ValueError:
            await rec.disconnect()
    assert len(lingering._lingering) == lingering.MAX_LINGERING
    lingering.stop_lingering(everything=True)
    assert sys.excepthook is before


async def test_so_many_dumps_are_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "PAUSE_NS", 0)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, _context: None)
    sink = rr.FlightRecorderSink(path=tmp_path / "dump.rrd", on_exception=True, max_dumps=2)
    async with rr.AsyncRecordingStream("flight", recording_id="f") as rec:
        await rec.set_sinks(sink)
        for _ in range(5):
            loop.call_exception_handler({"message": "a test", "exception": ValueError()})
        await until(lambda: len(list(tmp_path.glob("*.rrd"))) == 2)
        # One that is asked for is made all the same.
        await sink.dump()
    assert len(list(tmp_path.iterdir())) == 3
    assert caplog.text.count("no dump for") == 1
    loop.set_exception_handler(None)


async def test_a_dump_that_nobody_asked_for_and_that_fails_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, _context: None)
    sink = rr.FlightRecorderSink(path=tmp_path / "missing" / "dump.rrd", on_exception=True)
    async with rr.AsyncRecordingStream("flight", recording_id="f") as rec:
        await rec.set_sinks(sink)
        loop.call_exception_handler({"message": "a test", "exception": ValueError()})
        await until(lambda: "no dump could be written" in caplog.text)
        await asyncio.to_thread(sink.dump_and_wait, "a test", is_last=True)
    assert caplog.text.count("no dump could be written: FileNotFoundError") == 2
    loop.set_exception_handler(None)


# --- signals ------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="these signals are not on Windows")
async def test_signals_make_dumps_and_are_passed_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    told: list[Any] = []
    former = signal.signal(signal.SIGUSR1, lambda number, _frame: told.append(number))
    loop.add_signal_handler(signal.SIGUSR2, told.append, "loop")
    # Who runs the tests may have had the last one ignored.
    signals = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP)
    try:
        before = list(map(signal.getsignal, signals))
        sink = rr.FlightRecorderSink(path=tmp_path / "dump.rrd", on_signal=signals)
        async with rr.AsyncRecordingStream("flight", recording_id="f") as rec:
            await rec.set_sinks(sink)
            for number, name in enumerate((signal.SIGUSR1, signal.SIGUSR2), 1):
                await rec.log("a", rr.Scalars(float(number)))
                os.kill(os.getpid(), name)
                await until(lambda number=number: len(list(tmp_path.glob("*.rrd"))) == number)  # type: ignore[misc]
        assert list(map(signal.getsignal, signals)) == before
    finally:
        loop.remove_signal_handler(signal.SIGUSR2)
        signal.signal(signal.SIGUSR1, former)
    assert told == [signal.SIGUSR1, "loop"]
    assert scalars_of(tmp_path / "dump.rrd", "/a") == [1.0]
    assert scalars_of(tmp_path / "dump-2.rrd", "/a") == [1.0, 2.0]
    assert "SIGUSR2; 2 rows are in" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_bytes": None}, "nothing would ever go"),
        ({"max_seconds": 0}, "max_seconds must be positive"),
        ({"max_bytes": -1}, "max_bytes must be positive"),
        ({"max_dumps": 0}, "max_dumps must be positive"),
        ({"path": "{what}.rrd"}, "path: .*fields"),
        ({"on_signal": 9}, "SIGKILL cannot be handled"),
        ({"on_signal": 12345}, "on_signal: there is no signal 12345; pass one such as signal.SIGUSR1"),
        ({"overflow": "never"}, "overflow"),
    ],
)
def test_wrong_arguments_are_errors(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rr.FlightRecorderSink(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"on_signal": "SIGUSR2"}, "on_signal: 'SIGUSR2' is no signal; pass signal.SIGUSR2, or several"),
        ({"on_signal": ["USR1"]}, "on_signal: 'USR1' is no signal; pass signal.SIGUSR1, or several"),
        ({"on_signal": True}, "on_signal: True is no signal"),
        ({"on_signal": 1.5}, "on_signal: 1.5 is no signal"),
        ({"max_bytes": "1MB"}, "max_bytes must be a number, got str"),
    ],
)
def test_arguments_of_another_type_are_errors(arguments: dict[str, Any], message: str) -> None:
    for recorder in (rr.FlightRecorderSink, blocking.FlightRecorderSink):
        with pytest.raises(TypeError, match=f"^FlightRecorderSink: {message}"):
            recorder(**arguments)


def test_signals_may_be_one_or_several() -> None:
    assert rr.FlightRecorderSink(on_signal=10).on_signal == (signal.SIGUSR1,)
    several = [signal.SIGUSR1, signal.SIGUSR2, signal.SIGUSR1]
    assert rr.FlightRecorderSink(on_signal=iter(several)).on_signal == (signal.SIGUSR1, signal.SIGUSR2)


def test_it_says_what_it_holds() -> None:
    assert repr(rr.FlightRecorderSink(max_seconds=3)) == (
        "FlightRecorderSink(max_seconds=3, max_bytes=268435456: 0 rows, 0 bytes)"
    )
