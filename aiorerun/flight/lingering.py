"""Recorders that were closed because of an exception, until it is known whether anybody handles that.

An exception on its way out of the program first closes the recordings it passes, and then reaches the hook of
the interpreter. That is a matter of seconds; a recorder whose exception was handled is let go of later.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from aiorerun.flight.hooks import SysHook

LINGER_SECS: Final = 30.0
MAX_LINGERING: Final = 4

_lingering: Final[list[tuple[float, SysHook]]] = []


def linger(hook: SysHook) -> None:
    """Leaves a hook in for a while, and with it the recorder and what it holds."""
    stop_lingering()
    _lingering.append((time.monotonic(), hook))
    while len(_lingering) > MAX_LINGERING:
        _lingering.pop(0)[1].remove()


def stop_lingering(*, everything: bool = False) -> None:
    """Takes out the hooks whose time is over."""
    while _lingering and (everything or time.monotonic() - _lingering[0][0] > LINGER_SECS):
        _lingering.pop(0)[1].remove()
