"""The engine: drives the rows of one stream from the capture through the worker to its sinks.

Everything that must keep its order goes through one queue of commands (rows that were cut off, ready
chunks, flushes, changes of sinks), handled one after the other by one task that users never see and
never cancel. Without a sink nothing runs: commands wait, which is the start buffer.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
import sys
import threading
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from aiorerun.config import (
    CLOSE_TIMEOUT_SECS,
    MAX_BYTES_IN_FLIGHT,
    MAX_WAIT_SECS,
    START_BUFFER_WARN_BYTES,
    ChunkBatcherConfig,
    batcher_config_from_env,
)
from aiorerun.errors import SinkOpenError, strict_mode
from aiorerun.pipeline.capture import FULL, OPEN, Capture
from aiorerun.pipeline.ledger import Ledger, StreamStats
from aiorerun.worker import Worker, pause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from aiorerun.codec.messages import Message
    from aiorerun.pipeline.capture import Accumulator, Cut
    from aiorerun.sinks.base import Sink
    from aiorerun.sinks.runner import Delivery, SinkRunner
    from aiorerun.types.store import StoreId
    from aiorerun.types.tuid import TuidSource

NEVER: Final = (1 << 63) - 1
"""A due time that does not come."""

PACE_BYTES: Final = 8 << 20
"""With more than this under way, ``log`` lets the pipeline catch up if it is making progress: what is
large is then copied into memory that was just used, which is several times cheaper than fresh memory."""

PACE_SECS: Final = 0.005
"""The longest such pause of one call."""

FLUSH_TURN_SECS: Final = 0.001
"""How long a task that only logs makes way for an overdue flush: it takes several turns of the loop."""

PROGRESS_SECS: Final = 0.05
"""How recent the progress must be: nobody is slowed down by a sink that takes nothing."""

JOB_BYTES: Final = 4 << 20
"""About how many bytes of rows are encoded in one go before the messages are passed on."""

logger = logging.getLogger("aiorerun")


class Batch:
    """Rows that were cut off in one moment, still to be assembled and encoded."""

    __slots__ = ("cost", "cuts", "rows")

    def __init__(self, cuts: Sequence[Cut]) -> None:
        self.cuts: Sequence[Cut] = cuts
        self.cost = sum(cut.cost for cut in cuts)
        self.rows = sum(cut.num_rows for cut in cuts)

    def messages(self, engine: Engine) -> list[Message]:
        """Assembles and encodes. Runs in the worker; the rows are let go."""
        from aiorerun.codec.messages import chunk_message
        from aiorerun.pipeline.assemble import assemble

        cuts, self.cuts = self.cuts, ()
        max_rows = engine.config.chunk_max_rows_if_unsorted
        made = assemble(cuts, engine.ids, max_rows, pause)
        return [chunk_message(engine.store, chunk) for chunk in made]


class Ready:
    """Something that becomes messages without any batching: a chunk from columns, store info."""

    __slots__ = ("cost", "make", "rows")

    def __init__(self, make: Callable[[], list[Message]], rows: int, cost: int) -> None:
        self.make = make
        self.rows = rows
        self.cost = cost

    def messages(self, engine: Engine) -> list[Message]:
        """Makes them, in the worker."""
        return self.make()


class _Flush:
    __slots__ = ("future",)

    def __init__(self, future: asyncio.Future[None]) -> None:
        self.future = future


class _Switch:
    __slots__ = ("future", "sinks")

    def __init__(self, sinks: Sequence[Sink], future: asyncio.Future[None]) -> None:
        self.sinks = sinks
        self.future = future


class HandsOver(Protocol):
    """A sink that still holds its messages and gives them to the sink that replaces it."""

    def take_messages(self) -> list[Message]:
        """All messages it holds; it is empty afterwards."""
        ...


class Engine:
    """What a recording stream is made of, without its public face.

    ``capture.add`` may be called from any thread; when it gives an accumulator back, :meth:`attend`
    must follow. All other methods belong to the event loop the engine is bound to, except where noted.

    Args:
        store: The recording.
        config: Batching as the user set it; ``None`` takes the sink's defaults and the environment.
        ids: Where row and chunk ids come from.
        max_bytes_in_flight: Over this many bytes callers wait.
        max_wait: Seconds that callers wait per stall before rows are refused.
        close_timeout: Seconds that closing a sink may take before what is left is dropped.
    """

    def __init__(
        self,
        store: StoreId,
        config: ChunkBatcherConfig | None,
        ids: TuidSource,
        *,
        max_bytes_in_flight: int = MAX_BYTES_IN_FLIGHT,
        max_wait: float = MAX_WAIT_SECS,
        close_timeout: float = CLOSE_TIMEOUT_SECS,
    ) -> None:
        self.store = store
        self.ids = ids
        self.max_wait = max_wait
        self.close_timeout = close_timeout
        self._explicit_config = config
        self.config = config or batcher_config_from_env(ChunkBatcherConfig.DEFAULT())
        # The limit covers what is under way, what is cut off next, and what waits to be cut off.
        max_waiting = max_bytes_in_flight // 16
        self.ledger = Ledger(max_bytes_in_flight - 2 * max_waiting)
        self.capture = Capture(
            self.config, clock=time.perf_counter_ns, wall=time.time_ns, max_waiting_bytes=max_waiting
        )
        self.capture.due = NEVER
        self._commands: deque[Batch | Ready | _Flush | _Switch] = deque()
        self._backlog: deque[Batch | Ready | Delivery] = deque()
        self._backlog_bounded = False
        self._warned_about_buffer = False
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread_id = 0
        self._task: asyncio.Task[None] | None = None
        self._wake: asyncio.Event | None = None
        self._worker: Worker | None = None
        self._timer: asyncio.Handle | None = None
        self._tick_ns = 0
        self._last_progress = 0.0
        self._runners: list[SinkRunner] = []
        self._bytes_of_closed_sinks = 0
        self._stall_deadline = math.inf
        self._warned_about_stall = False
        self.on_refusal: Callable[[str], None] = logger.warning

    # --- called per row, from any thread -------------------------------------------------------

    def attend(self, accumulator: Accumulator) -> bool:
        """Does what a row made necessary: cuts a full accumulator off, arms or runs the tick.

        May be called from any thread.

        Returns:
            Whether the caller, if it is a coroutine on the engine's loop, should let the loop run
            because a tick is overdue.
        """
        self._push(self.capture.cut_full(accumulator))
        now = time.perf_counter_ns()
        if now < self.capture.due:
            return self.ledger.in_flight > PACE_BYTES
        loop = self._loop
        if loop is None or not self._runners:
            self.capture.due = NEVER
            return False
        overdue = self.capture.due != 0
        # Nobody else shall ask for this tick again before it has had time to run.
        self.capture.due = now + self._tick_ns
        if threading.get_ident() == self._thread_id:
            if overdue:
                self._on_tick()
                return True
            self._timer = loop.call_soon(self._on_tick)
        else:
            self._call_threadsafe(self._on_tick)
        return False

    def _push(self, cuts: Sequence[Cut]) -> None:
        if cuts:
            self.push(Batch(cuts))

    def push(self, batch: Batch | Ready) -> None:
        """Queues rows for encoding; from any thread."""
        self.ledger.take(batch.cost)
        self._commands.append(batch)
        if self._task is None and self._backlog_bounded:
            self._trim()
        self._watch_limit()
        self._notify()

    def _trim(self) -> None:
        """After a disconnect nothing takes the rows: the oldest go first."""
        with self._lock:
            while self.ledger.in_flight > self.ledger.limit:
                waiting: deque[Any] = self._backlog or self._commands
                if len(waiting) < 2:
                    return
                oldest = waiting.popleft()
                self.ledger.settle(oldest.cost, oldest.rows, "no sink after a disconnect")

    def _watch_limit(self) -> None:
        ledger = self.ledger
        if ledger.is_over and self.capture.gate == OPEN:
            self._stall_deadline = time.monotonic() + self.max_wait
            self._warned_about_stall = False
            self.capture.gate = FULL
        elif ledger.exempt and ledger.in_flight > START_BUFFER_WARN_BYTES and not self._warned_about_buffer:
            self._warned_about_buffer = True
            logger.warning(
                "%r holds more than %d MiB in memory: no sink takes its data; call save() or another sink",
                self.store.recording_id,
                START_BUFFER_WARN_BYTES >> 20,
            )

    def _notify(self) -> None:
        if self._task is None:
            return
        if threading.get_ident() == self._thread_id:
            assert self._wake is not None
            self._wake.set()
        else:
            self._call_threadsafe(self._set_wake)

    def _set_wake(self) -> None:
        if self._wake is not None:
            self._wake.set()

    def _call_threadsafe(self, function: Callable[[], Any]) -> None:
        loop = self._loop
        if loop is None:
            return
        try:
            loop.call_soon_threadsafe(function)
        except RuntimeError:
            # The loop is closed; what is queued is finished when the stream is used again, or at exit.
            self.capture.due = NEVER

    # --- over the limit ------------------------------------------------------------------------

    def remaining_wait(self) -> float:
        """Seconds that a caller may still wait for room in the present stall."""
        return max(0.0, self._stall_deadline - time.monotonic())

    def refuse(self, reason: str = "over the byte limit") -> None:
        """Counts a row that was not accepted; the first of a stall is reported."""
        self.ledger.refuse(reason)
        with self._lock:
            first, self._warned_about_stall = not self._warned_about_stall, True
        if first:
            self.on_refusal(
                f"rows of recording {self.store.recording_id!r} are refused: {self.ledger.in_flight} bytes are "
                f"under way and its sinks do not keep up (limit {self.ledger.limit} bytes)"
            )

    async def wait_for_room(self) -> bool:
        """Waits until the pipeline is below its byte limit, in turn with other callers.

        Returns:
            Whether there is room. ``False`` after ``max_wait`` seconds of stalling. A caller that got
            ``True`` logs its row and calls :meth:`admit_next`.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def settle() -> None:
            if not future.done():
                future.set_result(None)

        def wake() -> None:
            loop.call_soon_threadsafe(settle)

        remaining = self.remaining_wait()
        if remaining <= 0:
            return False
        self.ledger.wait(wake)
        try:
            async with asyncio.timeout(remaining):
                await future
        except TimeoutError:
            self.ledger.leave(wake)
            if future.done():
                return True
            return False
        except BaseException:
            # Cancelled, or closed: whoever comes next gets the turn that may have been ours.
            self.ledger.leave(wake)
            if future.done():
                self.admit_next()
            raise
        return True

    async def pace(self) -> None:
        """Lets an overdue flush run, and the pipeline catch up if it is making progress; at most 5 ms."""
        now = time.monotonic()
        flushed = now + FLUSH_TURN_SECS
        deadline = now + PACE_SECS
        await asyncio.sleep(0)
        while (self.ledger.in_flight and now < flushed) or (self._is_catching_up(now) and now < deadline):
            await asyncio.sleep(0.0002)
            now = time.monotonic()

    def _is_catching_up(self, now: float) -> bool:
        return self.ledger.in_flight > PACE_BYTES and now - self._last_progress < PROGRESS_SECS

    def pace_blocking(self) -> None:
        """Like :meth:`pace`, for a thread of its own."""
        if threading.get_ident() == self._thread_id:
            return
        now = time.monotonic()
        deadline = now + PACE_SECS
        while self._is_catching_up(now) and now < deadline:
            time.sleep(0.0005)
            now = time.monotonic()

    def wait_for_room_blocking(self) -> bool:
        """Like :meth:`wait_for_room` for a thread of its own."""
        event = threading.Event()
        remaining = self.remaining_wait()
        if remaining <= 0:
            return False
        self.ledger.wait(event.set)
        if event.wait(remaining):
            return True
        self.ledger.leave(event.set)
        return event.is_set()

    def admit_next(self, *, turn_is_over: bool = True) -> None:
        """Lets the next waiting caller in, or opens the gate when nobody waits; from any thread."""
        if self.capture.gate == FULL and self.ledger.admit(turn_is_over=turn_is_over):
            self.capture.gate = OPEN
            self._stall_deadline = math.inf

    # --- the tick ------------------------------------------------------------------------------

    def _on_tick(self) -> None:
        self._timer = None
        if not self._runners or self._loop is None:
            self.capture.due = NEVER
            return
        cuts = self.capture.cut_all()
        if not cuts:
            # Idle: the next row asks for attention at once and is flushed without waiting.
            self.capture.due = 0
            return
        self._push(cuts)
        self._arm()

    def _arm(self) -> None:
        if self._tick_ns == NEVER or self._loop is None:
            self.capture.due = NEVER
            return
        if self._timer is not None:
            self._timer.cancel()
        self.capture.due = time.perf_counter_ns() + self._tick_ns
        self._timer = self._loop.call_later(self._tick_ns / 1e9, self._on_tick)

    def _configure(self) -> None:
        if self._explicit_config is None:
            self.config = batcher_config_from_env(self._default_config())
        self.capture.configure(self.config)
        self._advise()
        secs = self.config.flush_tick_secs
        self._tick_ns = int(secs * 1e9) if secs < 1e9 else NEVER
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        # The first row after a change of sinks arms the tick.
        self.capture.due = 0 if self._runners and self._tick_ns != NEVER else NEVER

    def _advise(self) -> None:
        tiny = self.config.flush_num_rows == 0 or self.config.flush_num_bytes == 0
        if (
            tiny
            and not strict_mode()
            and any(getattr(runner.sink, "is_file", False) for runner in self._runners)
        ):
            logger.warning(
                "%r writes every row into a chunk of its own: the file will be large and slow to read; raise "
                "flush_num_rows and flush_num_bytes unless this is a test",
                self.store.recording_id,
            )

    def _default_config(self) -> ChunkBatcherConfig:
        wishes = [getattr(runner.sink, "default_batcher_config", None) for runner in self._runners]
        if len(wishes) == 1 and wishes[0] is not None:
            return wishes[0]  # type: ignore[no-any-return]
        return ChunkBatcherConfig.DEFAULT()

    # --- from the public face, on the loop -----------------------------------------------------

    @property
    def has_sinks(self) -> bool:
        """Whether anything takes the data."""
        return bool(self._runners)

    @property
    def is_foreign(self) -> bool:
        """Whether the engine is bound to another running loop than the current one."""
        loop = self._loop
        return loop is not None and loop is not asyncio.get_running_loop() and not loop.is_closed()

    @property
    def is_on_own_thread(self) -> bool:
        """Whether the current thread is the one that runs its loop."""
        return threading.get_ident() == self._thread_id

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop it is bound to."""
        return self._loop

    def bind(self) -> None:
        """Binds the engine to the running loop and starts its task."""
        loop = asyncio.get_running_loop()
        if self._loop is loop and self._task is not None and not self._task.done():
            return
        self._loop = loop
        self._thread_id = threading.get_ident()
        self._wake = asyncio.Event()
        if self._worker is None:
            self._worker = Worker.of(loop)
        for runner in self._runners:
            runner.rebind()
        self._task = loop.create_task(self._run(), name="aiorerun-engine", context=contextvars.Context())
        if self._commands:
            self._wake.set()
        engines.add(self)

    def flush(self) -> asyncio.Future[None]:
        """Cuts everything off; the future is done when it has passed through all sinks."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not self._runners and self._task is None:
            future.set_result(None)
            return future
        self.bind()
        self._push(self.capture.cut_all())
        self._commands.append(_Flush(future))
        self._notify()
        return future

    def switch(self, sinks: Sequence[Sink]) -> asyncio.Future[None]:
        """Replaces all sinks: what was logged so far goes to the old ones, the rest to the new ones.

        The stream is cut here and now. The future is done when the old sinks are closed and the new
        ones are open; it gets a :class:`SinkOpenError` (or what the sink raised) if a new one could not
        be opened: the old ones stay then.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.bind()
        self._push(self.capture.cut_all())
        self._commands.append(_Switch(tuple(sinks), future))
        self._notify()
        return future

    def disconnect_soon(self) -> None:
        """Flushes and closes all sinks without anybody waiting for it; from any thread."""

        def disconnect() -> None:
            self.switch(()).add_done_callback(_retrieve)

        self._call_threadsafe(disconnect)

    def start_empty(self) -> None:
        """Forgets everything, for a forked child: the rows and sinks belong to the parent."""
        gate, inject = self.capture.gate, self.capture.inject
        self.capture.clear()
        self.capture.gate = OPEN if gate == FULL else gate
        self.capture.inject = inject
        self.capture.due = NEVER
        self.ledger = Ledger(self.ledger.limit)
        self._commands.clear()
        self._backlog.clear()
        self._backlog_bounded = True
        self._lock = threading.Lock()
        self._loop = self._task = self._wake = self._worker = self._timer = None
        self._runners = []
        self._bytes_of_closed_sinks = 0
        self._stall_deadline = math.inf

    def stats(self) -> StreamStats:
        """Counters; from any thread."""
        ledger = self.ledger
        sinks = tuple(runner.stats() for runner in self._runners)
        delivered, dropped = ledger.rows_delivered, ledger.rows_dropped
        accepted = self.capture.accepted_rows
        return StreamStats(
            rows_accepted=accepted,
            rows_delivered=delivered,
            rows_dropped=dropped,
            rows_pending=accepted - delivered - dropped,
            rows_refused=ledger.rows_refused,
            chunks=ledger.chunks,
            bytes_written=self._bytes_of_closed_sinks + sum(sink.bytes_written for sink in sinks),
            pending_bytes=ledger.in_flight + self.capture.waiting_bytes,
            reasons=dict(ledger.reasons),
            sinks=sinks,
        )

    # --- the task ------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            while self._runners or self._commands:
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
            self._release()

    def _release(self) -> None:
        self._task = None
        self._loop = None
        self.capture.due = NEVER
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._worker is not None and not self._runners:
            self._worker.release()
            self._worker = None
            engines.discard(self)

    async def _step(self) -> None:
        if not self._commands:
            assert self._wake is not None
            self._wake.clear()
            if not self._commands:
                await self._wake.wait()
            return
        command = self._commands.popleft()
        if isinstance(command, _Switch):
            await self._switch(command)
        elif isinstance(command, _Flush):
            self._flush(command)
        elif self._runners:
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
        assert self._worker is not None
        encoded = await self._worker.run(partial(_encode, self, batches))
        for batch, outcome in zip(batches, encoded, strict=True):
            if isinstance(outcome, Exception):
                self._lose(batch, outcome)
                continue
            self.ledger.count_chunks(len(outcome))
            self._send(outcome, partial(self._settle, batch.cost, batch.rows))

    def _send(self, messages: Sequence[Message], settle: Callable[[str | None], None] | None) -> None:
        from aiorerun.sinks.runner import Delivery

        delivery = Delivery(messages, len(self._runners), settle)
        for runner in self._runners:
            runner.put(delivery)

    def _settle(self, cost: int, rows: int, lost_because: str | None) -> None:
        self.ledger.settle(cost, rows, lost_because)
        self._last_progress = time.monotonic()
        self.admit_next(turn_is_over=False)

    def _lose(self, batch: Batch | Ready, error: Exception) -> None:
        reason = f"could not be encoded: {type(error).__name__}"
        logger.error("%d rows of %r %s: %s", batch.rows, self.store.recording_id, reason, error)
        self._settle(batch.cost, batch.rows, reason)

    def _flush(self, command: _Flush) -> None:
        waiting = [runner.flush() for runner in self._runners]
        future = command.future
        if not waiting:
            _set_result(future)
            return

        def settle(_: asyncio.Future[None]) -> None:
            if not all(each.done() for each in waiting):
                return
            errors = [each.exception() for each in waiting]
            if future.done():
                return
            first = next((error for error in errors if error is not None), None)
            if first is None:
                future.set_result(None)
            else:
                future.set_exception(first)

        for each in waiting:
            each.add_done_callback(settle)

    async def _switch(self, command: _Switch) -> None:
        from aiorerun.sinks.runner import SinkRunner

        assert self._worker is not None
        # A sink that equals an old one uses the same file or port: the old one has to let go first.
        taken_over = [runner for runner in self._runners if runner.sink in command.sinks]
        await self._close(taken_over)
        runners = [SinkRunner(sink, self.store, self._worker) for sink in command.sinks]
        try:
            for position, runner in enumerate(runners):
                await self._open(runner, runners[:position])
        except Exception as error:
            self._settle_sinks()
            if not command.future.done():
                command.future.set_exception(error)
            return
        old = self._runners
        await self._close(old)
        self._runners = runners
        for runner in runners:
            runner.start()
        self._settle_sinks()
        await self._hand_over(old)
        _set_result(command.future)

    async def _open(self, runner: SinkRunner, opened: Sequence[SinkRunner]) -> None:
        try:
            await runner.open(self.close_timeout)
        except TimeoutError as error:
            await self._abandon(opened)
            raise SinkOpenError(
                None, f"{runner.sink!r} did not open within {self.close_timeout} s"
            ) from error
        except Exception:
            await self._abandon(opened)
            raise

    async def _abandon(self, opened: Iterable[SinkRunner]) -> None:
        """Closes sinks that were opened for a change that failed."""
        for runner in opened:
            runner.start()
            await runner.close(self.close_timeout)

    async def _close(self, runners: Sequence[SinkRunner]) -> None:
        if not runners:
            return
        await asyncio.gather(*(runner.close(self.close_timeout) for runner in runners))
        self._bytes_of_closed_sinks += sum(runner.bytes_written for runner in runners)
        self._runners = [runner for runner in self._runners if runner not in runners]

    def _settle_sinks(self) -> None:
        """Adjusts the limit and the batching to the sinks there are now."""
        # Nobody waits for a buffer or a memory sink: the former drops the oldest rows, the latter grows.
        self.ledger.exempt = all(getattr(runner.sink, "is_memory", False) for runner in self._runners)
        self._backlog_bounded = self._backlog_bounded or bool(self._runners)
        self._configure()
        self.admit_next(turn_is_over=False)

    async def _hand_over(self, old: Sequence[SinkRunner]) -> None:
        """Announces the recording to new sinks and gives them what no sink has taken for good."""
        if not self._runners:
            for runner in old:
                self._hold_messages(runner.sink)
            return
        self._send([self.announce()], None)
        for runner in old:
            self._resend(runner.sink)
        while self._backlog:
            entry = self._backlog.popleft()
            if isinstance(entry, Batch | Ready):
                await self._deliver([entry])
            else:
                self._send(entry.messages, None)

    def _resend(self, sink: Any) -> None:
        if hasattr(sink, "take_messages"):
            self._send(sink.take_messages(), None)

    def _hold_messages(self, sink: Any) -> None:
        from aiorerun.sinks.runner import Delivery

        if hasattr(sink, "take_messages"):
            self._backlog.append(Delivery(sink.take_messages(), 1, None))

    def announce(self) -> Message:
        """A message that tells a sink which recording this is."""
        from aiorerun.codec.messages import store_info_message

        return store_info_message(self.store, self.ids.next(), sys.version_info[:3])

    async def _finish(self) -> None:
        """Delivers everything and closes all sinks, within the time allowed for closing."""
        for command in [*self._commands]:
            if isinstance(command, _Flush | _Switch):
                self._commands.remove(command)
                _cancel(command.future)
        self._push(self.capture.cut_all())
        while self._runners and self._commands:
            await self._step()
        await self._close(list(self._runners))

    async def finish(self) -> None:
        """Binds to the running loop and finishes: for the exit handler, when the loop of the stream is gone."""
        self._commands.append(_Flush(asyncio.get_running_loop().create_future()))
        await self.switch(())


def _encode(engine: Engine, batches: Sequence[Batch | Ready]) -> list[list[Message] | Exception]:
    outcomes: list[list[Message] | Exception] = []
    for batch in batches:
        try:
            outcomes.append(batch.messages(engine))
        except Exception as error:
            outcomes.append(error)
        pause()
    return outcomes


def _set_result(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _retrieve(future: asyncio.Future[None]) -> None:
    if not future.cancelled():
        future.exception()


def _cancel(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.cancel()


engines: set[Engine] = set()
"""Engines with open sinks. They live here until they are disconnected or finished at exit."""
