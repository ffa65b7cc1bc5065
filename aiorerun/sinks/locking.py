"""Locks of files, which go when the process does."""

from __future__ import annotations

import sys


def lock_file(fd: int) -> None:
    """Takes the lock of an open file until it is closed.

    Raises:
        OSError: Somebody has it (``BlockingIOError``, ``PermissionError``), or there are no locks here.
    """
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
