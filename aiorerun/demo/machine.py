"""What the demo reads off the machine.

Every ``read`` asks the operating system and may block for a moment: call it in a thread.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from aiorerun.integrations.machine import CpuMeter, RateMeter, busy_percent

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CpuMeter", "Process", "ProcessMeter", "RateMeter", "as_table", "busy_percent"]


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
