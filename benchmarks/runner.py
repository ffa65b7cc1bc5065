"""Starts the processes of a run, in pairs, and collects their figures."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.workloads import IMPORTS, LATENCY, calls

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from benchmarks.workloads import Workload

Figures = dict[str, float]
ROOT = Path(__file__).parents[1]


@dataclass(slots=True)
class Result:
    """The figures of one workload into one sink, one entry per run of each contender."""

    workload: str
    title: str
    sink: str
    rows: int
    goal: float
    runs: dict[str, list[Figures]] = field(default_factory=dict)

    def median(self, contender: str, figure: str) -> float:
        """The median of a figure over the runs of a contender."""
        return statistics.median(run[figure] for run in self.runs[contender])

    def ratio(self, figure: str, contender: str = "aiorerun", peer: str = "rerun") -> float:
        """How many times more the peer needed: the median of the ratios of the pairs."""
        pairs = zip(self.runs[peer], self.runs[contender], strict=True)
        return statistics.median(theirs[figure] / ours[figure] for theirs, ours in pairs)


def environment(log_tick: bool | None) -> dict[str, str]:
    """The variables of a child: no setting of Rerun but the one that is compared."""
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith(("RERUN", "_RERUN"))
    }
    if log_tick is not None:
        variables["RERUN_LOG_TICK"] = "1" if log_tick else "0"
    variables["PYTHONPATH"] = str(ROOT)
    return variables


def run_process(command: Sequence[str], variables: dict[str, str]) -> tuple[str, Figures]:
    """Runs a process to its end; what it printed, and what the system says that it used."""
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output, env=variables, cwd=tempfile.gettempdir())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - start
        output.seek(0)
        printed = output.read()
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)!r} ended with exit code {process.returncode}")
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return printed, {
        "process_s": wall,
        "process_cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_bytes": float(usage.ru_maxrss * unit),
    }


def run_workload(sdk: str, workload: str, sink: str, rows: int, log_tick: bool | None) -> Figures:
    """One run of one workload with one SDK."""
    with _target(sink) as target:
        command = [sys.executable, "-m", "benchmarks.child", sdk, workload, sink, str(rows), target]
        printed, usage = run_process(command, environment(log_tick))
    figures: Figures = json.loads(printed.splitlines()[-1])
    figures.update(usage)
    figures["us_per_call"] = 1e6 * figures["logged_s"] / calls(workload, rows)
    return figures


@contextlib.contextmanager
def _target(sink: str) -> Generator[str]:
    """Where the rows of one run go: a file of its own, or a server of its own that keeps nothing."""
    with tempfile.TemporaryDirectory(prefix="aiorerun-benchmark-") as folder:
        if sink != "grpc":
            yield os.path.join(folder, "recording")
            return
        with official_server() as url:
            yield url


@contextlib.contextmanager
def official_server(memory_limit: str = "0B") -> Generator[str]:
    """The official proxy server in a process of its own; gives its URL."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    command = ["rerun", "--serve-grpc", f"--port={port}", f"--server-memory-limit={memory_limit}"]
    command[0] = str(Path(sys.executable).with_name("rerun"))
    server = subprocess.Popen(
        [*command, "--bind=127.0.0.1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        _wait_for_port(port)
        yield f"rerun+http://127.0.0.1:{port}/proxy"
    finally:
        # The command is a Python script that runs the server as its child.
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"the server did not listen on port {port} within 30 s")


def in_turn(pairs: int, contenders: dict[str, Callable[[], Figures]]) -> dict[str, list[Figures]]:
    """Runs every contender once per pair; each pair in the reverse order of the one before."""
    runs: dict[str, list[Figures]] = {name: [] for name in contenders}
    order = list(contenders)
    for _ in range(pairs):
        for name in order:
            runs[name].append(contenders[name]())
        order.reverse()
    return runs


def compare(workload: Workload, sink: str, pairs: int, quick: bool) -> Result:
    """Measures one workload with the official SDK, with aiorerun, and with other peers it names."""
    rows = workload.quick_rows if quick else workload.rows
    ours = "aiorerun_sync" if workload.name == "threads" else "aiorerun"

    def contender(sdk: str, log_tick: bool | None) -> Callable[[], Figures]:
        return lambda: run_workload(sdk, workload.name, sink, rows, log_tick)

    contenders = {"rerun": contender("rerun", False), "aiorerun": contender(ours, False)}
    if workload is not LATENCY:
        # What a user gets who changes nothing: log_tick is on by default.
        contenders["aiorerun, log_tick on"] = contender(ours, None)
    if sink == "file":
        contenders.update({peer: contender(peer, False) for peer in workload.peers})
    runs = in_turn(pairs, contenders)
    # A run that is too small says nothing about the goal, and the memory sink has none.
    goals = {"file": workload.goal, "grpc": workload.grpc_goal}
    return Result(workload.name, workload.title, sink, rows, 0.0 if quick else goals.get(sink, 0.0), runs)


def compare_imports(pairs: int) -> list[Result]:
    """Measures whole processes that import an SDK and, the second kind, log one row to a file."""
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="aiorerun-benchmark-") as folder:
        target = os.path.join(folder, "recording")

        def contender(code: str) -> Callable[[], Figures]:
            command = [sys.executable, "-c", code, target]
            return lambda: run_process(command, environment(False))[1]

        for title, codes in IMPORTS.items():
            contenders = {sdk: contender(code) for sdk, code in codes.items()}
            in_turn(1, contenders)  # compiles modules and fills the disk cache; not counted
            results.append(Result("import", title, "file", 1, 0.0, in_turn(pairs, contenders)))
    return results
