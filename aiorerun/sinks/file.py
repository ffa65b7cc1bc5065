"""The file sink: an RRD file that other programs can read while it is being written."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from aiorerun.errors import SinkOpenError
from aiorerun.pipeline.overflow import check_policy
from aiorerun.sinks.queued import check_max_queued_bytes
from aiorerun.sinks.rrd_file import WRITE_FLAGS, RrdFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorerun.codec.messages import Message
    from aiorerun.pipeline.overflow import OverflowPolicy
    from aiorerun.sinks.base import SinkContext


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
        await self._run(partial(self._file.write, messages))

    async def flush(self) -> None:
        """Nothing to do: written messages have been passed to the operating system."""

    async def aclose(self) -> None:
        """Writes the footer and closes the file."""
        await self._run(self._close)

    def _open(self) -> None:
        try:
            fd = os.open(self.path, WRITE_FLAGS | os.O_TRUNC, 0o666)
        except OSError as error:
            raise SinkOpenError(
                error.errno, f"cannot create {str(self.path)!r}: {error.strerror} (its directory must exist)"
            ) from error
        self._file = RrdFile(self.path, fd, write_footer=self.write_footer)
        try:
            self._file.start()
        except OSError as error:
            self._file.close()
            raise SinkOpenError(error.errno, f"cannot write {str(self.path)!r}: {error.strerror}") from error

    def _close(self) -> None:
        try:
            self._file.finish()
        finally:
            self._file.close()
