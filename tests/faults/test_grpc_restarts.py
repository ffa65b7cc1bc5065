"""The official server, killed and started again in the middle: no row is lost that is not counted."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

import aiorerun as rr
from aiorerun.sinks.base import SinkUnavailable
from aiorerun.sinks.grpc import GrpcSink
from aiorerun.sinks.grpc.supply import LOST_WITH_CONNECTION
from tests.faults.grpc_servers import as_rrd, official_server, read_messages, without_duplicates
from tests.reading import scalars_of
from tests.unit.sinks.grpc.serving import is_empty

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Sized
    from tests.faults.grpc_servers import OfficialServer

WAIT = 30.0


def stream(name: str) -> rr.AsyncRecordingStream:
    return rr.AsyncRecordingStream("restarts", recording_id=name, send_properties=False)


async def rows_at(url: str, expected: int) -> list[float]:
    """The values that a reader gets, duplicates left out."""
    received = without_duplicates(await read_messages(url, lambda _: False))
    values = scalars_of(as_rrd(received), "/value")
    assert len(set(values)) == len(values)
    assert len(values) <= expected
    return values


async def log_through_restarts(
    rec: rr.AsyncRecordingStream, sink: GrpcSink, server: OfficialServer, rows: int, restarts: int
) -> None:
    """Logs rows while the server is killed and started."""
    for row in range(rows):
        await rec.log("value", rr.Scalars(float(row)))
        if row % 20 == 19:
            try:
                await rec.flush()
            except ConnectionError:
                await asyncio.sleep(0.05)
            await asyncio.sleep(0)
        if row % (rows // restarts) == rows // restarts // 2:
            # In the middle of a burst, as a rule with messages under way.
            server.kill()
            server.start()
    await sink.connected(WAIT)


@pytest.mark.timeout(600)
async def test_with_room_for_everything_every_row_is_there_exactly_once(
    sized: Sized, caplog: pytest.LogCaptureFixture
) -> None:
    rows, restarts = sized(5_000, 50_000), sized(10, 30)
    caplog.set_level(logging.INFO)
    with official_server() as server:
        sink = GrpcSink(server.url, replay_bytes=1 << 30)
        rec = stream("all")
        await rec.set_sinks(sink)
        await log_through_restarts(rec, sink, server, rows, restarts)
        await rec.flush()
        assert sorted(await rows_at(server.url, rows)) == [float(row) for row in range(rows)]
        await rec.disconnect()
        stats = rec.stats()
        assert (stats.rows_delivered, stats.rows_dropped, stats.rows_pending) == (rows, 0, 0)
    assert sink.status.connections > restarts // 2
    assert sink.status.rows_replayed >= rows // restarts // 2
    lines = [record.getMessage() for record in caplog.records if record.name in ("aiorerun", "asyncio")]
    assert not any("socket.send() raised exception" in line for line in lines)
    # At most the end and the return of each connection, and of each time in which nothing was taken.
    assert len(lines) <= 4 * restarts + 4, lines


@pytest.mark.timeout(600)
async def test_what_is_on_disk_is_there_exactly_once_too(sized: Sized, tmp_path: Path) -> None:
    rows, restarts = sized(3_000, 50_000), sized(5, 30)
    with official_server() as server:
        sink = GrpcSink(server.url, spill_dir=tmp_path)
        rec = stream("spilled")
        await rec.set_sinks(sink)
        await log_through_restarts(rec, sink, server, rows, restarts)
        await rec.flush()
        assert sorted(await rows_at(server.url, rows)) == [float(row) for row in range(rows)]
        await rec.disconnect()
        stats = rec.stats()
        assert (stats.rows_delivered, stats.rows_dropped, stats.rows_pending) == (rows, 0, 0)
    assert is_empty(tmp_path)


@pytest.mark.timeout(600)
async def test_with_a_small_outbox_the_counter_says_how_many_rows_are_missing(sized: Sized) -> None:
    rows, restarts = sized(3_000, 50_000), sized(6, 30)
    with official_server() as server:
        sink = GrpcSink(server.url, replay_bytes=20_000)
        rec = stream("some")
        await rec.set_sinks(sink)
        await log_through_restarts(rec, sink, server, rows, restarts)
        await rec.flush()
        there = await rows_at(server.url, rows)
        await rec.disconnect()
        stats = rec.stats()
    assert stats.reasons.get(LOST_WITH_CONNECTION, 0) == rows - len(there) > 0
    assert stats.rows_dropped == rows - len(there)
    assert stats.rows_delivered == len(there)


@pytest.mark.timeout(600)
async def test_only_confirmed_rows_may_be_missing_from_a_server_that_has_lost_its_memory(
    sized: Sized,
) -> None:
    rows = sized(1_500, 20_000)
    confirmed = 0
    with official_server() as server:
        sink = GrpcSink(server.url)
        rec = stream("confirmed")
        await rec.set_sinks(sink)
        for row in range(rows):
            await rec.log("value", rr.Scalars(float(row)))
            if row % 100 == 99:
                try:
                    await rec.flush(acknowledged=True)
                    confirmed = row + 1
                except SinkUnavailable:
                    await asyncio.sleep(0.05)
            if row % (rows // 5) == rows // 10:
                await rec.flush()
                server.kill()
                server.start()
        await sink.connected(WAIT)
        await rec.flush()
        there = set(await rows_at(server.url, rows))
        await rec.disconnect()
    assert confirmed > 0
    assert {float(row) for row in range(confirmed, rows)} <= there
    assert rec.stats().rows_dropped == 0
