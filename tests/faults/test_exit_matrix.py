"""Every way a program may end, in both faces: in time, and the file is finished or the loss is told."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.reading import assert_verified, rows_of, scalars_of
from tests.slowness import SLOWNESS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and forks of POSIX")

CLOSE_TIMEOUT = 2.0
START_AND_END_SECS = 15.0 * SLOWNESS
"""What an interpreter may take on a busy machine before and after what is tested."""

ASYNC = """
import asyncio, os, signal, sys, threading, time
import aiorerun as rr
path = sys.argv[1]
rec = rr.AsyncRecordingStream("exit", recording_id="e", close_timeout=2.0)
async def log_some():
    await rec.save(path)
    for number in range(100):
        await rec.log("a", rr.Scalars(float(number)))
"""

SYNC = """
import os, signal, sys, threading, time
import aiorerun.sync as rr
path = sys.argv[1]
rec = rr.RecordingStream("exit", recording_id="e", close_timeout=2.0)
def log_some():
    rec.save(path)
    for number in range(100):
        rec.log("a", rr.Scalars(float(number)))
"""

# What each program does, the exit code, and whether a traceback is its own doing.
ENDS: dict[str, tuple[str, int, bool]] = {
    "asyncio, return": (ASYNC + "asyncio.run(log_some())", 0, False),
    "asyncio, exception": (
        ASYNC
        + """
async def main():
    await log_some()
    raise ValueError("on purpose")
asyncio.run(main())
""",
        1,
        True,
    ),
    "asyncio, sys.exit": (
        ASYNC
        + """
async def main():
    await log_some()
    sys.exit(3)
asyncio.run(main())
""",
        3,
        False,
    ),
    "asyncio, sys.exit in another task": (
        ASYNC
        + """
async def main():
    await log_some()
    asyncio.get_running_loop().call_later(0.01, sys.exit, 3)
    await asyncio.sleep(30)
asyncio.run(main())
""",
        3,
        False,
    ),
    "asyncio, SIGTERM handled by the program": (
        ASYNC
        + """
async def main():
    await log_some()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    os.kill(os.getpid(), signal.SIGTERM)
    await stop.wait()
asyncio.run(main())
""",
        0,
        False,
    ),
    "asyncio, SIGTERM that raises": (
        ASYNC
        + """
signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
async def main():
    await log_some()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(30)
asyncio.run(main())
""",
        3,
        False,
    ),
    "asyncio, KeyboardInterrupt": (
        ASYNC
        + """
async def main():
    await log_some()
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.sleep(30)
asyncio.run(main())
""",
        -2,
        True,
    ),
    "asyncio, loop closed first": (
        ASYNC
        + """
loop = asyncio.new_event_loop()
loop.run_until_complete(log_some())
loop.close()
""",
        0,
        False,
    ),
    "asyncio, loop in a daemon thread": (
        ASYNC
        + """
logged = threading.Event()
async def main():
    await log_some()
    logged.set()
    await asyncio.Event().wait()
threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
logged.wait()
""",
        0,
        False,
    ),
    "asyncio, in the middle of flush": (
        ASYNC
        + """
async def main():
    await log_some()
    flushing = asyncio.create_task(rec.flush())
    await asyncio.sleep(0)
    sys.exit(3)
asyncio.run(main())
""",
        3,
        False,
    ),
    "asyncio, daemon threads that go on logging": (
        ASYNC
        + """
def go_on():
    while True:
        rec.log_nowait("b", rr.Scalars(1.0))
async def main():
    await log_some()
    for _ in range(3):
        threading.Thread(target=go_on, daemon=True).start()
    await asyncio.sleep(0.1)
asyncio.run(main())
""",
        0,
        False,
    ),
    "facade, return": (SYNC + "log_some()", 0, False),
    "facade, exception": (SYNC + 'log_some()\nraise ValueError("on purpose")', 1, True),
    "facade, sys.exit": (SYNC + "log_some()\nsys.exit(3)", 3, False),
    "facade, SIGTERM that raises": (
        SYNC
        + """
signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
log_some()
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(30)
""",
        3,
        False,
    ),
    "facade, KeyboardInterrupt": (
        SYNC + "log_some()\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(30)",
        1,
        True,
    ),
    "facade, in the middle of flush": (
        SYNC
        + """
log_some()
threading.Thread(target=rec.flush, daemon=True).start()
sys.exit(3)
""",
        3,
        False,
    ),
    "facade, daemon threads that go on logging": (
        SYNC
        + """
def go_on():
    while True:
        rec.log("b", rr.Scalars(1.0))
log_some()
for _ in range(3):
    threading.Thread(target=go_on, daemon=True).start()
time.sleep(0.1)
""",
        0,
        False,
    ),
    "facade, used from a running loop": (
        "import asyncio\n"
        + SYNC
        + """
async def main():
    log_some()
asyncio.run(main())
""",
        0,
        False,
    ),
}


def run(program: str, *arguments: str | Path) -> tuple[subprocess.CompletedProcess[str], float]:
    """Runs a program; returns the outcome and how long it took."""
    started = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error::RuntimeWarning", "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    return result, time.monotonic() - started


@pytest.mark.parametrize("name", ENDS)
def test_the_file_is_finished_in_time(name: str, tmp_path: Path) -> None:
    path = tmp_path / "exit.rrd"
    program, code, has_traceback = ENDS[name]
    result, took = run(program, path)
    # An interpreter that was interrupted ends by the signal, or, having run other code since, with 1.
    codes = (-2, 1) if "KeyboardInterrupt" in name else (code,)
    assert result.returncode in codes, result.stderr
    assert took < CLOSE_TIMEOUT + START_AND_END_SECS
    if not has_traceback:
        assert "Traceback" not in result.stderr, result.stderr
    assert "never retrieved" not in result.stderr, result.stderr
    assert scalars_of(path, "/a") == [float(number) for number in range(100)], result.stderr
    assert_verified([path])


STUCK = """
class Stuck:
    async def open(self, context): pass
    async def write(self, messages): await asyncio.Event().wait()
    async def flush(self): pass
    async def aclose(self): pass
"""

FULL_PIPE = """
class Disk:
    # What a system call that never returns does to the worker.
    async def open(self, context): self.run = context.run_blocking
    async def write(self, messages): await self.run(threading.Event().wait)
    async def flush(self): pass
    async def aclose(self): pass
"""

LOSES: dict[str, str] = {
    "asyncio, a sink that never takes anything": ASYNC
    + STUCK
    + """
async def main():
    await rec.set_sinks(Stuck(), rr.FileSink(path))
    for number in range(100):
        await rec.log("a", rr.Scalars(float(number)))
    await asyncio.sleep(0.1)
asyncio.run(main())
""",
    "facade, a sink that never takes anything": "import asyncio"
    + SYNC
    + STUCK
    + """
rec.set_sinks(Stuck(), rr.FileSink(path))
for number in range(100):
    rec.log("a", rr.Scalars(float(number)))
""",
    "asyncio, in a flush that never ends": ASYNC
    + STUCK
    + """
async def main():
    await rec.set_sinks(Stuck(), rr.FileSink(path))
    for number in range(100):
        await rec.log("a", rr.Scalars(float(number)))
    flushing = asyncio.create_task(rec.flush())
    await asyncio.sleep(0.1)
asyncio.run(main())
""",
    "facade, in a flush that never ends": "import asyncio"
    + SYNC
    + STUCK
    + """
rec.set_sinks(Stuck(), rr.FileSink(path))
for number in range(100):
    rec.log("a", rr.Scalars(float(number)))
threading.Thread(target=rec.flush, daemon=True).start()
time.sleep(0.1)
""",
    "asyncio, loop closed first and a sink that takes nothing": ASYNC
    + STUCK
    + """
