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
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from aiorerun.errors import SinkOpenError
from aiorerun.sinks.runner import Delivery, SinkRunner
from aiorerun.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from aiorerun.codec.messages import Message
    from aiorerun.pipeline.capture import Cut
    from aiorerun.room import Room
    from aiorerun.sinks.base import Sink
    from aiorerun.types.store import StoreId
    from aiorerun.types.tuid import TuidSource

JOB_BYTES: Final = 4 << 20
"""About how many bytes of rows are encoded in one go before the messages are passed on."""

logger = logging.getLogger("aiorerun")


class Batch:
    """Rows that were cut off in one moment, still to be assembled and encoded.

    Args:
        cuts: The rows.
        max_rows_if_unsorted: See :class:`aiorerun.ChunkBatcherConfig`.
    """

    __slots__ = ("cost", "cuts", "max_rows_if_unsorted", "rows")

    def __init__(self, cuts: Sequence[Cut], max_rows_if_unsorted: int) -> None:
        self.cuts: Sequence[Cut] = cuts
        self.max_rows_if_unsorted = max_rows_if_unsorted
        self.cost = sum(cut.cost for cut in cuts)
        self.rows = sum(cut.num_rows for cut in cuts)


class Ready:
    """Something that becomes messages without any batching.

    Args:
        make: Makes the messages, in the worker.
        rows: How many rows they hold.
        cost: About how many bytes it holds on to.
    """

    __slots__ = ("cost", "make", "rows")

    def __init__(self, make: Callable[[], list[Message]], rows: int, cost: int) -> None:
        self.make = make
        self.rows = rows
        self.cost = cost


class Encoded(Ready):
    """Rows whose messages are made already, and counted.

    Args:
        messages: The messages.
        rows: How many rows they hold.
        cost: About how many bytes it holds on to.
    """

    __slots__ = ()

    def __init__(self, messages: Sequence[Message], rows: int, cost: int) -> None:
        kept = list(messages)
        super().__init__(lambda: kept, rows, cost)


class _Flush:
    __slots__ = ("future",)

    def __init__(self, future: asyncio.Future[None]) -> None:
        self.future = future


class _Switch:
    __slots__ = ("future", "sinks")

    def __init__(self, sinks: Sequence[Sink], future: asyncio.Future[None]) -> None:
        self.sinks = sinks
        self.future = future


