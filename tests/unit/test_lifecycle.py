"""Interpreter exit and forks of the asyncio face; what ends a process is run in one of its own."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

import aiorerun as rr
import aiorerun.sync as blocking
from aiorerun import lifecycle, portal
from aiorerun.engine.conveyor import conveyors
from aiorerun.pipeline.capture import FULL, OPEN
from tests.reading import assert_verified, scalars_of

if TYPE_CHECKING:
    from pathlib import Path


class Sink:
    """Takes everything; ``aclose`` may fail, or wait."""

    def __init__(self, closes: float = 0.0) -> None:
        self.closes = closes
        self.rows = 0
        self.closed = False

    async def open(self, context: Any) -> None: ...

    async def write(self, messages: Any) -> None:
        self.rows += sum(message.rows for message in messages)

    async def flush(self) -> None: ...

    async def aclose(self) -> None:
        await asyncio.sleep(self.closes)
        self.closed = True


def stream(**options: Any) -> rr.AsyncRecordingStream:
    return rr.AsyncRecordingStream("app", recording_id="lifecycle", send_properties=False, **options)


def left_behind(rec: rr.AsyncRecordingStream, sink: Sink) -> None:
    """Leaves a stream with a sink on a loop that is closed by hand."""
    loop = asyncio.new_event_loop()
    loop.run_until_complete(rec.set_sinks(sink))
    tasks = asyncio.all_tasks(loop)
    loop.close()
    for task in tasks:
        task._log_destroy_pending = False  # type: ignore[attr-defined] # they are left on purpose


def test_nothing_is_left_to_finish() -> None:
    assert not conveyors
    lifecycle.finish_all()


def test_streams_whose_loop_is_gone_are_finished() -> None:
    recordings = [stream() for _ in range(3)]
    sinks = [Sink() for _ in recordings]
    for rec, sink in zip(recordings, sinks, strict=True):
        thread = threading.Thread(target=left_behind, args=(rec, sink))
        thread.start()
        thread.join()
        rec.log_nowait("a", rr.Scalars(1.0))
    lifecycle.finish_all()
    assert [(sink.rows, sink.closed) for sink in sinks] == [(1, True)] * 3
    assert not conveyors


def test_one_that_cannot_be_finished_does_not_harm_the_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad = stream(), stream()
    sinks = Sink(), Sink()
    for rec, sink in zip((good, bad), sinks, strict=True):
        thread = threading.Thread(target=left_behind, args=(rec, sink))
        thread.start()
        thread.join()

    async def fail() -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(bad._engine.conveyor, "finish", fail)
    lifecycle.finish_all()
    assert sinks[0].closed
    assert "'lifecycle' could not be finished at exit: on purpose" in caplog.text
    monkeypatch.undo()
    lifecycle.finish_all()
    assert sinks[1].closed


def test_what_goes_wrong_with_the_loop_itself_is_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rec, sink = stream(), Sink()
    thread = threading.Thread(target=left_behind, args=(rec, sink))
    thread.start()
    thread.join()

    def fail(call: Any) -> None:
        call.close()
        raise OSError("no more files")

    monkeypatch.setattr(asyncio, "run", fail)
    lifecycle.finish_all()
    assert "could not be finished at exit: OSError: no more files" in caplog.text
    monkeypatch.undo()
    lifecycle.finish_all()
    assert sink.closed


async def test_streams_of_a_loop_that_still_runs_elsewhere_are_finished_there() -> None:
    rec, sink = stream(), Sink()
    await rec.set_sinks(sink)
    await rec.log("a", rr.Scalars(1.0))
    await asyncio.to_thread(lifecycle.finish_all)
    assert (sink.rows, sink.closed) == (1, True)


async def test_but_not_for_ever(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    rec, sink = stream(), Sink()
    await rec.set_sinks(sink)

    async def fail() -> None:
        raise RuntimeError("stuck")

    monkeypatch.setattr(rec._engine.conveyor, "finish", fail)
    await asyncio.to_thread(lifecycle.finish_on_running_loops)
    assert "'lifecycle' could not be finished at exit: stuck" in caplog.text
    monkeypatch.undo()
    # From the thread of the loop itself, waiting would never end.
    lifecycle.finish_on_running_loops()
    assert not sink.closed
    await rec.disconnect()


def test_what_a_child_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    rec, blocking_rec = stream(max_bytes_in_flight=1 << 20), blocking.RecordingStream("app", recording_id="x")
    rec.log_nowait("a", rr.Scalars(1.0))
    rec.set_log_tick_enabled(False)
    rec._capture.gate = FULL
    monkeypatch.setattr(lifecycle, "streams", [rec, blocking_rec])
    monkeypatch.setattr(portal, "after_fork_in_child", lambda: None)
    lifecycle._after_fork_in_child()
    assert rec.stats().rows_accepted == blocking_rec.stats().rows_accepted == 0
    assert rec._capture.gate == OPEN
    asyncio.run(finish_with(rec, Sink()))
    assert rec.stats().rows_delivered == 1


async def finish_with(rec: rr.AsyncRecordingStream, sink: Sink) -> None:
    """Logs one row to a sink and closes it."""
    await rec.set_sinks(sink)
    await rec.log("a", rr.Scalars(1.0))
    await rec.disconnect()


FORK = """
import asyncio, os, signal, sys
import aiorerun as rr

