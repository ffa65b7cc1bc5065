"""The queue in front of a sink, and the one task that writes to it."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aiorerun.config import MAX_BYTES_IN_FLIGHT
from aiorerun.pipeline.ledger import SinkStats
from aiorerun.pipeline.overflow import QUIET_SECS, Backlog, Losses, check_policy
from aiorerun.sinks.base import SinkGone
from aiorerun.sinks.queued import check_max_queued_bytes
from aiorerun.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiorerun.pipeline.overflow import OverflowPolicy
    from aiorerun.sinks.base import Sink
    from aiorerun.sinks.parcel import Parcel
    from aiorerun.types.store import StoreId

T = TypeVar("T")

MAX_WRITE_BYTES: Final = 4 << 20
"""About how many bytes are handed to a sink in one call."""

LATE: Final = "sink did not finish in time"
"""Why rows are lost that were still under way when the time for closing was over."""

ABORT_SECS: Final = 1.0
"""So long a sink that was cancelled has for letting go, twice."""

logger = logging.getLogger("aiorerun")


class SinkRunner:
    """Feeds one sink: a queue, and the task that owns the sink.

    With the policy ``wait`` the number of queued bytes is bounded by the stream's byte limit, which counts
    what is queued here. With any other the queue has a limit of its own and drops what is too much. A sink
    that brings a policy of its own also has a worker of its own: its slow disk is nobody else's.

    Args:
        sink: The sink. Its attributes ``overflow`` and ``max_queued_bytes``, if it has them and they are not
            ``None``, go before the defaults.
        store: The recording it gets.
        worker: Where its blocking work runs.
        overflow: The policy of sinks that have none.
        limit: Bytes that may wait for sinks that have no limit.
        hold_bytes: See :class:`aiorerun.sinks.SinkContext`.
        on_gone: Called on the loop when the sink can take nothing any more; what it did not take is
            fetched with :meth:`take_unsent`.

    Attributes:
        overflow: The policy in force.
        limit: Bytes that may wait; not in force while the policy is ``wait``.
        gone: Why the sink can take nothing any more.
    """

    def __init__(
        self,
        sink: Sink,
        store: StoreId,
        worker: Worker,
        overflow: OverflowPolicy = "wait",
        limit: int = MAX_BYTES_IN_FLIGHT,
        *,
        hold_bytes: Callable[[int], None] = lambda nbytes: None,
        on_gone: Callable[[SinkRunner], None] = lambda runner: None,
    ) -> None:
        self.sink = sink
        self.store = store
        own_policy = getattr(sink, "overflow", None)
        self.overflow: OverflowPolicy = overflow if own_policy is None else check_policy(own_policy)
        self.limit = check_max_queued_bytes(getattr(sink, "max_queued_bytes", None)) or limit
        self._hold_bytes = hold_bytes
        self._on_gone = on_gone
        self._own_worker = own_policy not in (None, "wait")
        self._worker = Worker.private() if self._own_worker else worker
        self._queue: Backlog[Parcel, asyncio.Future[None]] = Backlog(self.overflow, self.limit)
        self._overflow_losses = Losses(logger.warning)
        self._write_losses = Losses(logger.warning)
        self._wake = asyncio.Event()
        self._closing = False
        self._aborted = False
        self._task: asyncio.Task[None] | None = None
        self._job: asyncio.Future[Any] | None = None
        self._flush_error: Exception | None = None
        self._failing = False
        self._refused: Sequence[Parcel] = ()
        self.gone: SinkGone | None = None
        self.reasons: Counter[str] = Counter()
        self.rows_accepted = 0
        self.rows_written = 0
        self.rows_dropped = 0
        self.messages_written = 0
        self.bytes_written = 0
        self.queued_bytes = 0
        self.error: Exception | None = None

    async def run_blocking(self, function: Callable[[], T]) -> T:
        """See :class:`aiorerun.sinks.SinkContext`."""
        return await self._worker.run(function, hold=self._hold)

    def hold_bytes(self, nbytes: int) -> None:
        """See :class:`aiorerun.sinks.SinkContext`."""
        self._hold_bytes(nbytes)

    @property
    def has_given_up(self) -> bool:
        """See :class:`aiorerun.sinks.SinkContext`."""
        return self._aborted

    @property
    def is_closing(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closing

    def _hold(self, job: asyncio.Future[Any]) -> None:
        self._job = job

    def _abort(self) -> None:
        """Ends what the sink is doing. A job that hangs in the worker goes on, but is not waited for."""
        assert self._task is not None
        self._aborted = True
        if self._job is not None and not self._job.done():
            self._job.set_exception(TimeoutError(LATE))
        self._task.cancel()

    def abandon(self) -> asyncio.Task[None] | None:
        """In a forked child: nothing is written or closed any more. Returns the task that was to do it."""
        task, self._task = self._task, None
        return task

    @property
    def is_waited_for(self) -> bool:
        """Whether producers wait for this sink."""
        return self.overflow == "wait"

    async def open(self, timeout: float) -> None:
        """Opens the sink and starts its task. Raises what the sink raises."""
        async with asyncio.timeout(timeout):
            await self.sink.open(self)

    def start(self) -> None:
        """Starts writing."""
        # An empty context: the task must not keep anything of the caller's alive.
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._run(), name="aiorerun-sink", context=contextvars.Context())

    def rebind(self) -> None:
        """Goes on in the running loop, after the former one was closed without finishing."""
        self._wake = asyncio.Event()
        self._wake.set()
        self.start()

    def put(self, parcel: Parcel) -> None:
        """Queues a message, and drops by the policy if that is too much."""
        self.rows_accepted += parcel.rows
        self.queued_bytes += parcel.nbytes
        lost = self._queue.put(parcel)
        if lost:
            self._drop(lost)
        self._wake.set()

    def _drop(self, lost: Sequence[Parcel]) -> None:
        rows = sum(parcel.rows for parcel in lost)
        self._settle(lost, f"overflow: {self.overflow}")
        self._overflow_losses.add(
            rows,
            time.monotonic(),
            lambda: (
                f"{self.sink!r} does not keep up: more than {self.limit} bytes wait for it, "
                f"rows are dropped ({self.overflow})"
            ),
        )

    def flush(self) -> asyncio.Future[None]:
        """Queues a flush; the future is done when everything queued before is written and flushed.

        It gets an exception if anything was lost since the flush before.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.mark(future)
        self._wake.set()
        return future

    async def close(self, timeout: float) -> None:
        """Writes what is queued and closes the sink, within the time given.

        When time is over the sink is cancelled and what is left is counted as dropped.
        """
        self._closing = True
        self._wake.set()
        assert self._task is not None
        await asyncio.wait({self._task}, timeout=timeout)
        if not self._task.done():
            self._abort()
            await asyncio.wait({self._task}, timeout=ABORT_SECS)
            # Once more, for its `aclose`.
            self._abort()
            await asyncio.wait({self._task}, timeout=ABORT_SECS)
        if self.gone is None:
            self._drop_queue(LATE)
        self._end_losses()
        self.discard()
        late = self.reasons[LATE]
        if late:
            logger.error("%r did not finish within %s s: %d rows are lost", self.sink, timeout, late)

    def take_unsent(self) -> list[Parcel]:
        """What a sink that is gone did not take, in order. It is not lost, so flushes are done."""
        unsent = [*self._refused]
        self._refused = ()
        while self._queue:
            flush = self._queue.take_marker()
            if flush is None:
                unsent += self._queue.take(MAX_WRITE_BYTES)
            elif not flush.done():
                flush.set_result(None)
        self.queued_bytes -= sum(parcel.nbytes for parcel in unsent)
        return unsent

    def lose_unsent(self) -> None:
        """Counts what a sink that is gone did not take as lost; whoever waits for a flush is told."""
        assert self.gone is not None
        dropped = self.rows_dropped
        reason = f"sink is gone: {self.sink!r}"
        self._settle(self._refused, reason)
        self._refused = ()
        self._drop_queue(reason, self.gone)
        if self.rows_dropped > dropped:
            logger.warning("%r is gone: %d rows are lost", self.sink, self.rows_dropped - dropped)

    def discard(self) -> None:
        """Lets go of the worker; once it is closed, or if it could not be opened."""
        if self._own_worker:
            self._own_worker = False
            self._worker.release()

    def stats(self) -> SinkStats:
        """Counters."""
        # Read in this order, what goes on meanwhile can only make the pending rows look more.
        written, dropped = self.rows_written, self.rows_dropped
        accepted = self.rows_accepted
        return SinkStats(
            name=repr(self.sink),
            overflow=self.overflow,
            rows_accepted=accepted,
            rows_written=written,
            rows_dropped=dropped,
            rows_pending=accepted - written - dropped,
            reasons=dict(self.reasons),
            messages_written=self.messages_written,
            bytes_written=self.bytes_written,
            queued_bytes=self.queued_bytes,
            error=None if self.error is None else f"{type(self.error).__name__}: {self.error}",
        )

    async def _run(self) -> None:
        while self._task is asyncio.current_task():
            try:
                await self._step()
            except _Finished:
                break
            except asyncio.CancelledError:
                # Only `close` may end this task early. The event loop cancels all tasks when it
                # shuts down; the stream then closes its sinks in order.
                if self._aborted:
                    break
                _uncancel()
        else:
            # The stream went on in another loop, with another task.
            return
        try:
            await self.sink.aclose()
        except asyncio.CancelledError:
            if not self._aborted:
                raise
        except SinkGone as error:
            self._note_gone(error)
        except Exception as error:
            self._report("closing", error)
        if self.gone is not None:
            self._end_losses()
            self.discard()
            self._on_gone(self)

    async def _step(self) -> None:
        if not self._queue:
            if self._closing:
                raise _Finished
            self._wake.clear()
            await self._wait()
            return
        flush = self._queue.take_marker()
        if flush is not None:
            await self._flush(flush)
        else:
            await self._write(self._queue.take(MAX_WRITE_BYTES))

    async def _write(self, parcels: Sequence[Parcel]) -> None:
        lost_because: str | None = LATE
        try:
            await self.sink.write([parcel.message for parcel in parcels])
            lost_because = None
        except SinkGone as error:
            self._refused, parcels = parcels, ()
            self._note_gone(error)
            raise _Finished from None
        except Exception as error:
            lost_because = LATE if self._aborted else f"sink error: {type(error).__name__}"
            self._flush_error = error
            self._report("writing to", error)
        finally:
            self._settle(parcels, lost_because)
        if lost_because is None:
            if self._write_losses.rows:
                self._write_losses.end(lambda rows: f"{self.sink!r} takes data again: {rows} rows are lost")
        else:
            # That it fails was told by `_report`.
            rows = sum(parcel.rows for parcel in parcels)
            self._write_losses.add(rows, time.monotonic(), str, _tell_nobody)
        if self._overflow_losses.rows:
            self._end_overflow(time.monotonic())

    async def _wait(self) -> None:
        """Waits for something to do, and meanwhile for the end of a run of losses."""
        while self._overflow_losses.rows and not self._wake.is_set():
            try:
                async with asyncio.timeout(QUIET_SECS):
                    await self._wake.wait()
            except TimeoutError:
                self._end_overflow(time.monotonic())
        await self._wake.wait()

    def _end_overflow(self, now: float) -> None:
        self._overflow_losses.end(
            lambda rows: f"{self.sink!r} keeps up again: {rows} rows were dropped ({self.overflow})", now
        )

    def _settle(self, parcels: Sequence[Parcel], lost_because: str | None) -> None:
        for parcel in parcels:
            self.queued_bytes -= parcel.nbytes
            if lost_because is None:
                self._failing = False
                self.rows_written += parcel.rows
                self.messages_written += 1
                self.bytes_written += parcel.nbytes
            else:
                self.rows_dropped += parcel.rows
                if parcel.rows:
                    self.reasons[lost_because] += parcel.rows
            parcel.done(lost_because, waited_for=self.is_waited_for)

    async def _flush(self, future: asyncio.Future[None]) -> None:
        error, self._flush_error = self._flush_error, None
        try:
            await self.sink.flush()
        except Exception as flush_error:
            error = error or flush_error
            self._report("flushing", flush_error)
        finally:
            if not future.done():
                if error is None:
                    future.set_result(None)
                else:
                    future.set_exception(error)

    def _drop_queue(self, reason: str, error: Exception | None = None) -> None:
        while self._queue:
            flush = self._queue.take_marker()
            if flush is None:
                self._settle(self._queue.take(MAX_WRITE_BYTES), reason)
            elif not flush.done():
                flush.set_exception(error or TimeoutError(f"{self.sink!r} was closed: {reason}"))

    def _end_losses(self) -> None:
        self._overflow_losses.end(
            lambda rows: f"{self.sink!r} is closed: {rows} rows were dropped ({self.overflow})"
        )
        self._write_losses.end(lambda rows: f"{self.sink!r} is closed: {rows} rows are lost")

    def _note_gone(self, error: SinkGone) -> None:
        if self.gone is None:
            self.gone = self.error = error
            logger.warning("%s", error)

    def _report(self, doing: str, error: Exception) -> None:
        self.error = error
        if self._failing:
            return
        # Once per run of failures: a full disk must not fill the log as well.
        self._failing = True
        logger.error("%s %r failed: %s: %s", doing, self.sink, type(error).__name__, error)


def _tell_nobody(text: str) -> None:
    pass


class _Finished(Exception):
    """Everything is written and the runner is closing, or the sink is gone."""


def _uncancel() -> None:
    task = asyncio.current_task()
    if task is not None:
        while task.cancelling():
            task.uncancel()
