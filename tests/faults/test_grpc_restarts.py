"""A server, ended and started again in the middle: no row is lost uncounted, and none is doubled."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Final

import pytest

import aiorerun as rr
from aiorerun.sinks.base import SinkUnavailable
from aiorerun.sinks.grpc import ConnectionState, GrpcSink
from aiorerun.sinks.grpc.supply import LOST_WITH_CONNECTION
from tests.faults.grpc_servers import as_rrd, free_port, official_program, read_messages, without_duplicates
from tests.reading import rerun_cli, scalars_of
from tests.unit.server.official import interrupted, saving
from tests.unit.sinks.grpc.serving import is_empty, until

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from tests.conftest import Sized

WAIT = 30.0

SERVERS: Final = {
    "official": (official_program(), "--serve-grpc"),
    "ours": (sys.executable, "-m", "aiorerun", "serve"),
}

# On Windows both are the same.
SIGNALS: Final = (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM))


class Server:
    """A server process, on one port through all its lives. Its methods block."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self.port = free_port()
        self._command = (*command, "--port", str(self.port), "--server-memory-limit", "1GB")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"rerun+http://127.0.0.1:{self.port}/proxy"

    def start(self) -> None:
        """Starts it, and does not wait until it listens."""
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(WAIT)
        finally:
            process.kill()
            process.wait(WAIT)

    def restart(self, number: signal.Signals) -> None:
        self.end(number)
        self.start()


@pytest.fixture(params=sorted(SERVERS))
def server(request: pytest.FixtureRequest) -> Generator[Server]:
    server = Server(SERVERS[request.param])
    server.start()
    try:
        yield server
    finally:
        server.end(SIGNALS[1])


def stream(name: str) -> rr.AsyncRecordingStream:
    return rr.AsyncRecordingStream("restarts", recording_id=name, send_properties=False)


async def rows_at(url: str, expected: int) -> list[float]:
    """The values that a reader gets, duplicates left out."""
    received = without_duplicates(await read_messages(url, lambda _: False))
    values = scalars_of(as_rrd(received), "/value")
    assert len(set(values)) == len(values)
    assert len(values) <= expected
    return values


async def merged_rows(url: str, expected: int, directory: Path) -> list[float]:
    """The values in the store of the official program that has read everything, sorted."""
    raw, merged = directory / "raw.rrd", directory / "merged.rrd"

    def size() -> int:
        return raw.stat().st_size if raw.exists() else 0

    def grew(before: int) -> bool:
        return size() != before

    async with saving(url, raw) as reader, asyncio.timeout(4 * WAIT):
        has = -1
        while len(await asyncio.to_thread(values_in, raw)) < expected:
            # It is on its way, or was not written yet.
            await until(partial(grew, has), 2 * WAIT)
            while grew(has):
                has = size()
                await asyncio.sleep(0.5)
        await interrupted(reader)
    done = await asyncio.to_thread(rerun_cli, "rrd", "merge", raw, "-o", merged)
    assert done.returncode == 0, done.stderr
    return sorted(await asyncio.to_thread(scalars_of, merged, "/value"))


def values_in(path: Path) -> set[float]:
    """The values in a file that may end in the middle of a message."""
    from aiorerun.codec.errors import RrdError

    with contextlib.suppress(RrdError, FileNotFoundError):
        return set(scalars_of(path, "/value"))
    return set()


class Trouble:
    """Ends and starts the server again and again, in turns politely and not, always within a connection."""

    def __init__(self, server: Server, sink: GrpcSink) -> None:
        self._server = server
        self._sink = sink
        self._restart: asyncio.Task[None] | None = None
        self.restarts = 0

    async def again(self) -> None:
        """Waits until the last one is over, and begins the next."""
        await self.end()
        number = SIGNALS[self.restarts % 2]
        self.restarts += 1
        self._restart = asyncio.create_task(asyncio.to_thread(self._server.restart, number))

    async def end(self) -> None:
        """Waits until the server is back."""
        if self._restart is not None:
            await self._restart
        await until(lambda: self._sink.status.connections > self.restarts, WAIT)
        await self._sink.connected(WAIT)


