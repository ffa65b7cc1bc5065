"""Standard output as a sink: in processes of their own, with pipes, files and terminals."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from aiorerun.sinks.stdout import StdoutSink
from tests.reading import assert_verified, rerun_cli, scalars_of

if TYPE_CHECKING:
    from pathlib import Path

BLOCKING = """
import os, subprocess, sys
import aiorerun.sync as rr
rec = rr.RecordingStream("app", recording_id="out", send_properties=False)
rec.log("a", rr.Scalars(0.0))
print("printed before, and still in the buffer of Python")
rec.stdout({arguments})
print("printed by Python")
os.write(1, b"printed by a library\\n")
subprocess.run([sys.executable, "-c", "print('printed by a child')"], check=True)
rec.log("a", rr.Scalars(1.0))
{rest}
"""

ASYNC = """
import asyncio
import aiorerun as rr
async def main():
    await rr.init("app", recording_id="out", send_properties=False)
    await rr.log("a", rr.Scalars(0.0))
    await rr.stdout()
    print("printed by Python")
    await rr.log("a", rr.Scalars(1.0))
    await rr.disconnect()
asyncio.run(main())
"""


def run(
    script: str, stdout: Any = subprocess.PIPE, stderr: Any = subprocess.PIPE
) -> subprocess.CompletedProcess[bytes]:
    # What is printed waits in the buffer of Python, as usual with pipes.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(
        [sys.executable, "-X", "dev", "-c", script],
        stdout=stdout, stderr=stderr, timeout=60, check=True, env=environment,
    )  # fmt: skip


@pytest.mark.parametrize(
    "script", [BLOCKING.format(arguments="", rest=""), ASYNC], ids=["blocking", "asyncio"]
)
def test_a_pipe_gets_a_complete_stream_and_nothing_else(script: str, tmp_path: Path) -> None:
    done = run(script)
    path = tmp_path / "out.rrd"
    path.write_bytes(done.stdout)
    assert_verified([path])
    assert scalars_of(path, "/a") == [0.0, 1.0]
    expected = ["Python"] if script is ASYNC else ["before", "Python", "a library", "a child"]
    assert all(f"printed by {who}" in done.stderr.decode() or who == "before" for who in expected)
    assert b"Traceback" not in done.stderr


def test_the_official_program_reads_the_pipe() -> None:
    producer = subprocess.Popen(
        [sys.executable, "-c", ASYNC], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert producer.stdout is not None
    shown = subprocess.run(
        [*rerun_cli_name(), "rrd", "print"],
        stdin=producer.stdout,
        capture_output=True,
        timeout=60,
        check=True,
    )
    producer.stdout.close()
    assert producer.wait(60) == 0
    assert b"/a - data columns: [Scalars:scalars]" in shown.stdout
    assert b"ERROR" not in shown.stderr


def rerun_cli_name() -> list[str]:
    return [str(argument) for argument in rerun_cli("--version").args[:1]]


def test_a_file_and_no_footer(tmp_path: Path) -> None:
    path = tmp_path / "out.rrd"
    with path.open("wb") as file:
        run(BLOCKING.format(arguments="write_footer=False", rest=""), stdout=file)
    assert_verified([path], footers=False)
    assert scalars_of(path, "/a") == [0.0, 1.0]
    assert b"RRF2FOOT" not in path.read_bytes()


def test_standard_output_is_given_back() -> None:
    done = run(BLOCKING.format(arguments="", rest='rec.disconnect()\nprint("printed afterwards")'))
    assert done.stdout.endswith(b"printed afterwards\n")
    assert b"printed afterwards" not in done.stderr


def test_twice_gives_two_streams_one_after_the_other() -> None:
    done = run(BLOCKING.format(arguments="", rest='rec.stdout()\nrec.log("a", rr.Scalars(2.0))'))
    assert done.stdout.count(b"RRF2FOOT") == 2
    shown = subprocess.run(
        [*rerun_cli_name(), "rrd", "print"], input=done.stdout, capture_output=True, timeout=60, check=True
    )
    assert shown.stdout.count(b"[Scalars:scalars]") == 3
    assert b"ERROR" not in shown.stderr


def test_another_recording_is_refused() -> None:
    done = run(
        BLOCKING.format(
            arguments="",
            rest="""
other = rr.RecordingStream("app", recording_id="other")
try:
    other.stdout()
except rr.SinkOpenError as error:
    print(error, file=sys.stderr)
""",
        )
    )
    assert b"in use by another recording" in done.stderr


def test_a_closed_standard_output() -> None:
    script = """
import os
import aiorerun.sync as rr
rec = rr.RecordingStream("app")
rec.save(os.devnull)
# Only now: whatever is opened first takes the number that is free.
os.close(1)
try:
    rec.stdout()
except rr.SinkOpenError as error:
    os.write(2, str(error).encode())
"""
    assert b"standard output cannot be used" in run(script).stderr


def test_a_terminal_gets_nothing() -> None:
    main, terminal = pty.openpty()
    rest = """
