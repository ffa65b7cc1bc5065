"""What telemetry costs a service under load: ``python -m benchmarks.services``. Needs ``wrk``.

The FastAPI example runs under uvicorn, bare and with the middleware, in two processes, and ``wrk`` asks on
the same machine as fast as it gets answers. What counts is the CPU of the process per request, worker thread
included, and the 99th percentile of the latencies that ``wrk`` has seen.

Virtual machines are slower for a second or two now and then, by a third and more, when their neighbours are
busy. So the two services are asked in turn, a second each, and what counts is the median of the differences
between neighbouring seconds. What all seconds together give stands in brackets.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

LOOPS: Final = ("asyncio", "uvloop")
SINKS: Final = ("file", "dead", "frozen", "slow")
MAX_SHARE: Final = 0.05
"""So much of the CPU of a request may telemetry take,"""
MAX_MICROSECONDS: Final = 15.0
"""or so much, whichever is more."""
MAX_P99_MS: Final = 1.0

_UNITS: Final = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
_ROOT: Final = Path(__file__).parents[1]


@dataclass(slots=True)
class Run:
    """The figures of one process.

    Attributes:
        requests: How many were answered, in each second.
        cpu_us: CPU of the service per request, in µs, in each second. What a request leaves for later counts.
        p99_ms: The 99th percentile of the latencies, in each second.
        peak_mib: The most memory that the process has had.
        report: What the service says itself.
    """

    requests: list[int] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    peak_mib: float = 0.0
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def whole_cpu_us(self) -> float:
        """CPU per request over all seconds."""
        seconds = zip(self.requests, self.cpu_us, strict=True)
        return sum(requests * cpu for requests, cpu in seconds) / sum(self.requests)

    def unaccounted(self) -> int:
        """Requests that neither the counters of the middleware nor those of the recording tell of."""
        told, rows = self.report["requests"], self.report["recording"]
        if rows is None:
            return 0
        missing: int = told["seen"] - told["recorded"] - told["not_sampled"] - told["not_recorded"]
        ended = rows["rows_delivered"] + rows["rows_dropped"] + rows["rows_pending"]
        if rows["rows_accepted"] != ended or rows["rows_accepted"] < told["recorded"]:
            missing += told["recorded"]
        return missing


@dataclass(slots=True)
class Pairs:
    """The runs of one event loop and one sink, bare ones and others."""

    loop: str
    sink: str
    bare: list[Run] = field(default_factory=list)
    recorded: list[Run] = field(default_factory=list)

    def added(self, figure: str) -> float:
        """What telemetry adds to a figure: the median over the seconds of all pairs."""
        pairs = zip(self.bare, self.recorded, strict=True)
        differences: list[float] = [
            ours - bare
            for first, second in pairs
            for bare, ours in zip(getattr(first, figure), getattr(second, figure), strict=True)
        ]
        return statistics.median(differences)

    def median(self, figure: str) -> float:
        """The median of a figure of the bare service."""
        seconds: list[float] = [second for run in self.bare for second in getattr(run, figure)]
        return statistics.median(seconds)

    @property
    def whole_added_us(self) -> float:
        """CPU that telemetry adds to a request: the median over the pairs, each as a whole."""
        pairs = zip(self.bare, self.recorded, strict=True)
        return statistics.median(ours.whole_cpu_us - bare.whole_cpu_us for bare, ours in pairs)

    @property
    def holds(self) -> bool:
        """Whether it is within the goals."""
        allowed = max(MAX_SHARE * self.median("cpu_us"), MAX_MICROSECONDS)
        return self.added("cpu_us") <= allowed and self.added("p99_ms") <= MAX_P99_MS

    def line(self) -> str:
        """One line of the report."""
        unaccounted = sum(run.unaccounted() for run in self.recorded)
        peaks = [max(run.peak_mib for run in runs) for runs in (self.bare, self.recorded)]
        return (
            f"{self.loop:8} {self.sink:7} CPU per request {self.median('cpu_us'):7.1f} µs, "
            f"added {self.added('cpu_us'):+6.1f} µs ({self.whole_added_us:+.1f}); "
            f"p99 {self.median('p99_ms'):6.2f} ms, added {self.added('p99_ms'):+6.2f} ms; "
            f"peak memory {peaks[0]:.0f} → {peaks[1]:.0f} MiB; unaccounted requests: {unaccounted}; "
            f"{'within' if self.holds else 'OUTSIDE'} the goals"
        )


def measure(loop: str, sink: str, seconds: int, connections: int, path: str) -> tuple[Run, Run]:
    """One pair: a bare service, and one with telemetry."""
    with contextlib.ExitStack() as stack:
        asked = [_Asked(stack, loop, kind, connections, path) for kind in ("bare", sink)]
        for second in range(seconds):
            for each in asked if second % 2 else reversed(asked):
                each.ask()
        bare, recorded = (each.finish() for each in asked)
        return bare, recorded


class _Asked:
    """A service that is asked for a second now and then."""

    def __init__(
        self, stack: contextlib.ExitStack, loop: str, sink: str, connections: int, path: str
    ) -> None:
        self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = stack.enter_context(_sink_port(sink))
        self._service, url = stack.enter_context(_service(loop, sink, self._folder, port))
        self._url = url + path
        self._connections = connections
        self._run = Run()
        # CPU at the beginning of each second: what is done between two of them belongs to the first.
        self._marks: list[float] = []
        _wrk(self._url, 1.0, connections)

    def ask(self) -> None:
        """Asks for one second."""
        self._mark()
        text = _wrk(self._url, 1.0, self._connections)
        self._run.requests.append(_requests(text))
        self._run.p99_ms.append(_p99(text))

    def finish(self) -> Run:
        """Ends the service."""
        run = self._run
        # A second later nothing is left to be done.
        time.sleep(1)
        self._mark()
        spans = zip(self._marks, self._marks[1:], run.requests, strict=False)
        run.cpu_us = [(after - before) / requests * 1e6 for before, after, requests in spans]
        self._service.send_signal(signal.SIGTERM)
        self._service.wait(30)
        run.report = json.loads(next(self._folder.glob("report-*.json")).read_text())
        run.peak_mib = run.report["peak_kib"] / 1024
        return run

    def _mark(self) -> None:
        times = self._service.cpu_times()
        self._marks.append(times.user + times.system)


@contextlib.contextmanager
def _sink_port(sink: str) -> Generator[int]:
    """The port of a sink over gRPC: one where nobody listens, or where nobody answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if sink == "frozen":
            listener.listen()
        yield listener.getsockname()[1]


