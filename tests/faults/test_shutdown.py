"""The calls around the end of a process: shutting down, or not, and forks that skip exit handlers."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.reading import assert_verified, scalars_of

if TYPE_CHECKING:
    from pathlib import Path

BEGIN = """
import os, sys
import aiorerun.sync as rr
rec = rr.RecordingStream("app", recording_id="end", send_properties=False)
rec.save(sys.argv[1])
rec.log("a", rr.Scalars(1.0))
"""

ASYNC = """
import asyncio, os, sys
import aiorerun as rr

async def start():
    rec = rr.AsyncRecordingStream("app", recording_id="end", send_properties=False)
    await rec.save(sys.argv[1])
    await rec.log("a", rr.Scalars(1.0))
    return rec
"""

COMPLETE = {
    "blocking": BEGIN + "rr.rerun_shutdown()\nos._exit(0)",
    "blocking, twice, and used again": BEGIN
    + "rr.rerun_shutdown()\nrr.rerun_shutdown()\nrec.save(sys.argv[1])\nrec.log('a', rr.Scalars(1.0))\n"
    + "rr.rerun_shutdown()\nos._exit(0)",
    "a decorated function that fails": BEGIN
    + """
@rr.shutdown_at_exit
def main():
    raise KeyError("on purpose")
try:
    main()
except KeyError:
    os._exit(0)
""",
    "asyncio, its loop closed": ASYNC
    + """
loop = asyncio.new_event_loop()
rec = loop.run_until_complete(start())
loop.close()
rr.rerun_shutdown()
os._exit(0)
""",
    "asyncio, a decorated coroutine function": ASYNC
    + """
@rr.shutdown_at_exit
async def main():
    return await start()
async def outer():
    global rec
    rec = await main()
    os._exit(0)
asyncio.run(outer())
""",
    "asyncio, inside a coroutine": ASYNC
    + """
async def main():
    rec = await start()
    rr.rerun_shutdown()
    while rec.stats().sinks:
        await asyncio.sleep(0.001)
    os._exit(0)
asyncio.run(main())
""",
    "a forked worker": """
import os, sys
import aiorerun.sync as rr
parent = rr.RecordingStream("app", recording_id="parent")
parent.save(os.devnull)

@rr.shutdown_at_exit
def work():
    rec = rr.RecordingStream("app", recording_id="end", send_properties=False)
    rec.save(sys.argv[1])
    rec.log("a", rr.Scalars(1.0))
    rr.cleanup_if_forked_child()

pid = os.fork()
if pid == 0:
    work()
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
""",
}


FORK_WARNING = "This process (pid="
"""How the interpreter's own warning about forks with threads begins, from Python 3.12 on."""


def run(script: str, path: Path) -> None:
    # The filter of a command line takes the beginning of a message literally.
    done = subprocess.run(
        [sys.executable, "-W", f"ignore:{FORK_WARNING}:DeprecationWarning", "-c", script, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # A loop that is closed by hand has asyncio complain about its tasks.
    assert done.stderr == "" or "loop.close()" in script, done.stderr


@pytest.mark.parametrize("name", COMPLETE)
def test_files_are_complete_without_exit_handlers(name: str, tmp_path: Path) -> None:
    path = tmp_path / "end.rrd"
    run(COMPLETE[name], path)
    assert scalars_of(path, "/a") == [1.0]
    assert_verified([path])


def test_without_the_exit_handler_files_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "end.rrd"
    script = """
loop = asyncio.new_event_loop()
rec = loop.run_until_complete(start())
loop.run_until_complete(rec.flush())
loop.close()
rr.unregister_shutdown()
"""
    run(ASYNC + script, path)
    assert b"RRF2FOOT" not in path.read_bytes()
    assert scalars_of(path, "/a") == [1.0]
    assert_verified([path], footers=False)


def test_without_the_exit_handler_the_private_loop_ends_in_order(tmp_path: Path) -> None:
    path = tmp_path / "end.rrd"
    run(BEGIN + "rr.unregister_shutdown()", path)
    assert scalars_of(path, "/a") == [1.0]
    assert_verified([path])


def test_a_child_whose_fork_python_did_not_see(monkeypatch: pytest.MonkeyPatch) -> None:
    from aiorerun import lifecycle, process

    cleaned: list[int] = []
    monkeypatch.setattr(process, "on_fork", [lambda: cleaned.append(os.getpid())])
    lifecycle.cleanup_if_forked_child()
    assert cleaned == []
    monkeypatch.setattr(process._Current, "pid", 1)
    lifecycle.cleanup_if_forked_child()
    assert cleaned == [os.getpid()]
