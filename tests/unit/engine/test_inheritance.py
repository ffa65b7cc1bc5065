"""Sinks that a forked child opens again: when, where, and what becomes of the others."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

# What the interpreter says itself, from 3.12 on, when a process with threads forks.
FILTER = "ignore:This process.*is multi-threaded, use of fork:DeprecationWarning"

COMMON = """
import asyncio, logging, os, signal, sys, threading
import aiorerun as arr
import aiorerun.sync as rr
from tests.reading import scalars_of
from aiorerun.sinks.memory import encode_stream

class Sink:
    made = []

    def __init__(self, name="parent", fails=False):
        self.name, self.messages, self.is_open, self.fails = name, [], False, fails
        Sink.made.append(self)

    def __repr__(self):
        return f"Sink({self.name})"

    async def open(self, context):
        if self.fails and self.name != "parent":
            raise OSError("no way")
        self.is_open = True

    async def write(self, messages):
        self.messages.extend(messages)

    async def flush(self): ...

    async def aclose(self):
        self.is_open = False

    def scalars(self):
        return scalars_of(encode_stream(self.messages), "/a")

class Reopenable(Sink):
    def reopened(self):
        return Reopenable("again", self.fails)

def in_child(function):
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        signal.alarm(40)
        try:
            function()
            sys.stdout.flush()
            os._exit(0)
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

def stream(kind, **options):
    return kind("fork", recording_id="inherit", send_properties=False, **options)
"""

ASYNC = {
    "log": """
rec, plain, sink = stream(arr.AsyncRecordingStream), Sink(), Reopenable()
def child():
    async def main():
        await rec.log("a", arr.Scalars(2.0))
        await rec.log("a", arr.Scalars(3.0))
        await rec.flush()
        assert [each.name for each in Sink.made] == ["parent", "parent", "again"]
        assert Sink.made[-1].scalars() == [2.0, 3.0]
        await rec.log("a", arr.Scalars(4.0))
        await rec.disconnect()
        assert Sink.made[-1].scalars() == [2.0, 3.0, 4.0]
        assert not Sink.made[-1].is_open
        assert len(Sink.made) == 3
    asyncio.run(main())
    assert len(plain.messages) == len(sink.messages) == 2
async def parent():
    await rec.set_sinks(plain, sink)
    await rec.log("a", arr.Scalars(1.0))
    await rec.flush()
    in_child(child)
    await rec.log("a", arr.Scalars(5.0))
    await rec.disconnect()
    assert plain.scalars() == sink.scalars() == [1.0, 5.0]
    assert len(Sink.made) == 2
asyncio.run(parent())
""",
    "nowait, before there is a loop": """
rec, sink = stream(arr.AsyncRecordingStream), arr.QueuedSink(Reopenable(), overflow="keep_latest")
def child():
    rec.log_nowait("a", arr.Scalars(2.0))
    thread = threading.Thread(target=rec.log_nowait, args=("a", arr.Scalars(3.0)))
    thread.start()
    thread.join()
    assert len(Sink.made) == 1
    async def main():
        if sys.argv[1] == "log":
            rec.log_nowait("a", arr.Scalars(4.0))
        await (rec.flush() if sys.argv[1] != "disconnect" else rec.disconnect())
        assert [each.name for each in Sink.made] == ["parent", "again"]
        assert Sink.made[-1].scalars() == [2.0, 3.0, 4.0][: 3 if sys.argv[1] == "log" else 2]
        if sys.argv[1] != "disconnect":
            assert rec.stats().sinks[0].overflow == "keep_latest"
    asyncio.run(main())
async def parent():
    await rec.set_sinks(sink)
    in_child(child)
    await rec.disconnect()
for argument in ("log", "flush", "disconnect"):
    sys.argv[1:] = [argument]
    Sink.made[1:] = []
    asyncio.run(parent())
""",
    "nothing, or another sink": """
