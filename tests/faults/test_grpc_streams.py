"""Recordings whose server is away, dies, comes late or never answers: nobody waits longer than asked for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import aiorerun as rr
from aiorerun.errors import FlushTimeoutError
from aiorerun.sinks.base import SinkUnavailable
from aiorerun.sinks.grpc import ConnectionState, GrpcSink, connection as connection_module
from tests.faults.grpc_servers import (
    OfficialServer,
    Received,
    as_rrd,
    free_port,
    official_server,
    read_messages,
    without_duplicates,
)
from tests.reading import scalars_of
from tests.unit.sinks.grpc.serving import PATIENCE, serving, until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from tests.conftest import Sized

BUSY_SECS = 1.0
"""What things may take longer on a machine that does others as well."""


TIMER_SECS = 0.01
"""What timers of other event loops are early at most: they count in milliseconds."""


class Beat:
    """Watches the event loop.

    Attributes:
        longest: The longest time in which nothing else had its turn.
    """

    def __init__(self) -> None:
        self.longest = 0.0


@contextlib.asynccontextmanager
async def beating() -> AsyncGenerator[Beat]:
    """Looks every few milliseconds whether the loop is free."""
    beat = Beat()

    async def watch() -> None:
        before = time.monotonic()
        while True:
            await asyncio.sleep(0.005)
            now = time.monotonic()
            beat.longest = max(beat.longest, now - before)
            before = now

    task = asyncio.create_task(watch())
    try:
        yield beat
    finally:
        task.cancel()
        await asyncio.wait({task})


@pytest.fixture
def background_errors() -> Iterator[list[dict[str, Any]]]:
    """What asyncio tells about exceptions that nobody has seen."""
    found: list[dict[str, Any]] = []
    yield found
    assert found == []


def watch_background(found: list[dict[str, Any]]) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda _, context: found.append(context))


def stream(url: str, **options: Any) -> tuple[rr.AsyncRecordingStream, GrpcSink]:
    return (
        rr.AsyncRecordingStream("streams", recording_id="s", send_properties=False, **options),
        GrpcSink(url),
    )


async def log_rows(rec: rr.AsyncRecordingStream, first: int, rows: int) -> None:
    for row in range(first, first + rows):
        await rec.log("value", rr.Scalars(float(row)))


async def log_pictures(rec: rr.AsyncRecordingStream, count: int) -> None:
    picture = rr.Image(np.zeros((200, 200, 3), np.uint8))
    for _ in range(count):
        await rec.log("picture", picture)


async def values_at(server: OfficialServer, chunks: int) -> list[float]:
    """The values that a reader gets who waits for so many chunks."""

    def is_enough(received: list[Received]) -> bool:
        return len({each.chunk_id for each in received} - {None}) >= chunks

    received = await read_messages(server.url, is_enough)
    return scalars_of(as_rrd(without_duplicates(received)), "/value")


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name in ("aiorerun", "asyncio")]


# --- nobody is there ---------------------------------------------------------------------------


async def test_check_17_without_a_server_nothing_waits_and_the_loss_is_told(
    caplog: pytest.LogCaptureFixture, background_errors: list[dict[str, Any]]
) -> None:
    watch_background(background_errors)
    caplog.set_level(logging.INFO)
    rec, sink = stream(f"rerun+http://127.0.0.1:{free_port()}/proxy", close_timeout=0.5)
    async with beating() as beat:
        async with rec:
            await rec.set_sinks(sink)
            start = time.monotonic()
            await log_rows(rec, 0, 2000)
            assert time.monotonic() - start < 2000 * 0.001 + BUSY_SECS
            for timeout in (0.3, 0.0, 0.1):
                start = time.monotonic()
                if timeout:
                    with pytest.raises(FlushTimeoutError):
                        await rec.flush(timeout_sec=timeout)
                else:
                    await rec.flush(timeout_sec=timeout)
                assert timeout - TIMER_SECS <= time.monotonic() - start < timeout + BUSY_SECS
            await log_rows(rec, 2000, 10)
            leaving = time.monotonic()
        # Closing the sink may take its limit, and giving up as much again at most.
        assert time.monotonic() - leaving < 2 * 0.5 + BUSY_SECS
    assert beat.longest < 0.3
    stats = rec.stats()
    assert (stats.rows_delivered, stats.rows_dropped, stats.rows_pending) == (0, 2010, 0)
    assert sum(stats.reasons.values()) == 2010
    assert any("2010 rows" in line for line in lines(caplog)), lines(caplog)


async def test_check_17_over_the_limit_only_the_caller_waits() -> None:
    rec, sink = stream(
        f"rerun+http://127.0.0.1:{free_port()}/proxy",
        close_timeout=0.3,
        max_bytes_in_flight=1 << 20,
        max_wait=0.3,
    )
    async with beating() as beat:
        async with rec:
            await rec.set_sinks(sink)
            # Each has 120 kB: soon one has no room, waits as long as it may, and is refused.
            start = time.monotonic()
            with pytest.warns(rr.RerunWarning, match="are refused"):
                await log_pictures(rec, 12)
            assert 0.3 - TIMER_SECS <= time.monotonic() - start < 12 * 0.3 + BUSY_SECS
            leaving = time.monotonic()
        assert time.monotonic() - leaving < 2 * 0.3 + BUSY_SECS
    assert beat.longest < 0.3
    stats = rec.stats()
    assert stats.rows_refused > 0
    assert (stats.rows_dropped + stats.rows_refused, stats.rows_pending) == (12, 0)


# --- it goes away ------------------------------------------------------------------------------


async def test_check_18_a_server_that_is_killed(
    sized: Sized, caplog: pytest.LogCaptureFixture, background_errors: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(connection_module, "UNREACHABLE_SECS", 0.5)
    watch_background(background_errors)
    caplog.set_level(logging.INFO)
    away_secs = sized(2, 30)
    with official_server() as server:
        rec, sink = stream(server.url, close_timeout=0.5)
        async with rec:
            await rec.set_sinks(sink)
            await sink.connected(PATIENCE)
            await log_rows(rec, 0, 100)
            await rec.flush(acknowledged=True)
            server.kill()
            await until(lambda: sink.state is not ConnectionState.CONNECTED)
            await log_rows(rec, 100, 50)
            with pytest.raises(SinkUnavailable):
                await rec.flush(timeout_sec=PATIENCE)
            # Later ones say so at once.
            with pytest.raises(SinkUnavailable):
                await rec.flush(timeout_sec=PATIENCE)
            failed, cpu = sink.status.attempts_failed, time.thread_time()
            async with beating() as beat:
                await asyncio.sleep(away_secs)
            cpu = time.thread_time() - cpu
            # Waits between attempts double from 0.1 s up to 5 s: most of the time nothing happens.
            assert sink.status.attempts_failed - failed <= 6 + away_secs / 2.5
            # The beats themselves take most of it.
            assert cpu < 0.2 * away_secs
            assert beat.longest < 0.3
    stats = rec.stats()
    assert (stats.rows_accepted, stats.rows_pending) == (150, 0)
    assert (stats.rows_delivered, stats.rows_dropped) == (100, 50)
    told = lines(caplog)
    # The connection is lost; the sink takes nothing; it is closed with rows left; and what that costs.
    assert 1 <= len(told) <= 6, told
    assert any("50 rows" in line for line in told), told


async def test_check_18_a_confirmed_flush_that_is_under_way_when_the_server_dies(
    background_errors: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "UNREACHABLE_SECS", 0.3)
    watch_background(background_errors)
    async with serving() as server:
        rec, sink = stream(server.url, close_timeout=0.5)
        async with rec:
            await rec.set_sinks(sink)
            await log_rows(rec, 0, 10)
            server.answers.clear()
            flushing = asyncio.create_task(rec.flush(acknowledged=True, timeout_sec=PATIENCE))
            await until(lambda: len(server.messages) > 1)
            assert not flushing.done()
            await server.die()
            with pytest.raises(SinkUnavailable):
                await flushing


# --- it comes late -----------------------------------------------------------------------------


@pytest.mark.parametrize("is_flushed", [False, True], ids=["quiet", "flushes time out"])
async def test_check_19_a_server_that_comes_late_gets_everything(
    is_flushed: bool, sized: Sized, monkeypatch: pytest.MonkeyPatch
) -> None:
    late_secs = sized(2, 8)
    if late_secs < connection_module.UNREACHABLE_SECS:
        # So that it is late in an ordinary run as well.
        monkeypatch.setattr(connection_module, "UNREACHABLE_SECS", late_secs / 2)
    server = OfficialServer()
    rec, sink = stream(server.url)
    try:
        async with rec:
            await rec.set_sinks(sink)
            start, rows = time.monotonic(), 0
            while time.monotonic() - start < late_secs:
                await log_rows(rec, rows, 20)
                rows += 20
                if is_flushed:
                    with pytest.raises((FlushTimeoutError, SinkUnavailable)):
                        await rec.flush(timeout_sec=0.05)
                await asyncio.sleep(0.1)
            assert sink.state is ConnectionState.CONNECTING
            server.start()
            await sink.connected(PATIENCE)
            await log_rows(rec, rows, 20)
            rows += 20
            await rec.flush(acknowledged=True)
            assert await values_at(server, rec.stats().chunks) == [float(row) for row in range(rows)]
        stats = rec.stats()
        assert (stats.rows_delivered, stats.rows_dropped, stats.rows_pending) == (rows, 0, 0)
    finally:
        server.kill()


# --- it says nothing ---------------------------------------------------------------------------


@pytest.mark.parametrize("reads", [False, True], ids=["does not read", "does not confirm"])
async def test_check_20_a_server_that_never_answers(
    reads: bool, caplog: pytest.LogCaptureFixture, background_errors: list[dict[str, Any]]
) -> None:
    watch_background(background_errors)
    async with serving() as server:
        server.answers.clear()
        if not reads:
            server.reads.clear()
        rec, sink = stream(server.url, close_timeout=0.5)
        await rec.set_sinks(sink)
        await sink.connected(PATIENCE)
        await log_rows(rec, 0, 30)
        if reads:
            await rec.flush(timeout_sec=PATIENCE)
        async with beating() as beat:
            start = time.monotonic()
            await rec.aclose()
            assert 0.5 - TIMER_SECS <= time.monotonic() - start < 2 * 0.5 + BUSY_SECS
        assert beat.longest < 0.3
        assert sink.state is ConnectionState.CLOSED
        assert rec.stats().rows_pending == 0
    told = [line for line in lines(caplog) if "without a confirmation" in line]
    assert len(told) == 1
    assert "30 rows in" in told[0]


async def test_check_20_a_peer_that_says_no_word() -> None:
    """It accepts connections, and that is all."""
    held: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    try:
        port = silent.sockets[0].getsockname()[1]
        rec, sink = stream(f"rerun+http://127.0.0.1:{port}/proxy", close_timeout=0.5)
        await rec.set_sinks(sink)
        await log_rows(rec, 0, 30)
        await until(lambda: bool(held))
        start = time.monotonic()
        await rec.aclose()
        assert 0.5 - TIMER_SECS <= time.monotonic() - start < 2 * 0.5 + BUSY_SECS
        assert sink.state is ConnectionState.CLOSED
        assert (rec.stats().rows_dropped, rec.stats().rows_pending) == (30, 0)
    finally:
        silent.close()
        for writer in held:
            writer.transport.abort()
        await silent.wait_closed()


# --- nothing is sent ---------------------------------------------------------------------------


@pytest.mark.soak
async def test_check_22_an_idle_connection_to_a_server_survives_a_minute() -> None:
    with official_server() as server:
        rec, sink = stream(server.url)
        async with rec:
            await rec.set_sinks(sink)
            await log_rows(rec, 0, 10)
            await rec.flush()
            await asyncio.sleep(60)
            await log_rows(rec, 10, 10)
            await rec.flush(acknowledged=True)
            assert sink.status.connections == 1
            assert await values_at(server, rec.stats().chunks) == [float(row) for row in range(20)]
