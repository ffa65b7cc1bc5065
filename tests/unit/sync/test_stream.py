"""The blocking recording stream: threads, running loops, flushing, scopes, forks."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import aiorerun
import aiorerun.sync as rr
from aiorerun import errors
from aiorerun.sinks.memory import encode_stream
from tests.reading import assert_verified, rows_of, scalars_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from aiorerun.codec.messages import Message


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mode of a new process."""
    monkeypatch.setattr(errors._Mode, "strict", None)


class HeldSink:
    """Keeps messages; takes none before it is let go."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.threads: set[int] = set()
        self.free = threading.Event()

    async def open(self, context: Any) -> None:
        self.threads.add(threading.get_ident())

    async def write(self, messages: Sequence[Message]) -> None:
        await asyncio.to_thread(self.free.wait)
        self.messages.extend(messages)

    async def flush(self) -> None: ...

    async def aclose(self) -> None: ...

    def scalars(self, path: str) -> list[float]:
        return scalars_of(encode_stream(self.messages), path)


def stream(recording_id: str = "blocking", **options: Any) -> rr.RecordingStream:
    options.setdefault("send_properties", False)
    return rr.RecordingStream("app", recording_id=recording_id, **options)


def test_saving(tmp_path: Path) -> None:
    path = tmp_path / "a.rrd"
    rec = stream()
    rec.log("a", rr.Scalars(1.0))
    rec.save(str(path))
    rec.log("a", rr.Scalars(2.0))
    rec.flush()
    assert scalars_of(path, "/a") == [1.0, 2.0]
    rec.save(tmp_path / "b.rrd", write_footer=False)
    rec.log("a", rr.Scalars(3.0))
    rec.disconnect()
    rec.disconnect()
    assert scalars_of(tmp_path / "b.rrd", "/a") == [3.0]
    assert_verified([path])
    assert repr(rec) == "RecordingStream('app', recording_id='blocking')"


def test_errors_of_saving(tmp_path: Path) -> None:
    rec = stream()
    with pytest.raises(rr.SinkOpenError, match="directory must exist"):
        rec.save(tmp_path / "missing" / "a.rrd")
    with pytest.raises(ValueError, match="Duplicate"):
        rec.set_sinks(rr.FileSink("x"), rr.FileSink("x"))
    with pytest.raises(TypeError, match="not a sink"):
        rec.set_sinks("x")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="default_blueprint"):
        rec.save(tmp_path / "a.rrd", object())  # type: ignore[arg-type]
    rec.disconnect()


def test_memory() -> None:
    rec = stream()
    memory = rec.memory_recording()
    rec.log("a", rr.Scalars(1.0))
    assert memory.num_msgs() == 2
    assert scalars_of(memory.drain_as_bytes(), "/a") == [1.0]
    assert len(memory.drain_as_bytes()) == 60
    rec.disconnect()


def test_the_loop_runs_in_a_thread_of_its_own() -> None:
    rec, sink = stream(), HeldSink()
    sink.free.set()
    rec.set_sinks(sink)
    assert sink.threads
    assert threading.get_ident() not in sink.threads
    rec.disconnect()
    assert rec._lease is None


def test_the_first_row_after_an_idle_tick_goes_at_once() -> None:
    rec, sink = stream(), HeldSink()
    sink.free.set()
    rec.set_sinks(sink)
    rec.log("a", rr.Scalars(1.0))
    deadline = time.monotonic() + 10
    while len(sink.messages) < 2 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert sink.scalars("/a") == [1.0]
    rec.disconnect()


@pytest.mark.parametrize("timeout", [1e38, 9.3e9, float("inf")])
def test_very_long_timeouts(timeout: float) -> None:
    rec, sink = stream(), HeldSink()
    sink.free.set()
    rec.set_sinks(sink)
    rec.log("a", rr.Scalars(1.0))
    rec.flush(timeout_sec=timeout)
    assert sink.scalars("/a") == [1.0]
    rec.disconnect()


@pytest.mark.parametrize("timeout", [-1, float("nan")])
def test_odd_timeouts(timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout_sec"):
        stream().flush(timeout_sec=timeout)


def test_flushing_in_time_or_not() -> None:
    rec, sink = stream(), HeldSink()
    rec.set_sinks(sink)
    rec.log("a", rr.Scalars(1.0))
    rec.flush(timeout_sec=0)
    with pytest.raises(aiorerun.FlushTimeoutError, match="0.05 s"):
        rec.flush(timeout_sec=0.05)
    sink.free.set()
    rec.flush()
    assert sink.scalars("/a") == [1.0]
    rec.disconnect()
    rec.flush()


def test_inside_a_running_loop() -> None:
    rec, sink = stream(), HeldSink()
    sink.free.set()

    async def main() -> None:
        rec.set_sinks(sink)
        for number in range(10):
            rec.log("a", rr.Scalars(float(number)))
            rec.flush()
            await asyncio.sleep(0)
        with rec:
            rr.log("a", rr.Scalars(10.0))
        rec.disconnect()

    asyncio.run(asyncio.wait_for(main(), 30))
    assert sink.scalars("/a") == list(range(11))


def test_many_threads() -> None:
    rec, sink = stream(), HeldSink()
    sink.free.set()
    rec.set_sinks(sink)

    def log(number: int) -> None:
        for step in range(200):
            rec.set_time("step", sequence=step)
            rec.log(f"t{number}", rr.Scalars(float(step)))
            if step % 50 == 0:
                rec.flush()

    threads = [threading.Thread(target=log, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rec.flush()
    rows = rows_of(encode_stream(sink.messages))
    assert len(rows) == 1600
    assert all(row.values["Scalars:scalars"] == [row.times["step"]] for row in rows)
    rec.disconnect()


def test_with_activates_and_flushes() -> None:
    rec, sink = stream(), HeldSink()
    sink.free.set()
    rec.set_sinks(sink)
    with rec:
        assert rr.get_data_recording() is rec
        rr.log("a", rr.Scalars(1.0))
    assert rr.get_data_recording() is None
    assert sink.scalars("/a") == [1.0]
    assert rec.stats().sinks
    rec.disconnect()


def test_a_closed_stream() -> None:
    rec = stream()
    memory = rec.memory_recording()
    rec.close()
    with pytest.raises(rr.StreamClosedError):
        rec.log("a", rr.Scalars(1.0), strict=True)
    with pytest.warns(rr.RerunWarning, match="is closed") as caught:
        rec.log("a", rr.Scalars(1.0))
    assert [warning.filename for warning in caught] == [__file__]
    with pytest.raises(rr.StreamClosedError):
        rec.memory_recording()
    assert memory.num_msgs() == 0
    rec.close()


def test_a_disabled_stream(tmp_path: Path) -> None:
    rec = stream(default_enabled=False)
    rec.log("a", object())  # type: ignore[arg-type]
    rec.save(tmp_path / "a.rrd")
    rec.flush()
    rec.disconnect()
    assert list(tmp_path.iterdir()) == []
    assert rec.stats().rows_accepted == 0


def test_over_the_limit() -> None:
    rec, sink = stream(max_bytes_in_flight=1 << 20, max_wait=0.1), HeldSink()
    rec.set_sinks(sink)
    cloud = rr.Points3D(np.zeros((20_000, 3), np.float32))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(12):
            rec.log("a", cloud)
    assert [warning.filename for warning in caught] == [__file__]
    stats = rec.stats()
    assert stats.rows_accepted + stats.rows_refused == 12
    assert stats.rows_refused > 0
    with pytest.raises(rr.QueueFullError):
        rec.log_nowait("a", cloud, strict=True)
    sink.free.set()
    rec.flush()
    rec.log("a", cloud, strict=True)
    rec.disconnect()
    assert rec.stats().rows_pending == 0


def test_a_waiting_thread_is_let_in() -> None:
    rec, sink = stream(max_bytes_in_flight=1 << 20, max_wait=30), HeldSink()
    rec.set_sinks(sink)
    cloud = rr.Points3D(np.zeros((20_000, 3), np.float32))

    def log() -> None:
        for _ in range(5):
            rec.log("a", cloud)

    threads = [threading.Thread(target=log) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    sink.free.set()
    for thread in threads:
        thread.join(30)
    rec.flush()
    assert (rec.stats().rows_delivered, rec.stats().rows_refused) == (20, 0)
    rec.disconnect()


def test_forced_saving(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    forced = tmp_path / "forced.rrd"
    monkeypatch.setenv("_RERUN_TEST_FORCE_SAVE", str(forced))
    rec = stream()
    rec.log("a", rr.Scalars(1.0))
    rec.save(tmp_path / "ignored.rrd")
    rec.log("a", rr.Scalars(2.0))
    rec.disconnect()
    assert scalars_of(forced, "/a") == [1.0, 2.0]
    rec.close()
    assert not (tmp_path / "ignored.rrd").exists()
    assert_verified([forced])


def test_dropping_the_last_reference_delivers(tmp_path: Path) -> None:
    path = tmp_path / "a.rrd"
    rec = stream()
    rec.save(path)
    rec.log("a", rr.Scalars(1.0))
    del rec
    gc.collect()
    deadline = time.monotonic() + 10
    while b"FOOT" not in path.read_bytes() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert scalars_of(path, "/a") == [1.0]
    assert_verified([path])
    rr.RecordingStream.__new__(rr.RecordingStream).__del__()


EXIT = """
import sys
import aiorerun.sync as rr
good, bad = (rr.RecordingStream("exit", recording_id=name, send_properties=False) for name in ("good", "bad"))
good.save(sys.argv[1])
good.log("a", rr.Scalars(1.0))

