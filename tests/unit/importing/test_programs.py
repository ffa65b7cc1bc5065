"""Importers that are programs on the path: what they are told, what they give, and what ends them."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from typing import TYPE_CHECKING

import pytest

import aiorerun as rr
from aiorerun.importers import program as program_run
from tests.reading import rows_of
from tests.unit.importing.waiting import eventually, is_gone, paths_of, text_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.conftest import NewStream


async def test_a_program_is_told_and_heard(
    tmp_path: Path,
    other: Path,
    new_stream: NewStream,
    program: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RERUN_APP_ONLY", "1")
    told = tmp_path / "told"
    program(
        f"open({str(told)!r}, 'w').write(json.dumps([sys.argv[1:], sys.stdin.read(), dict(os.environ)]))\n"
        f"sys.stdout.buffer.write(open({str(tmp_path / 'other.rrd')!r}, 'rb').read())"
    )
    monkeypatch.chdir(tmp_path)
    text_file(tmp_path, "table.csv")
    rec = new_stream()
    memory = await rec.memory_recording()
    rec.set_time("frame", sequence=3)
    await rec.log_file_from_path("table.csv")
    rows = rows_of(await memory.drain_as_bytes())
    assert len(rows) == 4
    assert {row.recording for row in rows} == {"other"}
    arguments, read, environment = json.loads(told.read_text())
    assert arguments[:5] == ["table.csv", "--application-id", "target", "--recording-id", "new"]
    assert "--time_sequence frame=3" in " ".join(arguments)
    assert read == ""
    assert "RERUN_APP_ONLY" not in environment


async def test_programs_never_see_contents_or_known_formats(
    tmp_path: Path, new_stream: NewStream, program: Callable[[str], None]
) -> None:
    program(f"open({str(tmp_path / 'told')!r}, 'w')")
    rec = new_stream()
    await rec.log_file_from_path(text_file(tmp_path))
    with pytest.warns(rr.RerunWarning, match="No importer support"):
        await rec.log_file_from_contents("table.csv", b"")
    assert not (tmp_path / "told").exists()


@pytest.mark.parametrize("code", [0, 1, 66])
async def test_exit_codes(
    code: int,
    tmp_path: Path,
    new_stream: NewStream,
    program: Callable[[str], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    program(f"sys.stderr.write('x' * 1_000_000 + 'the reason'); sys.exit({code})")
    rec = new_stream()
    path = text_file(tmp_path, "table.csv")
    if code == 0:
        await rec.log_file_from_path(path)
    else:
        with pytest.warns(rr.RerunWarning, match="No importer support"):
            await rec.log_file_from_path(path)
    assert ("failed with exit code 1: xxx" in caplog.text) == (code == 1)
    assert ("the reason" in caplog.text) == (code == 1)
    assert len(caplog.text) < 2 * program_run.MAX_STDERR_BYTES


async def test_what_a_failing_program_gave_stays(
    tmp_path: Path,
    other: Path,
    new_stream: NewStream,
    program: Callable[[str], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    program(
        f"sys.stdout.buffer.write(open({str(tmp_path / 'other.rrd')!r}, 'rb').read())\n"
        "sys.stdout.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    rec = new_stream()
    memory = await rec.memory_recording()
    await rec.log_file_from_path(text_file(tmp_path, "table.csv"))
    assert paths_of(await memory.drain_as_bytes()) == ["/note", "/wave", "/wave", "/wave"]
    assert "failed with exit code -9" in caplog.text


async def test_a_program_that_prints_something_else(
    tmp_path: Path,
    new_stream: NewStream,
    program: Callable[[str], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    program("sys.stdout.write('nothing of the kind' * 10); sys.stdout.flush(); time.sleep(60)")
    rec = new_stream()
    await rec.log_file_from_path(text_file(tmp_path, "table.csv"))
    assert "this is not an RRD stream" in caplog.text


STUBBORN = """
signal.signal(signal.SIGTERM, signal.SIG_IGN) if {stubborn} else None
open({pid!r} + '.new', 'w').write(str(os.getpid()))
os.rename({pid!r} + '.new', {pid!r})
time.sleep(60)
"""


@pytest.mark.parametrize("stubborn", [False, True])
async def test_cancelling_ends_the_program(
    stubborn: bool, tmp_path: Path, new_stream: NewStream, program: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(program_run, "TERMINATION_SECS", 0.3)
    pid = tmp_path / "pid"
    program(STUBBORN.format(pid=str(pid), stubborn=stubborn))
    rec = new_stream()
    call = asyncio.create_task(rec.log_file_from_path(text_file(tmp_path, "table.csv")))
    await eventually(pid.exists)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert is_gone(int(pid.read_text()))
    assert not rec._imports


async def test_an_endless_program_is_ended_with_the_import(
    tmp_path: Path, other: Path, new_stream: NewStream, program: Callable[[str], None]
) -> None:
    pid = tmp_path / "pid"
    program(
        f"open({str(pid)!r}, 'w').write(str(os.getpid()))\n"
        f"data = open({str(tmp_path / 'other.rrd')!r}, 'rb').read()\n"
        "while True:\n    sys.stdout.buffer.write(data)\n    sys.stdout.flush()\n    time.sleep(0.01)"
    )
    rec = new_stream()
    await rec.memory_recording()
    await rec.log_file_from_path(text_file(tmp_path, "table.csv"))
    assert len(rec._imports) == 1
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await rec.disconnect()
    await eventually(lambda: is_gone(int(pid.read_text())))
    await eventually(lambda: not rec._imports)


def test_the_end_of_the_loop_ends_the_program(
    tmp_path: Path, other: Path, program: Callable[[str], None]
) -> None:
    pid = tmp_path / "pid"
    program(
        f"open({str(pid)!r}, 'w').write(str(os.getpid()))\n"
        f"sys.stdout.buffer.write(open({str(tmp_path / 'other.rrd')!r}, 'rb').read())\n"
        "sys.stdout.flush(); time.sleep(60)"
    )

    async def main() -> None:
        rec = rr.AsyncRecordingStream("target", recording_id="x")
        await rec.log_file_from_path(text_file(tmp_path, "table.csv"))

    asyncio.run(main())
    assert is_gone(int(pid.read_text()))


# --- pipes ----------------------------------------------------------------------------------------------


async def test_a_named_pipe_is_a_recording(tmp_path: Path, other: Path, new_stream: NewStream) -> None:
    os.mkfifo(tmp_path / "pipe")
    rec = new_stream()
    memory = await rec.memory_recording()
    call = asyncio.create_task(rec.log_file_from_path(tmp_path / "pipe"))
    data = other.read_bytes()
    writing = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(data,))
    writing.start()
    await call
    assert paths_of(await memory.drain_as_bytes()) == ["/note", "/wave", "/wave", "/wave"]
    await asyncio.to_thread(writing.join)


async def test_programs_are_not_waited_for_longer_than_allowed(
    tmp_path: Path,
    other: Path,
    program: Callable[[str], None],
    new_stream: NewStream,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What came before stays, and the program is ended."""
    pid_file = tmp_path / "pid"
    program(
        f"open({str(pid_file)!r}, 'w').write(str(os.getpid()))\n"
        f"sys.stdout.buffer.write(open({str(other)!r}, 'rb').read())\nsys.stdout.flush(); time.sleep(600)"
    )
    monkeypatch.setenv(program_run.TIMEOUT_VARIABLE, "2")
    rec = new_stream()
    memory = await rec.memory_recording()
    await rec.log_file_from_path(text_file(tmp_path, "table.csv"))
    await rec.flush()
    assert is_gone(int(pid_file.read_text()))
    assert paths_of(await memory.drain_as_bytes()) == ["/note", "/wave", "/wave", "/wave"]
    assert "TimeoutError: it takes longer than 2.0 s" in caplog.text


async def test_a_time_limit_that_is_none(
    tmp_path: Path,
    program: Callable[[str], None],
    new_stream: NewStream,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program("sys.exit(0)")
    monkeypatch.setenv(program_run.TIMEOUT_VARIABLE, "soon")
    rec = new_stream()
    await rec.memory_recording()
    await rec.log_file_from_path(text_file(tmp_path, "table.csv"))
    assert "AIORERUN_IMPORTER_TIMEOUT_SECS must be a positive number of seconds, not 'soon'" in caplog.text
