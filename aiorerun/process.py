"""Which process this is, and what its end and a fork mean for recordings."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

BEFORE_OTHERS: Final = 100
"""The priority among the finalizers of a multiprocessing child."""

on_fork: Final[list[Callable[[], None]]] = []
"""Called in a child, to forget what is the parent's."""

at_exit: Final[list[Callable[[], None]]] = []
"""Called when the process ends, the last one first, as by ``atexit``."""

_for_main_thread: Final[deque[Callable[[], None]]] = deque()
"""What waits for the main thread."""


class _Current:
    pid = os.getpid()
    finalizer: Any = None


def check() -> bool:
    """Notices a fork that went past Python's own hooks, as by a C library.

    Returns:
        Whether there was one.
    """
    if os.getpid() == _Current.pid:
        return False
    note_fork()
    return True


def note_fork() -> None:
    """Runs in a child after a fork."""
    _Current.pid = os.getpid()
    _Current.finalizer = None
    for function in on_fork:
        function()


def in_main_thread(function: Callable[[], None]) -> None:
    """Runs a function that only the main thread can run: now, or when that next calls the blocking API."""
    _for_main_thread.append(function)
    run_in_main_thread()


def run_in_main_thread() -> None:
    """Runs what waits for the main thread, if this is it."""
    if _for_main_thread and threading.current_thread() is threading.main_thread():
        while _for_main_thread:
            _for_main_thread.popleft()()


def finish_with_multiprocessing() -> None:
    """Sees to it that a child of multiprocessing finishes its sinks: such children leave ``atexit`` out.

    Called whenever a sink is opened; costs next to nothing in other processes.
    """
    util, process = sys.modules.get("multiprocessing.util"), sys.modules.get("multiprocessing.process")
    if util is None or process is None or process.parent_process() is None:
        return
    if _Current.finalizer is None or not _Current.finalizer.still_active():
        _Current.finalizer = util.Finalize(None, finish, exitpriority=BEFORE_OTHERS)


def finish() -> None:
    """Finishes all recordings."""
    for function in reversed(at_exit):
        function()