parent_path, child_path = sys.argv[1:]

async def log_to(rec, path, *values):
    await rec.save(path)
    for value in values:
        await rec.log("a", rr.Scalars(value))
    await rec.flush()

rec = rr.AsyncRecordingStream("fork", recording_id="f", send_properties=False)
loop = asyncio.new_event_loop()
loop.run_until_complete(log_to(rec, parent_path, 1.0))
rec.log_nowait("a", rr.Scalars(2.0))
pid = os.fork()
if pid == 0:
    signal.alarm(15)
    assert rec.stats().rows_accepted == 0
    rec.log_nowait("a", rr.Scalars(10.0))
    async def main():
        await log_to(rec, child_path, 11.0, 12.0)
        await rec.disconnect()
    asyncio.run(main())
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
loop.run_until_complete(rec.disconnect())
loop.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_starts_empty_and_works_at_once(tmp_path: Path) -> None:
    parent, child = tmp_path / "parent.rrd", tmp_path / "child.rrd"
    result = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK, str(parent), str(child)],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert scalars_of(parent, "/a") == [1.0, 2.0]
    assert scalars_of(child, "/a") == [10.0, 11.0, 12.0]
    assert_verified([parent, child])


EXIT = {
    "a blocking stream that was dropped": """
import sys
import aiorerun.sync as rr
def make():
    rec = rr.RecordingStream("exit", recording_id="e")
    rec.save(sys.argv[1])
    rec.log("a", rr.Scalars(1.0))
make()
""",
    "a loop in a daemon thread": """
import asyncio, sys, threading
import aiorerun as rr
rec = rr.AsyncRecordingStream("exit", recording_id="e")
ready = threading.Event()
async def main():
    await rec.save(sys.argv[1])
    await rec.log("a", rr.Scalars(1.0))
    ready.set()
    await asyncio.Event().wait()
threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
ready.wait()
""",
    "both faces": """
import asyncio, sys
import aiorerun as rr
import aiorerun.sync as blocking
rec = blocking.RecordingStream("exit", recording_id="e")
rec.save(sys.argv[1])
rec.log("a", rr.Scalars(1.0))
async def main():
    other = rr.AsyncRecordingStream("exit", recording_id="e2")
    await other.save(sys.argv[1] + ".other.rrd")
    await other.log("a", rr.Scalars(2.0))
    await other.disconnect()
asyncio.run(main())
""",
}


@pytest.mark.parametrize("how", EXIT)
def test_at_exit_the_file_is_finished(how: str, tmp_path: Path) -> None:
    path = tmp_path / "a.rrd"
    result = subprocess.run(
        [sys.executable, "-c", EXIT[how], str(path)], capture_output=True, text=True, timeout=40, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr, result.stderr
    assert scalars_of(path, "/a") == [1.0]
    assert_verified([path])
