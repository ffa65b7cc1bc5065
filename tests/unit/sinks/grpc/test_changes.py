"""Waiting for changes, from any event loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from aiorerun.sinks.grpc.changes import Changes
from tests.unit.sinks.grpc.serving import PATIENCE


async def test_all_who_wait_are_woken_by_the_next_change() -> None:
    changes = Changes()
    waiting = [asyncio.ensure_future(changes.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    changes.tell()
    await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE)
    late = asyncio.ensure_future(changes.wait())
    await asyncio.sleep(0.01)
    assert not late.done()
    late.cancel()
    with pytest.raises(asyncio.CancelledError):
        await late
    changes.tell()


async def test_the_own_loop_is_not_woken_through_its_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    changes = Changes()
    waiting = asyncio.ensure_future(changes.wait())
    await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    with monkeypatch.context() as patch:
        patch.setattr(loop, "call_soon_threadsafe", None)
        changes.tell()
    await asyncio.wait_for(waiting, PATIENCE)


async def test_time_ends_the_waiting_too() -> None:
    await asyncio.wait_for(Changes().wait(0.01), PATIENCE)
    await asyncio.wait_for(Changes().wait(-1.0), PATIENCE)


async def test_another_loop_is_woken_in_its_own_thread() -> None:
    changes = Changes()
    woken: list[int] = []
    began = threading.Event()

    async def wait() -> None:
        asyncio.get_running_loop().call_soon(began.set)
        await changes.wait(PATIENCE)
        woken.append(threading.get_ident())

    thread = threading.Thread(target=lambda: asyncio.run(wait()))
    thread.start()
    await asyncio.to_thread(began.wait, PATIENCE)
    changes.tell()
    await asyncio.to_thread(thread.join, PATIENCE)
    assert woken == [thread.ident]


def test_a_loop_that_is_closed_is_passed_over() -> None:
    changes = Changes()
    loop = asyncio.new_event_loop()
    task = loop.create_task(changes.wait())
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    changes.tell()
    task._log_destroy_pending = False  # type: ignore[attr-defined]
