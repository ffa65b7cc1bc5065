"""Children of every kind share the recording id, start empty, work at once, and leave the parent alone."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.reading import assert_verified, rows_of, scalars_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="all start methods exist on Linux")

# What the interpreter says itself, from 3.12 on, when a process with threads forks.
FILTER = "ignore:This process.*is multi-threaded, use of fork:DeprecationWarning"

COMMON = """
import asyncio, concurrent.futures, multiprocessing, os, signal, sys, threading, time, warnings
warnings.filterwarnings("ignore", "This process.*is multi-threaded, use of fork", DeprecationWarning)
folder = os.path.dirname(os.path.abspath(__file__))
ROWS = 20
"""

ASYNC = """
import aiorerun as rr
Stream = rr.AsyncRecordingStream

async def fill(rec, name):
    await rec.save(os.path.join(folder, name))
    for number in range(ROWS):
        await rec.log("child", rr.Scalars(float(number)))

def child(name, how):
    signal.alarm(30)
    rec = Stream.inherited if hasattr(Stream, "inherited") else Stream("fork", send_properties=False)
    assert rec.stats().rows_accepted == 0, rec.stats()
    rec.log_nowait("child", rr.Scalars(-1.0))
    async def main():
        await fill(rec, name)
        if how == "disconnect":
            await rec.disconnect()
        elif how == "exception":
            raise SystemExit(7)
        elif how == "leave it":
            child.kept = rec
    asyncio.run(main())
    return rec.get_recording_id()
"""

SYNC = """
import aiorerun.sync as rr
Stream = rr.RecordingStream

def child(name, how):
    signal.alarm(30)
    rec = Stream.inherited if hasattr(Stream, "inherited") else Stream("fork", send_properties=False)
    assert rec.stats().rows_accepted == 0, rec.stats()
    rec.log("child", rr.Scalars(-1.0))
    rec.save(os.path.join(folder, name))
    for number in range(ROWS):
        rec.log("child", rr.Scalars(float(number)))
    if how == "disconnect":
        rec.disconnect()
    elif how == "exception":
        raise SystemExit(7)
    child.kept = rec
    return rec.get_recording_id()
"""

PARENT = """
def run_child(start, how):
    if start == "os.fork":
        pid = os.fork()
        if pid == 0:
            try:
                child("child.rrd", how)
            except SystemExit as end:
                assert end.code == 7
            if how == "disconnect" or "asyncio" in sys.argv:
                # Going on in the loop of the parent is never right: both would use one selector.
                os._exit(0)
            # Otherwise it ends like any program.
            sys.exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    elif start == "pool":
        context = multiprocessing.get_context("fork")
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
            if how == "exception":
                try:
                    pool.submit(child, "child.rrd", how).result(60)
                except BaseException as error:
                    assert isinstance(error, SystemExit) or "terminated" in str(error), error
            else:
                assert pool.submit(child, "child.rrd", how).result(60) == RECORDING_ID
    else:
        process = multiprocessing.get_context(start).Process(target=child, args=("child.rrd", how))
        process.start()
        process.join(60)
        assert process.exitcode == (7 if how == "exception" else 0), process.exitcode
"""

ASYNC_MAIN = """
if __name__ == "__main__":
    start, how = sys.argv[1:3]
    rec = Stream.inherited = Stream("fork", send_properties=False)
    RECORDING_ID = rec.get_recording_id()
    stop = threading.Event()
    logged = [0, 0, 0]
    def go_on(which):
        while not stop.is_set():
            rec.log_nowait(f"thread{which}", rr.Scalars(float(logged[which])))
            logged[which] += 1
            time.sleep(0)
    async def main():
        await rec.save(os.path.join(folder, "parent.rrd"))
        threads = [threading.Thread(target=go_on, args=(which,)) for which in range(3)]
        for thread in threads: thread.start()
        await rec.log("parent", rr.Scalars(1.0))
        await asyncio.sleep(0.05)
        # Inside the running loop, in the middle of everything.
        run_child(start, how)
        await rec.log("parent", rr.Scalars(2.0))
        stop.set()
        for thread in threads: thread.join()
        await rec.disconnect()
        stats = rec.stats()
        assert stats.rows_delivered == 2 + sum(logged), (stats, logged)
        print(*logged)
    asyncio.run(main())
"""

SYNC_MAIN = """
if __name__ == "__main__":
    start, how = sys.argv[1:3]
    rec = Stream.inherited = Stream("fork", send_properties=False)
    RECORDING_ID = rec.get_recording_id()
    stop = threading.Event()
    logged = [0, 0, 0]
    def go_on(which):
        while not stop.is_set():
            rec.log(f"thread{which}", rr.Scalars(float(logged[which])))
            logged[which] += 1
            time.sleep(0)
    rec.save(os.path.join(folder, "parent.rrd"))
    threads = [threading.Thread(target=go_on, args=(which,)) for which in range(3)]
    for thread in threads: thread.start()
    rec.log("parent", rr.Scalars(1.0))
    time.sleep(0.05)
    run_child(start, how)
    rec.log("parent", rr.Scalars(2.0))
    stop.set()
    for thread in threads: thread.join()
    rec.disconnect()
    stats = rec.stats()
    assert stats.rows_delivered == 2 + sum(logged), (stats, logged)
    print(*logged)
"""

PROGRAMS = {
    "asyncio": COMMON + ASYNC + PARENT + ASYNC_MAIN,
    "facade": COMMON + SYNC + PARENT + SYNC_MAIN,
}
STARTS = ["os.fork", "fork", "spawn", "forkserver", "pool"]
HOWS = ["disconnect", "leave it", "exception"]


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("face", PROGRAMS)
def test_a_child_works_and_the_parent_is_unaffected(face: str, start: str, how: str, tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAMS[face], encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-W", FILTER, str(script), start, how, face],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "destroyed" not in result.stderr, result.stderr
    assert "Exception ignored" not in result.stderr, result.stderr
    parent, child = tmp_path / "parent.rrd", tmp_path / "child.rrd"
    assert scalars_of(parent, "/parent") == [1.0, 2.0]
    for which, count in enumerate(map(int, result.stdout.split())):
        assert scalars_of(parent, f"/thread{which}") == [float(number) for number in range(count)]
    assert not [row for row in rows_of(parent) if row.path == "/child"]
    assert scalars_of(child, "/child") == [-1.0, *range(20)]
    assert {row.path for row in rows_of(child)} == {"/child"}
    assert {row.recording for row in rows_of(child)} == {row.recording for row in rows_of(parent)}
    assert_verified([parent, child])
