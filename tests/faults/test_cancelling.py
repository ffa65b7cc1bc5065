"""Cancelled tasks lose nothing that was accepted and leave nothing behind."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import aiorerun as rr
from tests.reading import assert_verified, rows_of

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator
    from pathlib import Path

    from tests.conftest import Sized


class _rest_of:
    """Awaits a coroutine whose first step was taken by hand."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], waiting_for: Any) -> None:
        self._coroutine = coroutine
        self._waiting_for = waiting_for

    def __await__(self) -> Generator[Any, Any, None]:
        yield self._waiting_for
        yield from self._coroutine.__await__()


async def test_tasks_cancelled_at_random_points_lose_nothing(tmp_path: Path, sized: Sized) -> None:
    path = tmp_path / "cancelled.rrd"
    before_us = asyncio.all_tasks()
    accepted: list[int] = []
    rec = rr.AsyncRecordingStream("cancelling", recording_id="c", max_bytes_in_flight=4 << 20)

    async def run(number: int) -> None:
        for step in range(1_000_000):
            value = number * 1_000_000 + step
            before = rec.stats().rows_accepted
            logging = rec.log(f"task{number % 7}", rr.Scalars(float(value)))
            try:
                # One step by hand, so that we know whether the row was taken before anything suspends.
                waiting_for = logging.send(None)
            except StopIteration:
                waiting_for = None
            if rec.stats().rows_accepted > before:
                accepted.append(value)
                logging.close()
            else:
                assert waiting_for is not None
                await _rest_of(logging, waiting_for)
                accepted.append(value)
            if random.random() < 0.2:
                await rec.flush()
            else:
                await asyncio.sleep(0)

    async with rec:
        await rec.save(path)
        tasks = [asyncio.create_task(run(number)) for number in range(sized(300, 1000))]
        alive = list(tasks)
        random.shuffle(alive)
        while alive:
            await asyncio.sleep(random.random() * 0.01)
            for task in alive[:20]:
                task.cancel()
            del alive[:20]
        await asyncio.gather(*tasks, return_exceptions=True)
        assert all(task.cancelled() for task in tasks)
    stats = rec.stats()
    assert (stats.rows_dropped, stats.rows_refused, stats.rows_pending) == (0, 0, 0)
    values = [int(row.values["Scalars:scalars"][0]) for row in rows_of(path)]
    assert Counter(values) == Counter(accepted)
    assert stats.rows_delivered == len(accepted) + 1, "and the properties"
    assert_verified([path])
    left = asyncio.all_tasks() - before_us
    assert left == set()


async def test_cancelling_flush_and_save_does_not_undo_them(tmp_path: Path) -> None:
    first, second = tmp_path / "first.rrd", tmp_path / "second.rrd"
    rec = rr.AsyncRecordingStream("cancelling", recording_id="c2")
    await rec.save(first)
    await rec.log("a", rr.Scalars(1.0))
    flushing = asyncio.create_task(rec.flush())
    await asyncio.sleep(0)
    flushing.cancel()
    saving = asyncio.create_task(rec.save(second))
    await asyncio.sleep(0)
    saving.cancel()
    await asyncio.gather(flushing, saving, return_exceptions=True)
    assert flushing.cancelled()
    assert saving.cancelled()
    await rec.log("a", rr.Scalars(2.0))
    await rec.disconnect()
    assert [row.values["Scalars:scalars"] for row in rows_of(first)] == [[1.0]]
    assert [row.values["Scalars:scalars"] for row in rows_of(second)] == [[2.0]]
    assert_verified([first, second])


def test_a_loop_that_ends_with_the_sink_open_still_finishes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "open.rrd"
    kept: list[rr.AsyncRecordingStream] = []

    async def main() -> None:
        rec = rr.AsyncRecordingStream("cancelling", recording_id="c3")
        kept.append(rec)
        await rec.save(path)
        for number in range(100):
            await rec.log("a", rr.Scalars(float(number)))

    asyncio.run(main())
    assert [row.values["Scalars:scalars"][0] for row in rows_of(path)] == list(range(100))
    assert_verified([path])
    assert kept[0].stats().rows_pending == 0


def test_a_stream_is_used_in_one_loop_after_another(tmp_path: Path) -> None:
    rec = rr.AsyncRecordingStream("cancelling", recording_id="c4")

    async def main(path: Path, value: float) -> None:
        await rec.save(path)
        await rec.log("a", rr.Scalars(value))
        await rec.flush()

    for number in range(3):
        asyncio.run(main(tmp_path / f"{number}.rrd", float(number)))
    files = [tmp_path / f"{number}.rrd" for number in range(3)]
    assert [rows_of(file)[0].values["Scalars:scalars"] for file in files] == [[0.0], [1.0], [2.0]]
    assert_verified(files)
