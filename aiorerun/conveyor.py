"""The conveyor: the one task that moves a stream's rows from the batcher through the worker to the sinks.

Everything that must keep its order goes through one queue of commands: rows that were cut off, ready
chunks, flushes, changes of sinks. Users never see the task and never cancel it. Without a sink nothing
runs: commands wait, which is the start buffer.
"""

from __future__ import annotations

import asyncio
import contextvars
import importlib
import logging
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aiorerun import process
from aiorerun.cargo import Encoded
from aiorerun.config import MAX_BYTES_IN_FLIGHT
from aiorerun.errors import SinkOpenError
from aiorerun.pipeline.overflow import QUIET_SECS
from aiorerun.sinks.parcel import Parcel
from aiorerun.sinks.runner import SinkRunner
from aiorerun.waiting import Flush, Switch, Waiting
from aiorerun.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from aiorerun.codec.messages import Message
    from aiorerun.pipeline.overflow import OverflowPolicy
    from aiorerun.room import Room
    from aiorerun.sinks.base import Sink
    from aiorerun.types.store import StoreId
    from aiorerun.types.tuid import TuidSource
    from aiorerun.waiting import Cargo, Order

T = TypeVar("T")

JOB_BYTES: Final = 4 << 20
"""About how many bytes of rows are encoded in one go before the messages are passed on."""

LOAD_SECS: Final = 60.0
"""So long imports may take, on a busy machine."""

