"""A control loop that logs: nothing of ours holds it up while its server is ended and started."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import aiorerun as rr
from aiorerun.sinks.grpc import GrpcSink
from tests.faults.loop_watch import Heartbeat, collection_secs, long_steps
from tests.faults.test_grpc_restarts import SERVERS, SIGNALS, Server
from tests.unit.sinks.grpc.serving import until

if TYPE_CHECKING:
    from tests.conftest import Sized

PERIOD = 1 / 200
LIMIT = 0.020
"""Seconds that one step of ours may hold the loop."""


@pytest.mark.parametrize("kind", sorted(SERVERS))
@pytest.mark.timeout(900)
def test_no_step_of_ours_holds_the_loop(kind: str, sized: Sized) -> None:
    measured: list[dict[str, Any]] = []
    # The counters must be right every time; the times may be disturbed by whatever else the machine does.
    for _ in range(3):
        figures = run(kind, sized(4, 60), sized(2, 15))
        print(figures)
        assert figures["delivered"] == figures["accepted"], figures
        assert figures["connections"] > figures["restarts"] > 0, figures
        assert figures["replayed"] > 0, figures
        measured.append(figures)
        if max(figures["worst_step"], figures["collection_of_ours"], figures["worst_of_ours"]) <= LIMIT:
            return
    pytest.fail(f"the loop was held up: {measured}")


def run(kind: str, secs: int, restarts: int) -> dict[str, Any]:
    """What a process of its own has measured: without pytest's debug mode and detectors."""
    result = subprocess.run(
        [sys.executable, "-m", __name__, kind, str(secs), str(restarts)],
        capture_output=True, text=True, timeout=240, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    figures: dict[str, Any] = json.loads(result.stdout)
    return figures


async def control_loop(rec: rr.AsyncRecordingStream, seconds: float) -> list[float]:
    """Logs at a steady rate; returns how late each turn began."""
    random = np.random.default_rng(1)
    images = [rr.Image(random.integers(0, 256, (334, 500, 3), np.uint8)) for _ in range(8)]
    late: list[float] = []
    start = time.perf_counter()
    for turn in range(round(seconds / PERIOD)):
        due = start + turn * PERIOD
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        late.append(time.perf_counter() - due)
        rec.set_time("turn", sequence=turn)
        rec.log_nowait("robot/joint", rr.Scalars(float(turn)))
        rec.log_nowait("robot/arm", rr.Transform3D(translation=[1.0, 2.0, 3.0]))
        if turn % 20 == 0:
            rec.log_nowait("robot/camera", images[turn // 20 % len(images)])
    return late


def trouble(server: Server, sink: GrpcSink, restarts: int, stop: threading.Event, secs: float) -> None:
    """Ends and starts the server, in turns politely and not, always within a connection."""
    for number in range(restarts):
        stop.wait(secs / (restarts + 1))
        while sink.status.connections <= number and not stop.is_set():
            stop.wait(0.01)
        server.end(SIGNALS[number % 2])
        stop.wait(0.2)
        server.start()


async def measure(kind: str, secs: float, restarts: int) -> dict[str, Any]:
    """Runs a control loop and the trouble side by side."""
    server = Server(SERVERS[kind])
    server.start()
    stop = threading.Event()
    sink = GrpcSink(server.url, replay_bytes=1 << 30)
    rec = rr.AsyncRecordingStream("period", recording_id=kind)
    troubling = threading.Thread(target=trouble, args=(server, sink, restarts, stop, secs))
    try:
        await rec.set_sinks(sink)
        await sink.connected(30)
        # What is first used here is imported here, which is not what this is about.
        await control_loop(rec, 0.2)
        collection = collection_secs()
        with long_steps(0.005) as found:
            beat = Heartbeat()
            troubling.start()
            late = await control_loop(rec, secs)
            await until(lambda: not troubling.is_alive(), 60)
            await until(lambda: sink.status.connections > restarts, 60)
            await sink.connected(60)
            await rec.flush(acknowledged=True, timeout_sec=60)
            worst, worst_of_ours = await beat.stop()
        status, stats = sink.status, rec.stats()
        await rec.disconnect()
    finally:
        stop.set()
        if troubling.is_alive():
            troubling.join(60)
        server.end(SIGNALS[1])
    late.sort()
    return {
        "steps": sorted(found.steps, reverse=True)[:5],
        "worst_step": max((step.cpu for step in found.steps), default=0.0),
        # Most of what the collector looks at are the modules of numpy and pyarrow.
        "collection_of_ours": max(found.collections, default=0.0) - collection,
        "worst": worst, "worst_of_ours": worst_of_ours.ours,
        "late_median": late[len(late) // 2], "late_worst": late[-1],
        "connections": status.connections, "restarts": restarts, "replayed": status.rows_replayed,
        "accepted": stats.rows_accepted, "delivered": stats.rows_delivered,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))))
