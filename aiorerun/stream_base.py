"""What both recording streams have in common: capture, times, state, and their sinks on an event loop."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import sys
import time
import warnings
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from aiorerun import process
from aiorerun.config import (
    check_batcher_config,
    check_number,
    check_positive,
    checked_bytes,
    checked_seconds,
)
from aiorerun.context import ActiveRecordings, StoreTimes
from aiorerun.engine.cargo import Ready
from aiorerun.engine.engine import Engine, retrieve
from aiorerun.errors import (
    FlushTimeoutError,
    QueueFullError,
    RerunWarning,
    StreamClosedError,
    caller_stacklevel,
    observe_warnings,
    read_switch,
    report,
    strict_mode,
    strict_scope,
)
from aiorerun.pipeline.capture import CLOSED, DISABLED, FULL, OPEN, UNOPENED
from aiorerun.pipeline.overflow import ESSENTIAL, check_policy
from aiorerun.sinks.queued import check_max_queued_bytes, check_sink
from aiorerun.time_setting import TimeScope, checked_time, set_checked_time
from aiorerun.types.ids import ids
from aiorerun.types.store import StoreId, StoreKind, normalize_application_id, process_recording_id
from aiorerun.types.timepoint import LOG_TICK, LOG_TIME, NO_TIMES, without_time

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable
    from datetime import datetime, timedelta
    from uuid import UUID

    import numpy as np

    from aiorerun.blueprint_sending import BlueprintJob, BlueprintLike
    from aiorerun.codec.messages import Message
    from aiorerun.config import ChunkBatcherConfig
    from aiorerun.pipeline.ledger import StreamStats
    from aiorerun.pipeline.limits import Limit
    from aiorerun.pipeline.overflow import OverflowPolicy
    from aiorerun.sinks.base import Sink
    from aiorerun.types.batches import AsComponents, DescribedComponentBatch

    from_iterable = Iterable[DescribedComponentBatch]

FORCE_SAVE_VARIABLE: Final = "_RERUN_TEST_FORCE_SAVE"
PROPERTIES_PATH: Final = "/__properties"

logger = logging.getLogger("aiorerun")

streams: weakref.WeakSet[BaseRecordingStream] = weakref.WeakSet()


class BaseRecordingStream:
    """What the asyncio and the blocking recording stream have in common; see those."""

    _active: ClassVar[ActiveRecordings[Any]]
    _faces: ClassVar[list[ActiveRecordings[Any]]] = []

    def __init_subclass__(cls) -> None:
        active = vars(cls).get("_active")
        if active is not None:
            BaseRecordingStream._faces.append(active)

    def __init__(
        self,
        application_id: str,
        *,
        recording_id: str | UUID | None = None,
        make_default: bool = False,
        make_thread_default: bool = False,
        default_enabled: bool = True,
        send_properties: bool = True,
        batcher_config: ChunkBatcherConfig | None = None,
        max_bytes_in_flight: int | None = None,
        max_wait: float | None = None,
        close_timeout: float | None = None,
        make_context_default: bool = False,
        overflow: OverflowPolicy = "wait",
    ) -> None:
        self._prepare()
        check_batcher_config(batcher_config, f"{type(self).__name__}: batcher_config")
        application_id = normalize_application_id(application_id)
        if recording_id is None:
            recording_id = process_recording_id(application_id)
        self._store = StoreId(StoreKind.RECORDING, application_id, str(recording_id))
        self._times = StoreTimes.of(self._store)
        self._engine = Engine(
            self._store,
            batcher_config,
            ids,
            overflow=overflow,
            **_checked_limits(type(self).__name__, max_bytes_in_flight, max_wait, close_timeout),
        )
        self._engine.room.on_refusal = _warn_about_refusal
        self._capture = self._engine.capture
        self._capture.inject = _injection()
        switch = read_switch("RERUN")
        if not (default_enabled if switch is None else switch):
            self._capture.gate = DISABLED
        self._default_blueprint: BlueprintJob | None = None
        self._forced_path = os.environ.get(FORCE_SAVE_VARIABLE)
        self._forced = False
        if self._forced_path is not None and self._capture.gate == OPEN:
            self._capture.gate = UNOPENED
        if send_properties and self._capture.gate != DISABLED:
            self._send_start_time(time.time_ns())
        streams.add(self)
        if make_default:
            self._active.set_global(self)
        if make_thread_default or make_context_default:
            self._active.set_local(self)
        self._start()

    def _prepare(self) -> None:
        """Called before anything else is set up."""

    def _start(self) -> None:
        """Called when everything is set up."""

    def _start_empty(self) -> None:
        """Forgets all rows and sinks, in a forked child."""
        self._default_blueprint = None
        self._engine.start_empty()

    def __repr__(self) -> str:
        store = self._store
        return f"{type(self).__name__}({store.application_id!r}, recording_id={store.recording_id!r})"

    def _send_start_time(self, nanos: int) -> None:
        store = self._store
        clock_ns = time.perf_counter_ns()

        def make() -> list[Message]:
            from aiorerun.archetypes import RecordingInfo
            from aiorerun.codec.messages import chunk_message
            from aiorerun.pipeline.assemble import single_row_chunk

            row = RecordingInfo(start_time=nanos)._row
            return [chunk_message(store, single_row_chunk(PROPERTIES_PATH, row, ids, clock_ns))]

        self._capture.count_ready_rows(1)
        self._engine.push(Ready(make, 1, 1024, ESSENTIAL))

    def log_nowait(
        self,
        entity_path: str | list[object],
        entity: AsComponents | Iterable[DescribedComponentBatch],
        *extra: AsComponents | Iterable[DescribedComponentBatch],
        static: bool = False,
        strict: bool | None = None,
    ) -> None:
        """Like :meth:`log`, from plain code and from any thread: it never suspends.

        Over the byte limit the row is refused: counted, with one warning, or an error in strict mode.

        Raises:
            QueueFullError: Over the byte limit, in strict mode only.
            TypeError, ValueError, StreamClosedError: As for :meth:`log`.
        """
        gate = self._capture.gate
        if gate:
            if gate == FULL:
                self._refuse_now(strict)
            elif gate == CLOSED:
                self._report_closed(strict)
            if gate != UNOPENED:
                return
        self._log_late(entity_path, entity, extra, static, strict)

    def _log_late(
        self, entity_path: Any, entity: Any, extra: tuple[Any, ...], static: bool, strict: bool | None
    ) -> None:
        """Takes a row whatever the gate says."""
        try:
            with strict_scope(strict):
                accumulator = self._capture.add(
                    entity_path, entity, extra, None if static else self._times.get()
                )
        except Exception as error:
            report("log", error, strict=strict, recording=self)
        else:
            if accumulator is not None:
                self._engine.attend(accumulator)

    def _refuse_now(self, strict: bool | None) -> None:
        room = self._engine.room
        room.refuse()
        if room.overflow == "wait" and (strict_mode() if strict is None else strict):
            raise QueueFullError(
                f"log_nowait: {self!r} is over its byte limit and its sinks do not keep up; use "
                "`await log(...)` to wait for room, or a larger max_bytes_in_flight"
            )

    def _report_closed(self, strict: bool | None, context: str = "log") -> None:
        error = StreamClosedError(f"{self!r} is closed; make a new stream to log more")
        report(context, error, strict=strict, recording=self)

    # --- limits --------------------------------------------------------------------------------

    def limit(
        self, pattern: str, *, hz: float | None = None, on_change: bool = False, latest_wins: bool = True
    ) -> Limit:
        """Limits how many rows entities get, from now on; from any thread.

        It is for what ``log`` and ``log_nowait`` take, from tasks and threads alike. Rows that are sent by
        columns, tables, chunks or from files are never limited. Each kind of row of an entity counts on its
        own: those with the same components and timelines. Rows that are dropped are counted in
        :meth:`stats`, as accepted and dropped, with the reason ``rate limit: <pattern>`` or ``unchanged:
        <pattern>``. What is not limited costs nothing more.

        Of several limits for an entity the most specific one counts, among equal ones the last; the same
        pattern again replaces the former limit.

        Args:
            pattern: The entities: ``"camera/left"`` for one, ``"camera/**"`` for one and all below it,
                ``"+ camera/** - camera/depth"`` for exceptions.
            hz: How many rows per second may pass. Static rows are not counted.
            on_change: Whether rows, static ones too, are dropped if all their components are what was logged
                last to the entity, on these timelines. Clearing the entity, going back in time and another
                sink make it log again; what an overflow policy has dropped does not.
            latest_wins: Whether the newest of the rows that are too many is kept, and recorded when its
                period is over, with its own times; ``flush`` and changes of sinks record it at once.
                Otherwise it is dropped as well.

        Returns:
            The limit; its ``remove()`` ends it.

        Raises:
            TypeError, ValueError: A pattern or a rate that means nothing, or neither ``hz`` nor
                ``on_change``.
        """
        from aiorerun.pipeline.limits import Limit

        limit = Limit(pattern, hz, on_change, latest_wins, self._engine.remove_limit)
        self._engine.add_limit(limit)
        return limit

    @property
    def limits(self) -> tuple[Limit, ...]:
        """The limits in force, the oldest first."""
        limiter = self._capture.limiter
        return () if limiter is None else tuple(limiter.limits)

    # --- times ---------------------------------------------------------------------------------

    def set_time(
        self,
        timeline: str,
        *,
        sequence: int | None = None,
        duration: int | float | timedelta | np.timedelta64 | None = None,
        timestamp: int | float | datetime | np.datetime64 | None = None,
    ) -> None:
        """Sets the current time of a timeline for what this task logs from now on.

        It holds in the current context: other tasks, threads and recordings never see it.

        Args:
            timeline: Name of the timeline. Its kind should never change.
            sequence: A number that counts something.
            duration: Seconds (``int``, ``float``), or a ``timedelta`` of any precision.
            timestamp: Seconds since the epoch, or a ``datetime`` (naive means UTC) of any precision.

        Raises:
            ValueError: Not exactly one of the three was given; strict mode or not.
            TypeError, OverflowError: A value of the wrong type or too large, in strict mode only.
        """
        if (
            type(sequence) is int
            and duration is None
            and timestamp is None
            and self._times.advance(timeline, sequence)
        ):
            return
        checked = checked_time("set_time", timeline, sequence, duration, timestamp)
        if checked is not None:
            set_checked_time(self._times, timeline, *checked)

    def disable_timeline(self, timeline: str) -> None:
        """Forgets the current time of one timeline in this context; an unknown name changes nothing."""
        self._times.set(without_time(self._times.get(), timeline))

    def reset_time(self) -> None:
        """Forgets all current times in this context."""
        self._times.set(NO_TIMES)

    def at(
        self,
        timeline: str,
        *,
        sequence: int | None = None,
        duration: int | float | timedelta | np.timedelta64 | None = None,
        timestamp: int | float | datetime | np.datetime64 | None = None,
    ) -> TimeScope:
        """A scope in which a timeline has a time: ``with rec.at("frame", sequence=3): ...``.

        Same parameters and errors as :meth:`set_time`. On leaving, the timeline gets its former time
        back, or none.
        """
        return TimeScope(self._times, timeline, sequence, duration, timestamp)

    def set_log_tick_enabled(self, enabled: bool) -> None:
        """Whether rows get the counter ``log_tick`` (on by default; ``RERUN_LOG_TICK``)."""
        self._set_injected(LOG_TICK, enabled)

    def set_log_time_enabled(self, enabled: bool) -> None:
        """Whether rows get the wall clock ``log_time`` (on by default; ``RERUN_LOG_TIME``)."""
        self._set_injected(LOG_TIME, enabled)

    def _set_injected(self, flag: int, enabled: bool) -> None:
        if enabled:
            self._capture.inject |= flag
        else:
            self._capture.inject &= ~flag

    # --- sinks, on an event loop ---------------------------------------------------------------

    def _captured_default(self, context: str, blueprint: BlueprintLike | None) -> BlueprintJob | None:
        """The default blueprint that a function got, as it is now.

        Raises:
            TypeError: It is no blueprint.
            ValueError: It is a recording out of a file.
        """
        if blueprint is None:
            return None
        from aiorerun.blueprint_sending import capture

        return capture(
            f"{context}: default_blueprint",
            blueprint,
            self._store.application_id,
            make_active=False,
            make_default=True,
        )

    def _keep_default(self, context: str, blueprint: BlueprintLike | None) -> None:
        """The first sink gets this default blueprint, unless it comes with another."""
        if self._capture.gate != DISABLED:
            self._default_blueprint = self._captured_default(context, blueprint)

    async def _replace_sinks(self, given: tuple[Any, ...], default: BlueprintJob | None = None) -> None:
        sinks: tuple[Sink, ...] = tuple(getattr(sink, "log_sink", sink) for sink in given)
        _check_sinks(sinks)
        for sink, own in zip(given, sinks, strict=True):
            if own is not sink:
                sink._adopt(self)
        if self._capture.gate == CLOSED:
            raise StreamClosedError(f"{self!r} is closed")
        if self._capture.gate == DISABLED:
            logger.warning("%r is disabled; the call to change its sinks is ignored", self)
        elif self._forced_path is not None:
            await self._force_save()
        else:
            await self._on_engine_loop(self._switch(sinks, default))

    def _begin_switch(
        self, sinks: tuple[Sink, ...], default: BlueprintJob | None = None
    ) -> asyncio.Future[None]:
        """Cuts the stream for other sinks here and now; the future is done when they are attached."""
        kept = self._default_blueprint
        first = default or kept
        future = self._engine.switch(sinks, first if sinks else None)
        if first is not None:
            # Without sinks it waits for the first one, beside what waits in the buffer.
            self._default_blueprint = None if sinks else first
            future.add_done_callback(partial(self._on_switched, kept))
        return future

    async def _switch(self, sinks: tuple[Sink, ...], default: BlueprintJob | None = None) -> None:
        future = self._begin_switch(sinks, default)
        try:
            await asyncio.shield(future)
        except asyncio.CancelledError:
            # The change goes on by itself; nobody is left to tell whether it worked.
            future.add_done_callback(self._log_failed_change)
            raise

    def _on_switched(self, kept: BlueprintJob | None, future: asyncio.Future[None]) -> None:
        failed = future.cancelled() or future.exception() is not None
        if failed and kept is not None and self._default_blueprint is None:
            # No sink got it after all.
            self._default_blueprint = kept

    def _log_failed_change(self, future: asyncio.Future[None]) -> None:
        if not future.cancelled() and future.exception() is not None:
            logger.error("the sinks of %r were not replaced: %s", self, future.exception())

    async def _force_save(self) -> None:
        from aiorerun.sinks.file import FileSink

        if self._forced or self._forced_path is None:
            return
        self._forced = True
        if self._capture.gate == UNOPENED:
            self._capture.gate = OPEN
        await self._on_engine_loop(self._switch((FileSink(self._forced_path),)))

    async def _flush_sinks(self, timeout_sec: float, acknowledged: bool = False) -> None:
        if self._forced_path is not None:
            await self._force_save()
        await self._on_engine_loop(self._flush(timeout_sec, acknowledged))

    async def _flush(self, timeout_sec: float, acknowledged: bool) -> None:
        future = self._engine.flush(acknowledged=acknowledged)
        if timeout_sec == 0:
            future.add_done_callback(retrieve)
            return
        try:
            async with asyncio.timeout(None if timeout_sec > 1e9 else timeout_sec):
                await asyncio.shield(future)
        except TimeoutError as error:
            if future.done() and not future.cancelled() and future.exception() is error:
                raise
            future.add_done_callback(retrieve)
            raise FlushTimeoutError(f"flush: not everything was written within {timeout_sec} s") from None
        except asyncio.CancelledError:
            future.add_done_callback(retrieve)
            raise

    async def _disconnect_sinks(self) -> None:
        if self._forced_path is not None:
            await self._force_save()
        self._engine.reopen()
        if self._has_sinks_soon:
            self._tell_sinks()
            await self._on_engine_loop(self._switch(()))

    @property
    def _has_sinks_soon(self) -> bool:
        """Whether there are sinks, or a change of them is under way."""
        return self._engine.has_sinks or self._engine.conveyor.is_running

    def _tell_sinks(self) -> None:
        """Tells the sinks that are about to be closed what went wrong, if that is why."""
        error = sys.exc_info()[1]
        if error is None:
            return
        for runner in list(self._engine.conveyor.sinks.runners):
            leaving = getattr(runner.sink, "leaving", None)
            if leaving is not None:
                leaving(error)

    async def _close(self) -> None:
        if self._forced_path is not None:
            await self._force_save()
        if self._capture.gate != DISABLED:
            self._capture.gate = CLOSED
        self._engine.reopen()
        if self._has_sinks_soon:
            self._tell_sinks()
            await self._on_engine_loop(self._switch(()))
        else:
            self._warn_about_lost_buffer()

    def _warn_about_lost_buffer(self) -> None:
        pending = self.stats().rows_pending
        if pending > 1:
            logger.warning("%r is closed with %d rows that no sink ever took", self, pending)

    async def _on_engine_loop(self, call: Coroutine[Any, Any, None]) -> None:
        """Awaits a coroutine on the loop that drives the sinks, which may run in another thread."""
        process.check()
        loop = self._engine.loop
        if loop is None or not loop.is_running() or loop is asyncio.get_running_loop():
            await call
            return
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call, loop))

    # --- state ---------------------------------------------------------------------------------

    def get_recording_id(self) -> str:
        """The recording id."""
        return self._store.recording_id

    def get_application_id(self) -> str:
        """The application id, in its normal form."""
        return self._store.application_id

    def is_enabled(self) -> bool:
        """Whether it takes rows at all."""
        return self._capture.gate != DISABLED

    def stats(self) -> StreamStats:
        """What became of the rows so far; from any thread."""
        return self._engine.stats()


def _checked_limits(
    name: str, max_bytes_in_flight: int | None, max_wait: float | None, close_timeout: float | None
) -> dict[str, Any]:
    """The limits of a stream: those that were passed, checked, and the usual ones for ``None``."""
    limits: dict[str, Any] = {}
    if max_bytes_in_flight is not None:
        limits["max_bytes_in_flight"] = checked_bytes(max_bytes_in_flight, f"{name}: max_bytes_in_flight")
    if max_wait is not None:
        limits["max_wait"] = checked_seconds(max_wait, f"{name}: max_wait")
    if close_timeout is not None:
        # Sinks have so long to open, too: with 0 none ever would.
        check_positive(close_timeout, f"{name}: close_timeout")
        limits["close_timeout"] = checked_seconds(close_timeout, f"{name}: close_timeout")
    return limits


def check_timeout(timeout_sec: float, argument: str = "flush: timeout_sec") -> None:
    """Raises ``TypeError`` for what is no number, ``ValueError`` for one that is negative or NaN."""
    check_number(timeout_sec, argument)
    if math.isnan(timeout_sec) or timeout_sec < 0:
        raise ValueError(f"{argument} must not be negative or NaN, got {timeout_sec!r}; 0 does not wait")


def _check_sinks(sinks: tuple[Any, ...]) -> None:
    for sink in sinks:
        check_sink(sink, "set_sinks")
    for position, sink in enumerate(sinks):
        if sink in sinks[:position]:
            raise ValueError(f"Duplicate sinks detected: {sink!r}")
        policy = getattr(sink, "overflow", None)
        if policy is not None:
            check_policy(policy)
        check_max_queued_bytes(getattr(sink, "max_queued_bytes", None))


def _injection() -> int:
    flags = 0
    for flag, variable in ((LOG_TIME, "RERUN_LOG_TIME"), (LOG_TICK, "RERUN_LOG_TICK")):
        if read_switch(variable) is not False:
            flags |= flag
    return flags


def _record_warning(message: str, recording: BaseRecordingStream | None) -> None:
    """Logs a misuse to the recording it was for, else to those that are active here."""
    if recording is None:
        active = [face.get() for face in BaseRecordingStream._faces]
        recordings = [each for each in active if each is not None]
    else:
        recordings = [recording]
    if recordings:
        from aiorerun.warning_log import record_warning

        record_warning(message, recordings)


observe_warnings(_record_warning)


def _warn_about_refusal(message: str) -> None:
    warnings.warn(message, RerunWarning, stacklevel=caller_stacklevel())
