"""How long a reader may hold up everybody else."""

from __future__ import annotations

from typing import Final

REFILL: Final = 0.1
"""Seconds that a reader gets back per second: this share of the time it may hold others up for ever."""


class StallBudget:
    """The time for which one reader may still hold up writers while other readers keep up.

    Times are given in seconds of any steady clock.

    Args:
        secs: The most that it may be.
        now: The time.
    """

    __slots__ = ("_left", "_secs", "_when")

    def __init__(self, secs: float, now: float) -> None:
        self._secs = secs
        self._left = secs
        self._when = now

    def left(self, now: float) -> float:
        """What is left of it."""
        self._left = min(self._secs, self._left + (now - self._when) * REFILL)
        self._when = now
        return self._left

    def spend(self, start: float, now: float) -> None:
        """Counts that writers waited for the reader from ``start`` until now."""
        self.left(now)
        self._left -= now - start
