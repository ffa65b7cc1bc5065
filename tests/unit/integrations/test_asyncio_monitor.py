"""How late a loop is, how many tasks it has, and who holds it up."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from aiorerun.integrations.asyncio_monitor import LAG_BUCKETS_MS, AsyncioMonitor

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.integrations.recorded import Recorded

pytestmark = pytest.mark.may_block


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - it comes from a thread
            await asyncio.sleep(0.01)


def hold_up(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


async def test_lags_and_tasks(recorded: Recorded) -> None:
    waiting = [asyncio.create_task(asyncio.sleep(60)) for _ in range(5)]
    async with AsyncioMonitor(recorded.rec, interval=0.05, heartbeat=0.01):
        await until(lambda: len(recorded.rows("asyncio/tasks")) >= 3)
    for task in waiting:
        task.cancel()
    assert recorded.rows("asyncio/tasks")[-1]["scalars"][0] >= 6
    biggest = recorded.rows("asyncio/lag/max_ms").values("scalars")
    mean = recorded.rows("asyncio/lag/mean_ms").values("scalars")
    assert all(0 <= low[0] <= high[0] for low, high in zip(mean, biggest, strict=True))
    bars = [row["values"][0]["buffer"] for row in recorded.rows("asyncio/lag/histogram")]
    assert {len(each) for each in bars} == {len(LAG_BUCKETS_MS) + 1}
    assert [sum(each) for each in bars] == sorted(sum(each) for each in bars)


async def test_who_holds_the_loop_up(recorded: Recorded) -> None:
    async def crunch() -> None:
        await asyncio.sleep(0.03)
        hold_up(0.4)

    async with AsyncioMonitor(recorded.rec, interval=0.05, slow_callback=0.1, heartbeat=0.01):
        await asyncio.create_task(crunch(), name="cruncher")
        await until(lambda: len(recorded.rows("asyncio/slow")) > 0)
    row = recorded.rows("asyncio/slow")[0]
    (text,) = row["text"]
    assert "was held up for" in text
    assert "by cruncher (test_who_holds_the_loop_up.<locals>.crunch): hold_up (" in text
    assert row["level"] == ["WARN"]
    assert 300 < row["duration_ms"][0] < 5000
    assert row["task"] == ["cruncher (test_who_holds_the_loop_up.<locals>.crunch)"]
    assert row["callback"][0].startswith("test_who_holds_the_loop_up.<locals>.crunch (")
    assert "hold_up" in row["stack"][0].splitlines()[0]
    assert recorded.rows("asyncio/lag/max_ms")[-1]["scalars"][0] >= 0


async def test_a_plain_callback_is_named_too(recorded: Recorded) -> None:
    async with AsyncioMonitor(recorded.rec, interval=0.05, slow_callback=0.1, heartbeat=0.01):
        asyncio.get_running_loop().call_later(0.03, time.sleep, 0.4)
        asyncio.get_running_loop().call_later(0.03, hold_up, 0.01)
        await until(lambda: len(recorded.rows("asyncio/slow")) > 0)
    assert "was held up" in recorded.rows("asyncio/slow")[0]["text"][0]


async def test_what_does_not_end_is_told_meanwhile(recorded: Recorded) -> None:
    async with AsyncioMonitor(recorded.rec, slow_callback=0.02, heartbeat=0.01):
        await asyncio.sleep(0.05)
        hold_up(0.6)
        await until(lambda: len(recorded.rows("asyncio/slow")) >= 2)
    first, second = (row["text"][0] for row in recorded.rows("asyncio/slow")[:2])
    assert "is held up" in first
    assert "was held up" in second


async def test_a_loop_that_does_well_is_not_told_of(recorded: Recorded) -> None:
    async with AsyncioMonitor(recorded.rec, interval=0.05, slow_callback=5, heartbeat=0.01):
        await until(lambda: len(recorded.rows("asyncio/tasks")) >= 3)
    assert recorded.rows("asyncio/slow") == []


async def test_it_leaves_nothing_behind(recorded: Recorded) -> None:
    monitor = AsyncioMonitor(recorded.rec)
    async with monitor:
        thread: Any = monitor._thread
        with pytest.raises(RuntimeError, match="it runs already"):
            monitor.start()
    assert not thread.is_alive()
    assert monitor._handle is not None
    assert monitor._handle.cancelled()
    # The last interval is recorded, however short it was; and it can be started again.
    assert len(recorded.rows("asyncio/tasks")) == 1
    async with monitor:
        pass
    await monitor.astop()


def test_from_another_thread_than_the_loops(recorded: Recorded) -> None:
    async def run() -> AsyncioMonitor:
        monitor = AsyncioMonitor(recorded.rec)
        monitor.start()
        await asyncio.to_thread(monitor.stop)
        await asyncio.sleep(0)
        return monitor

    monitor = asyncio.run(run())
    assert monitor._thread is None
    with pytest.raises(RuntimeError):
        monitor.start()


async def test_without_a_recording() -> None:
    with pytest.raises(RuntimeError, match="no recording is active"):
        AsyncioMonitor().start()


@pytest.mark.parametrize("options", [{"interval": 0}, {"slow_callback": 0}, {"heartbeat": -1}])
def test_wrong_times(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="above zero"):
        AsyncioMonitor(**options)  # type: ignore[arg-type]
