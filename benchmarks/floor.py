"""What sending rows over gRPC takes at the least: ``python -m benchmarks.floor``.

Beside the CPU of the official SDK and ours, per row, stand two parts that no way of encoding can save: that
of the calls themselves, in the thread that makes them, and that of the kernel for as many bytes over a plain
socket, whose other end is a process that only reads. The best that is possible is the official SDK's CPU
divided by the sum of both; where that is less than the goal, the goal is out of reach.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

from benchmarks import report, runner, workloads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorerun.codec.messages import Message

NAMES: Final = ("scalars", "entities", "transform", "points_1k", "points_100k", "image")

_PIECE: Final = 256 << 10
_READER: Final = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
    buffer = bytearray(1 << 20)
    while connection.recv_into(buffer):
        pass
"""


class _Forgetting:
    """A sink that counts bytes, and does nothing else."""

    def __init__(self) -> None:
        self.nbytes = 0

    async def open(self, context: Any) -> None:
        """Nothing to do."""

    async def write(self, messages: Sequence[Message]) -> None:
        """Counts."""
        self.nbytes += sum(message.nbytes for message in messages)

    async def flush(self) -> None:
        """Nothing to do."""

    async def aclose(self) -> None:
        """Nothing to do."""


async def _log(workload: str, rows: int) -> tuple[float, int]:
    """CPU of the thread that makes the calls, and how many bytes their rows become."""
    import aiorerun as rr
    from aiorerun.engine import jobs
    from benchmarks import data, sdk_aiorerun

    function = sdk_aiorerun.FUNCTIONS[workload]
    values = data.make(workload, rows)
    rec = rr.AsyncRecordingStream("benchmark")
    sink = _Forgetting()
    await rec.set_sinks(sink)
    await function(rec, data.make(workload, 16))
    await rec.flush()
    sink.nbytes = 0
    # All encoding in the worker, whose time does not count here.
    with mock.patch.object(jobs, "QUICK_NS", -1):
        start = time.thread_time()
        await function(rec, values)
        cpu = time.thread_time() - start
        await rec.disconnect()
    return cpu, sink.nbytes


def _send(nbytes: int) -> float:
    """CPU for sending so many bytes over a plain socket."""
    from aiorerun.net.pacing import unpace

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(30)
        port = str(listener.getsockname()[1])
        with subprocess.Popen([sys.executable, "-c", _READER, port]) as reader:
            connection, _ = listener.accept()
            unpace(connection)
            piece = memoryview(bytes(_PIECE))
            start = time.process_time()
            for at in range(0, nbytes, _PIECE):
                connection.sendall(piece[: min(_PIECE, nbytes - at)])
            cpu = time.process_time() - start
            connection.close()
            reader.wait(30)
    return cpu


def child(workload: str, rows: int) -> None:
    """The process that measures both."""
    log, nbytes = asyncio.run(_log(workload, rows))
    print(json.dumps({"log_s": log, "send_s": _send(nbytes), "bytes": nbytes}))


def _floor(workload: str, rows: int) -> runner.Figures:
    command = [sys.executable, "-m", "benchmarks.floor", "--child", workload, str(rows)]
    printed, _ = runner.run_process(command, runner.environment(False))
    figures: runner.Figures = json.loads(printed.splitlines()[-1])
    return figures


def line(workload: workloads.Workload, rows: int, pairs: int) -> str:
    """Measures one workload; a line of the report."""
    runs = runner.in_turn(
        pairs,
        {
            "rerun": lambda: runner.run_workload("rerun", workload.name, "grpc", rows, False),
            "aiorerun": lambda: runner.run_workload("aiorerun", workload.name, "grpc", rows, False),
            "floor": lambda: _floor(workload.name, rows),
        },
    )

    def per_row(contender: str, figure: str) -> float:
        return 1e6 * statistics.median(run[figure] for run in runs[contender]) / rows

    theirs, ours = per_row("rerun", "cpu_s"), per_row("aiorerun", "cpu_s")
    log, send = per_row("floor", "log_s"), per_row("floor", "send_s")
    best = theirs / (log + send)
    verdict = "" if best > workload.grpc_goal else "  (below the goal)"
    return (
        f"{workload.name:12} {theirs:9.2f} {ours:9.2f} {theirs / ours:6.2f}×  goal {workload.grpc_goal:4.1f}×"
        f"  calls {log:8.2f}  kernel {send:8.2f}  possible {best:6.2f}×{verdict}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.floor", description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--quick", action="store_true", help="few rows, one pair: whether it runs")
    parser.add_argument("--child", nargs=2, metavar=("NAME", "ROWS"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        child(options.child[0], int(options.child[1]))
        return
    print(report.machine())
    print("CPU per row in µs: rerun, aiorerun, and parts of ours that cannot be saved", flush=True)
    for workload in workloads.WORKLOADS:
        if workload.name in options.only:
            rows = workload.quick_rows if options.quick else workload.rows
            print(line(workload, rows, 1 if options.quick else options.pairs), flush=True)


if __name__ == "__main__":
    main()
