"""The conveyor: the one task that moves a stream's rows from the batcher through the worker to the sinks.

Everything that must keep its order goes through one queue of commands: rows that were cut off, ready
chunks, flushes, changes of sinks. Users never see the task and never cancel it. Without a sink nothing
runs: commands wait, which is the start buffer.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import importlib
import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from aiorerun import process
from aiorerun.config import MAX_BYTES_IN_FLIGHT
from aiorerun.engine.delivery import Delivery
from aiorerun.engine.sink_set import SinkSet
from aiorerun.engine.waiting import Flush, Switch, Waiting
from aiorerun.engine.watched_worker import WatchedWorker
from aiorerun.interrupts import INTERRUPTS, pass_on
from aiorerun.pipeline.overflow import QUIET_SECS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiorerun.codec.messages import Message
    from aiorerun.engine.room import Room
    from aiorerun.engine.waiting import Cargo, Order
    from aiorerun.pipeline.overflow import OverflowPolicy
    from aiorerun.sinks.base import Sink
    from aiorerun.types.store import StoreId
    from aiorerun.types.tuid import TuidSource

LOAD_SECS: Final = 60.0
"""So long imports may take, on a busy machine."""

NO_SINK: Final = "no sink after a disconnect"
"""Why rows are lost that nothing takes."""

logger = logging.getLogger("aiorerun")


class Conveyor:
    """Moves rows to sinks. Methods belong to the event loop it is bound to, except where noted.

    Args:
        store: The recording.
        ids: Where row and chunk ids come from.
        room: Counts the rows.
        close_timeout: Seconds that opening or closing a sink may take.
        on_sinks_changed: Called on the loop when the sinks were replaced.
        before_finish: Called on the loop before everything is finished, to queue what is not queued yet.
        overflow: What happens to rows that are too many, and the policy of sinks that have none.
        limit: Bytes that may wait for a sink with a queue of its own that names no limit. Where all sinks
            have such queues, what is not encoded yet counts, too.

    Attributes:
        sinks: The attached sinks.
        loop: The event loop it is bound to.
    """

    def __init__(
        self,
        store: StoreId,
        ids: TuidSource,
        room: Room,
        close_timeout: float,
        on_sinks_changed: Callable[[], None],
        before_finish: Callable[[], None],
        overflow: OverflowPolicy = "wait",
        limit: int = MAX_BYTES_IN_FLIGHT,
    ) -> None:
        self._store = store
        self._room = room
        self._close_timeout = close_timeout
        self._on_sinks_changed = on_sinks_changed
        self._before_finish = before_finish
        self._overflow: OverflowPolicy = overflow
        self._limit = limit
        self._waiting = Waiting(room)
        self._worker = WatchedWorker(close_timeout)
        self._task: asyncio.Task[None] | None = None
        self._wake: asyncio.Event | None = None
        self._thread_id = 0
        self.loop: asyncio.AbstractEventLoop | None = None
        self.sinks = SinkSet(
            store, ids, room, self._waiting, self._worker, close_timeout, self._on_changed, overflow, limit
        )
        self._delivery = Delivery(store, ids, room, self._waiting, self._worker, self.sinks, close_timeout)

    # --- from any thread -----------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """Whether its task runs, so that commands are handled."""
        return self._task is not None

    @property
    def is_on_own_thread(self) -> bool:
        """Whether the current thread is the one that runs its loop."""
        return threading.get_ident() == self._thread_id

    def push(self, cargo: Cargo) -> None:
        """Queues rows."""
        self._waiting.append(cargo)
        self._room.take(cargo.cost)
        ledger = self._room.ledger
        if ledger.aside and ledger.in_flight + ledger.aside > self._limit:
            self._relieve_sinks()
        if self._task is None:
            if self.sinks.had_any:
                self._waiting.trim("drop_oldest" if self._overflow == "wait" else self._overflow, NO_SINK)
        elif self.is_on_own_thread:
            self._set_wake()
        else:
            self.call_threadsafe(self._set_wake)

    def _relieve_sinks(self) -> None:
        """Queues of sinks that drop rows, and what is not encoded yet, share one limit: the former yield."""
        if self.is_on_own_thread:
            self.sinks.make_room(self._room.ledger.in_flight)
        else:
            self.call_threadsafe(self._relieve_sinks)

    def call_threadsafe(self, function: Callable[[], Any]) -> bool:
        """Runs a function on the loop some time soon; returns whether there is a loop to run it."""
        loop = self.loop
        if loop is None:
            return False
        try:
            loop.call_soon_threadsafe(function)
        except RuntimeError:
            # The loop is closed: what is queued is finished when the stream is used again, or at exit.
            return False
        return True

    def _set_wake(self) -> None:
        if self._wake is not None:
            self._wake.set()

    def make_room(self) -> None:
        """Drops rows that are not encoded yet, if the policy says so; from any thread."""
        if self._room.overflow in ("drop_oldest", "keep_latest"):
            self._waiting.trim(self._room.overflow, f"overflow: {self._room.overflow}")

    # --- on the loop ---------------------------------------------------------------------------

    def bind(self) -> None:
        """Binds to the running loop and starts the task, unless both are the case."""
        loop = asyncio.get_running_loop()
        if self.loop is loop and self._task is not None and not self._task.done():
            return
        self.loop = loop
        self._thread_id = threading.get_ident()
        self._wake = asyncio.Event()
        self._wake.set()
        self._worker.bind(loop)
        self.sinks.rebind()
        # An empty context: the task must not keep anything of the caller's alive.
        self._task = loop.create_task(self._run(), name="aiorerun-conveyor", context=contextvars.Context())
        conveyors.add(self)
        process.finish_with_multiprocessing()

    def flush(self, future: asyncio.Future[None], *, acknowledged: bool = False) -> None:
        """Queues a flush; the future is done when everything queued before has passed through all sinks."""
        self._waiting.append(Flush(future, acknowledged=acknowledged))
        self._set_wake()

    def switch(
        self,
        sinks: Sequence[Sink],
        future: asyncio.Future[None],
        make_first: Callable[[], list[Message]] | None = None,
        *,
        at_exit: bool = False,
    ) -> None:
        """Queues a change of sinks. At exit, what is not encoded in time for it is lost."""
        if at_exit and self._worker.is_bound:
            self._worker.worker.hurry()
        self._waiting.append(Switch(tuple(sinks), future, make_first))
        self._set_wake()
        self._worker.watch(future, at_exit=at_exit)

    async def finish(self) -> None:
        """Binds to the running loop, delivers everything and closes all sinks.

        For interpreter exit, when the loop of the stream is gone or runs in another thread.
        """
        self.bind()
        self._before_finish()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.switch((), future, at_exit=True)
        await future

    def abandon(self) -> None:
        """In a forked child: the tasks are the parent's, and nobody misses them here."""
        task, self._task = self._task, None
        for each in (task, *self.sinks.abandon()):
            if each is not None:
                each._log_destroy_pending = False  # type: ignore[attr-defined]

    @property
    def close_timeout(self) -> float:
        """Seconds that closing a sink may take."""
        return self._close_timeout

    @property
    def name(self) -> str:
        """The recording id, for messages."""
        return self._store.recording_id

    # --- the task ------------------------------------------------------------------------------

    async def _run(self) -> None:
        own_task = asyncio.current_task()
        try:
            while (self.sinks.runners or self._waiting) and self._is_current():
                await self._step()
                await self._make_way()
        except asyncio.CancelledError:
            if not self._is_current():
                raise
            # The event loop is shutting down with sinks still open: finish them in order, in time.
            task = asyncio.current_task()
            assert task is not None
            while task.cancelling():
                task.uncancel()
            await self._finish()
            raise
        finally:
            self._release(own_task)

    async def _make_way(self) -> None:
        """Lets a cancellation through that a job has put off, and others run after work on the loop."""
        try:
            task = asyncio.current_task()
        except RuntimeError:
            return
        if (task is not None and task.cancelling()) or self._delivery.take_turn():
            await asyncio.sleep(0)

    def _is_current(self) -> bool:
        """Whether the running task is the one that owns the sinks now."""
        try:
            return self._task is asyncio.current_task()
        except RuntimeError:
            return False

    def _release(self, own_task: asyncio.Task[None] | None) -> None:
        if self._task is not own_task or not self._is_current():
            # The stream went on in another loop with another task, or the loop was closed under this one.
            # Such a coroutine ends when it is collected as garbage, in the middle of any other task.
            return
        self._task = None
        if self._worker.is_bound and not self.sinks.runners:
            self.loop = None
            self._worker.release()
            conveyors.discard(self)

    async def _finish(self) -> None:
        for order in self._waiting.take_orders():
            order.future.cancel()
        self._before_finish()
        if self.sinks.runners:
            # Other threads may go on logging: what comes from now on is no longer waited for.
            finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.switch((), finished, at_exit=True)
            while not finished.done():
                await self._step()

    async def _wait(self) -> None:
        """Waits for something to do, and meanwhile for the end of a run of losses."""
        assert self._wake is not None
        self._wake.clear()
        while self._room.loses and not self._waiting:
            try:
                async with asyncio.timeout(QUIET_SECS):
                    await self._wake.wait()
            except TimeoutError:
                self._room.end_losses(time.monotonic())
        if not self._waiting:
            await self._wake.wait()

    async def _step(self) -> None:
        try:
            if self._waiting:
                await self._do(self._waiting.take())
            else:
                await self._wait()
        except INTERRUPTS as interrupt:
            pass_on(interrupt)

    async def _do(self, command: Cargo | Order) -> None:
        try:
            await self._handle(command)
        except INTERRUPTS:
            if isinstance(command, Flush | Switch):
                command.future.cancel()
            raise
        except Exception as error:
            # None of the errors that are expected: whoever waits learns of it, and the rest goes on.
            logger.exception("recording %r: unexpected error", self.name)
            if isinstance(command, Flush | Switch) and not command.future.done():
                command.future.set_exception(error)

    async def _handle(self, command: Cargo | Order) -> None:
        if isinstance(command, Switch):
            await self._switch(command)
        elif isinstance(command, Flush):
            self._flush(command)
        elif self.sinks.runners:
            await self._delivery.deliver(command)
        else:
            self._waiting.put_by(command)

    def _flush(self, command: Flush) -> None:
        waiting = self.sinks.flush(acknowledged=command.acknowledged)
        future = command.future
        if not waiting:
            _set_result(future)
            return

        def settle(_: asyncio.Future[None]) -> None:
            if not all(each.done() for each in waiting):
                return
            errors = [error for error in (each.exception() for each in waiting) if error is not None]
            if future.done():
                return
            if errors:
                future.set_exception(errors[0])
            else:
                future.set_result(None)

        for each in waiting:
            each.add_done_callback(settle)

    async def _switch(self, command: Switch) -> None:
        if command.sinks:
            await self._worker.run(_load, LOAD_SECS)
        try:
            first = await self._make_first(command)
        except Exception as error:
            _set_exception(command.future, error)
            return
        try:
            runners, equal = await self.sinks.open(command.sinks)
        except asyncio.CancelledError:
            # The loop is shutting down.
            command.future.cancel()
            raise
        except Exception as error:
            _set_exception(command.future, error)
            return
        self._delivery.start_in_time()
        await self.sinks.attach(runners, equal, first)
        _set_result(command.future)

    async def _make_first(self, command: Switch) -> list[Message]:
        """What the new sinks get before everything else."""
        if command.make_first is None:
            return []
        try:
            return await self._worker.run(command.make_first, self._close_timeout)
        except asyncio.CancelledError:
            # The loop is shutting down.
            command.future.cancel()
            raise

    def _on_changed(self) -> None:
        self._on_sinks_changed()
        # Without sinks the task has nothing left to do.
        self._set_wake()


def _load() -> None:
    """Imports, in the worker, what is needed from the first sink on: pyarrow above all.

    The loop thread imports nothing later: a fork could happen in the middle of it, and the child would
    wait for ever for a lock that nobody holds.
    """
    for name in ("archetypes.recording", "codec.rrd", "engine.jobs", "codec.blocks", "types.numpy_arrow"):
        importlib.import_module(f"aiorerun.{name}")


def _set_result(future: asyncio.Future[None]) -> None:
    # Whoever waits for it may be gone with a loop that was closed.
    with contextlib.suppress(RuntimeError):
        if not future.done():
            future.set_result(None)


def _set_exception(future: asyncio.Future[None], error: Exception) -> None:
    with contextlib.suppress(RuntimeError):
        if not future.done():
            future.set_exception(error)


conveyors: set[Conveyor] = set()
"""Conveyors with open sinks. They live here until they are disconnected or finished at exit."""
