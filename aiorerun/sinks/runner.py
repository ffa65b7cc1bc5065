"""The queue in front of a sink, and the one task that writes to it."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from aiorerun.config import MAX_BYTES_IN_FLIGHT
from aiorerun.interrupts import INTERRUPTS, pass_on
from aiorerun.pipeline.overflow import QUIET_SECS, Backlog, Losses, check_policy
from aiorerun.sinks.base import SinkGone, SinkUnavailable
from aiorerun.sinks.counters import SinkCounters
from aiorerun.sinks.outage import Outage
from aiorerun.sinks.queued import check_max_queued_bytes
from aiorerun.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiorerun.pipeline.ledger import SinkStats
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


class FlushMarker(NamedTuple):
    """A place in the queue up to which everything is to be written and flushed.

    Attributes:
        future: Done then.
        acknowledged: Whether the other side has to confirm it.
    """

    future: asyncio.Future[None]
    acknowledged: bool

    def finish(self, error: Exception | None = None) -> None:
        """Tells whoever waits, if somebody still does."""
        if self.future.done():
            return
        if error is None:
            self.future.set_result(None)
        else:
            self.future.set_exception(error)


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
        on_lost: Told of rows that were delivered and turn out to be lost: how many, and why.
        on_gone: Called on the loop when the sink can take nothing any more; what it did not take is
            fetched with :meth:`take_unsent`.

    Attributes:
        overflow: The policy in force.
        limit: Bytes that may wait; not in force while the policy is ``wait``.
        gone: Why the sink can take nothing any more.
        counters: What it has taken and lost.
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
        on_lost: Callable[[int, str], None] = lambda rows, reason: None,
        on_gone: Callable[[SinkRunner], None] = lambda runner: None,
    ) -> None:
        self.sink = sink
        self.store = store
        own_policy = getattr(sink, "overflow", None)
        self.overflow: OverflowPolicy = overflow if own_policy is None else check_policy(own_policy)
        own_limit = check_max_queued_bytes(getattr(sink, "max_queued_bytes", None))
        self._shares_limit = own_limit is None
        self.limit = limit if own_limit is None else own_limit
        self._hold_bytes = hold_bytes
        self._on_lost = on_lost
        self._on_gone = on_gone
        self._own_worker = own_policy not in (None, "wait")
        self._worker = Worker.private() if self._own_worker else worker
        self._queue: Backlog[Parcel, FlushMarker] = Backlog(self.overflow, self.limit)
        self._overflow_losses = Losses(logger.warning)
        self._write_losses = Losses(logger.warning)
        self._wake = asyncio.Event()
        self._closing = False
        self._aborted = False
        self._task: asyncio.Task[None] | None = None
        self._job: asyncio.Future[Any] | None = None
        self._flush_error: Exception | None = None
        self._failing = False
        self._outage = Outage(sink)
        self._refused: Sequence[Parcel] = ()
        self.gone: SinkGone | None = None
        self.counters = SinkCounters()

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

    def lose(self, rows: int, reason: str) -> None:
        """See :class:`aiorerun.sinks.SinkContext`."""
        lost = self.counters.lose(rows, reason)
        if not lost:
            return
        self._on_lost(lost, reason)
        self._write_losses.add(
            lost, time.monotonic(), lambda: f"{self.sink!r} has lost rows that it had taken: {reason}"
        )

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
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                # The worker has put it off: here it is known for what it is.
                await asyncio.sleep(0)

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
        counters = self.counters
        counters.rows_accepted += parcel.rows
        counters.queued_bytes += parcel.nbytes
        lost = self._queue.put(parcel)
        if lost:
            self._drop(lost)
        self._wake.set()

    def make_room(self, nbytes: int) -> None:
        """Drops what makes the queue exceed its limit together with so many bytes that are not encoded yet.

        A limit of the sink's own is for the queue alone.
        """
        if self.is_waited_for or not self._shares_limit:
            return
        self._queue.limit = max(0, self.limit - nbytes)
        lost = self._queue.shrink()
        self._queue.limit = self.limit
        if lost:
            self._drop(lost)

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

    def flush(self, *, acknowledged: bool = False) -> asyncio.Future[None]:
        """Queues a flush; the future is done when everything queued before is written and flushed.

        It gets an exception if anything was lost since the flush before, or the sink is unavailable.

        Args:
            acknowledged: Whether the other side has to confirm it, where the sink knows how to ask.
        """
        marker = FlushMarker(asyncio.get_running_loop().create_future(), acknowledged)
        if self._outage.error is not None:
            marker.finish(self._outage.error)
            return marker.future
        self._queue.mark(marker)
        self._wake.set()
        return marker.future

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
        reason = self._late
        if self.gone is None:
            await self._drop_queue_gently(reason)
        self._end_losses()
        self.discard()
        late = sum(self.counters.reasons[each] for each in {LATE, reason})
        if late:
            why = "" if reason == LATE else f" ({reason})"
            logger.error("%r did not finish within %s s: %d rows are lost%s", self.sink, timeout, late, why)

    @property
    def _late(self) -> str:
        """Why rows are lost that are left when the time for closing is over."""
        return self._outage.reason or LATE

    def take_unsent(self) -> list[Parcel]:
        """What a sink that is gone did not take, in order. It is not lost, so flushes are done."""
        unsent = [*self._refused]
        self._refused = ()
        while self._queue:
            marker = self._queue.take_marker()
            if marker is None:
                unsent += self._queue.take(MAX_WRITE_BYTES)
            else:
                marker.finish()
        self.counters.queued_bytes -= sum(parcel.nbytes for parcel in unsent)
        return unsent

    def lose_unsent(self) -> None:
        """Counts what a sink that is gone did not take as lost; whoever waits for a flush is told."""
        assert self.gone is not None
        dropped = self.counters.rows_dropped
        reason = f"sink is gone: {self.sink!r}"
        self._settle(self._refused, reason)
        self._refused = ()
        self._drop_queue(reason, self.gone)
        lost = self.counters.rows_dropped - dropped
        if lost:
            logger.warning("%r is gone: %d rows are lost", self.sink, lost)

    def discard(self) -> None:
        """Lets go of the worker; once it is closed, or if it could not be opened."""
        if self._own_worker:
            self._own_worker = False
            self._worker.release()

    def stats(self) -> SinkStats:
        """Counters."""
        return self.counters.stats(self.sink, self.overflow)

    async def _run(self) -> None:
        while self._task is asyncio.current_task():
            try:
                await self._step()
            except _Finished:
                break
            except INTERRUPTS as interrupt:
                pass_on(interrupt)
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
        if self._outage.error is not None:
            await self._wait_available()
            return
        marker = self._queue.take_marker()
        if marker is not None:
            await self._flush(marker)
        else:
            await self._write(self._queue.take(MAX_WRITE_BYTES))

    async def _write(self, parcels: Sequence[Parcel]) -> None:
        lost_because: str | None = self._late
        try:
            await self.sink.write([parcel.message for parcel in parcels])
            lost_because = None
        except SinkGone as error:
            self._refused, parcels = parcels, ()
            self._note_gone(error)
            raise _Finished from None
        except SinkUnavailable as error:
            if not self._aborted:
                refused, parcels = parcels, ()
                self._begin_outage(error, refused)
                return
        except Exception as error:
            lost_because = self._late if self._aborted else f"sink error: {type(error).__name__}"
            self._flush_error = error
            self._report("writing to", error)
            taken = max(0, getattr(error, "messages_taken", 0))
            self.counters.settle(parcels[:taken], None, waited_for=self.is_waited_for)
            parcels = parcels[taken:]
        finally:
            self._settle(parcels, lost_because)
        if lost_because is None:
            if self._outage.reason is not None:
                self._outage.end(is_told=self._write_losses.rows > 0)
            if self._write_losses.rows:
                self._write_losses.end(lambda rows: f"{self.sink!r} takes data again: {rows} rows are lost")
        else:
            # That it fails was told by `_report`.
            rows = sum(parcel.rows for parcel in parcels)
            self._write_losses.add(rows, time.monotonic(), str, _tell_nobody)
        if self._overflow_losses.rows:
            self._end_overflow(time.monotonic())

    def _begin_outage(self, error: SinkUnavailable, refused: Sequence[Parcel]) -> None:
        """Nothing can be written for now: what was refused waits at the front, and nobody for a flush."""
        self.counters.error = error
        self._outage.begin(error)
        # Its frames would keep the messages alive, dropped or not.
        error.__traceback__ = None
        lost = self._queue.put_back(refused)
        if lost:
            self._drop(lost)
        for marker in self._queue.take_markers():
            marker.finish(error)

    async def _wait_available(self) -> None:
        try:
            await self._outage.wait()
        except SinkGone as error:
            self._note_gone(error)
            raise _Finished from None
        except Exception as error:
            self._report("waiting for", error)
            await self._outage.wait_a_while()

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
        if lost_because is None:
            self._failing = False
        self.counters.settle(parcels, lost_because, waited_for=self.is_waited_for)

    async def _flush(self, marker: FlushMarker) -> None:
        error, self._flush_error = self._flush_error, None
        flush = self.sink.flush
        if marker.acknowledged:
            flush = getattr(self.sink, "flush_acknowledged", flush)
        try:
            await flush()
        except SinkUnavailable as unavailable:
            # The next write tells of it.
            error = error or unavailable
            self.counters.error = unavailable
        except Exception as flush_error:
            error = error or flush_error
            self._report("flushing", flush_error)
        finally:
            marker.finish(error)

    async def _drop_queue_gently(self, reason: str) -> None:
        """Gives the queue up, in steps: thousands of messages at once would hold up the loop."""
        try:
            while self._drop_some(reason):  # noqa: ASYNC110
                await asyncio.sleep(0)
        finally:
            # Cancelled in between: what is left is counted nevertheless.
            self._drop_queue(reason)

    def _drop_queue(self, reason: str, error: Exception | None = None) -> None:
        while self._drop_some(reason, error):
            pass

    def _drop_some(self, reason: str, error: Exception | None = None) -> bool:
        """Gives up what is at the front of the queue; returns whether there is more."""
        marker = self._queue.take_marker()
        if marker is not None:
            marker.finish(error or TimeoutError(f"{self.sink!r} was closed: {reason}"))
        elif self._queue:
            self._settle(self._queue.take(MAX_WRITE_BYTES), reason)
        return bool(self._queue)

    def _end_losses(self) -> None:
        self._overflow_losses.end(
            lambda rows: f"{self.sink!r} is closed: {rows} rows were dropped ({self.overflow})"
        )
        self._write_losses.end(lambda rows: f"{self.sink!r} is closed: {rows} rows are lost")

    def _note_gone(self, error: SinkGone) -> None:
        if self.gone is None:
            self.gone = self.counters.error = error
            logger.warning("%s", error)

    def _report(self, doing: str, error: Exception) -> None:
        self.counters.error = error
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
