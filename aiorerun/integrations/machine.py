"""Meters of the machine, by psutil: how busy its cores are, and how fast its counters grow.

Every ``read`` asks the operating system and may block for a moment: call it in a thread.
"""

from __future__ import annotations

import time
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
