"""Things in order: quick ones at once unless something is under way."""

from __future__ import annotations

import asyncio

import pytest

from aiorerun.widget import in_order as module
from aiorerun.widget.in_order import InOrder


async def test_quick_things_wait_for_what_is_under_way() -> None:
    order, done = InOrder(), list[str]()
    order.do(lambda: done.append("at once"))
    gate = asyncio.Event()

    async def slow() -> None:
        await gate.wait()
        done.append("slow")

    future = order.start(slow)
    order.do(lambda: done.append("behind"))
    last = order.start(slow)
    assert done == ["at once"]
    gate.set()
    await future
    await last
    assert done == ["at once", "slow", "behind", "slow"]


async def test_errors_are_those_of_the_future_and_hold_up_nothing(caplog: pytest.LogCaptureFixture) -> None:
    order, done = InOrder(), list[str]()

    async def fail() -> None:
        raise OSError("no way")

    async def succeed() -> None:
        done.append("done")

    failed = order.start(fail)
    order.do(lambda: done.append(str(1 / 0)))
    await order.start(succeed)
    with pytest.raises(OSError, match="no way"):
        await failed
    assert done == ["done"]
    assert "could not be sent" in caplog.text


async def test_a_thing_that_is_cancelled_ends_alone() -> None:
    order, done = InOrder(), list[str]()

    async def cancel() -> None:
        raise asyncio.CancelledError

    async def succeed() -> None:
        done.append("done")

    cancelled = order.start(cancel)
    last = order.start(succeed)
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    await last
    assert done == ["done"]


async def test_not_more_than_so_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 2)
    order, gate = InOrder(), asyncio.Event()
    waiting = order.start(gate.wait)
    order.do(lambda: None)
    with pytest.raises(RuntimeError, match="await something"):
        order.do(lambda: None)
    gate.set()
    await waiting
