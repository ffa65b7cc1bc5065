"""Room: the gate, who waits before it, and in which order they are let in."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from aiorerun.config import ChunkBatcherConfig
from aiorerun.engine import room as room_module
from aiorerun.engine.room import PACE_BYTES, Room
from aiorerun.pipeline.capture import FULL, OPEN, Capture


@pytest.fixture
def room() -> Room:
    return make_room()


def make_room(limit: int = 100, max_wait: float = 5.0) -> Room:
    capture = Capture(
        ChunkBatcherConfig.NEVER(), clock=time.perf_counter_ns, wall=time.time_ns, max_waiting_bytes=1 << 20
    )
    made = Room(capture, limit, max_wait, "room")
    made.set_exempt(False)
    return made


def gate(room: Room) -> int:
    return room._capture.gate


def test_the_gate_closes_over_the_limit_and_opens_below(room: Room) -> None:
    room.take(100)
    assert gate(room) == OPEN
    room.take(1)
    assert gate(room) == FULL
    room.settle(1, 1, None)
    assert gate(room) == OPEN
    assert room.ledger.rows_delivered == 1


def test_nobody_waits_for_buffers(room: Room) -> None:
    room.set_exempt(True)
    room.take(1000)
    assert gate(room) == OPEN
    room.set_exempt(False)
    room.take(1)
    assert gate(room) == FULL
    room.set_exempt(True)
    assert gate(room) == OPEN


def test_a_very_large_buffer_is_reported_once(
    room: Room, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_module, "START_BUFFER_WARN_BYTES", 1 << 20)
    room.set_exempt(True)
    room.take((1 << 20) + 1)
    room.take(1)
    assert caplog.text.count("holds more than 1 MiB") == 1


def test_refusals_are_counted_and_the_first_of_a_run_is_reported(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []
    room.on_refusal = told.append
    for stall in range(2):
        room.take(101)
        for _ in range(3):
            room.refuse()
        assert len(told) == stall + 1
        room.settle(101, 1, None)
        assert room.loses
        room.end_losses()
    assert room.ledger.rows_refused == 6
    assert caplog.text.count("takes everything again: 3 rows were lost") == 2
    assert room.ledger.reasons == {"over the byte limit": 6}
    assert "'room'" in told[0]
    assert "limit 100 bytes" in told[0]


async def test_waiting_callers_are_let_in_one_after_the_other(room: Room) -> None:
    room.take(101)
    order: list[int] = []

    async def caller(number: int) -> None:
        assert await room.wait_for_room()
        order.append(number)
        room.take(10)
        room.admit_next()

    tasks = [asyncio.create_task(caller(number)) for number in range(5)]
    await asyncio.sleep(0)
    assert order == []
    room.settle(101, 1, None)
    await asyncio.wait_for(asyncio.gather(*tasks), 5)
    assert order == [0, 1, 2, 3, 4]
    assert gate(room) == OPEN


async def test_who_waited_long_enough_is_not_let_in() -> None:
    room = make_room(max_wait=0.02)
    room.take(101)
    assert not await room.wait_for_room()
    # From now on in this stall nobody waits at all.
    started = time.perf_counter()
    assert not await room.wait_for_room()
    assert not room.wait_for_room_blocking()
    assert time.perf_counter() - started < 0.02
    room.settle(101, 1, None)
    assert gate(room) == OPEN


@pytest.mark.parametrize("turn_came", [True, False])
async def test_a_cancelled_caller_passes_its_turn_on(room: Room, turn_came: bool) -> None:
    room.take(101)
    first = asyncio.create_task(room.wait_for_room())
    second = asyncio.create_task(room.wait_for_room())
    await asyncio.sleep(0)
    if turn_came:
        room.settle(101, 1, None)
        await asyncio.sleep(0)
        first.cancel()
    else:
        first.cancel()
        await asyncio.sleep(0)
        room.settle(101, 1, None)
    await asyncio.gather(first, return_exceptions=True)
    if not first.cancelled():
        room.admit_next()
    assert await asyncio.wait_for(second, 5)
    room.admit_next()
    assert gate(room) == OPEN


def test_threads_wait_too(room: Room) -> None:
    room.take(101)
    outcomes: list[bool] = []

    def wait() -> None:
        outcomes.append(room.wait_for_room_blocking())
        room.admit_next()

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    room.settle(101, 1, None)
    for thread in threads:
        thread.join(10)
    assert outcomes == [True] * 3
    assert gate(room) == OPEN


def test_a_thread_that_waited_long_enough() -> None:
    room = make_room(max_wait=0.02)
    room.take(101)
    assert not room.wait_for_room_blocking()


@pytest.mark.may_block
async def test_a_waiting_caller_whose_loop_is_gone_is_passed_over(room: Room) -> None:
    room.take(101)
    gone = asyncio.new_event_loop()
    waiting: list[Any] = []

    def wait_and_die() -> None:
        waiting.append(gone.create_task(room.wait_for_room()))
        gone.run_until_complete(asyncio.sleep(0))
        gone.close()

    thread = threading.Thread(target=wait_and_die)
    thread.start()
    thread.join()
    alive = asyncio.create_task(room.wait_for_room())
    await asyncio.sleep(0)
    room.settle(101, 1, None)
    assert await asyncio.wait_for(alive, 5)
    room.admit_next()
    assert gate(room) == OPEN
    waiting[0]._log_destroy_pending = False


class TestPace:
    async def test_without_anything_under_way_it_is_one_turn(self, room: Room) -> None:
        started = time.perf_counter()
        await room.pace()
        room.pace_blocking()
        assert time.perf_counter() - started < 0.005

    async def test_an_overdue_flush_gets_several_turns(self) -> None:
        room = make_room(limit=1 << 30)
        room.take(10)
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        await room.pace()
        task.cancel()
        assert turns > 2

    async def test_it_ends_with_the_encoding_that_is_under_way(self) -> None:
        room = make_room(limit=1 << 30)
        room.take(PACE_BYTES + 2)
        room.settle(1, 1, None)  # progress, so that it waits at all
        with room.encoding():
            pacing = asyncio.create_task(room.pace())
            await asyncio.sleep(0)
            room.settle(PACE_BYTES + 1, 1, None)
            for _ in range(5):
                await asyncio.sleep(0)
            assert not pacing.done()
        room.end_encoding()
        for _ in range(5):
            await asyncio.sleep(0)
        assert pacing.done()

    def test_who_takes_rows_gets_a_moment_for_the_first_of_them(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: now)
        room = make_room(limit=1 << 30)
        room.take(1)
        now += 0.04
        room.take(PACE_BYTES + 1)
        assert room._is_catching_up(now)
        # Nothing was taken: it may hang.
        now += 0.02
        room.take(1)
        assert not room._is_catching_up(now)

    @pytest.mark.may_block
    async def test_it_never_takes_long(self) -> None:
        room = make_room(limit=1 << 30)
        room.take(PACE_BYTES + 2)
        room.settle(1, 1, None)  # progress, so that it waits at all
        started = time.perf_counter()
        room.pace_blocking()
        room.settle(1, 1, None)
        await room.pace()
        assert time.perf_counter() - started < 0.1


def test_a_forked_child_has_all_the_room(room: Room) -> None:
    room.take(101)
    room.refuse()
    ledger = room.ledger
    room.start_empty()
    assert room.ledger is not ledger
    assert (room.ledger.in_flight, room.ledger.rows_refused, room.ledger.limit) == (0, 0, 100)
