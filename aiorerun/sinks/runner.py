"""The queue in front of a sink, and the one task that writes to it."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import deque
from typing import TYPE_CHECKING, Final, TypeVar

from aiorerun.pipeline.ledger import SinkStats
from aiorerun.sinks.base import SinkGone

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiorerun.codec.messages import Message
    from aiorerun.sinks.base import Sink
    from aiorerun.types.store import StoreId
    from aiorerun.worker import Worker

T = TypeVar("T")

MAX_WRITE_BYTES: Final = 4 << 20
"""About how many bytes are handed to a sink in one call."""

logger = logging.getLogger("aiorerun")


class Delivery:
    """Messages on their way to several sinks; settled when the last of them is through with it.

    Args:
        messages: In order.
        sinks: How many sinks get it.
        settle: Called once with the reason why some sink did not get it, or ``None``.
        cost: What it counts towards the byte limit of a buffer: handed-over messages count nothing.
        accepted: How many accepted rows it stands for: none that are counted as delivered already.
    """

    __slots__ = ("_lost_because", "_open", "_settle", "accepted", "cost", "messages", "nbytes", "rows")

    def __init__(
        self,
        messages: Sequence[Message],
        sinks: int,
        settle: Callable[[str | None], None] | None,
        cost: int = 0,
        accepted: int = 0,
    ) -> None:
        self.messages = messages
        self.cost = cost
        self.accepted = accepted
        self.nbytes = sum(message.nbytes for message in messages)
        self.rows = sum(message.rows for message in messages)
        self._open = sinks
        self._settle = settle
        self._lost_because: str | None = None

    def done(self, lost_because: str | None) -> None:
        """One sink is through with it."""
        self._lost_because = self._lost_because or lost_because
        self._open -= 1
        if self._open == 0:
            self.messages = ()
            if self._settle is not None:
                self._settle(self._lost_because)


class SinkRunner:
    """Feeds one sink: a queue, and the task that owns the sink.

    The number of queued bytes is bounded by the stream's byte limit, which counts what is queued here.

    Args:
        sink: The sink.
        store: The recording it gets.
        worker: Where its blocking work runs.
        hold_bytes: See :class:`aiorerun.sinks.SinkContext`.
        on_gone: Called on the loop when the sink can take nothing any more; what it did not take is
            fetched with :meth:`take_unsent`.
    """

    def __init__(
        self,
        sink: Sink,
        store: StoreId,
        worker: Worker,
        hold_bytes: Callable[[int], None] = lambda nbytes: None,
        on_gone: Callable[[SinkRunner], None] = lambda runner: None,
    ) -> None:
        self.sink = sink
        self.store = store
        self._hold_bytes = hold_bytes
        self._on_gone = on_gone
        self._worker = worker
        self._queue: deque[Delivery | asyncio.Future[None]] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self._aborted = False
        self._task: asyncio.Task[None] | None = None
        self._flush_error: Exception | None = None
        self._failing = False
        self.gone: SinkGone | None = None
        self.rows_written = 0
        self.rows_dropped = 0
        self.messages_written = 0
        self.bytes_written = 0
        self.queued_bytes = 0
        self.error: Exception | None = None

    async def run_blocking(self, function: Callable[[], T]) -> T:
        """See :class:`aiorerun.sinks.SinkContext`."""
        return await self._worker.run(function)

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

    def put(self, delivery: Delivery) -> None:
        """Queues messages."""
        self._queue.append(delivery)
        self.queued_bytes += delivery.nbytes
        self._wake.set()

    def flush(self) -> asyncio.Future[None]:
        """Queues a flush; the future is done when everything queued before is written and flushed.

        It gets an exception if anything was lost since the flush before.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(future)
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
            self._aborted = True
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=1.0)
        if self.gone is None:
            self._drop_queue("sink did not finish in time")

    def take_unsent(self, *, is_lost: bool) -> list[Delivery]:
        """What a sink that is gone did not take, in order.

        Args:
            is_lost: Whether that is lost; then whoever waits for a flush is told.
        """
        unsent: list[Delivery] = []
        while self._queue:
            entry = self._queue.popleft()
            if isinstance(entry, Delivery):
                self.queued_bytes -= entry.nbytes
                unsent.append(entry)
            elif not entry.done():
                if is_lost and self.gone is not None:
                    entry.set_exception(self.gone)
                else:
                    entry.set_result(None)
        return unsent

    def stats(self) -> SinkStats:
        """Counters."""
        return SinkStats(
            name=repr(self.sink),
            rows_written=self.rows_written,
            rows_dropped=self.rows_dropped,
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
            self._on_gone(self)

    async def _step(self) -> None:
        if not self._queue:
            if self._closing:
                raise _Finished
            self._wake.clear()
            await self._wake.wait()
            return
        if isinstance(self._queue[0], Delivery):
            await self._write()
        else:
            await self._flush(self._queue.popleft())  # type: ignore[arg-type]

    async def _write(self) -> None:
        deliveries = self._take()
        messages = [message for delivery in deliveries for message in delivery.messages]
        lost_because: str | None = "sink did not finish in time"
        try:
            await self.sink.write(messages)
            lost_because = None
        except SinkGone as error:
            self._queue.extendleft(reversed(deliveries))
            deliveries = []
            self._note_gone(error)
            raise _Finished from None
        except Exception as error:
            lost_because = f"sink error: {type(error).__name__}"
            self._flush_error = error
            self._report("writing to", error)
        finally:
            self._settle(deliveries, lost_because)

    def _take(self) -> list[Delivery]:
        taken: list[Delivery] = []
        nbytes = 0
        while self._queue and nbytes < MAX_WRITE_BYTES:
            delivery = self._queue[0]
            if not isinstance(delivery, Delivery):
                break
            self._queue.popleft()
            nbytes += delivery.nbytes
            taken.append(delivery)
        return taken

    def _settle(self, deliveries: Sequence[Delivery], lost_because: str | None) -> None:
        for delivery in deliveries:
            self.queued_bytes -= delivery.nbytes
            if lost_because is None:
                self._failing = False
                self.rows_written += delivery.rows
                self.messages_written += len(delivery.messages)
                self.bytes_written += delivery.nbytes
            else:
                self.rows_dropped += delivery.rows
            delivery.done(lost_because)

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

    def _drop_queue(self, reason: str) -> None:
        while self._queue:
            entry = self._queue.popleft()
            if isinstance(entry, Delivery):
                self._settle([entry], reason)
            elif not entry.done():
                entry.set_exception(TimeoutError(f"{self.sink!r} was closed: {reason}"))

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


class _Finished(Exception):
    """Everything is written and the runner is closing, or the sink is gone."""


def _uncancel() -> None:
    task = asyncio.current_task()
    if task is not None:
        while task.cancelling():
            task.uncancel()
