"""The command ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import live_report, report, runner, seen, transport
from benchmarks.workloads import LATENCY, SINKS, WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMES = [workload.name for workload in WORKLOADS] + [LATENCY.name, "seen", "transport", "import"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints, and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--pairs", type=int, default=5, metavar="N", help="runs of each SDK (default: 5)")
    parser.add_argument("--only", nargs="+", choices=_NAMES, metavar="NAME", help=f"of: {', '.join(_NAMES)}")
    parser.add_argument("--sinks", nargs="+", choices=SINKS, default=SINKS)
    parser.add_argument("--quick", action="store_true", help="few rows, one pair: whether everything runs")
    parser.add_argument("--markdown", action="store_true", help="write the tables into README.md")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures of all runs to a file")
    options = parser.parse_args(arguments)
    if options.markdown and (options.only or options.quick or len(options.sinks) < len(SINKS)):
        parser.error("--markdown needs the full run: no --only, --quick or --sinks")
    if options.pairs < 1:
        parser.error("--pairs must be at least 1")

    chosen = set(options.only or _NAMES)
    pairs = 1 if options.quick else options.pairs
    print(report.machine())
    print(report.versions(), flush=True)
    results: list[runner.Result] = []
    for workload in WORKLOADS:
        for sink in workload.sinks:
            if workload.name in chosen and sink in options.sinks:
                results.append(runner.compare(workload, sink, pairs, options.quick))
                report.print_result(results[-1])
                sys.stdout.flush()
    latency = runner.compare(LATENCY, "file", pairs, options.quick) if LATENCY.name in chosen else None
    if latency is not None:
        report.print_latency(latency)
    live = live_report.Live(
        seen.compare_all(pairs, options.quick) if "seen" in chosen else [],
        transport.compare_all(pairs, options.quick) if "transport" in chosen else [],
    )
    live_report.print_all(live, has_goal=not options.quick)
    sys.stdout.flush()
    imports = runner.compare_imports(pairs) if "import" in chosen else []
    for result in imports:
        report.print_import(result)
    if options.json is not None:
        everything: list[Any] = [
            *results,
            *([] if latency is None else [latency]),
            *live.seen,
            *live.transport,
            *imports,
        ]
        options.json.write_text(
            json.dumps([asdict(result) for result in everything], indent=1), encoding="utf-8"
        )
    if options.markdown:
        report.update_readme(report.markdown(results, latency, live, imports))
        print(f"\n{report.README.name} is up to date.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
