"""Records requests: what the ASGI middleware and the one of aiohttp have in common."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import weakref
from dataclasses import replace
from math import nan
from time import perf_counter_ns, time_ns
from typing import TYPE_CHECKING, Final

from aiorerun import process
from aiorerun.integrations.complaints import Complaints
from aiorerun.integrations.exchange import MS, ONLY_REQUEST, leave, leave_quickly, log_row
from aiorerun.integrations.failures import Failures
from aiorerun.integrations.requests.rows import SCALAR_FORM, PackedRow, pack_scalar
from aiorerun.integrations.requests.stats import RequestStats
from aiorerun.integrations.row_buffer import WIDTH, RowBuffer, pack_into
from aiorerun.integrations.service import shared_recording
from aiorerun.pipeline.capture import BOTH, CLOSED, DISABLED, OPEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiorerun.integrations.exchange import Exchange
    from aiorerun.integrations.requests.routes import Route
    from aiorerun.integrations.requests.settings import RequestSettings
    from aiorerun.integrations.service import ServiceRecording
    from aiorerun.stream import AsyncRecordingStream

_TOGETHER: Final = 16
"""So many requests are recorded at once: more of them would keep too much of the application alive."""
_LATEST_SECS: Final = 0.05
"""So long a request waits for others at most, and"""
_PUSH_SECS: Final = 0.4
"""so long its row for others, to become one chunk with them. Where there are"""
_MANY_ROWS: Final = 400
"""so many by then, they wait for the next rates, if these come"""
_SOON_SECS: Final = 1.0
"""at least so often: each time that the worker has something to do it holds up the requests in progress."""

_recorders: weakref.WeakSet[Recorder] = weakref.WeakSet()


_of_former: Final = RequestStats()
"""What recorders have counted that are no more."""


class _Hooks:
    """Guards the lists of hooks of recordings, which several recorders and threads change."""

    lock = threading.RLock()


class Recorder:
    """Numbers requests, gives each a time scope, and logs what became of it.

    All methods but :meth:`current_stats` belong to the event loop of the service. None of them raises:
    whatever goes wrong here, the request goes on as without it.

    Args:
        settings: What is recorded.
        service: Where to.

    Attributes:
        recent: Requests that are in progress, or ended and are not recorded yet, but for the
        long: requests that have been in progress for a while.
        complain: Gets errors of our own.
        recording: Where requests went last.
        loop: The event loop that requests began on last: that of the timers.
        timer: Tells rates, while there is anything to tell. ``None`` before the first request, and after long
            silence.
    """

    def __init__(self, settings: RequestSettings, service: ServiceRecording) -> None:
        self.settings = settings
        self.service = service
        self.stats = RequestStats()
        self._latest: asyncio.TimerHandle | None = None
        self._wall_offset_ns = 0
        self._is_cut_off = False
        self._buffers: list[RowBuffer] = []
        self._push_timer: asyncio.TimerHandle | None = None
        # Somebody may flush the recording, or ask for counters, in another thread.
        self._lock = threading.RLock()
        self._takes_all = settings.sampler.takes_all
        self._wants_details = settings.wants_details
        self._is_simple = self._takes_all and not self._wants_details
        self.recording: AsyncRecordingStream | None = None
        self.recent: list[Exchange] = []
        self.long: set[Exchange] = set()
        self._ended = 0
        self._rated_ns = 0
        self._hooked: weakref.WeakSet[AsyncRecordingStream] = weakref.WeakSet()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.complain = Complaints("a request could not be recorded; it is not affected itself")
        self._failures = Failures(settings, self.complain)
        # For what belongs to no request.
        self._context = contextvars.Context()
        _recorders.add(self)
        weakref.finalize(self, _of_former.add, self.stats).atexit = False

    def current_stats(self) -> RequestStats:
        """A copy of the counters; for any thread.

        Only the event loop hands rows over for that. Anywhere else those of requests that have ended are
        counted where they wait.
        """
        if _running_loop() is self.loop:
            self.push()
        with self._lock:
            stats = replace(self.stats)
            stats.recorded += sum(buffer.rows for buffer in self._buffers)
            stats.in_progress = len(self.long)
            for exchange in self.recent[:]:
                # What the sample will say is not known before it is asked.
                if exchange.ended_ns and self._takes_all:
                    stats.recorded += 1
                else:
                    stats.in_progress += 1
        stats.seen = stats.in_progress + stats.recorded + stats.not_sampled + stats.not_recorded
        return stats

    def target(self) -> AsyncRecordingStream | None:
        """The recording that requests go to now: that of the service, else the active one."""
        service = self.service
        recording = service.recording
        if recording is None:
            # If no start of the service was seen, it begins with the first request.
            recording = service.open_soon() if service.owns else shared_recording()
        if recording is None or (recording._capture.gate and not _takes_rows(recording)):
            return None
        return recording

    def start(self, recording: AsyncRecordingStream, now: int) -> None:
        """Gets ready for the first request, or for the first one in another recording or on another loop."""
        loop = asyncio.get_running_loop()
        if loop is not self.loop:
            self._move_to(loop)
        self.recording = recording
        engine = recording._engine
        with _Hooks.lock:
            if self._hand_in_last not in engine.before_cut:
                engine.before_cut.append(self._hand_in_last)
                self._hooked.add(recording)
        if self.timer is None and self.settings.rate_interval:
            self._rated_ns = now
            self._arm(loop)

    def _move_to(self, loop: asyncio.AbstractEventLoop) -> None:
        """Forgets the timers of another loop, which may have ended: no timer of that comes any more."""
        self.loop = loop
        self.timer = self._latest = self._push_timer = None
        self._failures.forget_reading()
        self.service.resume(loop)

    def _unhook_if_idle(self) -> None:
        """Lets recordings forget this recorder, and so the application, until the next request.

        As long as rows wait here, the recordings keep it.
        """
        with _Hooks.lock:
            is_ticking = self.timer is not None and self.loop is not None and not self.loop.is_closed()
            if is_ticking or self.recent or self.long or self._buffers:
                return
            self.timer = self.recording = None
            self._unhook()

    def _unhook(self) -> None:
        for recording in list(self._hooked):
            engine = recording._engine
            # Another list: somebody may be going through this one.
            engine.before_cut = [hook for hook in engine.before_cut if hook != self._hand_in_last]
        self._hooked.clear()

    def forget(self) -> None:
        """Forgets the requests of the parent, in a forked child."""
        # Threads that are not here may have held it.
        self._lock = threading.RLock()
        self.recent.clear()
        self.long.clear()
        self._buffers = []
        self._ended = 0
        self._is_cut_off = False
        self.recording = self.loop = self.timer = self._latest = self._push_timer = None
        self.stats.clear()
        self.settings.routes.forget()
        self._failures.forget_reading()
        self._unhook()

    # --- the end of requests -------------------------------------------------------------------

    def end(self, exchange: Exchange) -> None:
        """Ends a request that raised nothing; the task gets the times back that it had before.

        What is left to do is done for several requests at once: code that runs once per request finds
        nothing in the caches of the processor, and takes two or three times as long.
        """
        exchange.ended_ns = perf_counter_ns()
        leave_quickly(exchange)
        if exchange.is_long:
            with self._lock:
                # Another thread may have found that it has ended.
                if exchange in self.long:
                    self.long.discard(exchange)
                    self.recent.append(exchange)
        self._ended += 1
        if self._ended >= _TOGETHER:
            self.hand_in()
        elif self._latest is None:
            loop = asyncio.get_running_loop()
            self._latest = loop.call_later(_LATEST_SECS, self._on_time, context=self._context)

    def fail(self, exchange: Exchange, error: BaseException) -> None:
        """Ends a request that raised something."""
        try:
            # It ends when it is out of the list: another thread would take it for one that raised nothing.
            if self._take_out(exchange):
                exchange.ended_ns = perf_counter_ns()
                self.hand_in()
                with self._lock:
                    self._record(exchange, error)
        except Exception as own:
            self.complain(own)
        finally:
            leave(exchange)

    def _take_out(self, exchange: Exchange) -> bool:
        """Returns whether the request was in progress; not so in a forked child."""
        with self._lock:
            if exchange in self.long:
                self.long.discard(exchange)
            elif exchange in self.recent:
                self.recent.remove(exchange)
            else:
                return False
        return True

    def _on_time(self) -> None:
        self._latest = None
        self.hand_in()

    def hand_in(self) -> None:
        """Logs the rows of all requests that have ended."""
        with self._lock:
            following = iter(self._take_ended())
            self._wall_offset_ns = time_ns() - perf_counter_ns()
            while True:
                try:
                    self._record_plain(following)
                except Exception as own:
                    # Of one request; the others follow.
                    self.stats.not_recorded += 1
                    self.complain(own)
                else:
                    return

    def _take_ended(self) -> list[Exchange]:
        """Takes the requests that have ended out of the recent ones; the others last for long."""
        recent = self.recent
        # Meanwhile others may begin.
        count = len(recent)
        seen = recent[:count]
        del recent[:count]
        self._ended = 0
        ended: list[Exchange] = []
        for exchange in seen:
            if not exchange.ended_ns:
                exchange.is_long = True
                self.long.add(exchange)
                if not _has_ended(exchange):
                    continue
                # In this moment, on the loop: whether that has seen it in here or not, it is not any more.
                self.long.discard(exchange)
            ended.append(exchange)
        return ended

    def _hand_in_last(self) -> None:
        """The same, when the recording is flushed or closed, in any thread."""
        with self._lock:
            self._is_cut_off = True
            try:
                self.push()
            finally:
                self._is_cut_off = False
        self._unhook_if_idle()

    def _record_plain(self, ended: Iterator[Exchange]) -> None:
        """Records requests in the shortest way, those that it can; the others go the long way."""
        offset, rated = self._wall_offset_ns, self._rated_ns
        for exchange in ended:
            recording, times, status = exchange.recording, exchange.times, exchange.status
            capture = recording._capture
            if not (
                self._is_simple
                and exchange.is_plain
                and status < 500
                and capture.gate == OPEN
                and capture.inject == BOTH
                and capture.limiter is None
                and times[0] is ONLY_REQUEST
            ):
                self._record(exchange, None)
                continue
            now, began, first = exchange.ended_ns, exchange.began_ns, exchange.first_byte_ns
            route = exchange.route
            if route is None:
                route = exchange.find_route()
                route.passed(now - (began if began > rated else rated))  # noqa: FURB136
            else:
                route.ended(now)
            buffer = route.buffer
            if buffer is None or buffer.recording is not recording:
                buffer = self._buffer_for(route, recording)
            place = buffer.place
            if place == buffer.end:
                self._make_room(buffer)
                place = 0
            pack_into(
                buffer.memory,
                place,
                next(capture._tick),
                now + offset,
                times[1][0],
                ((exchange.done_ns or now) - began) * MS,
                (first - began) * MS if first else nan,
                status,
                exchange.received,
                exchange.sent,
                exchange.disconnected,
                False,
            )
            buffer.place = place + WIDTH

    def _buffer_for(self, route: Route, recording: AsyncRecordingStream) -> RowBuffer:
        if route.buffer is not None:
            self._push(route.buffer)
        route.buffer = RowBuffer(recording, route.requests_path)
        return route.buffer

    def _make_room(self, buffer: RowBuffer) -> None:
        self._push(buffer)
        buffer.make_room()
        self._buffers.append(buffer)
        # Where a recording is flushed, maybe in another thread, rows are pushed right away.
        if self._push_timer is None and not self._is_cut_off and (loop := _running_loop()) is not None:
            self._push_timer = loop.call_later(_PUSH_SECS, self._push_on_time, context=self._context)

    def _push(self, buffer: RowBuffer) -> None:
        closed = buffer.recording._capture.gate == CLOSED and not self._is_cut_off
        rows = buffer.push(drop=closed)
        if closed:
            self.stats.not_recorded += rows
        else:
            self.stats.recorded += rows

    def _push_on_time(self) -> None:
        self._push_timer = None
        rates_are_due = self.timer is not None and self.settings.rate_interval <= _SOON_SECS
        if not (rates_are_due and sum(buffer.rows for buffer in self._buffers) >= _MANY_ROWS):
            self.push()

    def push(self) -> None:
        """Passes the rows of all requests that have ended on to the recording."""
        with self._lock:
            self.hand_in()
            buffers, self._buffers = self._buffers, []
            for buffer in buffers:
                self._push(buffer)

    def _record(self, exchange: Exchange, error: BaseException | None) -> None:
        """Logs the row of a request that has ended, and counts it."""
        recording, stats, now = exchange.recording, self.stats, exchange.ended_ns
        is_counted = False
        try:
            route = exchange.route
            if route is None:
                route = exchange.find_route()
                route.passed(now - max(exchange.began_ns, self._rated_ns))
            else:
                route.ended(now)
            failed = exchange.finish(error)
            capture, times = recording._capture, exchange.times
            if not failed and not self._takes_all and not self.settings.sampler(exchange.described):
                is_counted = True
                stats.not_sampled += 1
                return
            is_counted = True
            # What ended before the recording is closed belongs to it.
            gate = OPEN if self._is_cut_off else capture.gate
            if gate == CLOSED:
                stats.not_recorded += 1
                return
            stats.recorded += 1
            log_row(recording, times, route.requests_path, exchange.row(failed), gate)
            if failed or self._wants_details:
                self._record_more(exchange, route, error, failed)
        except Exception as own:
            stats.not_recorded += not is_counted
            self.complain(own)

    def _record_more(
        self, exchange: Exchange, route: Route, error: BaseException | None, failed: bool
    ) -> None:
        """What only some requests have."""
        if self._wants_details:
            from aiorerun.archetypes import TextDocument

            details = exchange.details(route.name)
            if details:
                log_row(exchange.recording, exchange.times, route.details_path, TextDocument(details))
        if failed:
            self._failures.tell(exchange, route.name, error)

    async def settle(self) -> None:
        """Returns when all that ended is recorded, tracebacks included, and stops the rates."""
        self.push()
        await self._failures.settle()
        timers = (self.timer, self._latest, self._push_timer)
        self.timer = self._latest = self._push_timer = self.recording = None
        if _running_loop() is self.loop:
            for timer in timers:
                if timer is not None:
                    timer.cancel()
        self._unhook_if_idle()

    # --- rates ---------------------------------------------------------------------------------

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        # In a context of its own: rates belong to no request.
        self.timer = loop.call_later(self.settings.rate_interval, self._tick, loop, context=self._context)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is not self.loop:
            return
        self.timer = None
        try:
            with self._lock:
                self.hand_in()
                told = self._log_rates(perf_counter_ns())
        except Exception as own:
            self.complain(own)
            return
        finally:
            # In the next turn rates are cut off, as a rule: so it is one job of the worker for both.
            loop.call_soon(self._push_rates, context=self._context)
        if told or self.recent or self.long:
            self._arm(loop)
        else:
            self.recording = None

    def _push_rates(self) -> None:
        self.push()
        self._unhook_if_idle()

    def _log_rates(self, now: int) -> bool:
        """Logs what happened since the last time; returns whether there was anything to tell."""
        for exchange in list(self.long):
            if exchange.route is None and exchange.has_route:
                route = exchange.route = exchange.find_route()
                route.began(max(exchange.began_ns, self._rated_ns))
        span = max(1, now - self._rated_ns)
        self._rated_ns = now
        rates = self.settings.routes.rates(now, span)
        recording = self.recording
        if recording is not None and _takes_rows(recording):
            for route, per_second, concurrency in rates:
                recording.log_nowait(route.rate_path, PackedRow(SCALAR_FORM, pack_scalar(per_second)))
                recording.log_nowait(route.concurrency_path, PackedRow(SCALAR_FORM, pack_scalar(concurrency)))
        return bool(rates)


def _takes_rows(recording: AsyncRecordingStream) -> bool:
    return recording._capture.gate not in (DISABLED, CLOSED)


def _has_ended(exchange: Exchange) -> bool:
    return exchange.ended_ns != 0


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def settle_all() -> None:
    """Returns when all that ended is recorded; before a recording is closed."""
    for recorder in list(_recorders):
        await recorder.settle()


def request_stats() -> RequestStats:
    """What became of all requests of this process, over all middlewares."""
    total = replace(_of_former)
    total.seen = total.recorded + total.not_sampled + total.not_recorded
    for recorder in list(_recorders):
        total.add(recorder.current_stats())
    return total


def _forget_in_child() -> None:
    """A forked child has no request in progress: its parent records those."""
    _Hooks.lock = threading.RLock()
    _of_former.clear()
    for recorder in list(_recorders):
        recorder.forget()


process.on_fork.append(_forget_in_child)
