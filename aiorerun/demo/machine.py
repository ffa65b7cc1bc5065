"""What the demo reads off the machine.

Every ``read`` asks the operating system and may block for a moment: call it in a thread.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable


def busy_percent(before: Any, now: Any) -> float:
    """The share of time a core worked between two of psutil's ``cpu_times``, in percent."""

    def total(times: Any) -> float:
        # Linux counts the time of guests in `user` too.
        guests: float = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
        return float(sum(times)) - guests

    def idle(times: Any) -> float:
        waiting: float = getattr(times, "iowait", 0.0)
        return float(times.idle) + waiting

    elapsed = total(now) - total(before)
    if elapsed <= 0.0:
        return 0.0
    worked = elapsed - (idle(now) - idle(before))
    return min(max(100.0 * worked / elapsed, 0.0), 100.0)


class CpuMeter:
    """The load of each core since the previous reading."""

    def __init__(self) -> None:
        self._before = psutil.cpu_times(percpu=True)

    def read(self) -> list[float]:
        """Percent per core."""
        now = psutil.cpu_times(percpu=True)
        loads = [busy_percent(*pair) for pair in zip(self._before, now, strict=False)]
        self._before = now
        return loads


class RateMeter:
    """How fast counters of the operating system grow.

    Args:
        counters: Returns an object with the counters, or ``None`` where the system has none.
        fields: Names of the counters to watch.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        counters: Callable[[], Any],
        fields: tuple[str, ...],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._counters = counters
        self._fields = fields
        self._clock = clock
        self._when = clock()
        self._before = counters()

    @property
    def available(self) -> bool:
        """Whether this system has the counters."""
        return self._before is not None

    def read(self) -> dict[str, float]:
        """Growth per second since the previous reading, by name."""
        now, when = self._counters(), self._clock()
        before, elapsed = self._before, when - self._when
        if now is None or before is None or elapsed <= 0.0:
            return {}
        self._before, self._when = now, when
        return {name: (getattr(now, name) - getattr(before, name)) / elapsed for name in self._fields}


@dataclass(frozen=True, slots=True)
class Process:
    """One line of the table of busy processes."""

    pid: int
    name: str
    cpu_percent: float
    memory_bytes: int


class ProcessMeter:
    """Which processes worked most since the previous reading."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._when = clock()
        self._before: dict[tuple[int, float], float] = {
            key: worked for key, worked, _, _ in self._processes()
        }

    def read(self, limit: int) -> list[Process]:
        """The busiest processes, busiest first; 100 % is one core."""
        when = self._clock()
        elapsed = max(when - self._when, 1e-9)
        now: dict[tuple[int, float], float] = {}
        table: list[Process] = []
        for key, worked, name, memory in self._processes():
            now[key] = worked
            # What started since the previous reading did all its work since then.
            share = 100.0 * max(worked - self._before.get(key, 0.0), 0.0) / elapsed
            table.append(Process(key[0], name, share, memory))
        self._before, self._when = now, when
        table.sort(key=lambda process: (-process.cpu_percent, -process.memory_bytes))
        return table[:limit]

    @staticmethod
    def _processes() -> list[tuple[tuple[int, float], float, str, int]]:
        """Identity, seconds of work, name and resident bytes of every process that may be read."""
        found: list[tuple[tuple[int, float], float, str, int]] = []
        for process in psutil.process_iter(["pid", "create_time", "cpu_times", "name", "memory_info"]):
            info = process.info
            times, memory = info["cpu_times"], info["memory_info"]
            if times is None or memory is None:
                continue
            key = (int(info["pid"]), float(info["create_time"] or 0.0))
            found.append((key, float(times.user + times.system), str(info["name"] or "?"), int(memory.rss)))
        return found


def as_table(processes: list[Process]) -> str:
    """The busiest processes as a Markdown table."""
    lines = ["| process | pid | CPU % | memory MiB |", "|---|---:|---:|---:|"]
    for process in processes:
        name = process.name.replace("|", "\\|")
        lines.append(
            f"| {name} | {process.pid} | {process.cpu_percent:.1f} | {process.memory_bytes / 2**20:.1f} |"
        )
    return "\n".join(lines)