async def main():
    # No tick: on a busy machine one would find rows before the loop is closed.
    os.environ["RERUN_FLUSH_TICK_SECS"] = "100"
    await rec.set_sinks(Stuck(), rr.FileSink(path))
    for number in range(100):
        await rec.log("a", rr.Scalars(float(number)))
loop = asyncio.new_event_loop()
loop.run_until_complete(main())
loop.close()
""",
}


@pytest.mark.parametrize("name", LOSES)
def test_what_a_stuck_sink_loses_is_told_in_time_and_others_are_finished(name: str, tmp_path: Path) -> None:
    path = tmp_path / "exit.rrd"
    result, took = run(LOSES[name], path)
    assert result.returncode == 0, result.stderr
    assert took < CLOSE_TIMEOUT + START_AND_END_SECS
    assert "did not finish within 2.0 s: 10" in result.stderr, result.stderr
    assert "never retrieved" not in result.stderr, result.stderr
    assert scalars_of(path, "/a") == [float(number) for number in range(100)], result.stderr
    assert_verified([path])


HANGS: dict[str, str] = {
    "asyncio": ASYNC
    + FULL_PIPE
    + """
async def main():
    await rec.set_sinks(Disk())
    for number in range(100):
        await rec.log("a", rr.Scalars(float(number)))
        await asyncio.sleep(0.01)
asyncio.run(main())
""",
    "asyncio, explicit disconnect": ASYNC
    + FULL_PIPE
    + """
async def main():
    async with rec:
        await rec.set_sinks(Disk())
        for number in range(100):
            await rec.log("a", rr.Scalars(float(number)))
            await asyncio.sleep(0.01)
asyncio.run(main())
assert rec.stats().rows_dropped == 101, rec.stats()
""",
    "facade": SYNC
    + FULL_PIPE
    + """
rec.set_sinks(Disk())
for number in range(100):
    rec.log("a", rr.Scalars(float(number)))
    time.sleep(0.01)
""",
    "loop closed first": ASYNC
    + FULL_PIPE
    + """
async def main():
    await rec.set_sinks(Disk())
    for number in range(100):
        await rec.log("a", rr.Scalars(float(number)))
        await asyncio.sleep(0.01)
loop = asyncio.new_event_loop()
loop.run_until_complete(main())
loop.close()
""",
}


@pytest.mark.parametrize("name", HANGS)
def test_a_disk_that_hangs_for_ever_does_not_keep_the_process(name: str, tmp_path: Path) -> None:
    result, took = run(HANGS[name], tmp_path / "unused.rrd")
    assert result.returncode == 0, result.stderr
    assert took < 2 * CLOSE_TIMEOUT + START_AND_END_SECS
    assert "rows" in result.stderr
    assert "lost" in result.stderr or "could not be encoded" in result.stderr, result.stderr


def test_what_no_sink_ever_took_is_told() -> None:
    program = """
import aiorerun.sync as rr
recordings = [rr.RecordingStream("exit", recording_id=f"e{n}") for n in range(3)]
for rec in recordings[:2]:
    for number in range(10):
        rec.log("a", rr.Scalars(float(number)))
"""
    result, _ = run(program)
    assert result.returncode == 0, result.stderr
    assert result.stderr.strip() == "22 rows of 2 recordings are lost: no sink has taken them"


def test_os_exit_in_a_child_leaves_what_was_flushed(tmp_path: Path) -> None:
    program = (
        SYNC
        + """
log_some()
rec.flush()
pid = os.fork()
if pid == 0:
    rec.save(path + ".child.rrd")
    rec.log("a", rr.Scalars(7.0))
    rec.flush()
    rec.log("a", rr.Scalars(8.0))
    os._exit(5)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
"""
    )
    path = tmp_path / "parent.rrd"
    result, _ = run(program, path)
    assert result.returncode == 0, result.stderr
    assert len(rows_of(path)) == 100
    child = path.with_name("parent.rrd.child.rrd")
    assert scalars_of(child, "/a") == [7.0]
    assert_verified([path])
    assert_verified([child], footers=False)
    assert os.path.getsize(child) > 100
