"""The queue in front of a sink, and the one task that writes to it."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import deque
from typing import TYPE_CHECKING, Final, TypeVar

from aiorerun.pipeline.ledger import SinkStats

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
    """

    __slots__ = ("_lost_because", "_open", "_settle", "cost", "messages", "nbytes", "rows")

    def __init__(
        self, messages: Sequence[Message], sinks: int, settle: Callable[[str | None], None] | None
    ) -> None:
        self.messages = messages
        self.cost = 0
        """What it counts towards the byte limit of a buffer: handed-over messages count nothing."""
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
    """

    def __init__(self, sink: Sink, store: StoreId, worker: Worker) -> None:
        self.sink = sink
        self.store = store
        self._worker = worker
        self._queue: deque[Delivery | asyncio.Future[None]] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self._aborted = False
        self._task: asyncio.Task[None] | None = None
        self._flush_error: Exception | None = None
        self._failing = False
        self.rows_written = 0
        self.rows_dropped = 0
        self.messages_written = 0
        self.bytes_written = 0
        self.queued_bytes = 0
        self.error: Exception | None = None

    async def run_blocking(self, function: Callable[[], T]) -> T:
        """See :class:`aiorerun.sinks.SinkContext`."""
        return await self._worker.run(function)

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
        self._drop_queue("sink did not finish in time")

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
        except Exception as error:
            self._report("closing", error)

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

    def _report(self, doing: str, error: Exception) -> None:
        self.error = error
        if self._failing:
            return
        # Once per run of failures: a full disk must not fill the log as well.
        self._failing = True
        logger.error("%s %r failed: %s: %s", doing, self.sink, type(error).__name__, error)


class _Finished(Exception):
    """Everything is written and the runner is closing."""


def _uncancel() -> None:
    task = asyncio.current_task()
    if task is not None:
        while task.cancelling():
            task.uncancel()
