"""A write to spill files that outlives the event loop which has asked for it."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING, Final, NamedTuple

from aiorerun.sinks.grpc.spill_files import append_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorerun.codec.messages import Message
    from aiorerun.sinks.grpc.spill_book import SpillFile
    from aiorerun.sinks.grpc.spill_files import Append

WAIT_SECS: Final = 5.0
"""So long a write of a former event loop is waited for at once, by the worker."""


class Part(NamedTuple):
    """What goes to one file.

    Attributes:
        file: The file, as the book knows it.
        append: What is written.
        messages: The messages in that.
    """

    file: SpillFile
    append: Append
    messages: Sequence[Message]


class SpillWrite:
    """Appends to files, and remembers whether that has worked. Its methods block.

    Args:
        plan: What goes where.

    Attributes:
        is_written: Whether all of it is in the files; else nothing is, once :meth:`wait` returns.
    """

    def __init__(self, plan: Sequence[Part]) -> None:
        self.plan = plan
        self.is_written = False
        self._is_over = threading.Event()

    def run(self) -> None:
        """Writes.

        Raises:
            OSError: Not everything could be written; the files are as they were.
        """
        try:
            append_all([part.append for part in self.plan])
            self.is_written = True
        finally:
            self._is_over.set()

    def wait(self) -> None:
        """Waits until a :meth:`run` in another thread is over.

        Raises:
            TimeoutError: The disk hangs.
        """
        if not self._is_over.wait(WAIT_SECS):
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
