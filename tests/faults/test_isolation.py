"""Concurrent tasks, generators and threads: no row in the wrong recording, no wrong time."""

from __future__ import annotations

import asyncio
import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

import aiorerun as rr
from tests.reading import rows_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator

ROWS = 10


async def log_own_rows(number: int, rec: rr.AsyncRecordingStream) -> None:
    """Ten rows whose value says which task logged them and at which time."""
    with rec:
        for step in range(ROWS):
            rr.set_time("step", sequence=number * 1000 + step)
            await asyncio.sleep(random.choice((0, 0, 0.001)))
            await rr.log("value", rr.Scalars(number * 1000.0 + step))


async def through_generator(number: int, rec: rr.AsyncRecordingStream) -> None:
    @rr.recording_stream_generator_ctx
    def produce() -> Generator[None, None, None]:
        with rec:
            for step in range(ROWS):
                rr.set_time("step", sequence=number * 1000 + step)
                yield
                rr.log_nowait("value", rr.Scalars(number * 1000.0 + step))

    for _ in produce():
        assert rr.get_data_recording() is None
        await asyncio.sleep(0)


async def through_async_generator(number: int, rec: rr.AsyncRecordingStream) -> None:
    @rr.recording_stream_generator_ctx
    async def produce() -> AsyncGenerator[None, None]:
        with rec:
            for step in range(ROWS):
                rr.set_time("step", sequence=number * 1000 + step)
                await asyncio.sleep(0)
                yield
                await rr.log("value", rr.Scalars(number * 1000.0 + step))

    async for _ in produce():
        assert rr.get_data_recording() is None


def log_blocking(number: int, rec: rr.AsyncRecordingStream) -> None:
    with rec:
        for step in range(ROWS):
            rr.set_time("step", sequence=number * 1000 + step)
            time.sleep(0)
            rr.log_nowait("value", rr.Scalars(number * 1000.0 + step))


async def through_to_thread(number: int, rec: rr.AsyncRecordingStream) -> None:
    with rec:
        rr.set_time("other", sequence=number)
        await asyncio.to_thread(log_blocking, number, rec)
        assert rec._times.get()[1] == (number,)


@pytest.mark.parametrize("run", [log_own_rows, through_generator, through_async_generator, through_to_thread])
async def test_a_thousand_tasks_each_with_its_own_recording(
    run: Callable[[int, rr.AsyncRecordingStream], Awaitable[None]],
) -> None:
    count = 1000
    # Debug mode would note a call stack per future and task, which takes far longer than what is tested.
    asyncio.get_running_loop().set_debug(False)
    recordings = [rr.AsyncRecordingStream("isolation", recording_id=f"r{number}") for number in range(count)]
    memories = [await rec.memory_recording() for rec in recordings]
    await asyncio.gather(*(run(number, rec) for number, rec in enumerate(recordings)))
    wrong = 0
    for number, memory in enumerate(memories):
        rows = rows_of(await memory.drain_as_bytes())
        assert len(rows) == ROWS
        for step, row in enumerate(rows):
            expected = number * 1000 + step
            wrong += row.recording != f"r{number}"
            wrong += row.times["step"] != expected
            wrong += row.values["Scalars:scalars"] != [float(expected)]
            wrong += row.times["log_tick"] != step
    assert wrong == 0
    await asyncio.gather(*(rec.disconnect() for rec in recordings))


async def test_thread_pools_start_without_the_times_of_the_loop() -> None:
    recordings = [rr.AsyncRecordingStream("isolation", recording_id=f"p{number}") for number in range(50)]
    memories = [await rec.memory_recording() for rec in recordings]
    for rec in recordings:
        rec.set_time("loop", sequence=7)
    with ThreadPoolExecutor(8) as pool:
        loop = asyncio.get_running_loop()
        await asyncio.gather(
            *(loop.run_in_executor(pool, log_blocking, number, rec) for number, rec in enumerate(recordings))
        )
    for number, memory in enumerate(memories):
        rows = rows_of(await memory.drain_as_bytes())
        assert [row.times["step"] for row in rows] == [number * 1000 + step for step in range(ROWS)]
        assert all("loop" not in row.times for row in rows)
    await asyncio.gather(*(rec.disconnect() for rec in recordings))


def test_set_time_costs_the_same_with_ten_thousand_recordings() -> None:
    def cost(recordings: list[rr.AsyncRecordingStream]) -> float:
        best = float("inf")
        for _ in range(5):
            started = time.perf_counter()
            for number in range(20_000):
                recordings[number % len(recordings)].set_time("step", sequence=number)
            best = min(best, time.perf_counter() - started)
        return best

    few = [rr.AsyncRecordingStream("cost", recording_id=f"few{number}") for number in range(2)]
    one = cost(few[:1])
    two = cost(few)
    many = [rr.AsyncRecordingStream("cost", recording_id=f"many{number}") for number in range(10_000)]
    # The same up to the depth of a 16-way tree (4 levels against 1) and cache misses; a cost that
    # grew with the number of recordings would be thousands of times larger.
    assert cost(many) < 8 * two
    # The recording that a task is at costs the same, however many others are open and have times.
    assert cost(few[:1]) < 2 * one
    for number, rec in enumerate(many):
        rec.set_time("step", sequence=number)
    assert all(rec._times.get()[1] == (number,) for number, rec in enumerate(many))
