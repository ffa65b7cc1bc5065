"""The progress bar of long work, on a terminal's standard error."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_WIDTH: Final = 30
_PERIOD_SECS: Final = 0.1
_PATIENCE_SECS: Final = 0.5
"""What is done sooner needs no bar."""
_ERASE_LINE: Final = "\r\x1b[2K"


def bar(done: int, total: int, elapsed: float) -> str:
    """One line: how far it is, and how long it will still take, if that can be told."""
    share = min(done / total, 1.0) if total > 0 else 0.0
    full = round(share * _WIDTH)
    left = f"  {elapsed * (1 - share) / share:.0f} s left" if share >= 0.01 else ""
    return f"[{'#' * full}{'-' * (_WIDTH - full)}] {share:4.0%}{left}"


class _Bar:
    def __init__(self, terminal: TextIO, clock: Callable[[], float]) -> None:
        self._terminal = terminal
        self._clock = clock
        self._start = clock()
        self._next = self._start + _PATIENCE_SECS
        self._is_drawn = False

    def __call__(self, done: int, total: int) -> None:
        now = self._clock()
        if now < self._next:
            return
        self._next = now + _PERIOD_SECS
        self._is_drawn = True
        self._terminal.write(_ERASE_LINE + bar(done, total, now - self._start))
        self._terminal.flush()

    def erase(self) -> None:
        if self._is_drawn:
            self._is_drawn = False
            self._terminal.write(_ERASE_LINE)
            self._terminal.flush()


@contextlib.contextmanager
def shown(
    terminal: TextIO | None = None, clock: Callable[[], float] = time.monotonic
) -> Generator[Callable[[int, int], None]]:
    """Gives what is to be told how far the work is; draws nothing where there is no terminal.

    Args:
        terminal: Where to draw; by default the standard error.
        clock: Seconds that only go forward.
    """
    target: TextIO = sys.stderr if terminal is None else terminal
    if not target.isatty():
        yield lambda done, total: None
        return
    drawn = _Bar(target, clock)
    try:
        yield drawn
    finally:
        drawn.erase()
