"""The hub and its readers: order, bounds, who waits for whom, and who is closed."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import TYPE_CHECKING, Any

import pytest

from aiorerun.net.logmsg import PREFIX, Framed
from aiorerun.server import reader as reader_module
from aiorerun.server.bodies import entry_of_body
from aiorerun.server.entries import Entry, Queue
from aiorerun.server.history import ReplayBuffer
from aiorerun.server.hub import Hub
from aiorerun.server.rpc_error import Code, RpcError
from tests.unit.server.peers import entry, static_chunk, until

if TYPE_CHECKING:
    from aiorerun.server.reader import Reader


def _hub(limit: int | None = None, *, newest_first: bool = False, **options: Any) -> Hub:
    return Hub(ReplayBuffer(limit, newest_first=newest_first), **options)


def _marks(framed: list[Framed]) -> list[str]:
    return [b"".join(map(bytes, one.segments))[PREFIX.size :].decode() for one in framed]


async def _read(reader: Reader, count: int) -> list[str]:
    marks: list[str] = []
    async with asyncio.timeout(5):
        while len(marks) < count:
            marks += _marks(await reader.take())
    return marks


def _named(*names: str, queue: Queue = Queue.DISPOSABLE, size: int = 100) -> list[Entry]:
    return [entry(queue, size, name.encode()) for name in names]


async def test_history_then_what_comes() -> None:
    hub = _hub()
    await hub.publish(_named("a", "b"))
    reader = hub.attach()
    await hub.publish(_named("c"))
    await hub.publish(_named("S", queue=Queue.PERSISTENT))
    assert await _read(reader, 4) == ["a", "b", "c", "S"]
    assert reader.backlog == 0
    await hub.publish(_named("d"))
    assert await _read(reader, 1) == ["d"]
    late = hub.attach()
    assert await _read(late, 5) == ["S", "a", "b", "c", "d"]


async def test_with_the_newest_first_what_comes_overtakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "MAX_TAKEN_MESSAGES", 2)
    hub = _hub(newest_first=True)
    await hub.publish(_named("S", queue=Queue.PERSISTENT))
    await hub.publish(_named("a", "b", "c"))
    reader = hub.attach()
    assert _marks(await reader.take()) == ["S", "c"]
    await hub.publish(_named("live1", "live2"))
    assert await _read(reader, 4) == ["live1", "live2", "b", "a"]


async def test_with_the_oldest_first_it_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "MAX_TAKEN_MESSAGES", 2)
    hub = _hub()
    await hub.publish(_named("a", "b", "c"))
    reader = hub.attach()
    assert _marks(await reader.take()) == ["a", "b"]
    await hub.publish(_named("live1", "live2"))
    assert await _read(reader, 3) == ["c", "live1", "live2"]


async def test_tables_and_messages_have_their_own_readers() -> None:
    hub = _hub()
    await hub.publish(_named("t1", queue=Queue.TABLE))
    await hub.publish(_named("m1"))
    messages, tables = hub.attach(), hub.attach(tables=True)
    await hub.publish(_named("t2", queue=Queue.TABLE))
    await hub.publish(_named("m2"))
    assert await _read(messages, 2) == ["m1", "m2"]
    assert await _read(tables, 2) == ["t1", "t2"]


async def test_readers_share_the_messages() -> None:
    hub = _hub()
    made = _named("a")
    first = hub.attach()
    await hub.publish(made)
    second = hub.attach()
    assert (await first.take())[0] is (await second.take())[0] is made[0].framed


async def test_without_readers_nothing_waits_and_nothing_is_kept_twice() -> None:
    hub = _hub(0, reader_bytes=0)
    for _ in range(1000):
        await hub.publish(_named("a"))
    assert len(hub.history) == 0
    assert hub._logs[False].end == 0


async def test_a_reader_may_be_behind_by_what_is_kept_anyway() -> None:
    hub = _hub(10_000, reader_bytes=0, stall_secs=0.05)
    reader = hub.attach()
    for number in range(100):
        await hub.publish(_named(str(number)))
    assert not reader.dropped.done()
    # One more, and the buffer gives up what the reader still needs.
    await hub.publish(_named("100", "101"))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(hub.publish(_named("102")), 0.02)


async def test_a_reader_that_stands_still_is_closed_and_writers_wait_no_longer_than_allowed() -> None:
    hub = _hub(0, reader_bytes=1000, stall_secs=0.2)
    frozen, other = hub.attach(), hub.attach()
    reading = asyncio.create_task(_read(other, 30))
    longest = 0.0
    for number in range(30):
        start = time.monotonic()
        await hub.publish(_named(str(number)))
        longest = max(longest, time.monotonic() - start)
        await asyncio.sleep(0)
    assert 0.15 < longest < 1.0
    assert await reading == [str(number) for number in range(30)]
    assert frozen.dropped.done()
    assert hub.num_readers == 1
    with pytest.raises(RpcError) as caught:
        await frozen.take()
    assert caught.value.code is Code.RESOURCE_EXHAUSTED


async def test_two_that_stand_still_cost_no_more_than_one() -> None:
    hub = _hub(0, reader_bytes=1000, stall_secs=0.2)
    frozen = [hub.attach(), hub.attach()]
    start = time.monotonic()
    for number in range(30):
        await hub.publish(_named(str(number)))
    assert time.monotonic() - start < 0.38
    assert all(reader.dropped.done() for reader in frozen)


async def test_a_slow_reader_alone_slows_writers_down_and_stays() -> None:
    hub = _hub(0, reader_bytes=1000, stall_secs=0.1)
    reader = hub.attach()
    got: list[str] = []

    async def read_slowly() -> None:
        while len(got) < 60:
            got.extend(_marks(await reader.take()))
            await asyncio.sleep(0.04)

    reading = asyncio.create_task(read_slowly())
    start = time.monotonic()
    for number in range(60):
        await hub.publish(_named(str(number)))
    assert time.monotonic() - start > 0.1
    await asyncio.wait_for(reading, 5)
    assert got == [str(number) for number in range(60)]
    assert not reader.dropped.done()


async def test_a_slow_reader_beside_others_is_closed_when_its_budget_is_spent() -> None:
    hub = _hub(0, reader_bytes=1000, stall_secs=0.2)
    slow, quick = hub.attach(), hub.attach()
    got: list[str] = []

    async def read(reader: Reader, secs: float, marks: list[str]) -> None:
        try:
            while len(marks) < 1000:
                marks += _marks(await reader.take())[:1000]
                await asyncio.sleep(secs)
        except RpcError:
            return

    tasks = [asyncio.create_task(read(slow, 0.04, [])), asyncio.create_task(read(quick, 0, got))]
    start = time.monotonic()
    for number in range(1000):
        await hub.publish(_named(str(number)))
        await asyncio.sleep(0)
    assert time.monotonic() - start < 1.5
    await asyncio.wait_for(asyncio.gather(*tasks), 5)
    assert slow.dropped.done()
    assert got == [str(number) for number in range(1000)]


async def test_bytes_of_a_huge_message_count_as_progress() -> None:
    hub = _hub(0, reader_bytes=1000, stall_secs=0.1)
    reader = hub.attach()
    written = 0
    reader.progress = lambda: written
    await hub.publish(_named("huge", size=100_000))
    publishing = asyncio.create_task(hub.publish(_named("next")))
    for _ in range(8):
        await asyncio.sleep(0.05)
        written += 1000
    assert not reader.dropped.done()
    assert await _read(reader, 1) == ["huge"]
    await asyncio.wait_for(publishing, 5)
    assert await _read(reader, 1) == ["next"]


async def test_a_cancelled_writer_publishes_nothing() -> None:
    hub = _hub(0, reader_bytes=100, stall_secs=5)
    reader = hub.attach()
    await hub.publish(_named("a", "b"))
    publishing = asyncio.create_task(hub.publish(_named("c")))
    await asyncio.sleep(0.02)
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await publishing
    assert await _read(reader, 2) == ["a", "b"]
    await hub.publish(_named("d"))
    assert await _read(reader, 1) == ["d"]


async def test_order_of_writers_that_wait_is_kept() -> None:
    hub = _hub(0, reader_bytes=100, stall_secs=5)
    reader = hub.attach()
    await hub.publish(_named("a", "b"))
    writers = [asyncio.create_task(hub.publish(_named(name))) for name in "cdef"]
    await asyncio.sleep(0.01)
    assert await asyncio.wait_for(_read(reader, 6), 5) == list("abcdef")
    await asyncio.gather(*writers)


async def test_a_reader_that_leaves_lets_writers_go_on() -> None:
    hub = _hub(0, reader_bytes=100, stall_secs=30)
    reader = hub.attach()
    await hub.publish(_named("a", "b"))
    publishing = asyncio.create_task(hub.publish(_named("c")))
    await asyncio.sleep(0.01)
    assert not publishing.done()
    reader.close()
    await asyncio.wait_for(publishing, 1)


async def test_closing() -> None:
    hub = _hub()
    reader, idle = hub.attach(), hub.attach()
    waiting = asyncio.create_task(idle.take())
    await asyncio.sleep(0)
    await hub.publish(_named("a"))
    assert _marks(await waiting) == ["a"]
    hub.close()
    # What is there is still given out, then comes the end.
    assert _marks(await reader.take()) == ["a"]
    assert await reader.take() == []
    assert await idle.take() == []
    with pytest.raises(RpcError, match="UNAVAILABLE"):
        await hub.publish(_named("b"))
    with pytest.raises(RpcError, match="UNAVAILABLE"):
        hub.attach()
    await hub.wait_closed()


async def test_closing_wakes_writers_that_wait() -> None:
    hub = _hub(0, reader_bytes=100, stall_secs=30)
    hub.attach()
    await hub.publish(_named("a", "b"))
    publishing = asyncio.create_task(hub.publish(_named("c")))
    await asyncio.sleep(0.01)
    hub.close()
    with pytest.raises(RpcError, match="UNAVAILABLE"):
        await asyncio.wait_for(publishing, 1)


async def test_small_messages_are_sent_together() -> None:
    hub = _hub()
    reader = hub.attach()
    await hub.publish(_named("first"))
    # A lone one goes at once.
    assert await _read(reader, 1) == ["first"]
    pieces: list[list[str]] = []

    async def read() -> None:
        while sum(map(len, pieces)) < 200:
            pieces.append(_marks(await reader.take()))

    reading = asyncio.create_task(read())
    for number in range(200):
        await hub.publish(_named(str(number), size=1))
        await asyncio.sleep(0)
    await asyncio.wait_for(reading, 5)
    assert [mark for piece in pieces for mark in piece] == [str(number) for number in range(200)]
    assert len(pieces) < 50


async def test_static_data_that_is_replaced_goes_when_there_is_too_much() -> None:
    bodies = [static_chunk("/a", row, {"x": [bytes(4000)]}) for row in range(1, 41)]
    hub = _hub(50_000)
    for body in bodies:
        await hub.publish([entry_of_body(body)])
        if hub._compaction is not None:
            await asyncio.wait({hub._compaction})
    assert not hub.history.has_too_much_static
    reader = hub.attach()
    got = await reader.take()
    # The newest is there, and most are not.
    assert b"".join(map(bytes, got[-1].segments))[PREFIX.size :] == bodies[-1]
    assert len(got) < 15


async def test_a_failure_to_look_into_static_data_is_not_repeated_with_each_message(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = _hub(10_000)

    def fail(snapshot: object) -> None:
        raise MemoryError

    monkeypatch.setattr(hub._superseded, "compact", fail)
    for number in range(100):
        await hub.publish(_named(str(number), queue=Queue.STATIC, size=1000))
        if hub._compaction is not None:
            await asyncio.wait({hub._compaction})
    assert len(hub.history) == 100
    # Once per half of the limit.
    assert 15 < sum("could not be looked into" in record.message for record in caplog.records) < 20


async def test_static_data_alone_over_the_limit_stays_with_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bodies = [static_chunk(f"/{row}", row, {"x": [bytes(4000)]}) for row in range(1, 41)]
    hub = _hub(50_000)
    await hub.publish(_named("temporal"))
    for body in bodies:
        await hub.publish([entry_of_body(body)])
        if hub._compaction is not None:
            await asyncio.wait({hub._compaction})
    assert len(hub.history) == len(bodies)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "server_memory_limit" in caplog.text
    hub.close()
    await hub.wait_closed()


async def test_static_data_that_comes_faster_than_it_is_looked_into_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub = _hub(1000, reader_bytes=500)
    go_on = asyncio.Event()

    async def slow(function: Any, *arguments: Any) -> Any:
        await go_on.wait()
        return function(*arguments)

    monkeypatch.setattr(asyncio, "to_thread", slow)
    await hub.publish(_named(*map(str, range(11)), queue=Queue.STATIC))
    assert hub._compaction is not None
    await hub.publish(_named(*map(str, range(11, 20)), queue=Queue.STATIC))
    publishing = asyncio.create_task(hub.publish(_named("20", queue=Queue.STATIC)))
    await asyncio.sleep(0.01)
    assert not publishing.done()
    go_on.set()
    await asyncio.wait_for(publishing, 5)
    assert len(hub.history) == 21


async def test_many_messages_give_way_little_by_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiorerun.server.history.EVICTED_AT_ONCE", 10)
    hub = _hub(20_000)
    await hub.publish(_named(*map(str, range(200))))
    await hub.publish(_named("huge", size=100_000))
    await hub.publish(_named("next"))
    assert len(hub.history) > 100
    await until(lambda: len(hub.history) == 1)
    hub.close()


async def test_a_replay_of_a_large_history_takes_no_memory_and_does_not_hold_up_the_loop(sized: Any) -> None:
    count, size = sized(100_000, 1_000_000), 1000
    body = bytes(size - 5)
    hub = _hub()
    for _ in range(count // 1000):
        await hub.publish([Entry(Framed((body,), size), Queue.DISPOSABLE) for _ in range(1000)])
    gc.collect()
    gc.freeze()
    try:
        start = time.thread_time()
        readers = [hub.attach() for _ in range(10)]
        assert (time.thread_time() - start) / 10 < 0.01
        total = longest = 0
        reader = readers[0]
        while total < count:
            begin = time.thread_time_ns()
            taken = await reader.take()
            longest = max(longest, time.thread_time_ns() - begin)
            total += len(taken)
            assert taken[0].segments[0] is body
        assert longest < 20_000_000
    finally:
        gc.unfreeze()


async def test_a_reader_of_what_there_is_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "MAX_TAKEN_MESSAGES", 2)
    hub = _hub()
    await hub.publish(_named("a", "b", "c"))
    reader = hub.attach(live=False)
    await hub.publish(_named("d"))
    assert await _read(reader, 3) == ["a", "b", "c"]
    assert reader.backlog == 0
    assert await asyncio.wait_for(reader.take(), 5) == []
    reader.close()
    empty = _hub(0, newest_first=True).attach(live=False)
    assert await asyncio.wait_for(empty.take(), 5) == []


async def test_all_readers_end_and_others_may_come() -> None:
    hub = _hub()
    readers = [hub.attach(), hub.attach(tables=True)]
    waiting = asyncio.create_task(readers[0].take())
    await asyncio.sleep(0)
    hub.end_readers("the service is ending")
    for take in (waiting, readers[1].take()):
        with pytest.raises(RpcError, match="UNAVAILABLE: the service is ending"):
            await asyncio.wait_for(take, 5)
    await hub.publish(_named("a"))
    assert await _read(hub.attach(), 1) == ["a"]