bad.save(sys.argv[1] + ".bad.rrd")

async def fail():
    raise RuntimeError("on purpose")

bad._engine.conveyor.finish = fail
"""


def test_one_stream_that_fails_at_exit_does_not_harm_the_others(tmp_path: Path) -> None:
    path = tmp_path / "a.rrd"
    result = subprocess.run(
        [sys.executable, "-c", EXIT, str(path)], capture_output=True, text=True, timeout=30, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "'bad' could not be finished at exit: on purpose" in result.stderr
    assert scalars_of(path, "/a") == [1.0]
    assert_verified([path])


FORK = """
import os, signal, sys, threading, time
import aiorerun.sync as rr

parent_path, child_path = sys.argv[1:]
rec = rr.RecordingStream("fork", recording_id="f", send_properties=False)
rec.save(parent_path)
rec.set_time("frame", sequence=1)
rec.log("a", rr.Scalars(1.0))
BEFORE
pid = os.fork()
if pid == 0:
    assert rec.stats().rows_accepted == 0, rec.stats()
    signal.alarm(15)
    rec.log("a", rr.Scalars(2.0))
    rec.save(child_path)
    rec.log("a", rr.Scalars(3.0))
    rec.flush(timeout_sec=10)
    rec.disconnect()
    os._exit(0)