rec = stream(arr.AsyncRecordingStream)
def child():
    async def main():
        await rec.flush()
        await rec.disconnect()
        other = Sink("other")
        await rec.set_sinks(other)
        await rec.log("a", arr.Scalars(2.0))
        await rec.disconnect()
        assert other.scalars() == [2.0]
        await rec.log("a", arr.Scalars(3.0))
        await rec.flush()
        assert [each.name for each in Sink.made] == ["parent", "other"]
    asyncio.run(main())
async def parent():
    await rec.set_sinks(Reopenable())
    in_child(child)
    await rec.disconnect()
asyncio.run(parent())
""",
    "a sink that cannot be opened": """
rec = stream(arr.AsyncRecordingStream)
logging.basicConfig(stream=sys.stdout)
def child():
    async def main():
        await rec.log("a", arr.Scalars(2.0))
        await rec.flush()
        while rec._engine.has_sinks:
            await asyncio.sleep(0.001)
        other = Sink("other")
        await rec.set_sinks(other)
        await rec.disconnect()
        assert other.scalars() == [2.0]
    asyncio.run(main())
async def parent():
    await rec.set_sinks(Reopenable(fails=True))
    in_child(child)
    await rec.disconnect()
asyncio.run(parent())
""",
    "a grandchild": """
rec = stream(arr.AsyncRecordingStream)
def grandchild():
    async def main():
        await rec.log("a", arr.Scalars(2.0))
        await rec.disconnect()
        assert Sink.made[-1].name == "again" and Sink.made[-1].scalars() == [2.0]
    asyncio.run(main())
async def parent():
    await rec.set_sinks(Reopenable())
    in_child(lambda: in_child(grandchild))
    await rec.disconnect()
asyncio.run(parent())
""",
}

SYNC = {
    "log": """
rec, plain, sink = stream(rr.RecordingStream), Sink(), Reopenable()
def child():
    rec.log("a", rr.Scalars(2.0))
    rec.log("a", rr.Scalars(3.0))
    rec.flush()
    assert [each.name for each in Sink.made] == ["parent", "parent", "again"]
    assert Sink.made[-1].scalars() == [2.0, 3.0]
    rec.disconnect()
    assert not Sink.made[-1].is_open
rec.set_sinks(plain, sink)
rec.log("a", rr.Scalars(1.0))
rec.flush()
in_child(child)
rec.disconnect()
assert sink.scalars() == [1.0]
""",
    "many threads": """
rec = stream(rr.RecordingStream)
def child():
    threads = [threading.Thread(target=rec.log, args=("a", rr.Scalars(float(n)))) for n in range(20)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    rec.disconnect()
    assert len(Sink.made) == 2
    assert sorted(Sink.made[-1].scalars()) == list(range(20))
rec.set_sinks(Reopenable())
in_child(child)
rec.disconnect()
""",
    "columns": """
import numpy as np
rec = stream(rr.RecordingStream)
def child():
    times = [rr.TimeColumn("frame", sequence=np.arange(3))]
    rec.send_columns("a", times, rr.Scalars.columns(scalars=np.arange(3.0)))
    rec.flush()
    assert Sink.made[-1].name == "again" and Sink.made[-1].scalars() == [0.0, 1.0, 2.0]
rec.set_sinks(Reopenable())
in_child(child)
rec.disconnect()
""",
    "a stream that is let go": """
import gc, weakref
rec = stream(rr.RecordingStream)
def child():
    global rec
    known = weakref.ref(rec)
    rec = None
    assert known() is None, gc.get_referrers(known())
rec.set_sinks(Reopenable())
in_child(child)
rec.disconnect()
""",
}


def run(program: str, tmp_path: Path) -> str:
    script = tmp_path / "program.py"
    script.write_text(COMMON + program, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-W", "error", "-W", FILTER, str(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout


@pytest.mark.parametrize("what", ASYNC)
def test_on_asyncio(what: str, tmp_path: Path) -> None:
    output = run(ASYNC[what], tmp_path)
    told = "the sinks of 'inherit' were not opened again after the fork: OSError: no way"
    assert output.count(told) == (what == "a sink that cannot be opened"), output


@pytest.mark.parametrize("what", SYNC)
def test_blocking(what: str, tmp_path: Path) -> None:
    run(SYNC[what], tmp_path)