LATE: Final = "not encoded in time at exit"
"""Why rows are lost that the worker had no time for."""

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
        limit: Bytes that may wait for a sink with a queue of its own that names no limit.

    Attributes:
        runners: The attached sinks.
        bytes_of_closed_sinks: Encoded bytes that former sinks have taken.
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
        self._ids = ids
        self._room = room
        self._close_timeout = close_timeout
        self._on_sinks_changed = on_sinks_changed
        self._before_finish = before_finish
        self._overflow: OverflowPolicy = overflow
        self._limit = limit
        self._waiting = Waiting(room)
        self._undrained: list[Message] = []
        self._had_sinks = False
        self._task: asyncio.Task[None] | None = None
        self._wake: asyncio.Event | None = None
        self._worker: Worker | None = None
        self._job: asyncio.Future[Any] | None = None
        self._job_started = self._job_secs = 0.0
        self._is_late = False
        self._rows_late = 0
        self._thread_id = 0
        self.loop: asyncio.AbstractEventLoop | None = None
        self.runners: list[SinkRunner] = []
        self.bytes_of_closed_sinks = 0

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
        if self._task is None:
            if self._had_sinks:
                self._waiting.trim("drop_oldest" if self._overflow == "wait" else self._overflow, NO_SINK)
        elif self.is_on_own_thread:
            self._set_wake()
        else:
            self.call_threadsafe(self._set_wake)

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
        if self._worker is None:
            self._worker = Worker.of(loop)
        for runner in self.runners:
            runner.rebind()
        # An empty context: the task must not keep anything of the caller's alive.
        self._task = loop.create_task(self._run(), name="aiorerun-conveyor", context=contextvars.Context())
        conveyors.add(self)
        process.finish_with_multiprocessing()

    def flush(self, future: asyncio.Future[None]) -> None:
        """Queues a flush; the future is done when everything queued before has passed through all sinks."""
        self._waiting.append(Flush(future))
        self._set_wake()

    def switch(self, sinks: Sequence[Sink], future: asyncio.Future[None], *, at_exit: bool = False) -> None:
        """Queues a change of sinks. At exit, what is not encoded in time for it is lost."""
        if at_exit and self._worker is not None:
            self._worker.hurry()
        self._waiting.append(Switch(tuple(sinks), future))
        self._set_wake()
        self._watch(future, at_exit=at_exit)

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
        for each in (task, *(runner.abandon() for runner in self.runners)):
            if each is not None:
                each._log_destroy_pending = False  # type: ignore[attr-defined]

    def _watch(self, future: asyncio.Future[Any], *, at_exit: bool = False) -> None:
        """While somebody waits for this future, no job is waited for longer than it may take.

        At exit all jobs together may take as long as closing.
        """
        loop = asyncio.get_running_loop()
        timers: list[asyncio.TimerHandle] = []

        def look() -> None:
            remaining = self._job_started + self._job_secs - time.monotonic()
            self._is_late = self._is_late or at_exit
            if self._job is not None and not self._job.done() and (at_exit or remaining <= 0):
                self._job.set_exception(TimeoutError(f"no answer from the worker in {self._close_timeout} s"))
            timers[:] = [loop.call_later(remaining if remaining > 0 else self._close_timeout, look)]

        timers.append(loop.call_later(self._close_timeout, look))
        future.add_done_callback(lambda _: timers[0].cancel())

    async def _work(self, function: Callable[[], T], secs: float) -> T:
        """Runs something in the worker. Raises ``TimeoutError`` if it takes longer and somebody watches."""
        assert self._worker is not None
        self._job_started, self._job_secs = time.monotonic(), secs
        try:
            return await self._worker.run(function, hold=self._hold, on_cancel=self._watch_job)
        finally:
            # It holds the result: the messages, whose memory the next job is to use again.
            self._job = None

    def _hold(self, future: asyncio.Future[Any]) -> None:
        self._job = future

    def _is_wanted(self) -> bool:
        """Whether the running job is waited for; called by the job, in the worker."""
        return self._job is not None and not self._job.done()

    def _watch_job(self) -> None:
        """The loop is shutting down in the middle of a job."""
        if self._job is not None:
            self._watch(self._job)

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
            while (self.runners or self._waiting) and self._is_current():
                await self._step()
                await self._let_cancel()
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

    async def _let_cancel(self) -> None:
        """Lets a cancellation through that a job has put off, before the next job does so again."""
        try:
            task = asyncio.current_task()
        except RuntimeError:
            return
        if task is not None and task.cancelling():
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
        if self._worker is not None and not self.runners:
            self.loop = None
            self._worker.release()
            self._worker = None
            conveyors.discard(self)

    async def _finish(self) -> None:
        for order in self._waiting.take_orders():
            order.future.cancel()
        self._before_finish()
        if self.runners:
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
        if not self._waiting:
            await self._wait()
            return
        command = self._waiting.take()
        try:
            await self._handle(command)
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
        elif self.runners:
            await self._deliver(self._waiting.take_rows(command, JOB_BYTES))
        else:
            self._waiting.put_by(command)

    async def _deliver(self, batches: Sequence[Cargo]) -> None:
        from aiorerun.jobs import encode

        if self._is_late:
            for batch in batches:
                self._rows_late += batch.rows
                self._room.settle(batch.cost, batch.rows, LATE)
            return
        try:
            job = partial(encode, batches, self._store, self._ids, self._is_wanted)
            with self._room.encoding():
                encoded = await self._work(job, self._close_timeout)
        except TimeoutError as error:
            # The worker hangs, in the system call of a sink as a rule; or busy threads leave it no time.
            for batch in batches:
                self._lose(batch, error)
            return
        waited_for = self._count_waited_for()
        chunks = 0
        for batch, outcome in zip(batches, encoded, strict=True):
            if isinstance(outcome, Exception):
                self._lose(batch, outcome)
            elif isinstance(batch, Encoded):
                self._put(outcome[0], waited_for, batch.rows, batch.cost, batch.lost_because)
            else:
                chunks += len(outcome)
                self._send(outcome, waited_for, batch.cost, batch.rows)
        self._room.ledger.count_chunks(chunks)

    def _send(self, messages: Sequence[Message], waited_for: int, cost: int, rows: int) -> None:
        """Queues new messages for all sinks: they share the cost by size, and their rows are counted."""
        if not messages:
            self._room.settle(cost, rows, None)
            return
        if len(messages) > 1:
            nbytes = sum(message.nbytes for message in messages)
            rest = cost
            for message in messages[:-1]:
                share = cost * message.nbytes // nbytes
                rest -= share
                rows -= message.rows
                self._put(message, waited_for, message.rows, share)
            cost = rest
        self._put(messages[-1], waited_for, rows, cost)

    def _put(
        self, message: Message, waited_for: int, rows: int, cost: int, lost_because: str | None = None
    ) -> None:
        runners = self.runners
        if not runners:
            # The last sink went away meanwhile.
            self._waiting.put_by(Encoded(message, rows, cost, lost_because))
            return
        parcel = Parcel(
            message,
            len(runners),
            waited_for,
            rows=rows,
            cost=cost,
            account=self._room,
            lost_because=lost_because,
        )
        for runner in runners:
            runner.put(parcel)

    def _count_waited_for(self) -> int:
        return sum([runner.is_waited_for for runner in self.runners])

    def _lose(self, batch: Cargo, error: Exception) -> None:
        reason = f"could not be encoded: {type(error).__name__}"
        logger.error("%d rows of %r %s: %s", batch.rows, self.name, reason, error)
        self._room.settle(batch.cost, batch.rows, reason)

    def _flush(self, command: Flush) -> None:
        waiting = [runner.flush() for runner in self.runners]
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
        assert self._worker is not None
        if command.sinks:
            await self._work(_load, LOAD_SECS)
        # A sink that equals an old one uses the same file or port: the old one has to let go first.
        equal = [runner for runner in self.runners if runner.sink in command.sinks]
        await self._close(equal)
        runners = [self._make_runner(sink) for sink in command.sinks]
        try:
            for position, runner in enumerate(runners):
                await self._open(runner, runners[:position])
        except asyncio.CancelledError:
            # The loop is shutting down.
            command.future.cancel()
            raise
        except Exception as error:
            for runner in runners:
                runner.discard()
            self._on_sinks_changed()
            if not command.future.done():
                command.future.set_exception(error)
            return
        if self._rows_late:
            logger.error(
                "%d rows of %r are lost: there was no time left for them", self._rows_late, self.name
            )
        self._rows_late, self._is_late = 0, False
        old = self.runners
        await self._close(old)
        self.runners = runners
        self._had_sinks = self._had_sinks or bool(runners)
        for runner in runners:
            runner.start()
        self._on_sinks_changed()
        self._worker.stop_hurrying()
        self._hand_over([*equal, *old])
        _set_result(command.future)

    def _make_runner(self, sink: Sink) -> SinkRunner:
        assert self._worker is not None
        return SinkRunner(
            sink,
            self._store,
            self._worker,
            self._overflow,
            self._limit,
            hold_bytes=self._hold_bytes,
            on_gone=self._on_gone,
        )

    async def _open(self, runner: SinkRunner, opened: Sequence[SinkRunner]) -> None:
        try:
            await runner.open(self._close_timeout)
        except TimeoutError as error:
            await self._abandon(opened)
            raise SinkOpenError(
                None, f"{runner.sink!r} did not open within {self._close_timeout} s"
            ) from error
        except BaseException:
            await self._abandon(opened)
            raise

    async def _abandon(self, opened: Iterable[SinkRunner]) -> None:
        """Closes sinks that were opened for a change that failed."""
        for runner in opened:
            runner.start()
            await runner.close(self._close_timeout)

    async def _close(self, runners: Sequence[SinkRunner]) -> None:
        if not runners:
            return
        # Where the worker hangs all that time has passed already.
        is_stuck = self._worker is not None and self._worker.is_stuck
        timeout = min(self._close_timeout, 0.5) if is_stuck else self._close_timeout
        await asyncio.gather(*(runner.close(timeout) for runner in runners))
        # One that went away in the last moment has left already.
        closed = [runner for runner in self.runners if runner in runners]
        for runner in closed:
            if runner.gone is not None:
                self._take_back(runner, is_lost=len(self.runners) > 1)
        self.bytes_of_closed_sinks += sum(runner.bytes_written for runner in closed)
        self._room.end_losses()
        self.runners = [runner for runner in self.runners if runner not in runners]

    def _hand_over(self, old: Sequence[SinkRunner]) -> None:
        """Announces the recording to new sinks and gives them what no sink has taken for good."""
        for runner in old:
            take_messages = getattr(runner.sink, "take_messages", None)
            if take_messages is not None:
                self._undrained.extend(take_messages())
        if not self.runners:
            return
        undrained, self._undrained = self._undrained, []
        for message in (self._announce(), *undrained):
            # Their rows, if any, were settled when the memory sink took them.
            parcel = Parcel(message, len(self.runners), self._count_waited_for())
            for runner in self.runners:
                runner.put(parcel)
        self._waiting.bring_forward()

    def _on_gone(self, runner: SinkRunner) -> None:
        """A sink can take nothing any more. The others go on; without any, rows wait in a buffer."""
        if runner.is_closing or runner not in self.runners:
            # A change of sinks is under way, and takes care of what is left.
            return
        self.runners = [other for other in self.runners if other is not runner]
        self.bytes_of_closed_sinks += runner.bytes_written
        self._take_back(runner, is_lost=bool(self.runners))
        self._on_sinks_changed()
        self._set_wake()

    def _take_back(self, runner: SinkRunner, *, is_lost: bool) -> None:
        """Puts what a sink did not take back into the buffer, unless another sink has it."""
        from aiorerun.codec.framing import MessageKind

        if is_lost:
            runner.lose_unsent()
            return
        waiting: list[Cargo] = []
        for parcel in runner.take_unsent():
            if parcel.is_settled:
                # The next sink gets an announcement of its own.
                if parcel.message.kind is not MessageKind.SET_STORE_INFO:
                    self._undrained.append(parcel.message)
            else:
                waiting.append(Encoded(parcel.message, parcel.rows, parcel.reclaim(), parcel.lost_because))
        self._waiting.put_back(waiting)

    def _hold_bytes(self, nbytes: int) -> None:
        """Counts what a sink keeps in memory towards the byte limit; from any thread."""
        if nbytes > 0:
            self._room.take(nbytes)
        else:
            self._room.settle(-nbytes, 0, None)

    def _announce(self) -> Message:
        """Tells a sink which recording this is."""
        from aiorerun.codec.messages import store_info_message

        return store_info_message(self._store, self._ids.next(), sys.version_info[:3])


def _load() -> None:
    """Imports, in the worker, what is needed from the first sink on: pyarrow above all.

    The loop thread imports nothing later: a fork could happen in the middle of it, and the child would
    wait for ever for a lock that nobody holds.
    """
    for name in ("archetypes.recording", "codec.rrd", "jobs", "pipeline.column_chunks"):
        importlib.import_module(f"aiorerun.{name}")


def _set_result(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


conveyors: set[Conveyor] = set()
"""Conveyors with open sinks. They live here until they are disconnected or finished at exit."""
