"""The standard output sink: an RRD stream for the program at the other end of a pipe."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import select
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from aiorerun.errors import SinkOpenError
from aiorerun.sinks.base import SinkGone
from aiorerun.sinks.rrd_file import write_all
from aiorerun.sinks.scratch import scratch_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiorerun.codec.chunk_template import Segment
    from aiorerun.codec.messages import Message
    from aiorerun.codec.rrd import RrdEncoder
    from aiorerun.sinks.base import SinkContext

T = TypeVar("T")

STDOUT: Final = 1
STDERR: Final = 2
_POLL_MS: Final = 500


class _Taken:
    """Standard output while a recording has it for itself.

    The lock is held as long as that is so; a forked child inherits it held, and never gets the stream
    that its parent writes to.
    """

    lock = threading.Lock()
    fd: int | None = None


def is_terminal() -> bool:
    """Whether standard output is a terminal, where nobody wants to see an RRD stream."""
    return os.isatty(STDOUT if _Taken.fd is None else _Taken.fd)


class StdoutSink:
    """Writes a recording to the standard output of the process.

    As long as it is open the recording has standard output for itself: whatever else the process
    prints, its libraries and children included, goes to standard error. Writing is done by a thread of
    its own, so that a reader that pauses holds up neither the event loop nor any other sink. When the
    reader goes away the sink is gone, see :class:`aiorerun.sinks.base.SinkGone`.

    Args:
        write_footer: Whether to finish the stream with a footer.
    """

    def __init__(self, *, write_footer: bool = True) -> None:
        self.write_footer = write_footer
        self._is_gone = False

    def __eq__(self, other: object) -> bool:
        # There is only one standard output.
        return isinstance(other, StdoutSink)

    def __hash__(self) -> int:
        return hash(StdoutSink)

    def __repr__(self) -> str:
        return f"StdoutSink(write_footer={self.write_footer})"

    async def open(self, context: SinkContext) -> None:
        """Takes standard output; nothing is written before the first message.

        Raises:
            SinkOpenError: It is closed, or another recording writes to it.
        """
        from aiorerun.codec.rrd import RrdEncoder

        self._context = context
        self._encoder: RrdEncoder = RrdEncoder(scratch_file, write_footer=self.write_footer)
        self._has_started = False
        self._fd = _take()
        self._thread = _WriterThread()

    async def write(self, messages: Sequence[Message]) -> None:
        """Writes messages.

        Raises:
            SinkGone: The reader went away, or standard output cannot be written to for another reason.
        """
        segments: list[Segment] = [] if self._has_started else [*self._encoder.start()]
        self._has_started = True
        for message in messages:
            segments.extend(self._encoder.encode(message))
        await self._run(partial(self._write, segments))

    async def flush(self) -> None:
        """Nothing to do: written messages have been passed to the operating system."""

    async def aclose(self) -> None:
        """Writes the footer and gives standard output back.

        Raises:
            SinkGone: The reader went away before the end.
        """
        try:
            if not self._context.has_given_up:
                await self._run(self._finish)
        finally:
            if not self._is_gone:
                _give_back(self._fd)
            # Otherwise it stays as it is: nobody would read what is printed there.
            # After what the thread may still be writing.
            self._thread.stop(self._let_go)

    def _let_go(self) -> None:
        os.close(self._fd)
        self._encoder.release()

    def _write(self, segments: Sequence[Segment]) -> None:
        try:
            write_all(self._fd, segments, self._wait)
            self._encoder.settle()
        except OSError as error:
            self._is_gone = True
            reason = (
                "its reader closed it" if isinstance(error, BrokenPipeError) else error.strerror or str(error)
            )
            raise SinkGone(
                f"standard output takes no more of the recording ({reason}); what it did not take and what "
                "is logged from now on waits in a buffer, bounded by the byte limit, for another sink"
            ) from error

    def _finish(self) -> None:
        if self._has_started and not self._is_gone:
            self._write(self._encoder.finish())
        # What was printed meanwhile belongs to standard error, also if it is still in Python's buffer.
        if sys.stdout is not None:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()

    def _wait(self, fd: int) -> None:
        """Waits until standard output takes something, where it does not block by itself."""
        if self._context.has_given_up:
            raise TimeoutError("nobody waits any more")
        poll = getattr(select, "poll", None)
        if poll is None:
            time.sleep(0.01)
            return
        poller = poll()
        poller.register(fd, select.POLLOUT)
        poller.poll(_POLL_MS)

    async def _run(self, function: Callable[[], T]) -> T:
        """Runs a function in the thread. Cancelling waits for it, unless the sink has been given up."""
        future = self._thread.run(function)
        cancelled = False
        while not future.done():
            try:
                await asyncio.shield(future)
            except asyncio.CancelledError:
                if future.done():
                    break
                if self._context.has_given_up:
                    future.add_done_callback(_retrieve)
                    raise
                cancelled = True
            except Exception:
                break
        if cancelled:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        return future.result()


class _WriterThread:
    """A daemon thread that runs functions in order; it may be stuck in a write for any time."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="aiorerun-stdout", daemon=True).start()

    def run(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Runs a function some time soon."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def job() -> None:
            settle: Callable[[], None]
            try:
                settle = partial(_set_result, future, function())
            except Exception as error:
                settle = partial(_set_exception, future, error)
            # A loop that was closed meanwhile has nobody who waits.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(settle)

        self._jobs.put(job)
        return future

    def stop(self, last: Callable[[], None]) -> None:
        """Ends the thread after what it has to do, and ``last``."""
        self._jobs.put(last)
        self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            del job


def _set_result(future: asyncio.Future[T], result: T) -> None:
    if not future.done():
        future.set_result(result)


def _set_exception(future: asyncio.Future[T], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def _retrieve(future: asyncio.Future[T]) -> None:
    """Marks the outcome of what nobody waits for as seen."""
    if not future.cancelled():
        future.exception()


def _take() -> int:
    """Takes standard output; what others print goes to standard error from now on.

    Returns:
        A descriptor of it that nobody else has.
    """
    if not _Taken.lock.acquire(blocking=False):
        raise SinkOpenError(
            None, "standard output is in use by another recording, or its reader has closed it already"
        )
    try:
        fd = os.dup(STDOUT)
    except OSError as error:
        _Taken.lock.release()
        raise SinkOpenError(error.errno, f"standard output cannot be used: {error.strerror}") from error
    _Taken.fd = fd
    _redirect()
    return fd


def _redirect() -> None:
    try:
        os.dup2(STDERR, STDOUT)
    except OSError:
        # There is no standard error either.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, STDOUT)
        os.close(null)


def _give_back(fd: int) -> None:
    os.dup2(fd, STDOUT)
    _Taken.fd = None
    _Taken.lock.release()
