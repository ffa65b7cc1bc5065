"""The worker thread: jobs in order, results and errors on the loop, leases, cancellation."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time

import pytest

from aiorerun import worker as worker_module
from aiorerun.worker import Worker, pause


async def test_jobs_run_in_order_in_one_thread() -> None:
    worker = Worker.of(asyncio.get_running_loop())
    seen: list[int] = []
    for number in range(100):
        worker.submit(lambda number=number: seen.append(number))  # type: ignore[misc]
    name = await worker.run(lambda: threading.current_thread().name)
    assert seen == list(range(100))
    assert name == "aiorerun-worker"
    assert await worker.run(threading.get_ident) != threading.get_ident()
    worker.release()


async def test_errors_come_back() -> None:
    worker = Worker.of(asyncio.get_running_loop())

    def fail() -> None:
        raise KeyError("on purpose")

    with pytest.raises(KeyError, match="on purpose"):
        await worker.run(fail)
    assert await worker.run(lambda: 3) == 3
    worker.release()


async def test_one_worker_per_loop_as_long_as_somebody_needs_it() -> None:
    loop = asyncio.get_running_loop()
    first, second = Worker.of(loop), Worker.of(loop)
    assert first is second
    first.release()
    assert await second.run(lambda: 1) == 1
    second.release()
    third = Worker.of(loop)
    assert third is not first
    assert await third.run(lambda: 2) == 2
    third.release()
    await asyncio.to_thread(first._thread.join, 10)
    assert not first._thread.is_alive()


async def test_jobs_submitted_before_the_last_lease_ends_still_run() -> None:
    worker = Worker.of(asyncio.get_running_loop())
    seen: list[int] = []
    for number in range(10):
        worker.submit(lambda number=number: seen.append(number))  # type: ignore[misc]
    worker.release()
    await asyncio.to_thread(worker._thread.join, 10)
    assert seen == list(range(10))


async def test_another_process_gets_a_worker_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    worker = Worker.of(loop)
    pid = worker._pid
    monkeypatch.setattr(os, "getpid", lambda: pid + 1)
    other = Worker.of(loop)
    assert other is not worker
    monkeypatch.undo()
    worker.release()
    other.release()


async def test_a_job_that_began_is_waited_for_when_its_caller_is_cancelled() -> None:
    worker = Worker.of(asyncio.get_running_loop())
    began, go = threading.Event(), threading.Event()
    after: list[str] = []

    def work() -> str:
        began.set()
        go.wait(10)
        return "done"

    async def call() -> None:
        after.append(await worker.run(work))
        await asyncio.sleep(0)
        after.append("not reached")

    task = asyncio.create_task(call())
    await asyncio.to_thread(began.wait, 10)
    task.cancel()
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.sleep(0.01)
    assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert after == ["done"]
    worker.release()


async def test_a_cancellation_that_comes_with_the_result() -> None:
    worker = Worker.of(asyncio.get_running_loop())
    go = threading.Event()

    async def call() -> int:
        def work() -> int:
            go.wait(10)
            return 5

        return await worker.run(work)

    task = asyncio.create_task(call())
    await asyncio.sleep(0.01)
    go.set()
    # The result waits on the loop when the cancellation comes, or soon after.
    worker._thread.join(0.02)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        assert await task == 5
    worker.release()


@pytest.mark.may_block
async def test_a_timeout_is_told_when_the_job_is_done() -> None:
    worker = Worker.of(asyncio.get_running_loop())
    ended = threading.Event()

    async def run_in_time() -> None:
        async with asyncio.timeout(0.05):
            await worker.run(lambda: ended.wait(0.2))
            await asyncio.sleep(10)

    try:
        with pytest.raises(TimeoutError):
            await run_in_time()
    finally:
        worker.release()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


def test_a_result_for_a_closed_loop_is_dropped() -> None:
    loop = asyncio.new_event_loop()
    go = threading.Event()
    holder: list[Worker] = []

    async def start() -> None:
        worker = Worker.of(loop)
        holder.append(worker)
        future = loop.create_future()

        def work() -> None:
            go.wait(10)
            worker_module._resolve(loop, future, 1, None)

        worker.submit(work)

    loop.run_until_complete(start())
    loop.close()
    go.set()
    holder[0].release()
    holder[0]._thread.join(10)
    assert not holder[0]._thread.is_alive()


async def test_a_result_nobody_waits_for_any_more_is_dropped() -> None:
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    worker_module._resolve(loop, future, 1, None)
    future.cancel()
    await asyncio.sleep(0)
    assert future.cancelled()


def test_pausing_gives_way_once_per_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    until = time.perf_counter() + 0.05
    calls = 0
    while time.perf_counter() < until:
        pause()
        calls += 1
    assert 1 <= len(slept) <= 51 < calls


async def test_a_worker_that_hangs_and_one_that_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "STUCK_SECS", 0.05)
    worker = Worker.of(asyncio.get_running_loop())
    proceed, started = threading.Event(), threading.Event()
    lives: list[bool] = []

    def job() -> None:
        for _ in range(5):
            time.sleep(0.02)
            pause()
            lives.append(worker.is_stuck)
        started.set()
        proceed.wait()

    task = asyncio.create_task(worker.run(job))
    while not worker.is_stuck:  # noqa: ASYNC110 - nothing tells that a job has hung for some time
        await asyncio.sleep(0.01)
    assert started.is_set()
    assert lives == [False] * 5
    proceed.set()
    await task
    assert not await worker.run(lambda: worker.is_stuck)
    worker.release()


async def test_at_exit_nobody_is_made_way_for(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker.of(asyncio.get_running_loop())
    pauses: list[float] = []

    def job() -> None:
        monkeypatch.setattr(time, "sleep", pauses.append)
        for _ in range(3):
            ends = time.perf_counter() + 0.002
            while time.perf_counter() < ends:
                pass
            pause()
        monkeypatch.undo()

    await worker.run(job)
    assert pauses == [0, 0, 0]
    worker.hurries = True
    await worker.run(job)
    assert pauses == [0, 0, 0]
    worker.release()


def test_busy_threads_share_more_while_a_worker_hurries() -> None:
    usual = sys.getswitchinterval()
    workers = [Worker.private(), Worker.private()]
    for worker in workers:
        worker.hurry()
    assert sys.getswitchinterval() < usual
    workers[0].stop_hurrying()
    assert sys.getswitchinterval() < usual
    workers[1].stop_hurrying()
    assert sys.getswitchinterval() == pytest.approx(usual)
    workers[1].stop_hurrying()
    assert sys.getswitchinterval() == pytest.approx(usual)
    for worker in workers:
        worker.release()
