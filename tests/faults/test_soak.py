"""A long life in one process: memory stays flat, and closed recordings leave nothing behind."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import pytest

import aiorerun as rr
import aiorerun.sync as blocking
from aiorerun.context import StoreTimes, _times
from aiorerun.engine.conveyor import conveyors
from aiorerun.stream_base import streams
from tests.reading import assert_verified

if TYPE_CHECKING:
    from tests.conftest import Sized

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")

ARROW_BYTES = 16 << 20
"""What chunks that are under way may hold."""

# Sampling leaves nothing behind: an object made while much is under way keeps a whole arena of Python's heap.
# A last row goes through alone, so that the worker has let go of everything that came before.
ROWS = """
import array, asyncio, gc, json, os, sys, time
import aiorerun as rr

status = os.open("/proc/self/status", os.O_RDONLY)

def kib(text, name):
    start = text.index(name) + len(name)
    return int(text[start : text.index(b"kB", start)])

async def main(path, rows, parts):
    rec = rr.AsyncRecordingStream("soak", recording_id="rows")
    await rec.save(path)
    resident, anonymous, blocks, arrow = [array.array("q", bytes(8 * parts)) for _ in range(4)]
    started, cpu = time.perf_counter(), time.process_time()
    number = 0
    for part in range(parts):
        for count in (rows // parts - 1, 1):
            for _ in range(count):
                rec.set_time("frame", sequence=number)
                await rec.log(f"e{number % 10}", rr.Scalars(float(number)))
                number += 1
            await rec.flush()
        gc.collect()
        text = os.pread(status, 8192, 0)
        resident[part] = kib(text, b"VmRSS:")
        anonymous[part] = kib(text, b"RssAnon:")
        blocks[part] = sys.getallocatedblocks()
        arrow[part] = sys.modules["pyarrow"].total_allocated_bytes()
    stats = rec.stats()
    assert stats.rows_delivered == number + 1, stats
    await rec.disconnect()
    print(json.dumps({
        "resident_kib": list(resident), "anonymous_kib": list(anonymous), "blocks": list(blocks),
        "arrow_bytes": list(arrow), "secs": time.perf_counter() - started,
        "cpu_secs": time.process_time() - cpu, "chunks": rec.stats().chunks,
    }))

asyncio.run(main(sys.argv[1], int(sys.argv[2]), 20))
"""


def test_memory_is_flat_over_many_rows(tmp_path: Path, sized: Sized) -> None:
    rows = sized(400_000, 10_000_000)
    # The first million rows of ten are the warm-up.
    warm = sized(5, 1)
    path = tmp_path / "soak.rrd"
    result = subprocess.run(
        [sys.executable, "-c", ROWS, str(path), str(rows)],
        capture_output=True,
        text=True,
        timeout=3000,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    figures = json.loads(result.stdout)
    print(figures)
    # What is alive does not grow.
    assert is_within(figures["blocks"][warm:], 0.05), figures
    assert max(figures["arrow_bytes"]) < ARROW_BYTES, figures
    # Nor does what the process has of the machine. Where others keep that busy, one sample may show rows that
    # have just piled up.
    assert is_within(sorted(figures["resident_kib"][warm:])[:-1], 0.05), figures
    # Half of that are pages of libraries. The rest goes up and down by some megabytes, with how many rows had
    # piled up and which arenas an object keeps, but it does not creep.
    anonymous = figures["anonymous_kib"][warm:]
    half = len(anonymous) // 2
    early, late = median(anonymous[:half]), median(anonymous[half:])
    assert abs(late - early) < early * 0.1, figures
    assert_verified([path])


def is_within(figures: list[int], part: float) -> bool:
    """Whether all figures are that near to the middle one."""
    middle = median(figures)
    return middle * (1 - part) < min(figures) and max(figures) < middle * (1 + part)


CHUNKS = """
import asyncio, gc, json, sys, time
import aiorerun as rr

def anonymous_kib():
    for line in open("/proc/self/status"):
        if line.startswith("RssAnon"):
            return int(line.split()[1])

async def main(path, chunks, parts):
    rec = rr.AsyncRecordingStream(
        "soak", recording_id="chunks", batcher_config=rr.ChunkBatcherConfig(flush_tick=1e9, flush_num_rows=1)
    )
    await rec.save(path)
    memory = []
    for part in range(parts):
        for number in range(chunks // parts):
            rec.set_time("frame", sequence=number)
            await rec.log(f"e{number % 10}", rr.Scalars(float(number)))
        await rec.flush()
        gc.collect()
        memory.append(anonymous_kib())
    started = time.perf_counter()
    await rec.disconnect()
    gc.collect()
    peak = [int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")]
    print(json.dumps({
        "memory_kib": memory, "after_close_kib": anonymous_kib(), "close_secs": time.perf_counter() - started,
        "peak_kib": peak[0], "chunks": rec.stats().chunks,
    }))

asyncio.run(main(sys.argv[1], int(sys.argv[2]), 20))
"""


def test_memory_is_flat_over_many_chunks(tmp_path: Path, sized: Sized) -> None:
    """The footer's bookkeeping is on disk: 96 bytes per chunk would show after 80,000 of them."""
    chunks = sized(120_000, 1_000_000)
    path = tmp_path / "chunks.rrd"
    result = subprocess.run(
        [sys.executable, "-c", CHUNKS, str(path), str(chunks)],
        capture_output=True,
        text=True,
        timeout=3000,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    figures = json.loads(result.stdout)
    print(figures)
    memory = figures["memory_kib"]
    # Up to 4 MiB, or 43,000 chunks, are kept in memory before they go to disk: the highest figures tell, of
    # times with such a moment each. The allocator takes and gives back some megabytes when it likes; the
    # 110,000 chunks between the two would be 10 MiB.
    early, late = max(memory[3:9]), max(memory[9:])
    assert late - early < 8 * 1024, figures
    assert figures["chunks"] >= chunks
    assert_verified([path])


def left_behind() -> tuple[int, ...]:
    """Threads, descriptors, streams, conveyors and stores that are there."""
    gc.collect()
    return (
        threading.active_count(),
        len(os.listdir("/proc/self/fd")),
        len(streams),
        len(conveyors),
        len(StoreTimes._known),
        len(contextvars.copy_context()),
    )


async def test_ten_thousand_recordings_leave_nothing(tmp_path: Path, sized: Sized) -> None:
    asyncio.get_running_loop().set_debug(False)
    path = tmp_path / "one.rrd"

    async def use(number: int) -> None:
        rec = rr.AsyncRecordingStream("soak", recording_id=f"asyncio {number}")
        async with rec:
            await rec.save(path)
            rec.set_time("frame", sequence=number)
            await rec.log("a", rr.Scalars(float(number)))

    async def several(numbers: range) -> None:
        # In a task of its own, as programs do it: its context goes with it.
        for number in numbers:
            await asyncio.create_task(use(number))

    await several(range(20))
    tasks, before = asyncio.all_tasks(), left_behind()
    await several(range(20, sized(500, 10_000)))
    assert asyncio.all_tasks() == tasks
    # A worker that is ending, and a timer that was cancelled, need a moment.
    for _ in range(100):
        if left_behind() == before:
            break
        await asyncio.sleep(0.01)
    assert left_behind() == before
    assert_verified([path])


def test_ten_thousand_blocking_recordings_leave_nothing(tmp_path: Path, sized: Sized) -> None:
    path = tmp_path / "one.rrd"

    def use(number: int) -> None:
        rec = blocking.RecordingStream("soak", recording_id=f"blocking {number}")
        with rec:
            rec.save(path)
            rec.set_time("frame", sequence=number)
            rec.log("a", blocking.Scalars(float(number)))
        rec.disconnect()

    keeper = blocking.RecordingStream("soak", recording_id="keeps the loop")
    keeper.memory_recording()

    def several(numbers: range) -> None:
        for number in numbers:
            use(number)

    contextvars.copy_context().run(several, range(20))
    before = left_behind()
    contextvars.copy_context().run(several, range(20, sized(500, 10_000)))
    assert left_behind() == before
    keeper.disconnect()
    assert_verified([path])


async def test_times_of_closed_recordings_are_overwritten(sized: Sized) -> None:
    """One context that uses recording after recording does not grow: slots are used again."""

    def sizes() -> int:
        return len(repr(_times.get()))

    async def use(number: int) -> None:
        rec = rr.AsyncRecordingStream("soak", recording_id=f"times {number}")
        rec.set_time("frame", sequence=7)
        await rec.disconnect()

    for number in range(10):
        await use(number)
    before = sizes()
    for number in range(10, sized(300, 10_000)):
        await use(number)
    assert sizes() <= before + 200