async def log_through_restarts(
    rec: rr.AsyncRecordingStream, sink: GrpcSink, server: Server, rows: int, restarts: int
) -> None:
    """Logs rows while the server is ended and started."""
    trouble = Trouble(server, sink)
    every = rows // restarts
    for row in range(rows):
        await rec.log("value", rr.Scalars(float(row)))
        if row % 20 == 19:
            if sink.state is ConnectionState.CONNECTED:
                with contextlib.suppress(ConnectionError):
                    await rec.flush()
            else:
                # Some rows come while nobody is there, others when somebody is again.
                await asyncio.sleep(0.02)
        if row % every == every // 2:
            # In the middle of a burst, as a rule with messages under way.
            await trouble.again()
    await trouble.end()
    assert trouble.restarts == restarts


@pytest.mark.timeout(1200)
async def test_with_room_for_everything_every_row_is_there_exactly_once(
    server: Server, sized: Sized, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows, restarts = sized(3_000, 50_000), sized(3, 30)
    caplog.set_level(logging.INFO)
    sink = GrpcSink(server.url, replay_bytes=1 << 30)
    rec = stream("all")
    await rec.set_sinks(sink)
    await log_through_restarts(rec, sink, server, rows, restarts)
    await rec.flush()
    everything = [float(row) for row in range(rows)]
    assert sorted(await rows_at(server.url, rows)) == everything
    assert await merged_rows(server.url, rows, tmp_path) == everything
    await rec.disconnect()
    stats = rec.stats()
    assert (stats.rows_delivered, stats.rows_dropped, stats.rows_pending) == (rows, 0, 0)
    assert sink.status.connections > restarts
    assert sink.status.rows_replayed >= rows // restarts // 2
    lines = [record.getMessage() for record in caplog.records if record.name in ("aiorerun", "asyncio")]
    assert not any("socket.send() raised exception" in line for line in lines)
    # At most the end and the return of each connection, and of each time in which nothing was taken.
    assert len(lines) <= 4 * restarts + 4, lines


@pytest.mark.timeout(1200)
async def test_what_is_on_disk_is_there_exactly_once_too(
    server: Server, sized: Sized, tmp_path: Path
) -> None:
    rows, restarts = sized(2_000, 50_000), sized(2, 30)
    spill = tmp_path / "spill"
    sink = GrpcSink(server.url, spill_dir=spill)
    rec = stream("spilled")
    await rec.set_sinks(sink)
    await log_through_restarts(rec, sink, server, rows, restarts)
    await rec.flush()
    assert sorted(await rows_at(server.url, rows)) == [float(row) for row in range(rows)]
    await rec.disconnect()
    stats = rec.stats()
    assert (stats.rows_delivered, stats.rows_dropped, stats.rows_pending) == (rows, 0, 0)
    assert is_empty(spill)


@pytest.mark.timeout(1200)
async def test_with_a_small_outbox_the_counter_says_how_many_rows_are_missing(
    server: Server, sized: Sized
) -> None:
    rows, restarts = sized(2_000, 50_000), sized(2, 30)
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


@pytest.mark.timeout(1200)
async def test_only_confirmed_rows_may_be_missing_from_a_server_that_has_lost_its_memory(
    server: Server, sized: Sized
) -> None:
    rows, restarts = sized(1_000, 50_000), sized(2, 30)
    confirmed = 0
    sink = GrpcSink(server.url)
    trouble = Trouble(server, sink)
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
        if row % (rows // restarts) == rows // restarts // 2:
            await rec.flush()
            await trouble.again()
    await trouble.end()
    await rec.flush()
    there = set(await rows_at(server.url, rows))
    await rec.disconnect()
    assert confirmed > 0
    missing = {float(row) for row in range(rows)} - there
    assert missing
    assert max(missing) < confirmed
    assert rec.stats().rows_dropped == 0
