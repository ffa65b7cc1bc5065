"""The parts of the demo that the system decides about: refusals, missing counters, a late event loop."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

import aiorerun as rr
from aiorerun.demo.samplers import RecordingHandler, Samplers
from tests.reading import rows_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def rec() -> AsyncIterator[rr.AsyncRecordingStream]:
    async with rr.AsyncRecordingStream("demo", recording_id="samplers", send_properties=False) as stream:
        yield stream


async def test_a_sampler_that_the_system_refuses_ends_alone(
    rec: rr.AsyncRecordingStream, caplog: pytest.LogCaptureFixture
) -> None:
    async def processes() -> None:
        raise psutil.AccessDenied(1)

    await Samplers(rec)._guard(processes)
    assert "processes: nothing more is recorded" in caplog.text


async def test_traffic_that_is_not_counted_is_said_once(
    rec: rr.AsyncRecordingStream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await Samplers(rec)._rates("network", lambda: None, ("bytes_sent",))
    assert "this system counts no network traffic" in caplog.text


@pytest.mark.may_block
async def test_a_late_event_loop_is_told_of(
    rec: rr.AsyncRecordingStream, caplog: pytest.LogCaptureFixture
) -> None:
    memory = await rec.memory_recording()
    watching = asyncio.create_task(Samplers(rec).loop_lag())
    while "late" not in caplog.text:
        await asyncio.sleep(0.001)
        time.sleep(0.2)  # noqa: ASYNC251 - on purpose
    watching.cancel()
    rows = rows_of(await memory.drain_as_bytes())
    assert max(row.values["Scalars:scalars"][0] for row in rows) > 50


async def test_the_recordings_own_complaints_do_not_come_back(rec: rr.AsyncRecordingStream) -> None:
    memory = await rec.memory_recording()
    handler = RecordingHandler(rec)
    for name in ("aiorerun", "aiorerun.sinks", "program"):
        handler.handle(logging.LogRecord(name, logging.WARNING, "", 0, "a %s", ("text",), None))
    rows: list[Any] = rows_of(await memory.drain_as_bytes())
    assert [row.path for row in rows] == ["/logs/program"]
    assert rows[0].values == {"TextLog:text": ["a text"], "TextLog:level": ["WARN"]}
