"""The flight recorder of the blocking API."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

import aiorerun as asyncio_rr
import aiorerun.sync as rr
from aiorerun.flight.hooks import SysHook
from tests.reading import assert_verified, scalars_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def until(is_so: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.005)


def test_a_dump_holds_what_was_logged_before(tmp_path: Path) -> None:
    sink = rr.FlightRecorderSink(max_seconds=60, path=tmp_path / "dump.rrd")
    rec = rr.RecordingStream("flight", recording_id="f")
    rec.set_sinks(sink)
    for number in range(100):
        rec.log("a", rr.Scalars(float(number)))
    assert sink.dump() == tmp_path / "dump.rrd"
    assert sink.dump(tmp_path / "other.rrd") == tmp_path / "other.rrd"
    rec.disconnect()
    # It can still be asked.
    assert sink.dump() == tmp_path / "dump-2.rrd"
    for path in tmp_path.iterdir():
        assert scalars_of(path, "/a") == list(range(100))
    assert_verified(tmp_path.iterdir())


def test_many_threads_may_ask(tmp_path: Path) -> None:
    sink = rr.FlightRecorderSink(path=tmp_path / "dump.rrd")
    rec = rr.RecordingStream("flight", recording_id="f")
    rec.set_sinks(sink)
    rec.log("a", rr.Scalars(1.0))
    threads = [threading.Thread(target=sink.dump) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    rec.disconnect()
    assert len(list(tmp_path.iterdir())) == 4
    assert all(scalars_of(path, "/a") == [1.0] for path in tmp_path.iterdir())


async def test_on_the_loop_that_drives_it_nobody_can_wait() -> None:
    sink = rr.FlightRecorderSink()
    rec = asyncio_rr.AsyncRecordingStream("flight", recording_id="f")
    await rec.set_sinks(sink)
    with pytest.raises(RuntimeError, match="await it"):
        sink.dump()
    await rec.disconnect()


def test_one_of_the_asyncio_api_works_beside_blocking_streams(tmp_path: Path) -> None:
    sink = asyncio_rr.FlightRecorderSink(path=tmp_path / "dump.rrd")
    rec = rr.RecordingStream("flight", recording_id="f")
    rec.set_sinks(sink)
    rec.log("a", rr.Scalars(1.0))
    path = asyncio.run(sink.dump())
    rec.disconnect()
    assert scalars_of(path, "/a") == [1.0]


def test_hooks_are_put_in_and_out_again(tmp_path: Path) -> None:
    before = sys.excepthook, threading.excepthook, signal.getsignal(signal.SIGTERM)
    sink = rr.FlightRecorderSink(path=tmp_path / "dump.rrd", on_exception=True, on_signal=signal.SIGTERM)
    rec = rr.RecordingStream("flight", recording_id="f")
    rec.set_sinks(sink)
    assert isinstance(sys.excepthook, SysHook)
    assert signal.getsignal(signal.SIGTERM) is not before[2]
    rec.disconnect()
    assert (sys.excepthook, threading.excepthook, signal.getsignal(signal.SIGTERM)) == before


@pytest.mark.skipif(sys.platform == "win32", reason="this signal is not on Windows")
def test_a_signal_makes_a_dump_while_the_main_thread_works(tmp_path: Path) -> None:
    sink = rr.FlightRecorderSink(path=tmp_path / "dump.rrd", on_signal=signal.SIGUSR1)
    rec = rr.RecordingStream("flight", recording_id="f")
    rec.set_sinks(sink)
    rec.log("a", rr.Scalars(1.0))
    os.kill(os.getpid(), signal.SIGUSR1)
    until(lambda: sink.last_dump is not None)
    rec.disconnect()
    assert scalars_of(tmp_path / "dump.rrd", "/a") == [1.0]


def test_exceptions_of_threads_make_a_dump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda args: None)
    sink = rr.FlightRecorderSink(path=tmp_path / "dump.rrd", on_exception=True)
    rec = rr.RecordingStream("flight", recording_id="f")
    rec.set_sinks(sink)

    def fail() -> None:
        rec.log("a", rr.Scalars(1.0))
        raise ValueError("on purpose")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join(20)
    # The thread has waited for it.
    assert scalars_of(tmp_path / "dump.rrd", "/a") == [1.0]
    rec.disconnect()
