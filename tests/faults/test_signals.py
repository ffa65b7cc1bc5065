"""Handlers of signals that raise something, as services have them, in the middle of what aiorerun does."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.reading import assert_verified, scalars_of

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 50

PROGRAM = """
import asyncio, signal, sys, threading
import aiorerun as rr
from aiorerun.engine import jobs
from aiorerun.pipeline.overflow import Backlog

def stop(*args):
    sys.exit(7)

signal.signal(signal.SIGTERM, stop)
armed = False

def interrupted(function):
    # The signal comes when the main thread calls this function, once.
    def call(*args, **kwargs):
        global armed
        if armed and threading.current_thread() is threading.main_thread():
            armed = False
            signal.raise_signal(signal.SIGTERM)
        return function(*args, **kwargs)
    return call

jobs.QUICK_NS = 1 << 60  # however slow this machine is, rows are encoded on the loop

async def main():
    global armed, rec
    rec = rr.AsyncRecordingStream("app", recording_id="signals", send_properties=False)
    await rec.save(sys.argv[1])
    await rec.log("a", rr.Scalars(0.0))
    await rec.flush()
    for value in range(1, %(rows)d):
        await rec.log("a", rr.Scalars(float(value)))
    armed = True
    await rec.flush()
    await asyncio.sleep(60)

async def close():
    async with asyncio.timeout(30):
        await rec.disconnect()

%(hook)s

def run():
%(run)s

try:
    run()
finally:
    stats = rec.stats()
    print(stats.rows_accepted, stats.rows_delivered, stats.rows_dropped, stats.rows_pending, armed)
"""

HOOKS = {
    "while rows are encoded": "jobs.assemble = interrupted(jobs.assemble)",
    "while messages are made": "jobs.chunk_message = interrupted(jobs.chunk_message)",
    "in front of a sink": "Backlog.take_marker = interrupted(Backlog.take_marker)",
}
RUNS = {
    "asyncio.run": "    asyncio.run(main())",
    "a loop of one's own": """
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.run_until_complete(close())
""",
    "uvloop": "    import uvloop\n    uvloop.run(main())",
}


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("hook", HOOKS)
def test_a_program_that_a_signal_ends_leaves_all_rows(hook: str, run: str, tmp_path: Path) -> None:
    path = tmp_path / "signals.rrd"
    program = PROGRAM % {"rows": ROWS, "hook": HOOKS[hook], "run": RUNS[run]}
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 7, done.stderr
    assert done.stdout.split() == [str(ROWS), str(ROWS), "0", "0", "False"]
    assert_verified([path])
    assert scalars_of(path.read_bytes(), "/a") == [float(value) for value in range(ROWS)]
