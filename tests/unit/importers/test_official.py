"""Formats that are left to the official program, here played by scripts."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import tempfile
from typing import TYPE_CHECKING

import pytest

import aiorerun as rr
from aiorerun.importers import external, registry
from aiorerun.importers.official import is_lerobot
from tests.reading import rows_of
from tests.unit.importers.files import write_program, write_recording

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    PutProgram = Callable[[str], None]


@pytest.fixture(autouse=True)
def nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external._Found, "importers", [])
    monkeypatch.setattr(registry, "_registered", [])


@pytest.fixture
def rerun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PutProgram:
    """Makes a program the official one; it writes down what it is told."""

    def put(body: str) -> None:
        told = f"json.dump(sys.argv[1:], open({str(tmp_path / 'told')!r}, 'w'))\n"
        write_program(tmp_path / "bin", told + body, "rerun")
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    return put


@pytest.fixture
def copying(tmp_path: Path, rerun: PutProgram) -> str:
    """The official program prints a recording. The statement that does it."""
    write_recording(tmp_path / "other.rrd")
    body = f"sys.stdout.buffer.write(open({str(tmp_path / 'other.rrd')!r}, 'rb').read())\n"
    rerun(body)
    return body


@pytest.fixture
async def rec() -> AsyncIterator[rr.AsyncRecordingStream]:
    async with rr.AsyncRecordingStream("target", recording_id="new", send_properties=False) as stream:
        yield stream


def told(folder: Path) -> list[str]:
    found: list[str] = json.loads((folder / "told").read_text())
    return found


async def test_mcap(tmp_path: Path, copying: str, rec: rr.AsyncRecordingStream) -> None:
    memory = await rec.memory_recording()
    (tmp_path / "log.mcap").touch()
    await rec.log_file_from_path(tmp_path / "log.mcap")
    assert {row.path for row in rows_of(await memory.drain_as_bytes())} == {"/wave", "/note"}
    path = str(tmp_path / "log.mcap")
    assert told(tmp_path) == ["mcap", "convert", path, "--application-id", "target", "--recording-id", "new"]


async def test_contents_of_mcap(
    tmp_path: Path, copying: str, rerun: PutProgram, rec: rr.AsyncRecordingStream
) -> None:
    """They are a file for as long as the program needs it."""
    rerun("sys.stdout.buffer.write(open(sys.argv[3], 'rb').read())")
    memory = await rec.memory_recording()
    await rec.log_file_from_contents("nowhere/log.mcap", (tmp_path / "other.rrd").read_bytes())
    await rec.flush()
    assert len(rows_of(await memory.drain_as_bytes())) == 4
    assert not os.path.exists(told(tmp_path)[2])


async def test_lerobot(tmp_path: Path, copying: str, rec: rr.AsyncRecordingStream) -> None:
    """Episodes are recordings of the caller's application."""
    data = tmp_path / "set"
    for each in ("meta", "data"):
        (data / each).mkdir(parents=True)
    (data / "note.txt").write_text("not logged on its own")
    assert not await asyncio.to_thread(is_lerobot, data)
    (data / "meta" / "info.json").write_text("{}")
    assert await asyncio.to_thread(is_lerobot, data)
    await rec.save(tmp_path / "all.rrd")
    await rec.log_file_from_path(data)
    await rec.disconnect()
    archive = await rr.recording.load_archive(tmp_path / "all.rrd")
    found = {(each.application_id(), each.recording_id()) for each in archive.all_recordings()}
    await archive.aclose()
    assert ("target", "other") in found
    assert "/note.txt" not in {row.path for row in rows_of((tmp_path / "all.rrd").read_bytes())}
    arguments = told(tmp_path)
    assert arguments[0] == str(data)
    # It must not get in the way of a viewer, or be seen from elsewhere.
    assert arguments[1:5] == ["--port", "0", "--bind", "127.0.0.1"]


async def test_without_the_program(
    tmp_path: Path, rec: rr.AsyncRecordingStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiorerun.viewer.executable.shutil.which", lambda *_, **__: None)
    (tmp_path / "log.mcap").touch()
    rr.set_strict_mode(True)
    try:
        with pytest.raises(rr.NoImporterError, match=r"log.mcap.*official program.*pip install rerun-sdk"):
            await rec.log_file_from_path(tmp_path / "log.mcap")
        with pytest.raises(rr.NoImporterError, match="pip install rerun-sdk"):
            await rec.log_file_from_contents("log.mcap", b"")
    finally:
        rr.set_strict_mode(False)


async def test_another_program_instead(
    tmp_path: Path, rec: rr.AsyncRecordingStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the official one is missing, importers on the path get to see such files."""
    monkeypatch.setattr("aiorerun.viewer.executable.shutil.which", lambda *_, **__: None)
    seen = tmp_path / "seen"
    program = write_program(tmp_path / "bin", f"open({str(seen)!r}, 'w').write(sys.argv[1])")
    monkeypatch.setattr(external._Found, "importers", [external.ExternalImporter(program)])
    (tmp_path / "log.mcap").touch()
    await rec.memory_recording()
    await rec.log_file_from_path(tmp_path / "log.mcap")
    assert seen.read_text() == str(tmp_path / "log.mcap")


BROKEN_RUNS = {
    "error in its log": "print('2026-01-01T00:00:00.1Z ERROR re_importer: it is broken', file=sys.stderr)",
    "exit code": "print('it is broken', file=sys.stderr); sys.exit(1)",
    "no stream": "print('it is broken')",
}


@pytest.mark.parametrize("name", BROKEN_RUNS)
async def test_what_the_program_cannot_read(
    name: str,
    tmp_path: Path,
    rerun: PutProgram,
    rec: rr.AsyncRecordingStream,
    caplog: pytest.LogCaptureFixture,
) -> None:
    rerun(BROKEN_RUNS[name])
    (tmp_path / "log.mcap").touch()
    memory = await rec.memory_recording()
    await rec.log_file_from_path(tmp_path / "log.mcap")
    await rec.flush()
    assert rows_of(await memory.drain_as_bytes()) == []
    assert [each.levelno for each in caplog.records] == [logging.ERROR]
    assert "log.mcap could not be imported (MCAP)" in caplog.text


async def test_warnings_are_passed_on(
    tmp_path: Path,
    copying: str,
    rerun: PutProgram,
    rec: rr.AsyncRecordingStream,
    caplog: pytest.LogCaptureFixture,
) -> None:
    rerun(copying + "print('2026-01-01T00:00:00.1Z  WARN re_mcap: odd', file=sys.stderr)")
    (tmp_path / "log.mcap").touch()
    await rec.memory_recording()
    await rec.log_file_from_path(tmp_path / "log.mcap")
    await rec.flush()
    assert [each.levelno for each in caplog.records] == [logging.WARNING]
    assert "re_mcap: odd" in caplog.text


async def test_cancelling_ends_the_program(
    tmp_path: Path, rerun: PutProgram, rec: rr.AsyncRecordingStream
) -> None:
    pid_file = tmp_path / "pid"
    rerun(f"open({str(pid_file)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)")
    before = set(os.listdir(tempfile.gettempdir()))
    await rec.memory_recording()
    call = asyncio.create_task(rec.log_file_from_contents("log.mcap", b"x"))
    async with asyncio.timeout(20):
        while not (pid_file.exists() and pid_file.read_text()):  # noqa: ASYNC110 - processes set no events
            await asyncio.sleep(0.01)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)
    left = set(os.listdir(tempfile.gettempdir())) - before
    assert not [each for each in left if each.startswith("aiorerun-")]