import time
rec.flush()
assert rec.stats().sinks == ()
memory = rec.memory_recording()
print("rows", memory.num_msgs(), file=sys.stderr)
"""
    try:
        done = run(BLOCKING.format(arguments="", rest=rest), stdout=terminal)
        os.close(terminal)
        shown = b""
        while True:
            try:
                piece = os.read(main, 65536)
            except OSError:
                break
            if not piece:
                break
            shown += piece
    finally:
        os.close(main)
    assert b"RRF2" not in shown
    assert b"printed by Python" in shown
    assert b"rows 3" in done.stderr


def test_a_reader_that_goes_away_gets_one_warning_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "later.rrd"
    script = f"""
import os, sys
import aiorerun.sync as rr
rec = rr.RecordingStream("app", recording_id="out", send_properties=False)
rec.stdout()
sys.stdin.read()  # until the reader has closed the pipe
for number in range(5):
    rec.log("a", rr.Scalars(float(number)))
    rec.flush(timeout_sec=10)
print("still can print")
rec.log("a", rr.Scalars(5.0))
stats = rec.stats()
assert (stats.sinks, stats.rows_dropped, stats.rows_pending) == ((), 0, 6), stats
rec.save({str(path)!r})
rec.disconnect()
stats = rec.stats()
assert (stats.rows_delivered, stats.pending_bytes) == (6, 0), stats
"""
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-X", "dev", "-c", script],
        stdin=subprocess.PIPE, stdout=writing, stderr=subprocess.PIPE,
    )  # fmt: skip
    os.close(writing)
    os.close(reading)
    _, errors = process.communicate(b"", timeout=60)
    assert process.returncode == 0, errors
    assert errors.count(b"standard output takes no more") == 1
    assert b"still can print" in errors
    assert scalars_of(path, "/a") == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert_verified([path])


def test_a_reader_that_stops_reading_holds_up_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "beside.rrd"
    script = f"""
import asyncio, os, time
import aiorerun as rr
async def main():
    stuck = rr.AsyncRecordingStream("app", recording_id="stuck", close_timeout=0.3)
    beside = rr.AsyncRecordingStream("app", recording_id="beside", send_properties=False)
    await stuck.stdout()
    await beside.save({str(path)!r})
    noise = os.urandom(1 << 20)
    await stuck.log("image", rr.Image(bytes=noise, width=1024, height=1024, color_model="L", datatype="U8"))
    try:
        await stuck.flush(timeout_sec=0.2)
    except rr.FlushTimeoutError:
        os.write(2, b"stuck, ")
    await beside.log("a", rr.Scalars(1.0))
    await beside.flush(timeout_sec=10)
    await beside.disconnect()
    begun = time.monotonic()
    await stuck.disconnect()
    assert time.monotonic() - begun < 5
    assert stuck.stats().rows_dropped == 1, stuck.stats()
asyncio.run(main())
os.write(2, b"ended")
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stderr is not None
    began = time.monotonic()
    errors = process.stderr.read()
    assert process.wait(60) == 0, errors
    assert time.monotonic() - began < 30
    assert process.stdout is not None
    process.stdout.close()
    process.stderr.close()
    assert errors == b"stuck, ended" or errors.endswith(b"ended")
    assert scalars_of(path, "/a") == [1.0]


def test_a_pipe_that_does_not_block_is_waited_for(tmp_path: Path) -> None:
    script = """
import os, sys
import aiorerun.sync as rr
os.set_blocking(1, False)
rec = rr.RecordingStream("app", recording_id="out", send_properties=False)
rec.stdout()
rec.log("a", rr.Scalars(1.0))
rec.log("image", rr.Image(bytes=os.urandom(1 << 20), width=1024, height=1024, color_model="L", datatype="U8"))
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert process.stdout is not None
    received = b""
    while piece := os.read(process.stdout.fileno(), 10_000):
        received += piece
    process.stdout.close()
    assert process.wait(60) == 0
    path = tmp_path / "out.rrd"
    path.write_bytes(received)
    assert scalars_of(path, "/a") == [1.0]
    assert_verified([path])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_writes_nothing_into_the_stream(tmp_path: Path) -> None:
    rest = """
pid = os.fork()
if pid == 0:
    print("printed by a fork", flush=True)
    rec.log("a", rr.Scalars(99.0))
    try:
        rec.stdout()
    except rr.SinkOpenError:
        os._exit(7)
    os._exit(1)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
"""
    done = run(BLOCKING.format(arguments="", rest=rest))
    path = tmp_path / "out.rrd"
    path.write_bytes(done.stdout)
    assert scalars_of(path, "/a") == [0.0, 1.0]
    assert_verified([path])
    assert b"printed by a fork" in done.stderr


def test_there_is_only_one_standard_output() -> None:
    assert StdoutSink() == StdoutSink(write_footer=False)
    assert hash(StdoutSink()) == hash(StdoutSink(write_footer=False))
    assert StdoutSink() != object()
    assert "write_footer=False" in repr(StdoutSink(write_footer=False))
