"""Many threads into one recording: every row once, each thread's order kept."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest

import aiorerun
import aiorerun.sync
from aiorerun.codec.decoder import read_chunks
from tests.reading import assert_verified

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from tests.conftest import Sized


@pytest.fixture(autouse=True)
def switch_threads_often() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def assert_all_there(path: Path, threads: int, count: int) -> None:
    """Every row once, in the order of its thread. Reads column by column: there can be millions."""
    values: dict[str, list[npt.NDArray[np.float64]]] = {}
    # File order: the chunks of an entity keep the order in which they were cut off.
    for _, batch in read_chunks(path.read_bytes()):
        entity = batch.schema.metadata[b"rerun:entity_path"].decode()
        if entity != "/__properties":
            values.setdefault(entity, []).append(batch.column("Scalars:scalars").flatten().to_numpy())
    for number in range(threads):
        own = np.concatenate(values[f"/thread{number}"])
        assert len(own) == count
        assert (own == np.arange(count)).all()
    shared = np.concatenate(values["/shared"])
    assert len(shared) == threads * (count // 10)
    for number in range(threads):
        own = shared[shared // count == number]
        assert (own == number * count + np.arange(0, count, 10)).all()
    assert_verified([path])


@pytest.mark.timeout(600)
def test_eight_threads_through_the_facade(tmp_path: Path, sized: Sized) -> None:
    path, threads, count = tmp_path / "facade.rrd", 8, sized(20_000, 1_000_000)
    rec = aiorerun.sync.RecordingStream("threads", recording_id="facade")
    rec.save(path)

    def work(number: int) -> None:
        for step in range(count):
            rec.log(f"thread{number}", aiorerun.Scalars(float(step)))
            if step % 10 == 0:
                rec.log("shared", aiorerun.Scalars(float(number * count + step)))

    running = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    while any(thread.is_alive() for thread in running):
        rec.flush(timeout_sec=60)
        running[0].join(0.001)
    rec.disconnect()
    stats = rec.stats()
    assert (stats.rows_pending, stats.rows_dropped, stats.rows_refused) == (0, 0, 0)
    assert_all_there(path, threads, count)


@pytest.mark.timeout(600)
@pytest.mark.may_block
async def test_four_threads_into_one_asyncio_stream(tmp_path: Path, sized: Sized) -> None:
    path, threads, count = tmp_path / "async.rrd", 4, sized(20_000, 1_000_000)
    rec = aiorerun.AsyncRecordingStream("threads", recording_id="async")
    await rec.save(path)
    refused: list[int] = []

    def work(number: int) -> None:
        for step in range(count):
            rec.log_nowait(f"thread{number}", aiorerun.Scalars(float(step)))
            if step % 10 == 0:
                rec.log_nowait("shared", aiorerun.Scalars(float(number * count + step)))

    async with rec:
        done = asyncio.gather(*(asyncio.to_thread(work, number) for number in range(threads)))
        while not done.done():
            await rec.flush()
            await asyncio.sleep(0.001)
        await done
    assert refused == []
    assert rec.stats().rows_refused == 0
    assert_all_there(path, threads, count)
