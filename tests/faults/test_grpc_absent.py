"""A server that is not there: bounded memory, a loop that goes on, calls as cheap as ever, exact counters."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pytest

import aiorerun as rr
from aiorerun.codec.decoder import read_chunks
from aiorerun.sinks.grpc import GrpcSink
from tests.faults.grpc_servers import as_rrd, read_messages, without_duplicates
from tests.faults.loop_watch import Heartbeat
from tests.faults.test_grpc_restarts import SERVERS, SIGNALS, Server

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiorerun.pipeline.overflow import OverflowPolicy
    from tests.conftest import Sized

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")

LIMIT = 100 << 20
"""Bytes that the stream may hold; two seconds of what is logged."""

REPLAY = 8 << 20
"""Bytes that a sink keeps of what it has sent, while the server was there."""

RATE = 100
"""Images of half a megabyte per second."""

SMALL = 10
"""Small rows for each image."""


class Case(NamedTuple):
    """How the stream and the server are.

    Attributes:
        overflow: The policy of the stream.
        own: The policy of the sink.
        was_there: Whether the server was there before, and has taken something.
        comes: Whether it is there in the end.
    """

    overflow: OverflowPolicy
    own: OverflowPolicy | None = None
    was_there: bool = False
    comes: bool = True


CASES: Final = {
    "drop_oldest": Case("drop_oldest"),
    "wait": Case("wait", comes=False),
    "keep_latest": Case("keep_latest", comes=False),
    "own_policy": Case("wait", own="drop_oldest"),
    "was_there": Case("drop_oldest", was_there=True),
}


@pytest.mark.parametrize(
    "name",
    [
        "drop_oldest",
        "wait",
        "was_there",
        pytest.param("keep_latest", marks=pytest.mark.soak),
        pytest.param("own_policy", marks=pytest.mark.soak),
    ],
)
@pytest.mark.timeout(600)
def test_a_server_that_is_not_there(name: str, sized: Sized) -> None:
    case = CASES[name]
    measured: list[dict[str, Any]] = []
    bytes_held = LIMIT + (REPLAY if case.was_there else 0)
    # The counters must be right every time. The times may be disturbed by what else the machine does, and
    # rows that wait until the worker may run come on top of those that wait for the server.
    for _ in range(3):
        figures = run(name, sized(3, 60))
        print(figures)
        assert 0.5 * LIMIT < figures["grown"] < 1.5 * bytes_held, figures
        measured.append(figures)
        if (
            figures["grown"] <= 1.1 * bytes_held
            and figures["stall_of_ours"] <= 0.020
            and figures["p99_secs"] <= figures["p99_without_secs"] + 50e-6
        ):
            return
    pytest.fail(f"held up the loop or its callers, or took too much memory: {measured}")


def run(name: str, secs: int) -> dict[str, Any]:
    """What a process of its own has measured, which also checks the counters."""
    result = subprocess.run(
        [sys.executable, "-m", __name__, name, str(secs)],
        capture_output=True, text=True, timeout=240, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    figures: dict[str, Any] = json.loads(result.stdout)
    return figures


# --- the process -----------------------------------------------------------------------------


def anonymous_bytes() -> int:
    """Memory of the process that no file is behind."""
    text = Path("/proc/self/status").read_text()
    return int(text.split("RssAnon:")[1].split()[0]) << 10


async def log_nothing(path: str, entity: object) -> None:
    """What a small call is compared with."""


class Load:
    """Logs fifty megabytes per second, and measures each small call beside one that does nothing."""

    def __init__(self, secs: float) -> None:
        random = np.random.default_rng(1)
        # Noise: nothing makes it smaller.
        self._images = [random.integers(0, 256, (334, 500, 3), np.uint8) for _ in range(16)]
        self._turns = round(secs * RATE)
        self.rows = 0
        self.highest = 0
        # They take their memory here, before any is measured.
        self.logged = np.ones(self._turns * SMALL)
        self.nothing = np.ones(self._turns * SMALL)

    async def run(self, log: Callable[[str, Any], Awaitable[None]]) -> None:
        start = time.perf_counter()
        for turn in range(self._turns):
            await asyncio.sleep(max(0.0, start + turn / RATE - time.perf_counter()))
            await log("camera", rr.Image(self._images[turn % len(self._images)]))
            for number in range(SMALL):
                before = time.perf_counter()
                await log_nothing("small", rr.Scalars(float(number)))
                between = time.perf_counter()
                await log("small", rr.Scalars(float(number)))
                self.logged[turn * SMALL + number] = time.perf_counter() - between
                self.nothing[turn * SMALL + number] = between - before
            self.rows += 1 + SMALL
            if turn % 10 == 9:
                self.highest = max(self.highest, anonymous_bytes())


async def warm_up() -> None:
    """Imports everything, and has the worker encode images."""
    with tempfile.TemporaryDirectory() as directory:
        rec = rr.AsyncRecordingStream("warm")
        await rec.save(Path(directory) / "warm.rrd")
        await Load(0.3).run(rec.log)
        await rec.disconnect()


def check(stats: rr.StreamStats, offered: int) -> None:
    """All rows are accounted for, the properties too."""
    assert stats.rows_accepted + stats.rows_refused == offered + 1, stats
    assert stats.rows_accepted == stats.rows_delivered + stats.rows_dropped + stats.rows_pending, stats
    assert sum(stats.reasons.values()) == stats.rows_dropped + stats.rows_refused, stats


async def measure(case: Case, secs: float) -> dict[str, Any]:
    warnings.simplefilter("ignore", rr.RerunWarning)
    server = Server(SERVERS["ours"])
    try:
        return await measure_with(server, case, secs)
    finally:
        server.end(SIGNALS[1])


async def measure_with(server: Server, case: Case, secs: float) -> dict[str, Any]:
    sink = GrpcSink(server.url, overflow=case.own, replay_bytes=REPLAY)
    rec = rr.AsyncRecordingStream(
        "absent", recording_id="absent", max_bytes_in_flight=LIMIT, max_wait=0.05, close_timeout=1.0,
        overflow=case.overflow,
    )  # fmt: skip
    await warm_up()
    if case.was_there:
        server.start()
    await rec.set_sinks(sink)
    first = Load(0.4)
    if case.was_there:
        await leaves(rec, sink, server, first)
    beat = Heartbeat()
    await Load(0.5).run(log_nothing)
    worst_without, _ = await beat.stop()
    load = Load(secs)
    has = anonymous_bytes() - (REPLAY if case.was_there else 0)
    beat = Heartbeat()
    await load.run(rec.log)
    worst, worst_of_ours = await beat.stop()
    offered = first.rows + load.rows
    stats = rec.stats()
    check(stats, offered)
    assert stats.rows_pending > 0, stats
    assert stats.rows_dropped + stats.rows_refused > load.rows // 4, stats
    if case.comes:
        server.start()
        await arrives(rec, sink, server.url)
    await rec.disconnect()
    stats = rec.stats()
    check(stats, offered)
    assert stats.rows_pending == 0, stats
    assert case.comes or stats.rows_delivered == 0, stats
    return {
        "grown": load.highest - has,
        "stall": worst, "stall_of_ours": worst_of_ours.ours, "stall_without": worst_without,
        "p99_secs": float(np.quantile(load.logged, 0.99)),
        "p99_without_secs": float(np.quantile(load.nothing, 0.99)),
        "rows": load.rows, "dropped": stats.rows_dropped, "refused": stats.rows_refused,
        "delivered": stats.rows_delivered, "reasons": stats.reasons,
    }  # fmt: skip


async def leaves(rec: rr.AsyncRecordingStream, sink: GrpcSink, server: Server, load: Load) -> None:
    """A server takes more than is kept of it, and goes away without having confirmed anything."""
    await sink.connected(30)
    await load.run(rec.log)
    await rec.flush()
    stats = rec.stats()
    assert (stats.rows_delivered, stats.rows_pending) == (load.rows + 1, 0), stats
    server.end(SIGNALS[1])


async def arrives(rec: rr.AsyncRecordingStream, sink: GrpcSink, url: str) -> None:
    """There is a server: it gets what waits, and has exactly the rows that are counted."""
    await sink.connected(30)
    await rec.flush(acknowledged=True, timeout_sec=60)
    stats = rec.stats()
    assert stats.rows_pending == 0, stats
    received = without_duplicates(await read_messages(url, lambda _: False))
    rows = sum(batch.num_rows for _, batch in read_chunks(as_rrd(received)))
    assert rows == stats.rows_delivered > 0, (rows, stats)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(CASES[sys.argv[1]], float(sys.argv[2])))))
