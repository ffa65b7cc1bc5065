"""Programs that end badly leave a dump: by exceptions, by signals, in the middle of a batch, as children."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.reading import assert_verified, rows_of, scalars_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Sized

NEVER = "rr.ChunkBatcherConfig(flush_tick=1e9, flush_num_rows=1 << 30, flush_num_bytes=1 << 40)"
"""Rows wait in a batch until somebody flushes: they are there only if the dump did."""

ASYNCIO = f"""
import asyncio, os, signal, sys, threading
import aiorerun as rr
SINK = rr.FlightRecorderSink(
    max_seconds=60,
    path=sys.argv[1] + "/dump.rrd",
    on_exception=True,
    on_signal=(signal.SIGTERM, signal.SIGUSR1),
)

async def begin():
    rec = rr.AsyncRecordingStream("crash", recording_id="c", batcher_config={NEVER})
    await rec.set_sinks(SINK)
    await rec.log("map", rr.Points3D([[1, 2, 3]]), static=True)
    for number in range(3):
        await rec.log("a", rr.Scalars(float(number)))
    return rec
"""

BLOCKING = f"""
import os, signal, sys, threading
import aiorerun.sync as rr
SINK = rr.FlightRecorderSink(
    max_seconds=60,
    path=sys.argv[1] + "/dump.rrd",
    on_exception=True,
    on_signal=(signal.SIGTERM, signal.SIGUSR1),
)
rec = rr.RecordingStream("crash", recording_id="c", batcher_config={NEVER})
rec.set_sinks(SINK)
rec.log("map", rr.Points3D([[1, 2, 3]]), static=True)
for number in range(3):
    rec.log("a", rr.Scalars(float(number)))
"""

CRASHES = {
    "asyncio, left open": ASYNCIO
    + """
async def main():
    rec = await begin()
    raise ValueError("on purpose")
asyncio.run(main())
""",
    "asyncio, left by the exception": ASYNCIO
    + """
async def main():
    rec = await begin()
    async with rec:
        raise ValueError("on purpose")
asyncio.run(main())
""",
    "asyncio, closed in finally": ASYNCIO
    + """
async def main():
    rec = await begin()
    try:
        raise ValueError("on purpose")
    finally:
        await rec.aclose()
asyncio.run(main())
""",
    "asyncio, in a task group": ASYNCIO
    + """
async def fail():
    raise ValueError("on purpose")
async def main():
    async with await begin():
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(60))
            group.create_task(fail())
asyncio.run(main())
""",
    "asyncio, beside the recording": ASYNCIO
    + """
async def record(begun):
    async with await begin():
        begun.set()
        await asyncio.sleep(60)
async def main():
    async with asyncio.TaskGroup() as group:
        begun = asyncio.Event()
        group.create_task(record(begun))
        await begun.wait()
        raise ValueError("on purpose")
asyncio.run(main())
""",
    "asyncio, a loop that was only stopped": ASYNCIO
    + """
async def main():
    global rec
    rec = await begin()
    raise ValueError("on purpose")
loop = asyncio.new_event_loop()
loop.run_until_complete(main())
""",
    "blocking": BLOCKING
    + """
raise ValueError("on purpose")
""",
    "blocking, in its block": BLOCKING
    + """
with rec:
    raise ValueError("on purpose")
""",
    "blocking, inside an event loop": BLOCKING
    + """
import asyncio
async def main():
    raise ValueError("on purpose")
asyncio.run(main())
""",
}

NO_CRASHES = {
    "asyncio, handled": ASYNCIO
    + """
async def main():
    try:
        async with await begin():
            raise ValueError("on purpose")
    except ValueError:
        pass
asyncio.run(main())
""",
    "asyncio, SystemExit": ASYNCIO
    + """
async def main():
    async with await begin():
        sys.exit(0)
asyncio.run(main())
""",
    "asyncio, all went well": ASYNCIO
    + """
async def main():
    async with await begin():
        pass
asyncio.run(main())
""",
    "blocking, all went well": BLOCKING,
}


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def assert_dumped(path: Path) -> None:
    rows = rows_of(path)
    assert [row.path for row in rows if not row.times] == ["/map"]
    assert scalars_of(path, "/a") == [0.0, 1.0, 2.0]
    assert_verified([path])


@pytest.mark.parametrize("name", CRASHES)
def test_an_unhandled_exception_leaves_a_dump(name: str, tmp_path: Path) -> None:
    result = run(CRASHES[name], tmp_path)
    assert result.returncode == 1, result.stderr
    # Told as ever, once, and with where the dump is.
    assert result.stderr.count("ValueError: on purpose") == 1
    assert result.stderr.count("flight recorder: unhandled") == 1, result.stderr
    if "stopped" not in name:
        assert "destroyed" not in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["dump.rrd"]
    assert_dumped(tmp_path / "dump.rrd")


@pytest.mark.parametrize("name", NO_CRASHES)
def test_what_is_no_crash_leaves_none(name: str, tmp_path: Path) -> None:
    result = run(NO_CRASHES[name], tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []


SIGNALLED = {
    "asyncio": ASYNCIO
    + """
