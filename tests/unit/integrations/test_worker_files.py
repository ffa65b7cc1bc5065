"""A file for each worker, and never two workers in one file."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import aiorerun as rr
from aiorerun.integrations import worker_files
from aiorerun.integrations.worker_files import WorkerFileSink, check_template
from tests.reading import assert_verified

if TYPE_CHECKING:
    from pathlib import Path

WRITER = """
import asyncio, sys
import aiorerun as rr
from aiorerun.integrations.worker_files import WorkerFileSink

async def main():
    async with rr.AsyncRecordingStream("worker") as rec:
        try:
            await rec.set_sinks(WorkerFileSink(sys.argv[1]))
        except rr.SinkOpenError as error:
            print("refused", error, flush=True)
            return
        await rec.log("a", rr.Scalars(1.0))
        await rec.flush()
        print("open", flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


def start(template: Path) -> tuple[subprocess.Popen[str], str]:
    """Another process that writes to such a path, and what it says."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(template)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def end(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        process.communicate(timeout=30)


@pytest.mark.parametrize("path", ["plain.rrd", "a-{pid}.rrd", "{worker}/{pid}.rrd"])
def test_templates(path: str) -> None:
    assert check_template(path) == path


@pytest.mark.parametrize("path", ["a-{port}.rrd", "{}.rrd"])
def test_other_names_in_braces_are_mistakes(path: str) -> None:
    with pytest.raises(ValueError, match=r"\{pid\} stands for"):
        WorkerFileSink(path)


async def write(path: Path) -> Path:
    """The file that one sink writes."""
    async with rr.AsyncRecordingStream("file") as rec:
        sink = WorkerFileSink(path)
        await rec.set_sinks(sink)
        await rec.log("a", rr.Scalars(1.0))
    return sink.path


async def test_pid(tmp_path: Path) -> None:
    path = await write(tmp_path / "a-{pid}.rrd")

    assert path.name == f"a-{os.getpid()}.rrd"
    assert_verified([path])


async def test_worker_numbers_are_taken_and_given_back(tmp_path: Path) -> None:
    template = tmp_path / "a-{worker}.rrd"
    first, _ = start(template)
    second, _ = start(template)
    try:
        assert (await write(template)).name == "a-2.rrd"
        end(first)
        assert (await write(template)).name == "a-0.rrd"
    finally:
        end(first, second)
    assert_verified(sorted(tmp_path.glob("*.rrd")))


async def test_two_processes_cannot_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "same.rrd"
    first, said = start(path)
    try:
        assert said == "open"
        second, said = start(path)
        end(second)
        assert said.startswith("refused")
        assert "put {pid} or {worker} into the path" in said
        with pytest.raises(rr.SinkOpenError, match="another process"):
            await write(path)
    finally:
        end(first)
    assert_verified([path])
    assert_verified([await write(path)])


async def test_two_parts_of_one_process_cannot_either(tmp_path: Path) -> None:
    async with rr.AsyncRecordingStream("first", recording_id="1") as rec:
        await rec.set_sinks(WorkerFileSink(tmp_path / "same.rrd"))
        with pytest.raises(rr.SinkOpenError, match="another part of this one"):
            await write(tmp_path / "same.rrd")


async def test_a_missing_directory(tmp_path: Path) -> None:
    with pytest.raises(rr.SinkOpenError, match="its directory must exist"):
        await write(tmp_path / "none" / "a.rrd")


async def test_the_lock_of_a_killed_process_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "same.rrd"
    process, _ = start(path)
    process.kill()
    process.wait(10)
    process.communicate()

    assert_verified([await write(path)])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    program = """
import asyncio, os, sys, time
import aiorerun as rr
from aiorerun.integrations.worker_files import WorkerFileSink

async def save(path):
    async with rr.AsyncRecordingStream("file") as rec:
        await rec.set_sinks(WorkerFileSink(path))
        await rec.log("a", rr.Scalars(1.0))
        pid = os.fork()
        if not pid:
            sys.stdin.read()
            os._exit(0)
    return pid

path = sys.argv[1]
asyncio.run(save(path))
asyncio.run(save(path))
print("twice")
"""
    done = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", program, str(tmp_path / "a.rrd")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    out, _ = done.communicate(timeout=60)
    assert out == "twice\n"


async def test_file_systems_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(fd: int) -> None:
        raise OSError(95, "not supported")

    monkeypatch.setattr(worker_files, "_system_lock", refuse)
    assert_verified([await write(tmp_path / "a-{worker}.rrd")])


async def test_too_many_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_files, "MAX_WORKERS", 1)
    process, _ = start(tmp_path / "a-{worker}.rrd")
    try:
        with pytest.raises(rr.SinkOpenError, match="all 1 numbers are taken"):
            await write(tmp_path / "a-{worker}.rrd")
    finally:
        end(process)
