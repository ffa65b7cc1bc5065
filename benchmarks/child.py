"""The process of one run: logs one workload with one SDK and prints what it measured as JSON.

What counts begins after imports, the making of the data and a warm-up of some rows into another sink (SDKs
import on first use what they need): CPU of all threads and the time that passes, until the sink is closed.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from benchmarks import data as values

if TYPE_CHECKING:
    from collections.abc import Sequence


class Stopwatch:
    """Time and CPU of this process since it was made."""

    def __init__(self) -> None:
        self._time = time.perf_counter()
        self._cpu = time.process_time()
        self.logged = 0.0

    def mark_logged(self) -> None:
        """The last row was logged; closing begins."""
        self.logged = time.perf_counter() - self._time

    def figures(self) -> dict[str, float]:
        """What passed until now, when the sink is closed."""
        return {
            "logged_s": self.logged,
            "closed_s": time.perf_counter() - self._time,
            "cpu_s": time.process_time() - self._cpu,
        }


_WARM_UP_ROWS = 16


def _warm_up(path: str) -> str:
    return path if "://" in path else f"{path}.warm-up"


def measure(module: Any, workload: str, sink: str, path: str, data: values.Data) -> dict[str, Any]:
    """Runs a workload with a blocking SDK."""
    few = values.make(workload, _WARM_UP_ROWS)
    session = module.Session(workload, sink, _warm_up(path))
    module.FUNCTIONS[workload](session.rec, few)
    session.close()

    session = module.Session(workload, sink, path)
    watch = Stopwatch()
    result = module.FUNCTIONS[workload](session.rec, data)
    watch.mark_logged()
    written = session.close()
    return _summary(watch.figures(), result, written, path)


async def measure_async(
    module: Any, workload: str, sink: str, path: str, data: values.Data
) -> dict[str, Any]:
    """Runs a workload with an asyncio SDK."""
    few = values.make(workload, _WARM_UP_ROWS)
    session = module.Session(workload, sink, _warm_up(path))
    await session.open()
    await module.FUNCTIONS[workload](session.rec, few)
    await session.close()

    session = module.Session(workload, sink, path)
    await session.open()
    watch = Stopwatch()
    result = await module.FUNCTIONS[workload](session.rec, data)
    watch.mark_logged()
    written = await session.close()
    return _summary(watch.figures(), result, written, path)


def _summary(figures: dict[str, float], result: Any, written: int | None, path: str) -> dict[str, Any]:
    summary: dict[str, Any] = dict(figures)
    if written is not None or "://" not in path:
        # A server does not say how many bytes it got.
        summary["bytes"] = os.path.getsize(path) if written is None else written
    for name, times in (result or {}).items():
        ordered = sorted(times)
        summary[f"{name}_p50_us"] = ordered[len(ordered) // 2] / 1e3
        summary[f"{name}_p999_us"] = ordered[min(int(len(ordered) * 0.999), len(ordered) - 1)] / 1e3
    return summary


def main(arguments: Sequence[str]) -> None:
    """Runs ``SDK WORKLOAD SINK ROWS PATH``."""
    sdk, workload, sink, rows, path = arguments
    module = importlib.import_module(f"benchmarks.sdk_{sdk}")
    data = values.make(workload, int(rows))
    if inspect.iscoroutinefunction(module.FUNCTIONS[workload]):
        figures = asyncio.run(measure_async(module, workload, sink, path, data))
    else:
        figures = measure(module, workload, sink, path, data)
    print(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1:])
