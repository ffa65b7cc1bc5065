"""Active recordings and times: contexts, tasks, threads and generators never mix."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from typing import TYPE_CHECKING, Any

import pytest

from aiorerun.context import ActiveRecordings, StoreTimes, isolate_generator
from aiorerun.types.store import StoreId, StoreKind
from aiorerun.types.timeline import TimelineKind
from aiorerun.types.timepoint import NO_TIMES, Timepoint, with_time

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator


def store(number: int) -> StoreId:
    return StoreId(StoreKind.RECORDING, "app", f"context-test-{number}")


def at(value: int) -> Timepoint:
    return with_time(NO_TIMES, "frame", TimelineKind.SEQUENCE, value)


@pytest.fixture
def active() -> ActiveRecordings[str]:
    return ActiveRecordings("test_active")


class TestTimes:
    def test_streams_of_one_store_share_their_times(self) -> None:
        first, second = StoreTimes.of(store(1)), StoreTimes.of(store(1))
        assert first is second
        first.set(at(3))
        assert second.get() == at(3)

    def test_stores_are_independent(self) -> None:
        times = [StoreTimes.of(store(number)) for number in range(1000)]
        for number, each in enumerate(times):
            each.set(at(number))
        for number, each in enumerate(times):
            assert each.get() == at(number)

    def test_times_are_forgotten_with_their_last_stream(self) -> None:
        times = StoreTimes.of(store(2))
        times.set(at(5))
        del times
        gc.collect()
        assert StoreTimes.of(store(2)).get() == NO_TIMES

    def test_slots_are_used_again(self) -> None:
        slots = set()
        for number in range(100):
            times = StoreTimes.of(store(10_000 + number))
            times.set(at(number))
            slots.add(times._slot)
            del times
            # What was just made is in the youngest generation, which takes no time.
            gc.collect(0)
        assert len(slots) == 1

    def test_a_copied_context_inherits_and_keeps_changes_to_itself(self) -> None:
        times = StoreTimes.of(store(3))
        times.set(at(1))
        copied = contextvars.copy_context()

        def inside() -> None:
            assert times.get() == at(1)
            times.set(at(2))

        copied.run(inside)
        assert times.get() == at(1)
        assert copied.run(times.get) == at(2)

    def test_a_new_thread_starts_without_times(self) -> None:
        times = StoreTimes.of(store(4))
        times.set(at(1))
        seen: list[Timepoint] = []
        thread = threading.Thread(target=lambda: seen.append(times.get()))
        thread.start()
        thread.join()
        assert seen == [NO_TIMES]

    async def test_tasks_do_not_disturb_each_other(self) -> None:
        times = StoreTimes.of(store(5))

        async def run(number: int) -> None:
            for step in range(20):
                times.set(at(number * 100 + step))
                await asyncio.sleep(0)
                assert times.get() == at(number * 100 + step)

        await asyncio.gather(*(run(number) for number in range(50)))


class TestActive:
    def test_local_wins_over_global(self, active: ActiveRecordings[str]) -> None:
        assert active.get() is None
        assert active.set_global("g") is None
        assert active.get() == "g"
        assert active.set_local("l") is None
        assert (active.get(), active.get_local(), active.get_global()) == ("l", "l", "g")
        assert active.set_local(None) == "l"
        assert active.set_global(None) == "g"
        assert active.get() is None

    def test_scopes_nest(self, active: ActiveRecordings[str]) -> None:
        active.enter("a")
        active.enter("b")
        active.enter("a")
        active.leave("a")
        assert active.get() == "b"
        active.leave("b")
        active.leave("a")
        assert active.get() is None

    def test_scopes_left_out_of_order_leave_the_others_alone(self, active: ActiveRecordings[str]) -> None:
        active.enter("a")
        active.enter("b")
        active.leave("a")
        assert active.get() == "b"
        active.leave("b")
        assert active.get() is None

    def test_leaving_a_scope_undoes_what_was_set_in_it(self, active: ActiveRecordings[str]) -> None:
        active.set_local("bottom")
        active.enter("a")
        active.enter("b")
        assert active.set_local("c") == "b"
        assert active.get() == "c"
        active.leave("b")
        assert active.get() == "a"
        assert active.set_local(None) == "a"
        assert active.get() is None
        active.enter("d")
        active.leave("a")
        assert active.get() == "d"
        active.leave("d")
        assert active.get() == "bottom"

    def test_leaving_in_another_context_does_nothing(self, active: ActiveRecordings[str]) -> None:
        active.enter("a")
        contextvars.Context().run(active.leave, "a")
        assert active.get() == "a"
        active.leave("never entered")
        assert active.get() == "a"


class TestGenerators:
    def test_what_a_generator_enters_stays_inside(self, active: ActiveRecordings[str]) -> None:
        times = StoreTimes.of(store(6))

        def produce(name: str) -> Generator[tuple[str | None, Timepoint], str, str]:
            active.enter(name)
            times.set(at(len(name)))
            got = yield active.get(), times.get()
            assert got == f"to {name}"
            assert (active.get(), times.get()) == (name, at(len(name)))
            try:
                yield active.get(), times.get()
            except KeyError:
                assert active.get() == name
            return name

        wrapped = isolate_generator(active, produce)
        times.set(at(99))
        first, second = wrapped("a"), wrapped("bb")
        assert next(first) == ("a", at(1))
        assert (active.get(), times.get()) == (None, at(99))
        assert next(second) == ("bb", at(2))
        assert first.send("to a") == ("a", at(1))
        assert second.send("to bb") == ("bb", at(2))
        assert (active.get(), times.get()) == (None, at(99))
        with pytest.raises(StopIteration) as stop:
            first.throw(KeyError())
        assert stop.value.value == "a"
        second.close()
        assert (active.get(), times.get()) == (None, at(99))

    async def test_what_an_async_generator_enters_stays_inside(self, active: ActiveRecordings[str]) -> None:
        closed: list[str | None] = []

        async def produce(name: str) -> AsyncGenerator[str | None, str | None]:
            active.enter(name)
            try:
                got = None
                while got != "stop":
                    await asyncio.sleep(0)
                    assert active.get() == name
                    try:
                        got = yield active.get()
                    except KeyError:
                        got = yield f"caught by {active.get()}"
            finally:
                closed.append(active.get())
                active.leave(name)

        wrapped = isolate_generator(active, produce)

        async def consume(name: str) -> None:
            active.set_local(f"consumer of {name}")
            generator = wrapped(name)
            for _ in range(10):
                assert await anext(generator) == name
                assert active.get() == f"consumer of {name}"
                await asyncio.sleep(0)
            assert await generator.athrow(KeyError()) == f"caught by {name}"
            with pytest.raises(StopAsyncIteration):
                await generator.asend("stop")
            assert active.get() == f"consumer of {name}"

        await asyncio.gather(*(consume(f"n{number}") for number in range(20)))
        assert sorted(map(str, closed)) == sorted(f"n{number}" for number in range(20))

    async def test_closing_an_async_generator_early_runs_its_cleanup_in_its_scope(
        self, active: ActiveRecordings[str]
    ) -> None:
        seen: list[str | None] = []

        async def produce() -> AsyncGenerator[int, None]:
            active.enter("inside")
            try:
                yield 1
                yield 2
            finally:
                await asyncio.sleep(0)
                seen.append(active.get())

        generator = isolate_generator(active, produce)()
        assert await anext(generator) == 1
        await generator.aclose()
        assert (seen, active.get()) == (["inside"], None)

    async def test_cancelling_inside_a_step_reaches_the_generator(
        self, active: ActiveRecordings[str]
    ) -> None:
        seen: list[Any] = []

        async def produce() -> AsyncGenerator[int, None]:
            active.enter("inside")
            try:
                await asyncio.Event().wait()
                yield 1
            except asyncio.CancelledError:
                seen.append(active.get())
                raise

        async def consume() -> None:
            async for _ in isolate_generator(active, produce)():
                pass

        task = asyncio.create_task(consume())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert seen == ["inside"]

    def test_other_functions_are_refused(self, active: ActiveRecordings[str]) -> None:
        with pytest.raises(ValueError, match="not a generator"):
            isolate_generator(active, len)
