"""A sink that never takes anything: bounded memory, bounded waiting, a loop that goes on, exact counters."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import time
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import aiorerun as rr

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT = 64 << 20


class StuckSink:
    """Takes nothing, for ever."""

    async def open(self, context: Any) -> None: ...

    async def write(self, messages: Sequence[Any]) -> None:
        await asyncio.Event().wait()

    async def flush(self) -> None: ...

    async def aclose(self) -> None: ...


async def longest_gap(stop: asyncio.Event) -> float:
    """The longest time the event loop took to come back to us."""
    longest = 0.0
    while not stop.is_set():
        before = time.perf_counter()
        await asyncio.sleep(0.001)
        longest = max(longest, time.perf_counter() - before - 0.001)
    return longest


async def measure(rec: rr.AsyncRecordingStream | None, frames: int) -> tuple[float, float, int]:
    """Longest gap of the loop and longest call while frames are made, and logged unless ``rec`` is None."""
    stop = asyncio.Event()
    gap = asyncio.create_task(longest_gap(stop))
    image = np.zeros((720, 1280, 3), np.uint8)
    slowest = 0.0
    for number in range(frames):
        image[number % 720] = number % 251
        frame = rr.Image(image)
        before = time.perf_counter()
        if rec is not None:
            await rec.log("camera", frame)
        slowest = max(slowest, time.perf_counter() - before)
        await asyncio.sleep(0.002)
    stop.set()
    return await gap, slowest, frames


async def overload(max_wait: float) -> tuple[float, float]:
    """Overloads a stuck sink, checks all counters, and measures.

    Returns:
        How much longer the loop was held up with logging than without, and the longest call.
    """
    frames = 300
    rec = rr.AsyncRecordingStream(
        "overload", recording_id="o", max_bytes_in_flight=LIMIT, max_wait=max_wait, close_timeout=0.2
    )
    await rec.set_sinks(StuckSink())
    idle_gap, _, _ = await measure(None, frames)
    peak_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", rr.RerunWarning)
        gap, slowest, _ = await measure(rec, frames)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak_before) * 1024
    stats = rec.stats()
    # The properties are a row as well.
    assert stats.rows_accepted + stats.rows_refused == frames + 1
    assert stats.rows_pending == stats.rows_accepted
    assert stats.rows_refused > frames // 2
    assert stats.reasons == {"over the byte limit": stats.rows_refused}
    assert stats.pending_bytes <= LIMIT
    assert grown < LIMIT + (16 << 20), f"{grown / 2**20:.0f} MiB"
    assert [str(warning.message).count("are refused") for warning in caught] == [1]
    with pytest.raises(rr.FlushTimeoutError):
        await rec.flush(timeout_sec=0.05)
    with pytest.raises(rr.QueueFullError):
        rec.log_nowait("camera", rr.Scalars(1.0), strict=True)
    before = time.perf_counter()
    await rec.disconnect()
    assert time.perf_counter() - before < 3
    after = rec.stats()
    assert after.rows_pending == 0
    assert after.rows_dropped == after.rows_accepted
    assert after.reasons["sink did not finish in time"] == after.rows_dropped
    return gap - idle_gap, slowest


@pytest.mark.may_block
async def test_a_sink_that_never_accepts() -> None:
    max_wait = 1.0
    measured: list[tuple[float, float]] = []
    # The counters must be right every time; the times may be disturbed by whatever else the machine does.
    for _ in range(3):
        held_up, slowest = await overload(max_wait)
        measured.append((held_up, slowest))
        if held_up < 0.020 and slowest < max_wait + 0.1:
            return
    pytest.fail(f"held up the loop, and the slowest call, in seconds: {measured}")


class SlowSink(StuckSink):
    """Takes one write every few milliseconds."""

    def __init__(self) -> None:
        self.rows = 0

    async def write(self, messages: Sequence[Any]) -> None:
        await asyncio.sleep(0.003)
        self.rows += sum(message.rows for message in messages)


async def test_waiting_callers_are_let_in_one_by_one_and_nothing_is_lost() -> None:
    limit = 8 << 20
    sink = SlowSink()
    rec = rr.AsyncRecordingStream(
        "overload", recording_id="slow", max_bytes_in_flight=limit, send_properties=False, max_wait=30
    )
    await rec.set_sinks(sink)
    highest = 0

    async def run() -> None:
        nonlocal highest
        for _ in range(10):
            await rec.log("points", rr.Points3D(np.zeros((20_000, 3), np.float32)))
            highest = max(highest, rec.stats().pending_bytes)

    await asyncio.gather(*(run() for _ in range(50)))
    await rec.flush()
    stats = rec.stats()
    assert (stats.rows_accepted, stats.rows_delivered, stats.rows_refused) == (500, 500, 0)
    assert sink.rows == 500
    assert highest <= limit + 240_000 * 2, highest
    await rec.disconnect()


async def test_a_tight_loop_still_flushes_on_its_ticks() -> None:
    sink = SlowSink()
    rec = rr.AsyncRecordingStream("overload", recording_id="tight", send_properties=False)
    await rec.set_sinks(sink)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await asyncio.sleep(0)
    turns_before = turns
    ends = time.perf_counter() + 1.0
    while time.perf_counter() < ends:
        await rec.log("tight", rr.Scalars(1.0))
    assert sink.rows > 0, "nothing was written before the loop ended"
    assert turns - turns_before >= 4
    task.cancel()
    await rec.disconnect()


def test_blocking_callers_wait_and_go_on() -> None:
    script = """
import asyncio, threading
import numpy as np
import aiorerun.sync as rr

class Slow:
    async def open(self, context): self.rows = 0
    async def write(self, messages):
        await asyncio.sleep(0.002)
        self.rows += sum(m.rows for m in messages)
    async def flush(self): pass
    async def aclose(self): pass

rec = rr.RecordingStream("overload", recording_id="b", max_bytes_in_flight=4 << 20, send_properties=False)
sink = Slow()
rec.set_sinks(sink)
def work():
    for _ in range(40):
        rec.log("points", rr.Points3D(np.zeros((20_000, 3), np.float32)))
threads = [threading.Thread(target=work) for _ in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
rec.flush()
assert sink.rows == 160, sink.rows
assert rec.stats().rows_refused == 0
"""
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