async def main():
    async with await begin():
        print("ready", flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
""",
    "asyncio, with a handler of its own": ASYNCIO
    + """
async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with await begin():
        print("ready", flush=True)
        await stop.wait()
        print("stopped", flush=True)
asyncio.run(main())
""",
    "blocking": BLOCKING
    + """
import time
print("ready", flush=True)
time.sleep(60)
""",
    "blocking, busy": BLOCKING
    + """
print("ready", flush=True)
while True:
    rec.log("busy", rr.Scalars(1.0))
""",
}


@pytest.mark.skipif(sys.platform == "win32", reason="these signals are not on Windows")
@pytest.mark.parametrize("name", SIGNALLED)
def test_a_signal_leaves_a_dump_and_ends_the_program_as_before(name: str, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SIGNALLED[name], str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGUSR1)
        # The program goes on.
        assert "SIGUSR1" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    if "handler" in name:
        assert (process.returncode, output) == (0, "stopped\n")
    else:
        assert (process.returncode, output) == (-signal.SIGTERM, "")
    assert "SIGTERM" in errors
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dump-2.rrd", "dump.rrd"]
    for path in tmp_path.iterdir():
        assert_dumped(path)


FAILS = (
    ASYNCIO.replace('path=sys.argv[1] + "/dump.rrd"', "path='/dev/null/dump.rrd'")
    + """
async def main():
    async with await begin():
        print("ready", flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""
)


@pytest.mark.skipif(sys.platform == "win32", reason="these signals are not on Windows")
def test_a_dump_that_fails_does_not_keep_the_program_alive(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", FAILS, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == -signal.SIGTERM
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


FORK = """
import multiprocessing, os, sys
import aiorerun.sync as rr

def work():
    rec.log("child", rr.Scalars(1.0))
    rec.flush()
    SINK.dump()
    raise ValueError("in the child")

if __name__ == "__main__":
    SINK = rr.FlightRecorderSink(path=sys.argv[1] + "/dump-{pid}.rrd", on_exception=True)
    rec = rr.RecordingStream("fork", recording_id="f")
    rec.set_sinks(SINK)
    rec.log("parent", rr.Scalars(0.0))
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join()
    assert child.exitcode == 1
    rec.log("parent", rr.Scalars(2.0))
    print(child.pid, SINK.dump())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_records_itself(tmp_path: Path) -> None:
    result = run(FORK, tmp_path)
    assert result.returncode == 0, result.stderr
    child, own = result.stdout.split()
    assert scalars_of(own, "/parent") == [0.0, 2.0]
    assert scalars_of(own, "/child") == []
    of_child = tmp_path / f"dump-{child}.rrd"
    assert scalars_of(of_child, "/child") == [1.0]
    assert scalars_of(of_child, "/parent") == []
    assert_verified([own, of_child])


SOAK = """
import asyncio, gc, json, os, sys, time
import aiorerun as rr

status = os.open("/proc/self/status", os.O_RDONLY)

def anonymous_kib():
    text = os.pread(status, 8192, 0)
    start = text.index(b"RssAnon:") + 8
    return int(text[start : text.index(b"kB", start)])

async def main(folder, rows, parts):
    rec = rr.AsyncRecordingStream("soak", recording_id="flight")
    sink = rr.FlightRecorderSink(max_seconds=2, max_bytes=4 << 20, path=folder + "/dump.rrd")
    await rec.set_sinks(sink)
    await rec.log("map", rr.Points3D([[1, 2, 3]]), static=True)
    memory, kept, number = [], [], 0
    cpu = time.process_time()
    for part in range(parts):
        for _ in range(rows // parts):
            rec.set_time("frame", sequence=number)
            await rec.log(f"e{number % 10}", rr.Scalars(float(number)))
            number += 1
        if part == parts - 1:
            cpu = time.process_time() - cpu
            began = time.perf_counter()
            await sink.dump()
            took = time.perf_counter() - began
        else:
            # The first footer takes some memory, for modules.
            await (sink.dump(folder + "/warm.rrd") if part == 0 else rec.flush())
        gc.collect()
        memory.append(anonymous_kib())
        kept.append(sink.nbytes)
    stats = rec.stats()
    assert stats.rows_delivered == number + 2 and stats.rows_dropped == 0, stats
    await rec.disconnect()
    print(json.dumps({
        "memory_kib": memory, "kept": kept, "cpu_us_per_row": cpu / number * 1e6, "dump_secs": took,
        "last": number - 1,
    }))

asyncio.run(main(sys.argv[1], int(sys.argv[2]), 20))
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads /proc")
def test_memory_is_flat_over_many_rows(tmp_path: Path, sized: Sized) -> None:
    rows = sized(400_000, 10_000_000)
    result = subprocess.run(
        [sys.executable, "-c", SOAK, str(tmp_path), str(rows)],
        capture_output=True,
        text=True,
        timeout=3000,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    figures = json.loads(result.stdout)
    print(figures)
    assert max(figures["kept"]) <= 4 << 20
    # What two seconds take is there early on; then it goes up and down with how many rows have piled up.
    memory = figures["memory_kib"]
    warm = sized(10, 2)
    half = (len(memory) - warm) // 2
    early, late = max(memory[warm : warm + half]), max(memory[warm + half :])
    assert late < early * 1.1, figures

    found = [row for row in rows_of(tmp_path / "dump.rrd") if row.times and row.path != "/map"]
    assert max(row.times["frame"] for row in found) == figures["last"]
    times = [row.times["log_time"] for row in found]
    assert max(times) - min(times) <= 2e9
    assert [row.path for row in rows_of(tmp_path / "dump.rrd") if not row.times] == ["/map"]
    assert_verified([tmp_path / "dump.rrd"])
