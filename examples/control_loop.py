"""A robot's control loop at 200 Hz that keeps its period while the viewer is killed and comes back.

A proxy server stands in for the viewer, so that this runs anywhere; with a viewer it is the same. It is
killed in the middle and started again. Nothing is lost: what was not acknowledged is sent once more.

    python examples/control_loop.py            # ten seconds
    python examples/control_loop.py --seconds 3
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import math
import signal
import sys
import time

import aiorerun as rr

PERIOD = 1 / 200


async def control_loop(rec: rr.AsyncRecordingStream, seconds: float) -> list[float]:
    """The loop: reads its sensors, computes, logs. Returns how late each turn began, in seconds."""
    late: list[float] = []
    start = time.perf_counter()
    for turn in range(round(seconds / PERIOD)):
        due = start + turn * PERIOD
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        late.append(time.perf_counter() - due)
        angle = turn * PERIOD * math.tau
        rec.set_time("turn", sequence=turn)
        # Never waits, whatever the network does.
        rec.log_nowait("robot/joint", rr.Scalars(math.sin(angle)))
        rec.log_nowait("robot/arm", rr.Transform3D(translation=[math.cos(angle), math.sin(angle), 0.0]))
    return late


async def start_server(port: int) -> tuple[asyncio.subprocess.Process, int]:
    """Starts the server; returns its process and port."""
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "aiorerun", "serve", "--port", str(port)), stdout=asyncio.subprocess.PIPE
    )
    assert server.stdout is not None
    async with asyncio.timeout(30):
        # Its first line says where it listens: rerun+http://127.0.0.1:9876/proxy
        line = (await server.stdout.readline()).decode()
    return server, int(line.rsplit(":", 1)[1].split("/")[0])


async def trouble(
    server: asyncio.subprocess.Process, port: int, seconds: float
) -> asyncio.subprocess.Process:
    """Kills the server in the middle of the run, and starts it again somewhat later."""
    await asyncio.sleep(seconds / 3)
    server.send_signal(signal.SIGKILL)
    await server.wait()
    print("The viewer was killed.", flush=True)
    await asyncio.sleep(seconds / 6)
    server, _ = await start_server(port)
    print("It is back.", flush=True)
    return server


async def main(seconds: float) -> None:
    """Runs the loop and the trouble side by side."""
    server, port = await start_server(0)
    try:
        rec = rr.AsyncRecordingStream("aiorerun_example_control_loop", recording_id="control_loop")
        async with rec:
            await rec.connect_grpc(f"rerun+http://127.0.0.1:{port}/proxy")
            await rec.connected(timeout=10)
            restart = asyncio.create_task(trouble(server, port, seconds))
            late = await control_loop(rec, seconds)
            server = await restart
            await rec.connected(timeout=30)
            await rec.flush(acknowledged=True, timeout_sec=30)
            stats = rec.stats()
    finally:
        server.terminate()
        await server.wait()
    late.sort()
    middle, worst = 1e3 * late[len(late) // 2], 1e3 * late[-1]
    print(f"{len(late)} turns; late by {middle:.2f} ms (median), {worst:.2f} ms (worst).")
    print(
        f"{stats.rows_accepted} rows accepted, {stats.rows_delivered} delivered, {stats.rows_dropped} lost."
    )


if __name__ == "__main__":
    # What the connection goes through is logged.
    logging.basicConfig(stream=sys.stdout, format="%(message)s")
    parser = argparse.ArgumentParser(description="A control loop that a lost viewer does not disturb.")
    parser.add_argument("--seconds", type=float, default=10.0)
    asyncio.run(main(parser.parse_args().seconds))