AFTER
assert os.waitpid(pid, 0)[1] == 0
rec.log("a", rr.Scalars(4.0))
rec.disconnect()
"""

FORKS = {
    "plainly": ("", ""),
    "while a lock is held": (
        """
from aiorerun.worker import Worker
from aiorerun.context import _Slots
held, go = threading.Event(), threading.Event()
def hold():
    with Worker._registry_lock, _Slots.lock, rec._lease_lock:
        held.set()
        go.wait()
thread = threading.Thread(target=hold)
thread.start()
held.wait()
""",
        "go.set(); thread.join()",
    ),
    "while the worker imports": (
        """
def is_importing():
    return any(getattr(getattr(module, "__spec__", None), "_initializing", False)
               for name, module in list(sys.modules.items()) if name.startswith(("aiorerun.", "pyarrow")))
ends = time.monotonic() + 1
while not is_importing() and time.monotonic() < ends:
    time.sleep(0.0001)
""",
        "",
    ),
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("how", FORKS)
def test_a_forked_child_starts_empty_and_works_at_once(how: str, tmp_path: Path) -> None:
    before, after = FORKS[how]
    parent, child = tmp_path / "parent.rrd", tmp_path / "child.rrd"
    script = FORK.replace("BEFORE", before).replace("AFTER", after)
    result = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script, str(parent), str(child)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert scalars_of(parent, "/a") == [1.0, 4.0]
    assert scalars_of(child, "/a") == [2.0, 3.0]
    assert_verified([parent, child])


def test_threads_that_change_the_sinks_of_one_stream(tmp_path: Path) -> None:
    rec = rr.RecordingStream("app", recording_id="changes", send_properties=False)
    errors_seen: list[BaseException] = []
    is_over = threading.Event()

    def repeat(*steps: Callable[[], object]) -> None:
        try:
            while not is_over.is_set():
                for step in steps:
                    step()
        except BaseException as error:
            errors_seen.append(error)

    saving = (lambda: rec.save(tmp_path / "x.rrd"), lambda: rec.log("a", rr.Scalars(1.0)), rec.flush)
    threads = [
        threading.Thread(target=repeat, args=steps, daemon=True)
        for steps in (saving, saving, (rec.disconnect,))
    ]
    for thread in threads:
        thread.start()
    is_over.wait(1.0)
    is_over.set()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    rec.disconnect()
    assert errors_seen == []
    # Nothing needs the private loop any more.
    assert rec._lease is None
    assert rec._calls == 0


def test_the_loop_lives_as_long_as_a_call_of_another_thread() -> None:
    rec, sink = rr.RecordingStream("app", recording_id="calls", send_properties=False), HeldSink()
    rec.set_sinks(sink)
    rec.log("a", rr.Scalars(1.0))
    flushing = threading.Thread(target=rec.flush, daemon=True)
    flushing.start()
    while not rec._calls:
        time.sleep(0.001)
    closing = threading.Thread(target=rec.close, daemon=True)
    closing.start()
    while rec._calls < 2:
        time.sleep(0.001)
    sink.free.set()
    flushing.join(20)
    closing.join(20)
    assert not flushing.is_alive()
    assert not closing.is_alive()
    assert rec._lease is None
    assert scalars_of(encode_stream(sink.messages), "/a") == [1.0]