class Conveyor:
    """Moves rows to sinks. Methods belong to the event loop it is bound to, except where noted.

    Args:
        store: The recording.
        ids: Where row and chunk ids come from.
        room: Counts the rows.
        close_timeout: Seconds that opening or closing a sink may take.
        on_sinks_changed: Called on the loop when the sinks were replaced.
        before_finish: Called on the loop before everything is finished, to queue what is not queued yet.

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
    ) -> None:
        self._store = store
        self._ids = ids
        self._room = room
        self._close_timeout = close_timeout
        self._on_sinks_changed = on_sinks_changed
        self._before_finish = before_finish
        self._commands: deque[Batch | Ready | _Flush | _Switch] = deque()
        self._backlog: deque[Batch | Ready] = deque()
        self._undrained: list[Message] = []
        self._trim_lock = threading.Lock()
        self._had_sinks = False
        self._task: asyncio.Task[None] | None = None
        self._wake: asyncio.Event | None = None
        self._worker: Worker | None = None
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

    def push(self, batch: Batch | Ready) -> None:
        """Queues rows."""
        self._commands.append(batch)
        self._room.take(batch.cost)
        if self._task is None:
            if self._had_sinks:
                self._trim()
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

    def _trim(self) -> None:
        """After a disconnect nothing takes the rows: the oldest go first."""
        ledger = self._room.ledger
        with self._trim_lock:
            while ledger.in_flight > ledger.limit:
                waiting: deque[Any] = self._backlog or self._commands
                if len(waiting) < 2:
                    return
                oldest = waiting.popleft()
                self._room.settle(oldest.cost, oldest.rows, "no sink after a disconnect")

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

    def flush(self, future: asyncio.Future[None]) -> None:
        """Queues a flush; the future is done when everything queued before has passed through all sinks."""
        self._commands.append(_Flush(future))
        self._set_wake()

    def switch(self, sinks: Sequence[Sink], future: asyncio.Future[None]) -> None:
        """Queues a change of sinks."""
        self._commands.append(_Switch(tuple(sinks), future))
        self._set_wake()

    async def finish(self) -> None:
        """Binds to the running loop, delivers everything and closes all sinks.

        For interpreter exit, when the loop of the stream is gone or runs in another thread.
        """
        self.bind()
        self._before_finish()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.switch((), future)
        await future

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
            while (self.runners or self._commands) and self._is_current():
                await self._step()
        except asyncio.CancelledError:
            # The event loop is shutting down with sinks still open: finish them in order, in time.
            task = asyncio.current_task()
            assert task is not None
            while task.cancelling():
                task.uncancel()
            await self._finish()
            raise
        finally:
            self._release(own_task)

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
        for command in [*self._commands]:
            if isinstance(command, _Flush | _Switch):
                self._commands.remove(command)
                command.future.cancel()
        self._before_finish()
        while self.runners and self._commands:
            await self._step()
        await self._close(list(self.runners))
        self._on_sinks_changed()

    async def _step(self) -> None:
        if not self._commands:
            assert self._wake is not None
            self._wake.clear()
            if not self._commands:
                await self._wake.wait()
            return
        command = self._commands.popleft()
        try:
            await self._handle(command)
        except Exception as error:
            # None of the errors that are expected: whoever waits learns of it, and the rest goes on.
            logger.exception("recording %r: unexpected error", self.name)
            if isinstance(command, _Flush | _Switch) and not command.future.done():
                command.future.set_exception(error)

    async def _handle(self, command: Batch | Ready | _Flush | _Switch) -> None:
        if isinstance(command, _Switch):
            await self._switch(command)
        elif isinstance(command, _Flush):
            self._flush(command)
        elif self.runners:
            await self._deliver(self._collect(command))
        else:
            self._backlog.append(command)

    def _collect(self, first: Batch | Ready) -> list[Batch | Ready]:
        """What can be encoded in one go: everything up to the next flush or change of sinks."""
        taken: list[Batch | Ready] = [first]
        cost = first.cost
        while self._commands and cost < JOB_BYTES:
            command = self._commands[0]
            if isinstance(command, _Flush | _Switch):
                break
            self._commands.popleft()
            cost += command.cost
            taken.append(command)
        return taken

    async def _deliver(self, batches: Sequence[Batch | Ready]) -> None:
        from aiorerun.jobs import encode

        assert self._worker is not None
        encoded = await self._worker.run(partial(encode, batches, self._store, self._ids))
        for batch, outcome in zip(batches, encoded, strict=True):
            if isinstance(outcome, Exception):
                self._lose(batch, outcome)
                continue
            if not isinstance(batch, Encoded):
                self._room.ledger.count_chunks(len(outcome))
            if self.runners:
                self._send(outcome, batch)
            else:
                # The last sink went away meanwhile.
                self._backlog.append(Encoded(outcome, batch.rows, batch.cost))

    def _send(self, messages: Sequence[Message], batch: Batch | Ready | None) -> None:
        cost, rows = (0, 0) if batch is None else (batch.cost, batch.rows)
        settle = None if batch is None else partial(self._room.settle, cost, rows)
        delivery = Delivery(messages, len(self.runners), settle, cost, rows)
        for runner in self.runners:
            runner.put(delivery)

    def _lose(self, batch: Batch | Ready, error: Exception) -> None:
        reason = f"could not be encoded: {type(error).__name__}"
        logger.error("%d rows of %r %s: %s", batch.rows, self.name, reason, error)
        self._room.settle(batch.cost, batch.rows, reason)

    def _flush(self, command: _Flush) -> None:
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

    async def _switch(self, command: _Switch) -> None:
        assert self._worker is not None
        await self._worker.run(_load)
        # A sink that equals an old one uses the same file or port: the old one has to let go first.
        equal = [runner for runner in self.runners if runner.sink in command.sinks]
        await self._close(equal)
        runners = [
            SinkRunner(sink, self._store, self._worker, self._hold_bytes, self._on_gone)
            for sink in command.sinks
        ]
        try:
            for position, runner in enumerate(runners):
                await self._open(runner, runners[:position])
        except asyncio.CancelledError:
            # The loop is shutting down.
            command.future.cancel()
            raise
        except Exception as error:
            self._on_sinks_changed()
            if not command.future.done():
                command.future.set_exception(error)
            return
        old = self.runners
        await self._close(old)
        self.runners = runners
        self._had_sinks = self._had_sinks or bool(runners)
        for runner in runners:
            runner.start()
        self._on_sinks_changed()
        await self._hand_over([*equal, *old])
        _set_result(command.future)

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
        await asyncio.gather(*(runner.close(self._close_timeout) for runner in runners))
        for runner in runners:
            if runner.gone is not None:
                self._take_back(runner, is_lost=len(self.runners) > 1)
        self.bytes_of_closed_sinks += sum(runner.bytes_written for runner in runners)
        self.runners = [runner for runner in self.runners if runner not in runners]

    async def _hand_over(self, old: Sequence[SinkRunner]) -> None:
        """Announces the recording to new sinks and gives them what no sink has taken for good."""
        for runner in old:
            take_messages = getattr(runner.sink, "take_messages", None)
            if take_messages is not None:
                self._undrained.extend(take_messages())
        if not self.runners:
            return
        undrained, self._undrained = self._undrained, []
        self._send([self._announce(), *undrained], None)
        while self._backlog and self.runners:
            await self._deliver([self._backlog.popleft()])

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

        waiting: list[Batch | Ready] = []
        for delivery in runner.take_unsent(is_lost=is_lost):
            if is_lost:
                delivery.done(f"sink is gone: {runner.sink!r}")
                continue
            # The next sink gets an announcement of its own.
            messages = [each for each in delivery.messages if each.kind is not MessageKind.SET_STORE_INFO]
            if delivery.cost or delivery.accepted:
                waiting.append(Encoded(messages, delivery.accepted, delivery.cost))
            else:
                self._undrained.extend(messages)
        self._backlog.extendleft(reversed(waiting))

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
