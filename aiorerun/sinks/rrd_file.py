"""An RRD file that grows, as file sinks write it: readable up to its last whole message. All of it blocks."""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING, Any, Final

from aiorerun.sinks.scratch import scratch_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from aiorerun.codec.chunk_template import Segment
    from aiorerun.codec.messages import Message

logger = logging.getLogger("aiorerun")

_MAX_SEGMENTS: Final = 512
"""Buffers handed to one system call; Linux allows 1024."""

_MAX_BYTES: Final = 512 << 10
"""Bytes handed to one system call. For larger writes Linux looks for larger pages to keep them in, which it
may have to gather first, or get from a host: copying can take several times as long then."""

_SMALL: Final = 4 << 10
"""Buffers below this size are joined,"""
_RUN_BYTES: Final = 64 << 10
"""about so many bytes of them together."""

WRITE_FLAGS: Final = os.O_WRONLY | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
"""How such files are opened."""


class RrdFile:
    """A stream of messages in a file. A failed write is undone up to the last complete message.

    Args:
        path: Where it is, for messages and the footer's bookkeeping.
        fd: The empty file, open for writing; closed by :meth:`close`.
        write_footer: Whether it ends with a footer.
    """

    def __init__(self, path: Path, fd: int, *, write_footer: bool) -> None:
        from aiorerun.codec.rrd import RrdEncoder

        self.path = path
        self._fd = fd
        self._encoder: RrdEncoder = RrdEncoder(self._scratch, write_footer=write_footer)
        self._told = False
        self._end = 0

    @property
    def nbytes(self) -> int:
        """How many bytes it has."""
        return self._end

    def start(self) -> None:
        """Writes the header of the stream. Raises ``OSError``."""
        self._append(self._encoder.start())

    def write(self, messages: Sequence[Message]) -> None:
        """Appends messages, all or none.

        Raises:
            OSError: They could not be written; the file ends where it ended before.
        """
        segments: list[Segment] = []
        for message in messages:
            segments.extend(self._encoder.encode(message))
        try:
            self._append(segments)
        except OSError:
            self._encoder.undo(len(messages))
            raise
        self._encoder.settle()
        self._tell_if_too_large()

    def finish(self) -> None:
        """Writes the footer, once. Raises ``OSError``; the file ends with its last message then."""
        self._append(self._encoder.finish())
        self._tell_if_too_large()

    def close(self) -> None:
        """Closes it as it is."""
        os.close(self._fd)
        self._encoder.release()

    def _scratch(self) -> BinaryIO:
        """For the bookkeeping of the footer."""
        return scratch_file(self.path.parent)

    def _tell_if_too_large(self) -> None:
        if self._encoder.is_too_large and not self._told:
            self._told = True
            logger.warning(
                "%r gets no footer, it has too many chunks: it can be read from front to back only; "
                "begin another file in time with save()",
                str(self.path),
            )

    def _append(self, segments: Sequence[Segment]) -> None:
        """Writes buffers at the end of the file, or leaves it as it was."""
        try:
            written = write_all(self._fd, segments)
        except OSError:
            # Not every target can be cut back (pipes, devices); the first error is what counts.
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._end)
                os.lseek(self._fd, self._end, os.SEEK_SET)
            raise
        self._end += written


def _write_joined(fd: int, buffers: Sequence[Any]) -> int:
    """What ``os.writev`` does, where there is none."""
    return os.write(fd, b"".join(buffers))


_writev: Callable[[int, Sequence[Any]], int] = getattr(os, "writev", _write_joined)


def _joined(segments: Sequence[Segment]) -> list[Any]:
    """Joins runs of small buffers: the system takes longer for each of them than copying it takes here."""
    joined: list[Any] = []
    run: list[Segment] = []
    size = 0
    for segment in segments:
        nbytes = len(segment)
        if nbytes < _SMALL:
            run.append(segment)
            size += nbytes
            if size < _RUN_BYTES:
                continue
        if size:
            joined.append(b"".join(run))
            run, size = [], 0
        if nbytes >= _SMALL:
            joined.append(memoryview(segment).cast("B"))
    if size:
        joined.append(b"".join(run))
    return joined


def _next(pending: Sequence[Any], first: int) -> Sequence[Any]:
    """What the next system call gets: not too many buffers, the last one cut if they are too many bytes."""
    room = _MAX_BYTES
    batch = pending[first : first + _MAX_SEGMENTS]
    for number, buffer in enumerate(batch):
        nbytes = len(buffer)
        if nbytes > room:
            return [*batch[:number], memoryview(buffer)[:room]] if room else batch[:number]
        room -= nbytes
    return batch


def write_all(fd: int, segments: Sequence[Segment], wait: Callable[[int], None] | None = None) -> int:
    """Writes all buffers with few system calls; returns the number of bytes.

    Args:
        fd: Where to.
        segments: The buffers.
        wait: Waits until something can be written to an ``fd`` that does not block by itself.
    """
    pending = _joined(segments)
    total = 0
    first = 0
    while first < len(pending):
        try:
            written = _writev(fd, _next(pending, first))
        except BlockingIOError:
            if wait is None:
                raise
            wait(fd)
            continue
        total += written
        while first < len(pending) and written >= len(pending[first]):
            written -= len(pending[first])
            first += 1
        if written:
            pending[first] = memoryview(pending[first])[written:]
    return total
