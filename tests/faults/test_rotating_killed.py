"""A program with rotating files that is killed: finished parts are complete, the open one is readable."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

import aiorerun as rr
from aiorerun.files.recover import recover
from tests.reading import assert_verified, rerun_cli, rows_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Sized

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")

ASYNCIO = """
import asyncio, sys
import aiorerun as rr

async def main(folder):
    rec = rr.AsyncRecordingStream("killing", recording_id="k")
    sink = rr.RotatingFileSink(f"{folder}/run.rrd", max_bytes=60_000, max_seconds=0.3)
    await rec.set_sinks(sink, rr.FileSink(f"{folder}/whole.rrd"))
    await rec.log("map", rr.Points3D([[1, 2, 3]]), static=True)
    row = 0
    while True:
        for _ in range(50):
            rec.set_time("row", sequence=row)
            await rec.log(f"entity{row % 3}", rr.Scalars(float(row)))
            row += 1
        await rec.flush()
        print(row, len(sink.parts), flush=True)

asyncio.run(main(sys.argv[1]))
"""

BLOCKING = """
import sys
import aiorerun.sync as rr

rec = rr.RecordingStream("killing", recording_id="k")
sink = rr.RotatingFileSink(f"{sys.argv[1]}/run.rrd", max_bytes=60_000, max_seconds=0.3)
rec.set_sinks(sink, rr.FileSink(f"{sys.argv[1]}/whole.rrd"))
rec.log("map", rr.Points3D([[1, 2, 3]]), static=True)
row = 0
while True:
    for _ in range(50):
        rec.set_time("row", sequence=row)
        rec.log(f"entity{row % 3}", rr.Scalars(float(row)))
        row += 1
    rec.flush()
    print(row, len(sink.parts), flush=True)
"""


def run_and_kill(script: str, folder: Path, after: float) -> int:
    """Starts a program, kills it when it has some parts, and returns how many rows it had flushed."""
    process = subprocess.Popen([sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    flushed, parts = 0, 0
    try:
        while parts < 3:
            flushed, parts = map(int, process.stdout.readline().split())
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
        for line in process.stdout:
            if line.endswith("\n"):
                flushed = int(line.split()[0])
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    return flushed


def numbers(files: list[Path]) -> dict[bytes, float]:
    """The rows that the program counted, by row id."""
    return {
        row.row_id: row.values["Scalars:scalars"][0] for file in files for row in rows_of(file) if row.times
    }


def recovered(part: Path, folder: Path) -> Path:
    """A part that was left open as a complete file."""
    path = folder / f"{part.name}.recovered.rrd"
    recover(part, path)
    return path


@pytest.mark.timeout(900)
@pytest.mark.parametrize("script", [ASYNCIO, BLOCKING], ids=["asyncio", "blocking"])
async def test_parts_of_a_killed_program_are_the_recording(script: str, tmp_path: Path, sized: Sized) -> None:
    for number in range(sized(3, 30)):
        folder = tmp_path / str(number)
        folder.mkdir()
        flushed = run_and_kill(script, folder, random.random() * 0.2)

        finished = sorted(folder.glob("run-*.rrd"))
        left = sorted(folder.glob("run-*.part"))
        assert len(finished) >= 3
        assert_verified(finished)
        # It may have been killed in the moment between two parts, or in that of giving a name.
        assert len(left) <= 2
        if left:
            assert_verified(left, footers=False)
        parts = [*finished, *left]
        in_parts, in_one = numbers(parts), numbers([folder / "whole.rrd"])
        assert set(in_parts.values()) >= set(range(flushed))
        # The two sinks were written to one after the other: only what was not flushed can differ.
        assert {value for value in in_one.values() if value < flushed} <= set(in_parts.values())
        for part in [*finished, *(path for path in left if numbers([path]))]:
            assert any(row.path == "/map" for row in rows_of(part)), part

        # The open one recovers, and all parts together are the rows of the one file.
        # There is nothing yet in one that was just begun.
        begun = [part for part in left if numbers([part])]
        complete = [*finished, *[await asyncio.to_thread(recovered, part, folder) for part in begun]]
        assert_verified(complete)
        one = folder / "merged.rrd"
        result = rerun_cli("rrd", "merge", *complete, "-o", one)
        assert result.returncode == 0, result.stderr
        assert numbers([one]) == in_parts
        common = {key: value for key, value in in_one.items() if value < flushed}
        assert {key: value for key, value in numbers([one]).items() if value < flushed} == common

        # The next run goes on behind, and touches none of them.
        before = {path: path.read_bytes() for path in parts}
        sink = rr.RotatingFileSink(folder / "run.rrd", max_bytes=60_000)
        rec = rr.AsyncRecordingStream("killing", recording_id="k2")
        await rec.set_sinks(sink)
        await rec.log("a", rr.Scalars(1.0))
        await rec.disconnect()
        assert sink.parts[-1].name > max(path.name for path in finished)
        assert {path: path.read_bytes() for path in parts if path.exists()} == {
            path: data for path, data in before.items() if path.exists()
        }
        assert all(path in sink.parts for path in finished)


FORK = """
import asyncio, os, sys
import aiorerun as rr

