"""Setting times: kinds, scopes, tasks, and what happens when the kind of a timeline changes."""

from __future__ import annotations

import asyncio
import datetime as dt
import warnings
from typing import Any

import numpy as np
import pytest

import aiorerun as rr
from aiorerun import errors
from tests.reading import rows_of


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
