"""The sink for users' tests: what it gives back, when it flushes, what a failing test shows."""

from __future__ import annotations

import asyncio
import inspect
import textwrap
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import aiorerun as rr
import aiorerun.sync as blocking
from aiorerun.sync.testing import CaptureSink as BlockingCaptureSink
from aiorerun.testing import CaptureSink


def example_of(thing: Any) -> dict[str, Any]:
    """The names that the example in a docstring defines."""
    documentation = inspect.getdoc(thing)
    assert documentation is not None
    block = documentation.partition("Example::")[2]
    lines = []
    for line in block.splitlines()[1:]:
        if line and not line.startswith(" "):
            break
        lines.append(line)
    names: dict[str, Any] = {}
    exec(textwrap.dedent("\n".join(lines)), names)
    return names


async def test_the_example_in_its_documentation() -> None:
    await example_of(CaptureSink)["test_the_robot_logs_where_it_is"]()


def test_the_example_of_the_blocking_one() -> None:
    example_of(BlockingCaptureSink)["test_the_robot_logs_where_it_is"]()


async def test_what_a_row_says() -> None:
    rec, sink = rr.AsyncRecordingStream("app", recording_id="capture"), CaptureSink()
    await rec.set_sinks(sink)
    rec.set_time("frame", sequence=3)
    rec.set_time("age", duration=1.5)
    rec.set_time("now", timestamp=np.datetime64("2026-01-02T03:04:05", "ns"))
    await rec.log(["a b", 1], rr.Scalars([1.0, 2.0]), rr.TextLog("hello"))
    rec.reset_time()
    await rec.log("map", rr.Scalars(5.0), static=True)
    (row,) = await sink.rows(r"a\ b/1")
    assert row.entity_path == r"/a\ b/1"
    assert row.times == {
        "frame": 3,
        "age": np.timedelta64(1_500_000_000, "ns"),
        "now": np.datetime64("2026-01-02T03:04:05", "ns"),
    }
    assert type(row.times["frame"]) is int
    assert (row.log_tick, row.is_static) == (0, False)
    assert isinstance(row.log_time, np.datetime64)
    assert row["scalars"] == row["Scalars:scalars"] == [1.0, 2.0]
    assert row.values == {"Scalars:scalars": [1.0, 2.0], "TextLog:text": ["hello"]}
    assert row.arrow["Scalars:scalars"].equals(pa.array([1.0, 2.0]))
    with pytest.raises(KeyError, match=r"'colors'; this row of .* has Scalars:scalars, TextLog:text"):
        _ = row["colors"]
    (static,) = await sink.rows("map")
    assert static.is_static
    assert (static.times, static.log_time, static.log_tick) == ({}, None, None)
    assert len(await sink.rows()) == 2, "the properties are left out"
    assert (await sink.rows("/__properties")).values("start_time")
    await rec.disconnect()
    assert len(await sink.rows()) == 2, "it keeps what it has"
    sink.clear()
    assert await sink.rows() == []


async def test_rows_come_in_the_order_of_logging() -> None:
    rec, sink = rr.AsyncRecordingStream("app", recording_id="capture"), CaptureSink()
    await rec.set_sinks(rr.QueuedSink(sink))
    for number in range(100):
        if number % 3:
            await rec.log("a", rr.Scalars(float(number)))
        else:
            await rec.log("a", rr.Scalars(float(number)), rr.TextLog("third"))
    assert (await sink.rows("a")).values("scalars") == [[float(number)] for number in range(100)]
    await rec.disconnect()


async def test_a_failing_test_shows_what_there_is() -> None:
    rec, sink = rr.AsyncRecordingStream("app", recording_id="capture", send_properties=False), CaptureSink()
    await rec.set_sinks(sink)
    assert repr(await sink.rows("a")) == "<no rows at '/a'; rows were logged at: no path at all>"
    assert repr(await sink.rows()) == "<no rows; rows were logged at: no path at all>"
    rec.set_time("frame", sequence=3)
    await rec.log("robot", rr.Scalars(1.0))
    await rec.log("robot", rr.Scalars(2.0), static=True)
    rec.reset_time()
    await rec.log("robot", rr.Scalars(3.0))
    assert repr(await sink.rows("robt")) == "<no rows at '/robt'; rows were logged at: '/robot' (3)>"
    assert repr(await sink.rows("robot")).splitlines() == [
        "[",
        "  </robot at frame=3: Scalars:scalars=[1.0]>,",
        "  </robot at static: Scalars:scalars=[2.0]>,",
        "  </robot at no time: Scalars:scalars=[3.0]>,",
        "]",
    ]
    assert repr(sink) == "CaptureSink(3 rows)"
    await rec.disconnect()


async def test_several_streams_share_one() -> None:
    sink = CaptureSink()
    streams = [rr.AsyncRecordingStream("app", recording_id=f"capture{number}") for number in range(3)]
    for rec in streams:
        await rec.set_sinks(sink)
        await rec.log("a", rr.Scalars(1.0))
    assert len(await sink.rows("a")) == 3
    await asyncio.gather(*(rec.disconnect() for rec in streams))


def test_the_blocking_one_flushes_too() -> None:
    rec, sink = blocking.RecordingStream("app", recording_id="capture"), BlockingCaptureSink()
    rec.set_sinks(sink)
    for number in range(10):
        rec.log("a", rr.Scalars(float(number)))
        assert len(sink.rows("a")) == number + 1
    rec.disconnect()
    assert len(sink.rows("a")) == 10


async def test_the_blocking_one_cannot_wait_for_an_asyncio_stream() -> None:
    rec, sink = rr.AsyncRecordingStream("app", recording_id="capture"), BlockingCaptureSink()
    await rec.set_sinks(sink)
    with pytest.raises(TypeError, match=r"use aiorerun\.testing\.CaptureSink and await rows"):
        sink.rows("a")
    await rec.disconnect()