async def main(folder):
    rec = rr.AsyncRecordingStream("forking", recording_id="f")
    sink = rr.RotatingFileSink(f"{folder}/run.rrd", max_bytes=20_000)
    await rec.set_sinks(sink)
    for row in range(500):
        await rec.log("a", rr.Scalars(float(row)))
        if row % 20 == 19:
            await rec.flush()
    child = os.fork()
    if not child:
        rec.log_nowait("a", rr.Scalars(-1.0))
        assert sink.open_part is None
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    for row in range(500, 1000):
        await rec.log("a", rr.Scalars(float(row)))
        if row % 20 == 19:
            await rec.flush()
    child = os.fork()
    if not child:
        asyncio._set_running_loop(None)

        async def in_child():
            own = rr.AsyncRecordingStream("forking", recording_id="child")
            try:
                await own.set_sinks(rr.RotatingFileSink(f"{folder}/run.rrd", max_bytes=20_000))
            except rr.SinkOpenError as error:
                print(error)
            await own.set_sinks(rr.RotatingFileSink(f"{folder}/run-{{pid}}.rrd", max_bytes=20_000))
            await own.log("b", rr.Scalars(1.0))
            await own.disconnect()

        code = 1
        try:
            asyncio.new_event_loop().run_until_complete(in_child())
            sys.stdout.flush()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    await rec.disconnect()

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_leaves_the_parts_of_its_parent_alone(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", FORK, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "another sink writes parts" in result.stdout
    own = sorted(path for path in tmp_path.glob("run-*.rrd") if path.name.startswith("run-0000"))
    child = [path for path in tmp_path.glob("run-*.rrd") if path not in own]
    assert_verified([*own, *child])
    assert [row.values["Scalars:scalars"] for path in child for row in rows_of(path)] == [[1.0]]
    values = [row.values["Scalars:scalars"][0] for path in own for row in rows_of(path)]
    assert sorted(values) == list(range(1000))
    assert not list(tmp_path.glob("*.part"))
    assert not list(tmp_path.glob(".*"))


EXITS = {
    "asyncio": """
import asyncio, sys
import aiorerun as rr
async def main():
    await rr.init("exit", recording_id="e")
    await rr.set_sinks(rr.RotatingFileSink(sys.argv[1] + "/run.rrd", max_bytes=20_000, max_seconds=0.05))
    for row in range(2000):
        await rr.log("a", rr.Scalars(float(row)))
        if row % 50 == 0:
            await rr.flush()
asyncio.run(main())
""",
    "blocking": """
import sys
import aiorerun.sync as rr
rec = rr.RecordingStream("exit", recording_id="e")
rec.set_sinks(rr.RotatingFileSink(sys.argv[1] + "/run.rrd", max_bytes=20_000, max_seconds=0.05))
for row in range(2000):
    rec.log("a", rr.Scalars(float(row)))
    if row % 50 == 0:
        rec.flush()
""",
    "multiprocessing": """
import multiprocessing, sys
import aiorerun.sync as rr

def work(number):
    rec = rr.RecordingStream("exit", recording_id="e")
    rec.set_sinks(rr.RotatingFileSink(sys.argv[1] + "/run-{pid}-{index}.rrd", max_bytes=20_000, keep=100))
    for row in range(number * 1000, number * 1000 + 1000):
        rec.log("a", rr.Scalars(float(row)))
        if row % 50 == 0:
            rec.flush()

if __name__ == "__main__":
    workers = [multiprocessing.get_context("fork").Process(target=work, args=(n,)) for n in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
""",
}


@pytest.mark.parametrize("name", EXITS)
def test_the_last_part_is_finished_at_exit(name: str, tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error::RuntimeWarning", "-c", EXITS[name], str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    # On a busy machine, debug mode tells how long imports took.
    assert [line for line in result.stderr.splitlines() if not line.startswith("Executing ")] == []
    parts = sorted(tmp_path.iterdir())
    assert all(path.suffix == ".rrd" for path in parts)
    assert_verified(parts)
    values = [row.values["Scalars:scalars"][0] for path in parts for row in rows_of(path)]
    assert sorted(values) == list(range(2000))
