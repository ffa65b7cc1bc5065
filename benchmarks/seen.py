"""How long it takes until a reader sees what was logged: ``python -m benchmarks.seen``.

One process logs rows with pauses between them, with the low-latency preset of its batcher; another reads.
Between them is the official proxy server (``proxy``), or the server of the SDK that logs (``direct``). The
reader is the same program in all runs, both SDKs take turns.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from benchmarks import runner
from benchmarks.seen_child import ROUTES, SDKS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

ROWS: Final = 500
QUICK_ROWS: Final = 20
_MODULE: Final = [sys.executable, "-m", "benchmarks.seen_child"]


@dataclass(slots=True)
class Seen:
    """The figures of one route, one entry per run of each SDK."""

    route: str
    rows: int
    runs: dict[str, list[runner.Figures]] = field(default_factory=dict)

    def median(self, sdk: str, figure: str) -> float:
        """The median of a figure over the runs of an SDK."""
        return statistics.median(run[figure] for run in self.runs[sdk])

    def share(self, figure: str) -> float:
        """Our time as a part of the official SDK's: the median over the pairs."""
        pairs = zip(self.runs["aiorerun"], self.runs["rerun"], strict=True)
        return statistics.median(ours[figure] / theirs[figure] for ours, theirs in pairs)


def run(sdk: str, route: str, rows: int) -> runner.Figures:
    """One run: how long rows were on their way, in ms."""
    with contextlib.ExitStack() as stack:
        target = stack.enter_context(runner.official_server()) if route == "proxy" else f":{_free_port()}"
        writer = stack.enter_context(_process("write", sdk, route, target, str(rows)))
        assert writer.stdin is not None
        url = _line(writer)
        reader = stack.enter_context(_process("read", url, str(rows)))
        assert _line(reader) == "ready"
        writer.stdin.write("go\n")
        writer.stdin.flush()
        figures: runner.Figures = json.loads(_line(reader))
        writer.stdin.write("end\n")
        writer.stdin.flush()
        if reader.wait(30) or writer.wait(30):
            raise RuntimeError(f"{sdk}, {route}: exit codes {reader.returncode} and {writer.returncode}")
    return figures


def compare(route: str, rows: int, pairs: int) -> Seen:
    """Measures one route with both SDKs."""

    def contender(sdk: str) -> Callable[[], runner.Figures]:
        return lambda: run(sdk, route, rows)

    return Seen(route, rows, runner.in_turn(pairs, {sdk: contender(sdk) for sdk in SDKS}))


def compare_all(pairs: int, quick: bool) -> list[Seen]:
    """Measures everything."""
    return [compare(route, QUICK_ROWS if quick else ROWS, pairs) for route in ROUTES]


@contextlib.contextmanager
def _process(*arguments: str) -> Generator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*_MODULE, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=runner.environment(False),
    )  # fmt: skip
    with process:
        try:
            yield process
        finally:
            process.kill()


def _line(process: subprocess.Popen[str]) -> str:
    """The next line that a process prints."""
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        raise RuntimeError(f"{process.args!r} ended too early")
    return line


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; returns the exit code."""
    from benchmarks import live_report, report

    parser = argparse.ArgumentParser(prog="python -m benchmarks.seen", description=__doc__)
    parser.add_argument("--pairs", type=int, default=5, metavar="N", help="runs of each SDK (default: 5)")
    parser.add_argument("--only", nargs="+", choices=ROUTES, default=ROUTES)
    parser.add_argument("--rows", type=int, default=ROWS, metavar="N", help=f"rows per run (default: {ROWS})")
    parser.add_argument("--quick", action="store_true", help="few rows, one pair: whether everything runs")
    options = parser.parse_args(arguments)
    print(report.machine())
    rows, pairs = (QUICK_ROWS, 1) if options.quick else (options.rows, options.pairs)
    results = [compare(route, rows, pairs) for route in options.only]
    live_report.print_seen(results, has_goal=not options.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
