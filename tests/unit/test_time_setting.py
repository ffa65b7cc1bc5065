"""Setting times: kinds, scopes, tasks, and what happens when the kind of a timeline changes."""

from __future__ import annotations

import asyncio
import contextvars
import datetime as dt
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import aiorerun as rr
from aiorerun import errors
from tests.reading import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mode of a new process."""
    monkeypatch.setattr(errors._Mode, "strict", None)


def stream(recording_id: str = "stream") -> rr.AsyncRecordingStream:
    return rr.AsyncRecordingStream("app", recording_id=recording_id, send_properties=False)


async def times_of(rec: rr.AsyncRecordingStream, memory: rr.MemoryRecording) -> dict[str, int]:
    rec.set_log_tick_enabled(False)
    rec.set_log_time_enabled(False)
    await rec.log("a", rr.Scalars(1.0))
    (row,) = rows_of(await memory.drain_as_bytes())
    return row.times


async def test_kinds() -> None:
    rec = stream("kinds")
    memory = await rec.memory_recording()
    rec.set_time("s", sequence=3)
    rec.set_time("d", duration=1.5)
    rec.set_time("t", timestamp=dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC))
    assert await times_of(rec, memory) == {"s": 3, "d": 1_500_000_000, "t": 1_000_000_000}
    rec.set_time("s", sequence=4)
    rec.disable_timeline("d")
    rec.disable_timeline("unknown")
    assert await times_of(rec, memory) == {"s": 4, "t": 1_000_000_000}
    rec.reset_time()
    assert await times_of(rec, memory) == {}
    await rec.disconnect()


@pytest.mark.parametrize(
    "arguments", [{}, {"sequence": 1, "duration": 2.0}, {"duration": 1.0, "timestamp": 1.0}]
)
def test_exactly_one_value_whatever_the_mode(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="exactly one"):
        stream().set_time("frame", **arguments)
    with pytest.raises(ValueError, match="exactly one"):
        stream().at("frame", **arguments)


async def test_scopes() -> None:
    rec = stream("scopes")
    memory = await rec.memory_recording()
    rec.set_time("kept", sequence=1)
    rec.set_time("frame", sequence=5)
    with rec.at("frame", sequence=6), rec.at("other", duration=np.timedelta64(7, "ns")):
        assert await times_of(rec, memory) == {"kept": 1, "frame": 6, "other": 7}
    assert await times_of(rec, memory) == {"kept": 1, "frame": 5}
    with pytest.raises(KeyError), rec.at("frame", sequence=8):
        raise KeyError
    assert await times_of(rec, memory) == {"kept": 1, "frame": 5}
    await rec.disconnect()


async def test_a_scope_gives_the_former_kind_back() -> None:
    rec = stream("scope-kind")
    memory = await rec.memory_recording()
    rec.set_time("t", sequence=5)
    with pytest.warns(rr.RerunWarning, match="'t' was a sequence"), rec.at("t", duration=1.0):
        assert await times_of(rec, memory) == {"t": 1_000_000_000}
    assert await times_of(rec, memory) == {"t": 5}
    await rec.disconnect()


def now(rec: rr.AsyncRecordingStream) -> dict[str, int]:
    timelines, values = rec._times.get()
    return dict(zip(timelines.positions, values, strict=True))


async def test_one_scope_in_several_tasks() -> None:
    rec = stream("scope-tasks")
    memory = await rec.memory_recording()
    rec.set_log_tick_enabled(False)
    rec.set_log_time_enabled(False)
    scope = rec.at("frame", sequence=1)
    all_are_inside = asyncio.Event()

    async def run(number: int) -> None:
        rec.set_time("frame", sequence=100 + number)
        with scope:
            await rec.log("inside", rr.Scalars(number))
            if number == 2:
                all_are_inside.set()
            await all_are_inside.wait()
        await rec.log("after", rr.Scalars(number))

    with scope:
        await asyncio.gather(*map(run, range(3)))
    assert now(rec) == {}
    rows = rows_of(await memory.drain_as_bytes())
    assert [row.times["frame"] for row in rows if row.path == "/inside"] == [1, 1, 1]
    assert sorted(row.times["frame"] for row in rows if row.path == "/after") == [100, 101, 102]
    await rec.disconnect()


def test_one_scope_in_several_threads() -> None:
    rec = stream("scope-threads")
    scope = rec.at("frame", sequence=1)
    both_are_inside = threading.Barrier(2, timeout=60)

    def run(number: int) -> dict[str, int]:
        rec.set_time("frame", sequence=number)
        with scope:
            both_are_inside.wait()
        both_are_inside.wait()
        return now(rec)

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(run, (5, 6))) == [{"frame": 5}, {"frame": 6}]


@pytest.mark.parametrize("before", [{}, {"frame": 7}])
def test_a_scope_within_itself(before: dict[str, int]) -> None:
    rec = stream("scope-itself")
    for timeline, value in before.items():
        rec.set_time(timeline, sequence=value)
    scope = rec.at("frame", sequence=1)
    with scope:
        rec.set_time("frame", sequence=2)
        with scope, rec.at("other", sequence=3):
            assert now(rec) == {"frame": 1, "other": 3}
        assert now(rec) == {"frame": 2}
    assert now(rec) == before
    with scope:
        assert now(rec) == {"frame": 1}
    assert now(rec) == before


def test_scopes_left_out_of_order_leave_the_others_alone() -> None:
    rec, other = stream("scope-order"), stream("scope-order-other")
    scopes = {
        "first": rec.at("frame", sequence=1),
        "elsewhere": other.at("frame", sequence=2),
        "unrelated": rec.at("step", sequence=3),
        "second": rec.at("frame", sequence=4),
        "third": rec.at("frame", sequence=5),
    }
    for scope in scopes.values():
        scope.__enter__()
    scopes["second"].__exit__(None, None, None)
    assert (now(rec), now(other)) == ({"frame": 5, "step": 3}, {"frame": 2})
    scopes["first"].__exit__(None, None, None)
    assert (now(rec), now(other)) == ({"frame": 5, "step": 3}, {"frame": 2})
    scopes["elsewhere"].__exit__(None, None, None)
    assert (now(rec), now(other)) == ({"frame": 5, "step": 3}, {})
    scopes["third"].__exit__(None, None, None)
    assert now(rec) == {"step": 3}
    scopes["unrelated"].__exit__(None, None, None)
    assert now(rec) == {}


def test_leaving_a_scope_in_another_context_does_nothing() -> None:
    rec = stream("scope-context")
    scope = rec.at("frame", sequence=1)
    scope.__exit__(None, None, None)
    scope.__enter__()
    contextvars.Context().run(scope.__exit__, None, None, None)
    assert now(rec) == {"frame": 1}
    contextvars.copy_context().run(scope.__exit__, None, None, None)
    assert now(rec) == {"frame": 1}
    scope.__exit__(None, None, None)
    assert now(rec) == {}


def test_a_scope_in_generators_that_are_isolated() -> None:
    rec = stream("scope-generators")
    scope = rec.at("frame", sequence=1)

    @rr.recording_stream_generator_ctx
    def produce(number: int) -> Iterator[dict[str, int]]:
        rec.set_time("frame", sequence=number)
        with scope:
            yield now(rec)
        yield now(rec)

    one, other = produce(5), produce(6)
    with scope:
        assert next(one) == next(other) == {"frame": 1}
    assert now(rec) == {}
    assert next(one) == {"frame": 5}
    assert next(other) == {"frame": 6}
    assert now(rec) == {}


def test_a_scope_that_is_refused_was_not_entered() -> None:
    rr.set_strict_mode(True)
    rec = stream("scope-refused")
    rec.set_time("t", sequence=5)
    scope = rec.at("t", duration=1.0)
    with pytest.raises(ValueError, match="'t' was a sequence"), scope:
        pytest.fail("the scope was entered")
    rec.set_time("t", sequence=6)
    scope.__exit__(None, None, None)
    assert now(rec) == {"t": 6}


async def test_streams_of_one_recording_share_their_times() -> None:
    first, second = stream("shared"), stream("shared")
    memory = await second.memory_recording()
    first.set_time("frame", sequence=9)
    assert await times_of(second, memory) == {"frame": 9}
    await second.disconnect()


async def test_tasks_have_times_of_their_own() -> None:
    rec = stream("tasks")
    memory = await rec.memory_recording()
    rec.set_time("frame", sequence=1)

    async def inherit_and_change() -> None:
        await asyncio.sleep(0)
        rec.set_time("frame", sequence=2)
        await asyncio.sleep(0)

    await asyncio.gather(inherit_and_change(), inherit_and_change())
    assert await times_of(rec, memory) == {"frame": 1}
    await rec.disconnect()


async def test_a_changed_kind_is_reported_once_and_never_mixed() -> None:
    rec = stream("changed")
    memory = await rec.memory_recording()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for number in range(4):
            rec.set_time("t", sequence=number)
            await rec.log("a", rr.Scalars(float(number)))
            rec.set_time("t", duration=float(number))
            await rec.log("a", rr.Scalars(float(number)))
    assert [warning.filename for warning in caught] == [__file__]
    assert "use one kind per timeline" in str(caught[0].message)
    rows = sorted(rows_of(await memory.drain_as_bytes()), key=lambda row: row.row_id)
    assert [row.times["t"] for row in rows] == [0, 0, 1, 10**9, 2, 2 * 10**9, 3, 3 * 10**9]
    await rec.disconnect()


def test_a_changed_kind_raises_in_strict_mode() -> None:
    rr.set_strict_mode(True)
    rec = stream("changed-strictly")
    rec.set_time("t", sequence=1)
    with pytest.raises(ValueError, match="'t' was a sequence"):
        rec.set_time("t", timestamp=1.0)
    assert rec._times.get()[1] == (1,)
