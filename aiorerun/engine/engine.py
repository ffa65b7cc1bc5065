"""The engine: what a recording stream is made of, without its public face.

Rows enter the capture; when an accumulator is full or the tick is due they are cut off and handed to
the conveyor, which encodes them in the worker and feeds the sinks.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import TYPE_CHECKING, Final

from aiorerun import process
from aiorerun.config import (
    CLOSE_TIMEOUT_SECS,
    MAX_BYTES_IN_FLIGHT,
    MAX_WAIT_SECS,
    ChunkBatcherConfig,
    batcher_config_from_env,
)
from aiorerun.engine.cargo import Batch
from aiorerun.engine.conveyor import Conveyor
from aiorerun.engine.inheritance import Inheritance
from aiorerun.engine.room import PACE_BYTES, Room
from aiorerun.errors import strict_mode
from aiorerun.pipeline.capture import FULL, OPEN, Capture
from aiorerun.pipeline.ledger import StreamStats
from aiorerun.pipeline.overflow import check_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiorerun.codec.messages import Message
    from aiorerun.engine.cargo import Ready
    from aiorerun.pipeline.accumulator import Accumulator, Cut
    from aiorerun.pipeline.limits import Limit, Limiter
    from aiorerun.pipeline.overflow import OverflowPolicy
    from aiorerun.sinks.base import Sink
    from aiorerun.types.store import StoreId
    from aiorerun.types.tuid import TuidSource

NEVER: Final = (1 << 63) - 1
"""A due time that does not come."""

RELEASE_SECS: Final = 0.002
"""Rows that limits hold back are released at most so often."""

LONG_TICK_NS: Final = 1_000_000_000
"""With a longer tick the first row after an idle one waits for others, too."""

ENCODE_SHARE: Final = 8
"""The tick is stretched so far that encoding takes no more than one part in so many of the time,"""
STRETCHED_TICK_NS: Final = 32_000_000
"""but not further."""

logger = logging.getLogger("aiorerun")


class Engine:
    """Drives the batching of one stream.

    ``capture.add`` may be called from any thread; when it gives an accumulator back, :meth:`attend`
    must follow. All other methods belong to the event loop the engine is bound to, except where noted.

    Args:
        store: The recording.
        config: Batching as the user set it; ``None`` takes the sink's defaults and the environment.
        ids: Where row and chunk ids come from.
        max_bytes_in_flight: Over this many bytes callers wait.
        max_wait: Seconds that callers wait per stall before rows are refused.
        close_timeout: Seconds that closing a sink may take before what is left is dropped.
        overflow: What happens over the limit, see :data:`aiorerun.OverflowPolicy`.

    Attributes:
        capture: Takes the rows.
        room: What happens when there are too many.
        conveyor: Moves them to the sinks.
        config: The batching in force.
        inheritance: The sinks that a forked child attaches again.
        before_cut: Called before rows are cut off for a flush or a change of sinks: who holds rows back hands
            them in.
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
        overflow: OverflowPolicy = "wait",
    ) -> None:
        self._store = store
        self._explicit_config = config
        self._overflow: OverflowPolicy = check_policy(overflow)
        self.config = config or batcher_config_from_env(ChunkBatcherConfig.DEFAULT())
        # The limit covers what is under way, what is cut off next, and what waits to be cut off.
        max_waiting = max_bytes_in_flight // 16
        self.capture = Capture(
            self.config, clock=time.perf_counter_ns, wall=time.time_ns, max_waiting_bytes=max_waiting
        )
        self.capture.due = NEVER
        self.room = Room(self.capture, max_bytes_in_flight - 2 * max_waiting, max_wait, store.recording_id)
        self._make_conveyor: Callable[[], Conveyor] = lambda: Conveyor(
            store,
            ids,
            self.room,
            close_timeout,
            self._configure,
            self._cut_all,
            self._overflow,
            max_bytes_in_flight,
        )
        self.conveyor = self._make_conveyor()
        self.room.make_room = self.conveyor.make_room
        self._timer: asyncio.Handle | None = None
        self._release_timer: asyncio.Handle | None = None
        self.before_cut: list[Callable[[], None]] = []
        self._tick_ns = 0
        self._last_tick: Batch | None = None
        self.inheritance = Inheritance(store.recording_id)

    # --- from any thread -----------------------------------------------------------------------

    def attend(self, accumulator: Accumulator) -> bool:
        """Does what a row made necessary: cuts a full accumulator off, arms or runs the tick.

        Returns:
            Whether the caller should make way by calling ``room.pace()``.
        """
        if process.check():
            # What was captured since the fork cannot be told from what is the parent's.
            return False
        self._push(self.capture.cut_full(accumulator))
        now = time.perf_counter_ns()
        capture, conveyor = self.capture, self.conveyor
        if capture.limiter is not None and capture.limiter.held_rows and not capture.limiter.armed:
            self._arm_release(capture.limiter)
        if now < capture.due:
            return self.room.ledger.in_flight > PACE_BYTES
        loop = conveyor.loop
        if not conveyor.sinks.runners or loop is None or loop.is_closed():
            # What waits is finished when the stream is used again, or at exit.
            capture.due = NEVER
            if self.inheritance.sinks:
                self._use_first()
            return False
        overdue = capture.due != 0
        # Nobody else shall ask for this tick again before it has had time to run.
        capture.due = now + self._tick_ns
        # A lone row goes at once, unless the tick says that rows shall be collected for long.
        tick = self._arm if not overdue and self._tick_ns > LONG_TICK_NS else self._on_tick
        if not conveyor.is_on_own_thread:
            if not conveyor.call_threadsafe(tick):
                capture.due = NEVER
            return False
        if overdue:
            self._on_tick()
            return True
        self._timer = loop.call_soon(tick)
        return False

    def _arm_release(self, limiter: Limiter) -> None:
        """Sees to it that held rows are released in time; without a sink they wait for one."""
        conveyor = self.conveyor
        loop = conveyor.loop
        if not conveyor.sinks.runners or loop is None or loop.is_closed():
            return
        limiter.armed = True
        if conveyor.is_on_own_thread:
            self._schedule_release()
        elif not conveyor.call_threadsafe(self._schedule_release):
            limiter.armed = False

    def add_limit(self, limit: Limit) -> None:
        """Puts a limit in force, in place of one with the same pattern."""

        def change(limits: list[Limit]) -> None:
            limits[:] = [each for each in limits if each.pattern != limit.pattern]
            limits.append(limit)

        self._push(self.capture.set_limits(change))

    def remove_limit(self, limit: Limit) -> None:
        """Ends a limit, if it is in force."""

        def change(limits: list[Limit]) -> None:
            limits[:] = [each for each in limits if each is not limit]

        self._push(self.capture.set_limits(change))

    def push(self, ready: Ready) -> None:
        """Queues something that needs no batching."""
        self.conveyor.push(ready)
        if self.inheritance.sinks:
            self._use_first()

    def _push(self, cuts: Sequence[Cut]) -> Batch | None:
        if not cuts:
            return None
        batch = Batch(cuts, self.config.chunk_max_rows_if_unsorted)
        self.conveyor.push(batch)
        return batch

    def _cut_all(self) -> None:
        limiter = self.capture.limiter
        if limiter is not None:
            # What was logged is due now. Whoever was to release it may belong to another loop.
            self.capture.release(math.inf)
            limiter.armed = False
        for hand_in in self.before_cut:
            hand_in()
        self._push(self.capture.cut_all())

    @property
    def has_sinks(self) -> bool:
        """Whether anything takes the data, or is about to."""
        return bool(self.conveyor.sinks.runners) or self.inheritance.reopening is not None

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop it is bound to while it has sinks."""
        return self.conveyor.loop

    def stats(self) -> StreamStats:
        """Counters."""
        ledger = self.room.ledger
        sinks = tuple(runner.stats() for runner in list(self.conveyor.sinks.runners))
        # Read in this order, what is delivered or lost meanwhile can only make the pending rows look more.
        dropped, delivered = ledger.rows_dropped, ledger.rows_delivered
        limited, why = self.capture.dropped_rows
        dropped += limited
        accepted = self.capture.accepted_rows
        return StreamStats(
            rows_accepted=accepted,
            rows_delivered=delivered,
            rows_dropped=dropped,
            rows_pending=accepted - delivered - dropped,
            rows_refused=ledger.rows_refused,
            chunks=ledger.chunks,
            bytes_written=self.conveyor.sinks.bytes_of_closed + sum(sink.bytes_written for sink in sinks),
            pending_bytes=ledger.in_flight + ledger.aside + self.capture.waiting_bytes,
            reasons={**ledger.reasons, **why},
            sinks=sinks,
        )

    def disconnect_soon(self) -> None:
        """Flushes and closes all sinks without anybody waiting for it."""

        def disconnect() -> None:
            self.switch(()).add_done_callback(retrieve)

        self.conveyor.call_threadsafe(disconnect)

    def start_empty(self) -> None:
        """Forgets everything, for a forked child: the rows and sinks belong to the parent.

        Sinks that can be reopened are, when the stream is first used.
        """
        gate = self.capture.gate
        self.inheritance.take_over(runner.sink for runner in self.conveyor.sinks.runners)
        self.conveyor.abandon()
        self.capture.clear()
        self.capture.gate = OPEN if gate == FULL else gate
        # The first row calls `attend`.
        self.capture.due = 0 if self.inheritance.sinks else NEVER
        self.room.start_empty()
        self.conveyor = self._make_conveyor()
        self.room.make_room = self.conveyor.make_room
        self.room.overflow = "wait"
        self._timer = self._release_timer = self._last_tick = None

    # --- on the loop ---------------------------------------------------------------------------

    def flush(self, *, acknowledged: bool = False) -> asyncio.Future[None]:
        """Cuts everything off; the future is done when it has passed through all sinks.

        Args:
            acknowledged: Whether the other sides have to confirm it, where sinks know how to ask.
        """
        self.reopen()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not self.has_sinks and not self.conveyor.is_running:
            # What the start buffer holds waits for its first sink.
            future.set_result(None)
            return future
        self.conveyor.bind()
        self._cut_all()
        self.conveyor.flush(future, acknowledged=acknowledged)
        return future

    def switch(
        self, sinks: Sequence[Sink], make_first: Callable[[], list[Message]] | None = None
    ) -> asyncio.Future[None]:
        """Replaces all sinks: what was logged so far goes to the old ones, the rest to the new ones.

        The stream is cut here and now. The future is done when the old sinks are closed and the new
        ones are open; it gets a :class:`SinkOpenError` (or what the sink raised) if a new one could not
        be opened: the old ones stay then.

        Args:
            sinks: The new ones.
            make_first: Makes, in the worker, what they get before everything else. What it raises is the
                future's error, and the old sinks stay.
        """
        if sinks:
            self.inheritance.give_up()
        else:
            self.reopen()
        return self._switch(sinks, make_first)

    def _switch(
        self, sinks: Sequence[Sink], make_first: Callable[[], list[Message]] | None = None
    ) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.conveyor.bind()
        self._cut_all()
        self.capture.forget_values()
        self.conveyor.switch(sinks, future, make_first)
        return future

    def reopen(self) -> None:
        """In a forked child that has taken rows, attaches again the sinks that allow it, once.

        If that fails the rows go on waiting for a sink; the log says why.
        """
        if not self.inheritance.sinks or not self.capture.accepted_rows:
            return
        sinks = self.inheritance.take_reopened()
        if sinks:
            self.inheritance.follow(self._switch(sinks))

    def _use_first(self) -> None:
        self.inheritance.use_first(self.reopen)
        if self.inheritance.sinks:
            # Not here and not now: the next row asks again.
            self.capture.due = 0

    def _on_tick(self) -> None:
        if self._timer is not None:
            # The loop was too busy for it. A second tick would find nothing, and take that for idleness.
            self._timer.cancel()
            self._timer = None
        if not self.conveyor.sinks.runners:
            self.capture.due = NEVER
            return
        last = self._last_tick
        if last is not None and not (last.is_taken or last.is_empty):
            # Nothing would be encoded sooner, and rows that are gathered meanwhile make larger chunks.
            self._arm()
            return
        cuts = self.capture.cut_all()
        if not cuts:
            # Idle: the next row asks for attention at once and is flushed without waiting.
            self.capture.due = 0
            return
        self._last_tick = self._push(cuts)
        self._arm()

    def _arm(self) -> None:
        loop = self.conveyor.loop
        if self._tick_ns == NEVER or loop is None:
            self.capture.due = NEVER
            return
        if self._timer is not None:
            self._timer.cancel()
        # Where many entities make a tick costly, rows are gathered for longer.
        period_ns = max(self._tick_ns, min(ENCODE_SHARE * self.room.batch_ns, STRETCHED_TICK_NS))
        self.capture.due = time.perf_counter_ns() + period_ns
        self._timer = loop.call_later(period_ns / 1e9, self._on_tick)

    def _schedule_release(self) -> None:
        limiter, loop = self.capture.limiter, self.conveyor.loop
        if self._release_timer is not None:
            self._release_timer.cancel()
            self._release_timer = None
        if limiter is None or loop is None:
            return
        # In this order: who holds a row from now on sees that somebody has to be asked.
        limiter.armed = False
        if not limiter.held_rows:
            return
        limiter.armed = True
        delay = max((limiter.next_due - time.perf_counter_ns()) / 1e9, RELEASE_SECS)
        self._release_timer = loop.call_later(delay, self._on_release)

    def _on_release(self) -> None:
        self._release_timer = None
        for accumulator in self.capture.release(time.perf_counter_ns()):
            self.attend(accumulator)
        self._schedule_release()

    def _configure(self) -> None:
        """Adjusts the limit and the batching to the sinks there are now."""
        runners = self.conveyor.sinks.runners
        # Nobody waits for a buffer or a memory sink: the former drops the oldest rows, the latter grows.
        self.room.set_exempt(all(getattr(runner.sink, "is_memory", False) for runner in runners))
        # A sink that is waited for is waited for, whatever becomes of rows that are not encoded yet.
        waited_for = any(runner.is_waited_for for runner in runners)
        self.room.overflow = "wait" if waited_for else self._overflow
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
        self.capture.due = 0 if runners and self._tick_ns != NEVER else NEVER

    def _default_config(self) -> ChunkBatcherConfig:
        wishes: list[ChunkBatcherConfig | None] = [
            getattr(runner.sink, "default_batcher_config", None) for runner in self.conveyor.sinks.runners
        ]
        if len(wishes) == 1 and wishes[0] is not None:
            return wishes[0]
        return ChunkBatcherConfig.DEFAULT()

    def _advise(self) -> None:
        tiny = self.config.flush_num_rows == 0 or self.config.flush_num_bytes == 0
        files = any(getattr(runner.sink, "is_file", False) for runner in self.conveyor.sinks.runners)
        if tiny and files and not strict_mode():
            logger.warning(
                "%r writes every row into a chunk of its own: the file will be large and slow to read; raise "
                "flush_num_rows and flush_num_bytes unless this is a test",
                self._store.recording_id,
            )


def retrieve(future: asyncio.Future[None]) -> None:
    """Marks the outcome of something nobody waits for as seen; sinks report their errors themselves."""
    if not future.cancelled():
        future.exception()