@contextlib.contextmanager
def _service(loop: str, sink: str, folder: Path, port: int) -> Generator[tuple[psutil.Process, str]]:
    """The service in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        own = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "--factory", "benchmarks.services_app:make", "--loop", loop]
    command += ["--port", str(own), "--log-level", "error", "--no-access-log"]
    more = {"BENCHMARK_SINK": sink, "BENCHMARK_FOLDER": str(folder), "BENCHMARK_PORT": str(port)}
    process = psutil.Popen(command, env={**os.environ, **more}, cwd=_ROOT)
    try:
        url = f"http://127.0.0.1:{own}"
        _wait(url)
        yield process, url
    finally:
        if process.is_running():
            process.kill()
            process.wait(10)


def _wait(url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url + "/", timeout=5) as answer:
                answer.read()
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _wrk(url: str, seconds: float, connections: int) -> str:
    command = ["wrk", "-t", "1", "-c", str(connections), "-d", f"{round(seconds)}s", "--latency", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=True)
    if "Non-2xx" in done.stdout:
        raise SystemExit(done.stdout)
    return done.stdout


def _requests(text: str) -> int:
    found = re.search(r"(\d+) requests in", text)
    assert found is not None, text
    return int(found[1])


def _p99(text: str) -> float:
    found = re.search(r"99%\s+([\d.]+)(us|ms|s|m)\b", text)
    assert found is not None, text
    return float(found[1]) * _UNITS[found[2]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.services", description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=20, help="of load for each service of a pair")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--path", default="/items/7")
    parser.add_argument("--loops", nargs="+", choices=LOOPS, default=LOOPS)
    parser.add_argument("--sinks", nargs="+", choices=SINKS, default=SINKS)
    options = parser.parse_args(arguments)
    for loop in options.loops:
        for sink in options.sinks:
            pairs = Pairs(loop, sink)
            for _ in range(options.pairs):
                bare, recorded = measure(loop, sink, options.seconds, options.connections, options.path)
                pairs.bare.append(bare)
                pairs.recorded.append(recorded)
            print(pairs.line(), flush=True)


if __name__ == "__main__":
    main()
