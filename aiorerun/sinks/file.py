"""The file sink: an RRD file that other programs can read while it is being written."""

from __future__ import annotations

import contextlib
import logging
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aiorerun.errors import SinkOpenError
from aiorerun.pipeline.overflow import check_policy
from aiorerun.sinks.queued import check_max_queued_bytes
from aiorerun.sinks.scratch import scratch_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import BinaryIO

    from aiorerun.codec.chunk_template import Segment
    from aiorerun.codec.messages import Message
    from aiorerun.codec.rrd import RrdEncoder
    from aiorerun.pipeline.overflow import OverflowPolicy
    from aiorerun.sinks.base import SinkContext

logger = logging.getLogger("aiorerun")

_MAX_SEGMENTS: Final = 512
"""Buffers handed to one system call; Linux allows 1024."""


class FileSink:
    """Writes a recording to a file.

    Every flushed chunk is in the file at once, so it can be read while it grows; the footer that
    random access needs is written when the sink is closed. A failed write (full disk) is undone up to
    the last complete message, so the file stays readable and later messages are tried again.

    What the footer will say is kept in memory up to 4 MiB, and beyond that in a nameless temporary file in
    the same directory, about a hundred bytes per chunk: memory stays flat. A file of more than 2**25 chunks,
    or 2**16 combinations of entity and columns, gets no footer; a warning says so when it happens. The
    official programs still read all of it, from front to back.

    Args:
        path: The file; overwritten if it exists. Its directory must exist.
        write_footer: Whether to finish the file with a footer.
        overflow: The policy of this sink; by default that of the stream. See :data:`aiorerun.OverflowPolicy`.
        max_queued_bytes: Encoded bytes that may wait for it under a policy other than ``"wait"``; by default
            as many as may be under way in the whole stream.

    Raises:
        ValueError: There is no such policy, or the limit is not positive.
    """

    is_file = True
    """Chunks of single rows deserve a warning."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        write_footer: bool = True,
        overflow: OverflowPolicy | None = None,
        max_queued_bytes: int | None = None,
    ) -> None:
        self.path = Path(path)
        self.write_footer = write_footer
        self.overflow = None if overflow is None else check_policy(overflow)
        self.max_queued_bytes = check_max_queued_bytes(max_queued_bytes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FileSink):
            return NotImplemented
        return (str(self.path), self.write_footer) == (str(other.path), other.write_footer)

    def __hash__(self) -> int:
        return hash((str(self.path), self.write_footer))

    def __repr__(self) -> str:
        return f"FileSink({str(self.path)!r}, write_footer={self.write_footer})"

    async def open(self, context: SinkContext) -> None:
        """Creates the file and writes the stream header.

        Raises:
            SinkOpenError: The directory is missing, or the file cannot be created or written.
        """
        self._run = context.run_blocking
        await self._run(self._open)

    async def write(self, messages: Sequence[Message]) -> None:
        """Appends messages; they are visible to other processes when this returns.

        Raises:
            OSError: They could not be written; the file ends where it ended before.
        """
        await self._run(partial(self._write, messages))

    async def flush(self) -> None:
        """Nothing to do: written messages have been passed to the operating system."""

    async def aclose(self) -> None:
        """Writes the footer and closes the file."""
        await self._run(self._close)

    def _open(self) -> None:
        from aiorerun.codec.rrd import RrdEncoder

        self._encoder: RrdEncoder = RrdEncoder(self._scratch, write_footer=self.write_footer)
        self._told = False
        self._end = 0
        try:
            self._fd = os.open(
                self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0), 0o666
            )
        except OSError as error:
            raise SinkOpenError(
                error.errno, f"cannot create {str(self.path)!r}: {error.strerror} (its directory must exist)"
            ) from error
        try:
            self._append(self._encoder.start())
        except OSError as error:
            os.close(self._fd)
            raise SinkOpenError(error.errno, f"cannot write {str(self.path)!r}: {error.strerror}") from error

    def _write(self, messages: Sequence[Message]) -> None:
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

    def _close(self) -> None:
        try:
            self._append(self._encoder.finish())
            self._tell_if_too_large()
        finally:
            os.close(self._fd)
            self._encoder.release()

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


def write_all(fd: int, segments: Sequence[Segment], wait: Callable[[int], None] | None = None) -> int:
    """Writes all buffers with as few system calls as possible; returns the number of bytes.

    Args:
        fd: Where to.
        segments: The buffers.
        wait: Waits until something can be written to an ``fd`` that does not block by itself.
    """
    pending: list[Any] = [memoryview(segment).cast("B") for segment in segments if len(segment)]
    total = 0
    first = 0
    while first < len(pending):
        try:
            written = _writev(fd, pending[first : first + _MAX_SEGMENTS])
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
            pending[first] = pending[first][written:]
    return total
